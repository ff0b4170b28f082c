"""Merging the tags of several taggers into one list; what is known of single tags stands in `vocabulary`.

In this order: spelling → alias → blacklist → ratings, the strongest of them, never by threshold → thresholds → tags
that exclude each other, by score → tags that another one implies, by whole words. The list that comes out is in the
order of the base model, by category and then by score. What is neither in the vocabulary nor said by its source
(``wd:character``) to be a character, a series or an artist counts as general: nothing is guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from .profiles import BOORU_ORDER
from .vocabulary import (
    CATEGORIES,
    COUNTS,
    NO_HUMANS,
    RATINGS,
    SEVERAL,
    SEVERAL_COLOURS,
    SEVERAL_OF,
    SHIPPED,
    SOLO,
    WHO,
    Category,
    Vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..model import Tag
    from .profiles import RatingStyle
    from .vocabulary import Word

# Pony was trained when Danbooru had three ratings; `safe` has been split into general and sensitive since.
_PONY = ("rating_safe", "rating_safe", "rating_questionable", "rating_explicit")
# What taggers and boorus call categories of ours.
_CATEGORY_WORDS: dict[str, Category] = {"copyright": "series", "meta": "quality"}


@dataclass(frozen=True, slots=True)
class MergeRules:
    """From which confidence (0–1) a tag counts, and which never do; a tag of unknown confidence (None) always counts.

    A tag that both taggers saw may be weaker: their thresholds are multiplied by ``agreement``. ``ratings`` says how
    the rating is spelt, if at all, ``order`` which category of tags comes first.
    """

    wd_general: float = 0.35
    wd_character: float = 0.85
    joytag: float = 0.4
    agreement: float = 0.7
    ratings: RatingStyle = "none"
    order: tuple[Category, ...] = BOORU_ORDER
    vocabulary: Vocabulary = SHIPPED


def said_by(tag: Tag) -> frozenset[str]:
    """Return which taggers may have given a tag: ``wd``, ``joytag``, both, or neither (a person, a file).

    Both, as of ``joytag+wdv3large``, means one of them at least; which one is lost (DiffusionToolkit).
    """
    return _said_by(tag.source)


@lru_cache(maxsize=1024)
def _said_by(source: str) -> frozenset[str]:
    return frozenset(name for name in ("wd", "joytag") for part in source.split("+") if part.startswith(name))


class _Source(NamedTuple):
    """What a source's name says; ``tagger`` is empty where it is none, or may be either of two."""

    threshold: float
    weak: float
    tagger: str
    category: Category | None


def _source(name: str, rules: MergeRules) -> _Source:
    taggers = _said_by(name)
    category = _category(name)
    thresholds = {
        "wd": rules.wd_character if category == "character" else rules.wd_general,
        "joytag": rules.joytag,
    }
    threshold = min((thresholds[each] for each in taggers), default=0.0)
    if len(taggers) != 1:
        return _Source(threshold, threshold, "", category)
    return _Source(threshold, threshold * rules.agreement, next(iter(taggers)), category)


def _category(source: str) -> Category | None:
    _, _, word = source.rpartition(":")
    word = _CATEGORY_WORDS.get(word, word)
    return cast("Category", word) if word in CATEGORIES and word != "general" else None


class _Sources(dict[str, _Source]):
    """What the names of sources say under the rules; there are few of them."""

    def __init__(self, rules: MergeRules) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, name: str) -> _Source:
        source = _source(name, self._rules)
        if len(self) < 1024:  # noqa: PLR2004 - a library's names of sources are data, not ours
            self[name] = source
        return source


@lru_cache(maxsize=64)
def _sources(rules: MergeRules) -> _Sources:
    return _Sources(rules)


@lru_cache(maxsize=64)
def _places(order: tuple[Category, ...]) -> Mapping[Category, int]:
    """Return where each category begins; one that the order does not name stands where general tags do."""
    rest = order.index("general") if "general" in order else len(order)
    return {each: 100 * (order.index(each) if each in order else rest) for each in CATEGORIES}


@dataclass(slots=True)
class _Found:
    """The tags of one image while they are gathered; ``weak`` ones wait for another tagger that saw them too."""

    scores: dict[str, float] = field(default_factory=dict[str, float])
    weak: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    categories: dict[str, Category] = field(default_factory=dict[str, Category])
    ratings: dict[int, float] = field(default_factory=dict[int, float])

    def add_rating(self, rating: int, score: float) -> None:
        if score >= 0:  # not so for what is no number
            self.ratings[rating] = max(score, self.ratings.get(rating, score))

    def add_weak(self, text: str, source: _Source, score: float) -> None:
        if score >= source.weak:
            by_tagger = self.weak.setdefault(text, {})
            by_tagger[source.tagger] = max(score, by_tagger.get(source.tagger, score))

    def settle(self) -> None:
        """Count the weak tags that two taggers saw."""
        for text, by_tagger in self.weak.items():
            if text in self.scores or len(by_tagger) > 1:
                self.scores[text] = max(*by_tagger.values(), self.scores.get(text, 0.0))


