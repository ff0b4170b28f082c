"""What is known of single tags: aliases, ratings, counts, colours, what a tag says along; no tag database.

The longer tables and where they are from stand in `tables`. All is spelled as Danbooru's tags are (its wiki,
help:tag_implications, read in 2025); both WD taggers and JoyTag speak its vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from ..tags import LONGEST_RAW, canonical, is_score
from . import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

Category = Literal["count", "character", "series", "rating", "general", "artist", "quality"]
"""What a tag is about; which of them a caption names first is the base model's matter."""

CATEGORIES: tuple[Category, ...] = get_args(Category)

ALIASES = tables.ALIASES
"""Spellings that mean the same to every tagger and base model."""

BLACKLIST = frozenset(
    {
        "watermark",
        "sample watermark",
        "artist name",
        "signature",
        "twitter username",
        "patreon username",
        "web address",
        "bad_*",
    }
)
"""Tags that say something of the file, nothing of the image; ``*`` at the end stands for any ending."""

RATINGS = ("general", "sensitive", "questionable", "explicit")

WHO = ("girl", "boy", "other")
NO_HUMANS = "no humans"
SOLO = "solo"


SEVERAL_OF = {who: (*(f"{n}{who}s" for n in ("2", "3", "4", "5", "6+")), f"multiple {who}s") for who in WHO}
"""The tags for more than one girl, boy or other, the open one last."""

COUNTS = (NO_HUMANS, *(tag for who in WHO for tag in (f"1{who}", *SEVERAL_OF[who])), SOLO)
"""The tags that say how many there are, in the order in which captions begin with them."""

SEVERAL = frozenset(tag for who in WHO for tag in SEVERAL_OF[who])

IMPLICATIONS = tables.IMPLICATIONS | {
    tag: frozenset({f"multiple {who}s"}) for who in WHO for tag in SEVERAL_OF[who][:-1]
}
"""A tag -> those that it says along; what it ends in by whole words (`long hair`, `hair`) is not among them."""

QUALITY = frozenset(
    {
        "masterpiece",
        "best quality",
        "high quality",
        "normal quality",
        "low quality",
        "worst quality",
        "absurdres",
        "highres",
        "lowres",
        "newest",
        "recent",
        "mid",
        "early",
        "old",
    }
)
"""Words of quality and age that Illustrious and its kin were trained with, besides ``year 2023``."""

# `no shirt` ends in `shirt` and does not mean one; nor do `imminent kiss`, `covered nipples` and `stuffed rabbit`.
_DENIALS = frozenset(
    "no without unworn missing removed invisible implied imminent incoming indirect after covered hidden stuffed toy".split()  # noqa: SIM905, E501
)
_IN_TITLES = frozenset({"of", "the"})
_NAMES: frozenset[Category] = frozenset({"character", "series", "artist"})
_OTHER_THINGS = frozenset(
    {
        # Where it is no part of the body, no piece of clothing.
        "looking back", "on back", "arm behind back", "arms behind back", "garter belt", "chastity belt",
        "conveyor belt", "suspender belt", "lap pillow", "arm pillow", "breast pillow", "sleep mask", "sleeping bag",
        "punching bag", "tea bag", "bean bag",
        # Neither these animals nor these plants.
        "hot dog", "corn dog", "prairie dog", "raccoon dog", "teddy bear", "gummy bear", "guinea pig", "sea lion",
        "red panda", "computer mouse", "rocking horse", "wooden horse", "pommel horse", "rubber duck", "candy apple",
        "sweet potato", "hot spring",
        # Nor these things.
        "ice cream", "water gun", "finger gun", "paper airplane", "rock paper scissors", "blowing kiss", "pocky kiss",
    }
)  # fmt: skip
"""Tags whose last word is something else."""

_COLOURS = frozenset(
    "aqua black blonde blue brown green grey orange pink purple red silver white yellow".split()  # noqa: SIM905
)
SEVERAL_COLOURS = {
    "hair": frozenset({"multicolored hair", "two-tone hair", "gradient hair", "streaked hair", "colored inner hair"}),
    "eyes": frozenset({"heterochromia", "multicolored eyes", "two-tone eyes"}),
}
"""Where one of these stands, several colours are right."""


class Word(NamedTuple):
    """A tag and what is known of it.

    ``category`` says what it is about, ``place`` where it stands among the counts. ``rating`` is its place among
    RATINGS, or -1; ``coloured`` is the thing of which it names the colour, where that thing has one; ``implies`` is
    what it says along.
    """

    text: str
    category: Category
    place: int
    rating: int
    coloured: str
    implies: frozenset[str]


