"""Merging the tags of several taggers into one list; rules as data, no tag database.

In this order: spelling → alias → blacklist → ratings, the strongest of them, never by threshold → thresholds → tags
that exclude each other, by score → tags that another one implies, by whole words. What cannot be known without a
database of tags (which of them name a character, a series or an artist) is not guessed at: such tags are taken as
general ones, unless their source is ``wd:character``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..tags import canonical, is_score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..bases import RatingStyle
    from ..model import Tag

# Spellings that mean the same to every tagger and base model; our own choice, from Danbooru's aliases.
ALIASES = {
    "one girl": "1girl",
    "single girl": "1girl",
    "one boy": "1boy",
    "gray hair": "grey hair",
    "gray eyes": "grey eyes",
    "gray background": "grey background",
    "blond hair": "blonde hair",
    "twin tails": "twintails",
    "pony tail": "ponytail",
    "bare foot": "barefoot",
    "looking at the viewer": "looking at viewer",
    "nobody": "no humans",
}
BLACKLIST = frozenset({"watermark", "artist name", "signature", "twitter username", "web address", "patreon username"})
RATINGS = ("general", "sensitive", "questionable", "explicit")
_PONY = {
    "general": "rating_safe",
    "sensitive": "rating_safe",
    "questionable": "rating_questionable",
    "explicit": "rating_explicit",
}
IMPLIED_BY = {  # a tag → the tags that say it already
    "multiple girls": ("2girls", "3girls", "4girls", "5girls", "6+girls"),
    "multiple boys": ("2boys", "3boys", "4boys", "5boys", "6+boys"),
    "animal ears": ("cat ears", "dog ears", "fox ears", "rabbit ears", "wolf ears"),
    "sky": ("blue sky", "cloudy sky", "night sky", "starry sky"),
}
_COLOURS = ("aqua", "black", "blonde", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "silver",
            "white", "yellow")  # fmt: skip
_COUNTED = ("girl", "boy", "other")
_SEVERAL = frozenset(
    {"multiple girls", "multiple boys"} | {f"{n}{who}s" for n in ("2", "3", "4", "5", "6+") for who in _COUNTED}
)
# Where one of these stands, several colours may be right.
_SEVERAL_HAIR = frozenset(
    {"multicolored hair", "two-tone hair", "gradient hair", "streaked hair", "colored inner hair"}
)
_SEVERAL_EYES = frozenset({"heterochromia", "multicolored eyes"})
# `no shirt` ends in `shirt` and does not mean one.
_DENIALS = ("no", "without", "unworn", "missing")


@dataclass(frozen=True, slots=True)
class MergeRules:
    """From which confidence (0–1) a tag counts, and which never do; a tag of unknown confidence always counts.

    A tag that both taggers saw may be weaker: its threshold is multiplied by ``agreement``.
    """

    wd_general: float = 0.35
    wd_character: float = 0.85
    joytag: float = 0.4
    agreement: float = 0.7
    blacklist: frozenset[str] = BLACKLIST
    ratings: RatingStyle = "none"


def said_by(tag: Tag) -> frozenset[str]:
    """Return which taggers gave a tag: ``wd``, ``joytag``, both, or neither (a person, a file)."""
    return _said_by(tag.source)


@lru_cache(maxsize=1024)
def _said_by(source: str) -> frozenset[str]:
    return frozenset(name for name in ("wd", "joytag") for part in source.split("+") if part.startswith(name))


@lru_cache(maxsize=1024)
def _threshold(source: str, rules: MergeRules) -> float:
    """Return the threshold of a source; where both taggers spoke as one, the lower of theirs."""
    if source.endswith(":character"):
        return rules.wd_character
    thresholds = {"wd": rules.wd_general, "joytag": rules.joytag}
    return min((thresholds[name] for name in _said_by(source)), default=0.0)


@lru_cache(maxsize=65536)
def _spelt(text: str) -> str:
    """Return the canonical spelling of a tag under its canonical name."""
    tag = canonical(text)
    return ALIASES.get(tag, tag)


def merge(tags: Iterable[Tag], rules: MergeRules) -> list[str]:
    """Return the tags that count, each once: counts of people, rating, then the rest by confidence.

    The order in which tags come in does not matter.
    """
    scores, rating = _gather(tags, rules)
    _exclude(scores)
    _drop_implied(scores)
    ordered = sorted(scores, key=lambda tag: (not _is_count(tag), -scores[tag], tag))
    if rating and rules.ratings != "none":
        ordered.insert(sum(map(_is_count, scores)), _PONY[rating] if rules.ratings == "pony" else rating)
    return ordered


def _gather(tags: Iterable[Tag], rules: MergeRules) -> tuple[dict[str, float], str]:
    """Return the tags above their thresholds with the larger of their scores, and the strongest rating."""
    scores: dict[str, float] = {}
    margins: dict[str, float] = {}  # best share of its threshold that a tag reached
    taggers: dict[str, set[str]] = {}
    ratings: dict[str, float] = {}
    for tag in tags:
        text = _spelt(tag.text)
        if not text or text in rules.blacklist or text.startswith("bad ") or is_score(text):
            continue
        score = 1.0 if tag.confidence is None else tag.confidence
        if text in RATINGS:
            ratings[text] = max(score, ratings.get(text, 0.0))
            continue
        threshold = _threshold(tag.source, rules)
        margin = score / threshold if threshold else 1.0
        scores[text] = max(score, scores.get(text, 0.0))
        margins[text] = max(margin, margins.get(text, 0.0))
        taggers.setdefault(text, set()).update(_said_by(tag.source))
    kept = {
        text: score
        for text, score in scores.items()
        if margins[text] >= (rules.agreement if len(taggers[text]) > 1 else 1.0)
    }
    return kept, max(sorted(ratings), key=lambda name: ratings[name], default="")


# Tags that exclude each other


@lru_cache(maxsize=65536)
def _group(tag: str) -> str:
    """Name the group of which an image has one tag at most; empty for most tags."""
    for who in _COUNTED:
        if tag in _counts(who):
            return who
    colour, _, what = tag.rpartition(" ")
    return what if colour in _COLOURS and what in {"hair", "eyes"} else ""


@lru_cache(maxsize=8)
def _counts(who: str) -> frozenset[str]:
    return frozenset({f"1{who}", *(f"{n}{who}s" for n in ("2", "3", "4", "5", "6+"))})


def _is_count(tag: str) -> bool:
    return tag in _SEVERAL or _group(tag) in _COUNTED or tag == "solo"


def _exclude(scores: dict[str, float]) -> None:
    """Keep the strongest of tags that exclude each other, where nothing says that several are right."""
    groups: dict[str, list[str]] = {}
    for tag in scores:
        group = _group(tag)
        if group:
            groups.setdefault(group, []).append(tag)
    several = not _SEVERAL.isdisjoint(_strongest_counts(scores, groups))
    for group, tags in groups.items():
        allowed = (
            (group == "hair" and (several or not _SEVERAL_HAIR.isdisjoint(scores)))
            or (group == "eyes" and (several or not _SEVERAL_EYES.isdisjoint(scores)))
        )  # fmt: skip
        if len(tags) > 1 and not allowed:
            strongest = _strongest(tags, scores)
            for tag in tags:
                if tag != strongest:
                    del scores[tag]


def _strongest(tags: Iterable[str], scores: dict[str, float]) -> str:
    return min(tags, key=lambda tag: (-scores[tag], tag))


def _strongest_counts(scores: dict[str, float], groups: dict[str, list[str]]) -> set[str]:
    return {_strongest(groups[who], scores) for who in _COUNTED if who in groups}


# Tags that others imply


@lru_cache(maxsize=65536)
def _said_along(tag: str) -> tuple[str, ...]:
    """Return the tags that ``tag`` says along: its own last words, and what the table has."""
    words = tag.split(" ")
    endings = () if words[0] in _DENIALS else tuple(" ".join(words[n:]) for n in range(1, len(words)))
    return endings + tuple(implied for implied, by in IMPLIED_BY.items() if tag in by)


def _drop_implied(scores: dict[str, float]) -> None:
    for tag in list(scores):
        for implied in _said_along(tag):
            scores.pop(implied, None)
