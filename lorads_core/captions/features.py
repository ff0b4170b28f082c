"""What the parts of captions show, worked out once each, so that reading a caption is a look-up per tag; no rules."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..library.sidecars.forms import has_booru_words, is_word_list
from ..tags import LONGEST, canonical, is_prose, is_score, one_line, unescape_entities
from .clean import is_unbalanced, without_leftovers
from .inherent import inherent
from .trigger import has_placeholder
from .vocabulary import RATINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .inherent import Kind
    from .vocabulary import Vocabulary

# Signs of parts, as bits.
WORDS = 1  # anything at all
PROSE = 2
UNSAFE = 4  # what would break a caption file
LEFTOVER = 8  # of a prompt
UNBALANCED = 16  # brackets of this part alone
SCORE = 32
CONTROL = 64  # Pony's words of source and rating
RATING = 128
SIDED = 256  # left, right
ONE_SIDED = 512  # of one side of the body by its nature
UNDERSCORES = 1024
OTHER_SEPARATOR = 2048
# Signs of a caption, beside those of its parts.
REPEATED = 4096  # parts
OVERLONG = 8192
TRIGGER = 16384  # not once and in its place, or where it must not be
# Further signs of parts.
ENTITY = 32768  # of HTML
PLACEHOLDER = 65536  # of the trigger
INFOTEXT = 131072  # where what a generator writes behind a prompt begins
SPACED = 262144  # tags with spaces between them
QUALITY_WORD = 524288
LONG = 1048576  # too long for a tag

SIDES = re.compile(r"\b(?:left|right|leftmost|rightmost|asymmetr\w*)\b", re.IGNORECASE)
"""Words that a flipped image makes wrong."""
_ODD = re.compile(r"[()\[\]{}<_:;|$+\uff0c\u3001\uff1b]")  # full-width commas
_ONE_SIDED = frozenset(
    {
        "heterochromia", "mismatched pupils", "eyepatch", "hair over one eye", "one side up", "side ponytail",
        "side braid", "single braid", "single hair bun", "single glove", "single thighhigh", "single earring",
        "single sleeve", "single horn", "single wing", "scar across eye", "mole under eye", "mole under mouth",
        "prosthetic arm", "missing eye",
    }
)  # fmt: skip
_CONTROL = re.compile(r"(?:source|rating)_[a-z]+")
SEPARATOR = re.compile(r"(?<=[A-Za-z0-9)])\s*[\uff0c\u3001\uff1b;|]\s*(?=[A-Za-z0-9(])")  # full-width commas
"""What people write for commas between words."""
BEHIND_PROMPT = re.compile(r"\bnegative prompt:|\bsteps: \d+(?=,|$)", re.IGNORECASE)
"""Where what a generator writes behind a prompt begins."""
# What prompts ask for and no image shows; a caption with them binds them to the trigger.
_QUALITY_WORDS = frozenset(
    {
        "masterpiece", "best quality", "high quality", "good quality", "amazing quality", "great quality",
        "very aesthetic", "aesthetic", "highly detailed", "extremely detailed", "ultra detailed", "ultra-detailed",
        "intricate details", "8k", "4k", "8k uhd", "uhd", "hdr", "award winning", "trending on artstation",
    }
)  # fmt: skip
_AFTER_PROSE = ". "
_MOST_PARTS = 200_000


class Part:
    """A part of a caption between two commas.

    ``key`` is its canonical spelling after aliases, empty where it is no tag, and the text itself where it is prose;
    ``tag`` is the tag behind that prose. ``kind`` is what that is an inborn trait of. ``signs`` are the bits above.
    """

    __slots__ = ("key", "kind", "signs", "tag")

    def __init__(self, key: str, tag: str, kind: Kind | None, signs: int) -> None:
        self.key = key
        self.tag = tag
        self.kind: Kind | None = kind
        self.signs = signs


class Parts:
    """What is known of parts, by their text as it stands between commas.

    It only grows: who reads much takes a new one when it `is_full`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._parts: dict[str, Part] = {}
        self._keys = _Keys(self._new)
        self._odd: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether it holds more parts than is worth keeping."""
        return len(self._parts) > _MOST_PARTS

    def keys(self, texts: list[str]) -> list[str]:
        """Return the key of each part."""
        return [*map(self._keys.__getitem__, texts)]

    def odd(self, texts: list[str]) -> list[Part]:
        """Return those of these parts of which there is more to be said than their key, each once; `keys` comes first.

        This is what a caption costs: one look into a set for a part of which there is nothing to be said.
        """
        return [self._parts[text] for text in self._odd.intersection(texts)]

    def parts(self, texts: list[str]) -> list[Part]:
        """Return all of these parts; `keys` comes first."""
        return [self._parts[text] for text in texts]

    def _new(self, text: str) -> str:
        part = self._part(text)
        self._parts[text] = part
        if part.kind or part.signs != WORDS or not part.key:
            self._odd.add(text)
        return part.key

    def _part(self, text: str) -> Part:
        signs = _of_text(text)
        if not signs & SPACED and is_prose(text):
            tag = self._known(canonical(text.rpartition(_AFTER_PROSE)[2])) if _AFTER_PROSE in text else ""
            return Part(text.strip(), tag, self._kind(tag), signs | PROSE)
        spelled = canonical(text)
        key = self._known(spelled)
        return Part(key, key, self._kind(key), signs | _of_spelling(text, spelled))

    def _kind(self, tag: str) -> Kind | None:
        return "name" if self._vocabulary.categories.get(tag) == "character" else inherent(tag)

    def _known(self, tag: str) -> str:
        return self._vocabulary.aliases.get(tag, tag)


def _of_text(text: str) -> int:
    """Return the signs that are in the letters."""
    if text.isprintable() and "|||" not in text and ";;;" not in text:
        signs = WORDS if text.strip() else 0
    else:
        line = one_line(text)
        signs = (WORDS if line else 0) | (UNSAFE if line != text.strip() else 0)
    if _ODD.search(text) or "BREAK" in text or "ADD" in text:
        signs |= _of_odd_text(text)
    lower = text.lower()
    if ("left" in lower or "right" in lower or "asymmetr" in lower) and SIDES.search(text):
        signs |= SIDED
    return signs


def _of_odd_text(text: str) -> int:
    """Return the signs of a part in which a letter is that words do not have."""
    plain = unescape_entities(text)
    signs = LEFTOVER if without_leftovers(text) != text else 0
    signs |= UNBALANCED if is_unbalanced(text) else 0
    signs |= OTHER_SEPARATOR if SEPARATOR.search(plain) else 0
    signs |= ENTITY if plain != text else 0
    signs |= PLACEHOLDER if has_placeholder(text) else 0
    signs |= INFOTEXT if BEHIND_PROMPT.search(text) else 0
    return signs | (SPACED if is_word_list(text) and has_booru_words(text) else 0)


def _of_spelling(text: str, spelled: str) -> int:
    """Return the signs of a canonical tag."""
    signs = SCORE if is_score(spelled) else 0
    if _CONTROL.fullmatch(spelled):
        signs |= CONTROL
    elif spelled in RATINGS or (spelled.startswith("rating:") and spelled[7:] in {*RATINGS, "safe"}):
        signs |= RATING
    elif spelled in _QUALITY_WORDS:
        signs |= QUALITY_WORD
    elif not spelled and len(text.strip()) > LONGEST:
        signs |= LONG
    if spelled in _ONE_SIDED:
        signs |= ONE_SIDED
    bare = text.strip()
    if "_" in bare and " " not in bare and spelled.count("_") < bare.count("_"):
        signs |= UNDERSCORES
    return signs


class _Keys(dict[str, str]):
    """Keys by the text of parts."""

    def __init__(self, new: Callable[[str], str]) -> None:
        super().__init__()
        self._new = new

    def __missing__(self, text: str) -> str:
        key = self[text] = self._new(text)
        return key


@lru_cache(maxsize=4)
def _newest(vocabulary: Vocabulary) -> list[Parts]:
    return [Parts(vocabulary)]


def parts_of(vocabulary: Vocabulary) -> Parts:
    """Return what is known of parts under a vocabulary; a new one where the last is full."""
    newest = _newest(vocabulary)
    if newest[0].is_full:
        newest[0] = Parts(vocabulary)
    return newest[0]
