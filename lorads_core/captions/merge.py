"""Merging the tags of several taggers into one list; what is known of single tags stands in `vocabulary`.

In this order: spelling -> alias -> blacklist -> ratings, the strongest of them, never by threshold -> thresholds ->
tags that exclude each other, by score -> tags that another one implies, by whole words. The list that comes out is in
the order of the base model, by category and then by score. What is neither in the vocabulary nor said by its source
(``wd:character``) to be a character, a series or an artist counts as general: nothing is guessed at.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from ..tags import LONGEST_RAW
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
    the rating is spelled, if at all, ``order`` which category of tags comes first.
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


_COUNTS = frozenset(COUNTS)
_COUNTS_OF = tuple(frozenset({f"1{who}", *SEVERAL_OF[who]}) for who in WHO)


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


_Entry = tuple[str, float, float, "int | None", int, str]
"""What a tag of a source is worth: its name, its threshold, that for a tag which two taggers saw, its place where its
source says what it is about, its rating (-1 for none), its tagger. NaN passes no threshold.

A plain tuple: a named one takes three times as long to unpack, which is done for each tag of each image.
"""

_APART = 2  # from one place to the next, so that no score reaches it
_NEVER = math.nan  # no score is as high
_MOST_ENTRIES = 100_000  # of one source; more tags than any tagger's vocabulary


class _Table:
    """What is known of tags under the rules, worked out once for each spelling: a merge is a matter of microseconds.

    ``entries`` maps a source to its tags as they are spelled there; None is a tag that has no place in captions.
    """

    def __init__(self, rules: MergeRules) -> None:
        self.entries: dict[str, dict[str, _Entry | None]] = {}
        self.places: dict[str, int] = {}
        self.implied_by: defaultdict[str, set[str]] = defaultdict(set)
        self.coloured: dict[str, str] = {}
        self._rules = rules
        rest = rules.order.index("general") if "general" in rules.order else len(rules.order)
        self.of_category = {
            each: 100 * _APART * (rules.order.index(each) if each in rules.order else rest) for each in CATEGORIES
        }

    def add(self, source: str, text: str) -> _Entry | None:
        """Return what is known of a tag, and know it from now on."""
        entry = self._entry(_source(source or "", self._rules), self._rules.vocabulary.words[text])
        if len(self.entries) >= _MOST_SOURCES:
            self.entries.clear()
        of_source = self.entries.setdefault(source, {})
        if len(of_source) >= _MOST_ENTRIES:
            of_source.clear()
        if len(text) <= LONGEST_RAW:
            of_source[text] = entry
        return entry

    def _entry(self, source: _Source, word: Word | None) -> _Entry | None:
        if word is None:
            return None
        if word.rating >= 0:  # never by threshold
            return word.text, _NEVER, 0.0, None, word.rating, ""
        self.places[word.text] = self.of_category[word.category] + _APART * word.place
        for less in word.implies:
            self.implied_by[less].add(word.text)
        if word.coloured:
            self.coloured[word.text] = word.coloured
        said = source.category if word.category == "general" else None
        place = self.of_category[said] if said else None
        return word.text, source.threshold, source.weak, place, -1, source.tagger


_MOST_SOURCES = 1024


@lru_cache(maxsize=4)  # a user's vocabulary takes a hundred megabytes
def _table(rules: MergeRules) -> _Table:
    return _Table(rules)


def _table_of(rules: MergeRules) -> _Table:
    """Return the table of the rules; one with too many tags is replaced; threads that use it finish with it."""
    table = _table(rules)
    if len(table.places) > _MOST_ENTRIES:
        _table.cache_clear()
        table = _table(rules)
    return table


def merge(tags: Iterable[Tag], rules: MergeRules) -> list[str]:
    """Return the tags that count, each once; the order in which they come in does not matter."""
    table = _table_of(rules)
    scores, waiting, places = _gather(tags, table)
    if waiting:
        _settle(scores, waiting)
    several = not _COUNTS.isdisjoint(scores) and _exclude_counts(scores)
    if not several:
        _exclude_colours(scores, table.coloured)
    present = scores.keys()  # a view looks up the shorter of itself and a set
    implied_by = table.implied_by
    _drop(scores, [tag for tag in scores if tag in implied_by and not present.isdisjoint(implied_by[tag])])
    usual = table.places
    if places:
        usual = usual | {tag: place for tag, place in places.items() if tag in scores}
    # By place and then by score, which is at most 1: one number is compared faster than two.
    ordered = [(usual[tag] - score, tag) for tag, score in scores.items()]
    ordered += [(table.of_category["rating"], rating) for rating in _strongest_rating(waiting, rules)]
    ordered.sort()
    return [tag for _, tag in ordered]


_Waiting = list[tuple[_Entry, float]]


def _gather(tags: Iterable[Tag], table: _Table) -> tuple[dict[str, float], _Waiting, dict[str, int]]:
    """Return the tags above their thresholds, those that have to wait for others, and places other than usual.

    Ratings wait, and tags a little below their threshold, which another tagger may have seen too.
    """
    scores: dict[str, float] = {}
    waiting: _Waiting = []
    places: dict[str, int] = {}
    entries = table.entries
    for tag in tags:
        try:
            entry = entries[tag.source][tag.text]
        except KeyError:
            entry = table.add(tag.source, tag.text)
        if entry is None:
            continue
        text, threshold, weak, place, _, _ = entry
        score = 1.0 if tag.confidence is None else tag.confidence
        if place is not None:
            places[text] = place
        if score >= threshold:
            if score > scores.get(text, -1.0):
                scores[text] = score
        elif score >= weak:
            waiting.append((entry, score))
    return scores, waiting, places


def _settle(scores: dict[str, float], waiting: _Waiting) -> None:
    """Count the weak tags that two taggers saw, or one of them strongly."""
    lone: dict[str, tuple[str, float]] = {}
    for (text, _, _, _, rating, tagger), score in waiting:
        if rating >= 0:
            continue
        if text in scores:
            scores[text] = max(score, scores[text])
            continue
        other, best = lone.get(text, (tagger, 0.0))
        if other == tagger:
            lone[text] = tagger, max(score, best)
        else:
            scores[text] = max(score, best)


def _strongest_rating(waiting: _Waiting, rules: MergeRules) -> tuple[str, ...]:
    """Return the rating with the highest score in the rules' words; of two equal ones the more explicit."""
    ratings = [(score, rating) for (_, _, _, _, rating, _), score in waiting if rating >= 0]
    if not ratings or rules.ratings == "none":
        return ()
    _, strongest = max(ratings)
    return (_PONY[strongest] if rules.ratings == "pony" else RATINGS[strongest],)