def merge(tags: Iterable[Tag], rules: MergeRules) -> list[str]:
    """Return the tags that count, each once; the order in which they come in does not matter."""
    found = _gather(tags, rules)
    scores, words = found.scores, rules.vocabulary.words
    known = {tag: word for tag in scores if (word := words[tag])}
    several = _exclude_counts(scores)
    _exclude_colours(scores, known, several=several)
    implied = set[str]().union(*[known[tag].implies for tag in scores])
    for tag in implied.intersection(scores):
        del scores[tag]
    places, categories = _places(rules.order), found.categories
    ordered = [
        (places[categories.get(tag) or known[tag].category] + known[tag].place, -score, tag)
        for tag, score in scores.items()
    ]
    ordered += [(places["rating"], 0.0, rating) for rating in _strongest_rating(found.ratings, rules)]
    ordered.sort()
    return [tag for _, _, tag in ordered]


def _gather(tags: Iterable[Tag], rules: MergeRules) -> _Found:
    """Return the tags above their thresholds, and those a little below that both taggers saw."""
    found = _Found()
    scores, sources, words = found.scores, _sources(rules), rules.vocabulary.words
    for tag in tags:
        known = words[tag.text]
        if known is None:
            continue
        score = 1.0 if tag.confidence is None else tag.confidence
        if known.rating >= 0:
            found.add_rating(known.rating, score)
            continue
        source, text = sources[tag.source], known.text
        if source.category:
            found.categories[text] = source.category
        if not score >= source.threshold:  # so that what is no number counts for nothing
            found.add_weak(text, source, score)
        elif score > scores.get(text, -1.0):
            scores[text] = score
    found.settle()
    return found


def _strongest_rating(ratings: dict[int, float], rules: MergeRules) -> tuple[str, ...]:
    """Return the rating with the highest score in the rules' words; of two equal ones the more explicit."""
    if not ratings or rules.ratings == "none":
        return ()
    strongest = max(ratings, key=lambda rating: (ratings[rating], rating))
    return (_PONY[strongest] if rules.ratings == "pony" else RATINGS[strongest],)


# Tags that exclude each other


def _exclude_counts(scores: dict[str, float]) -> bool:
    """Keep the counts of people that can be true together; return whether they say that there are several people."""
    present = [tag for tag in COUNTS if tag in scores]
    if len(present) < 2:  # noqa: PLR2004 - nothing to exclude
        return not SEVERAL.isdisjoint(present)
    if NO_HUMANS in present:
        people = present[1:]
        lost = people if scores[NO_HUMANS] > max(scores[tag] for tag in people) else [NO_HUMANS]
        _drop(scores, lost)
    for who in WHO:
        _exclude_counts_of(who, scores)
    kinds = sum(any(tag in scores for tag in (f"1{who}", *SEVERAL_OF[who])) for who in WHO)
    several = not SEVERAL.isdisjoint(scores)
    if several:
        _drop(scores, [SOLO])
    return several or kinds > 1


def _exclude_counts_of(who: str, scores: dict[str, float]) -> None:
    """Keep one count of girls, boys or others; that there is one alone speaks for one."""
    exact = SEVERAL_OF[who][:-1]
    several = [tag for tag in SEVERAL_OF[who] if tag in scores]
    if not several:
        return
    one = max(scores.get(f"1{who}", 0.0), scores.get(SOLO, 0.0))
    if one >= max(scores[tag] for tag in several):
        _drop(scores, several)
        return
    numbers = [tag for tag in exact if tag in scores]
    _drop(scores, [f"1{who}", *sorted(numbers, key=lambda tag: (-scores[tag], tag))[1:]])


def _exclude_colours(scores: dict[str, float], words: dict[str, Word], *, several: bool) -> None:
    """Keep the strongest colour of hair and of eyes, where nothing says that several are right."""
    if several:
        return
    coloured = [tag for tag in scores if words[tag].coloured]
    if len(coloured) < 2:  # noqa: PLR2004 - nothing to exclude
        return
    for thing, allowing in SEVERAL_COLOURS.items():
        if allowing.isdisjoint(scores):
            colours = [tag for tag in coloured if words[tag].coloured == thing]
            _drop(scores, sorted(colours, key=lambda tag: (-scores[tag], tag))[1:])


def _drop(scores: dict[str, float], tags: Iterable[str]) -> None:
    for tag in tags:
        scores.pop(tag, None)