_NAMED = frozenset(ALIASES.values()).union(*IMPLICATIONS.values())  # by our tables, as what another tag means or says
_MOST_WORDS = 200_000  # more tags than the vocabularies of all taggers together


class _Words(dict[str, "Word | None"]):
    """What is known of tags however they are spelled, worked out once each: looking one up costs what a dict costs."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._banned = frozenset(canonical(entry) for entry in vocabulary.blacklist)
        open_ended = (
            entry.removesuffix("*").lower().replace("_", " ") for entry in vocabulary.blacklist if entry.endswith("*")
        )
        self._beginnings = tuple(entry for entry in open_ended if entry.strip())

    def __missing__(self, text: str) -> Word | None:
        word = self._word(text) if len(text) <= LONGEST_RAW else None
        if len(self) >= _MOST_WORDS:
            self.clear()
        if len(text) <= LONGEST_RAW:
            self[text] = word
        return word

    def _word(self, text: str) -> Word | None:
        tag = canonical(text)
        tag = canonical(self._vocabulary.aliases.get(tag, tag))
        if not tag or is_score(tag) or tag in self._banned or tag.startswith(self._beginnings):
            return None
        place = COUNTS.index(tag) if tag in COUNTS else -1
        rating = RATINGS.index(tag) if tag in RATINGS else -1
        category = self._vocabulary.category(tag)
        return Word(tag, category, place, rating, _coloured(tag), self._vocabulary.implied(tag))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is known of tags, all in their canonical spelling: ours, or with what a user adds.

    ``aliases`` maps a spelling to the tag that it means, which is no alias itself; ``implications`` a tag to those that
    it says along (besides its own last words), ``categories`` a tag to what it is about (what is not in it is general).
    An entry of ``blacklist`` that ends in ``*`` is the beginning of tags. ``for_sidecars`` says that the tags of
    sidecars get its names too, and those of its blacklist go; otherwise they stay as their author wrote them.
    """

    aliases: Mapping[str, str] = field(default_factory=lambda: ALIASES, repr=False)
    implications: Mapping[str, frozenset[str]] = field(default_factory=lambda: IMPLICATIONS, repr=False)
    categories: Mapping[str, Category] = field(default_factory=dict[str, "Category"], repr=False)
    blacklist: frozenset[str] = BLACKLIST
    for_sidecars: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", _Words(self))

    words: Mapping[str, Word | None] = field(init=False, repr=False)
    """From a tag, however spelled, to what is known of it under its canonical name.

    None where the tag has no place in a training caption: forbidden, a quality score, or no tag at all.
    """

    def knows(self, tag: str) -> bool:
        """Tell whether a canonical tag stands in one of the lists, in whatever role."""
        return (
            tag in self.aliases
            or tag in self.implications
            or tag in self.categories
            or tag in _NAMED
            or self.category(tag) != "general"
        )

    def category(self, tag: str) -> Category:
        """Return what a canonical tag is about."""
        if tag in COUNTS:
            return "count"
        if tag in RATINGS:
            return "rating"
        if tag in QUALITY or (tag.startswith("year ") and tag[5:].isdecimal()):
            return "quality"
        return self.categories.get(tag, "general")

    def implied(self, tag: str) -> frozenset[str]:
        """Return the tags that a tag says along: its own last words, what the table has, and what those say along.

        Last words say nothing where either is a name, such as `korra` and `the legend of korra`.
        """
        found = set[str]()
        waiting = [tag]
        while waiting:
            each = waiting.pop()
            new = (self._last_words(each) | self.implications.get(each, frozenset[str]())) - found
            found |= new
            waiting += new
        return frozenset(found - {tag})

    def _last_words(self, tag: str) -> set[str]:
        if self.categories.get(tag) in _NAMES:
            return set()
        return {words for words in last_words(tag) if self.categories.get(words) not in _NAMES}


def _coloured(tag: str) -> str:
    colour, _, thing = tag.rpartition(" ")
    return thing if thing in SEVERAL_COLOURS and colour.rpartition(" ")[2] in _COLOURS else ""


def last_words(tag: str) -> set[str]:
    """Return what a tag says along by ending in it, by whole words: ``long hair`` says ``hair``.

    A title such as ``the legend of korra`` says nothing of what it ends in.
    """
    words = tag.split(" ")
    plain = words[0] not in _DENIALS and tag not in _OTHER_THINGS and _IN_TITLES.isdisjoint(words[:-1])
    return {" ".join(words[n:]) for n in range(1, len(words))} if plain else set()


SHIPPED = Vocabulary()
"""What is known without anybody's files."""