# Tags that exclude each other


def _exclude_counts(scores: dict[str, float]) -> bool:
    """Keep the counts of people that can be true together; return whether they say that there are several people."""
    present = _COUNTS.intersection(scores)
    if len(present) < 2:  # noqa: PLR2004 - nothing to exclude
        return not SEVERAL.isdisjoint(present)
    if NO_HUMANS in present:
        people = present - {NO_HUMANS}
        lost = people if scores[NO_HUMANS] > max(scores[tag] for tag in people) else [NO_HUMANS]
        _drop(scores, lost)
    for who in WHO:
        _exclude_counts_of(who, scores)
    left = present.intersection(scores)
    kinds = sum(not tags.isdisjoint(left) for tags in _COUNTS_OF)
    several = not SEVERAL.isdisjoint(left)
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


def _exclude_colours(scores: dict[str, float], coloured: Mapping[str, str]) -> None:
    """Keep the strongest colour of hair and of eyes, where nothing says that several are right."""
    colours = [tag for tag in scores if tag in coloured]
    if len(colours) < 2:  # noqa: PLR2004 - nothing to exclude
        return
    for thing, allowing in SEVERAL_COLOURS.items():
        if scores.keys().isdisjoint(allowing):
            of_thing = [tag for tag in colours if coloured[tag] == thing]
            _drop(scores, sorted(of_thing, key=lambda tag: (-scores[tag], tag))[1:])


def _drop(scores: dict[str, float], tags: Iterable[str]) -> None:
    for tag in tags:
        scores.pop(tag, None)
