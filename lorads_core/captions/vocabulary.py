"""What is known of single tags: aliases, ratings, counts, colours, what a tag says along; tables, no tag database.

The tables are our own choice of the unmistakable, in the spelling of Danbooru's tags, aliases and implications
(danbooru.donmai.us/wiki_pages/help:tag_implications, read in 2025); both WD taggers and JoyTag speak its vocabulary.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..tags import canonical, is_score

if TYPE_CHECKING:
    from collections.abc import Callable

ALIASES = {
    "one girl": "1girl",
    "1 girl": "1girl",
    "single girl": "1girl",
    "2 girls": "2girls",
    "two girls": "2girls",
    "one boy": "1boy",
    "1 boy": "1boy",
    "single boy": "1boy",
    "2 boys": "2boys",
    "two boys": "2boys",
    "nobody": "no humans",
    "gray hair": "grey hair",
    "gray eyes": "grey eyes",
    "gray background": "grey background",
    "blond hair": "blonde hair",
    "twin tails": "twintails",
    "pony tail": "ponytail",
    "bunny ears": "rabbit ears",
    "bare foot": "barefoot",
    "thigh highs": "thighhighs",
    "sun glasses": "sunglasses",
    "smiling": "smile",
    "looking at the viewer": "looking at viewer",
    # Ratings as boorus and Pony write them; Danbooru's `safe` has been general and sensitive since 2022.
    "rating:general": "general",
    "rating:safe": "general",
    "rating:sensitive": "sensitive",
    "rating:questionable": "questionable",
    "rating:explicit": "explicit",
    "rating_safe": "general",
    "rating_questionable": "questionable",
    "rating_explicit": "explicit",
}
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
"""Tags that say something of the file, nothing of the picture; ``*`` at the end stands for any ending."""

RATINGS = ("general", "sensitive", "questionable", "explicit")

WHO = ("girl", "boy", "other")
NO_HUMANS = "no humans"
SOLO = "solo"


SEVERAL_OF = {who: (*(f"{n}{who}s" for n in ("2", "3", "4", "5", "6+")), f"multiple {who}s") for who in WHO}
"""The tags for more than one girl, boy or other, the open one last."""

COUNTS = (NO_HUMANS, *(tag for who in WHO for tag in (f"1{who}", *SEVERAL_OF[who])), SOLO)
"""The tags that say how many there are, in the order in which captions begin with them."""

# Where the others stand in a caption: behind the counts.
CHARACTER, RATING, _REST = (len(COUNTS) + n for n in range(3))

SEVERAL = frozenset(tag for who in WHO for tag in SEVERAL_OF[who])

_IMPLIED_BY = {
    **{f"multiple {who}s": SEVERAL_OF[who][:-1] for who in WHO},
    "animal ears": ("cat ears", "dog ears", "fox ears", "rabbit ears", "wolf ears", "horse ears", "mouse ears"),
    "sky": ("blue sky", "cloudy sky", "night sky", "starry sky"),
    "smile": ("grin", "smirk", "light smile", "evil smile"),
    "standing": ("standing on one leg",),
    "sitting": ("seiza", "wariza", "indian style"),
    "sword": ("katana", "rapier"),
    "hat": ("beret", "baseball cap", "fedora"),
    "jewelry": ("necklace", "earrings", "bracelet"),
}
"""A tag → those that say it already. What ends in the same words (`long hair`, `hair`) needs no entry."""

_IMPLIES = {
    tag: frozenset(base for base, by in _IMPLIED_BY.items() if tag in by) for tag in sum(_IMPLIED_BY.values(), ())
}

# `no shirt` ends in `shirt` and does not mean one; nor do `imminent kiss` and `covered nipples`.
_DENIALS = frozenset("no without unworn missing removed invisible implied imminent after covered".split())  # noqa: SIM905
_OTHER_THINGS = frozenset(
    {"looking back", "hot dog", "teddy bear", "gummy bear", "guinea pig", "sea lion", "ice cream", "computer mouse"}
)
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

    ``place`` is its place in a caption, the same for all but counts; ``rating`` is its place among RATINGS, or -1;
    ``coloured`` is the thing of which it names the colour, where that thing has one; ``implies`` is what it says along.
    """

    text: str
    place: int
    rating: int
    coloured: str
    implies: frozenset[str]


@lru_cache(maxsize=8)
def words(blacklist: frozenset[str]) -> Callable[[str], Word | None]:
    """Return a function from a tag, however spelt, to what is known of it under its canonical name.

    It returns None where the tag has no place in a training caption: forbidden, a quality score, or no tag at all.
    """
    banned = frozenset(canonical(entry) for entry in blacklist)
    open_ended = (entry.removesuffix("*").lower().replace("_", " ") for entry in blacklist if entry.endswith("*"))
    beginnings = tuple(entry for entry in open_ended if entry.strip())

    @lru_cache(maxsize=65536)  # more tags than the vocabularies of all taggers together
    def word(text: str) -> Word | None:
        tag = canonical(text)
        tag = ALIASES.get(tag, tag)
        if not tag or is_score(tag) or tag in banned or tag.startswith(beginnings):
            return None
        place = COUNTS.index(tag) if tag in COUNTS else _REST
        rating = RATINGS.index(tag) if tag in RATINGS else -1
        return Word(tag, place, rating, _coloured(tag), _implied(tag))

    return word


def _coloured(tag: str) -> str:
    colour, _, thing = tag.rpartition(" ")
    return thing if thing in SEVERAL_COLOURS and colour.rpartition(" ")[2] in _COLOURS else ""


def _implied(tag: str) -> frozenset[str]:
    """Return the tags that a tag says along: its own last words, what the table has, and what those say along."""
    words = tag.split(" ")
    plain = words[0] not in _DENIALS and tag not in _OTHER_THINGS
    implied = {" ".join(words[n:]) for n in range(1, len(words))} if plain else set[str]()
    for each in (tag, *implied):
        implied |= _IMPLIES.get(each, frozenset())
    further = set[str]().union(*(_implied(each) for each in implied if each in _IMPLIES))
    return frozenset(implied | further) - {tag}
