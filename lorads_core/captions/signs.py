"""What the parts of captions show, worked out once each, so that reading a caption is a look-up per tag; no rules."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from ..tags import canonical, is_prose, is_score, one_line
from .clean import is_unbalanced, without_leftovers
from .inherent import inherent
from .vocabulary import RATINGS

if TYPE_CHECKING:
    from .inherent import Kind
    from .vocabulary import Vocabulary

# Signs of a part, as bits.
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

_SIDES = re.compile(r"\b(?:left|right|leftmost|rightmost|asymmetr\w*)\b", re.IGNORECASE)
_ONE_SIDED = frozenset(
    {
        "heterochromia", "mismatched pupils", "eyepatch", "hair over one eye", "one side up", "side ponytail",
        "side braid", "single braid", "single hair bun", "single glove", "single thighhigh", "single earring",
        "single sleeve", "single horn", "single wing", "scar across eye", "mole under eye", "mole under mouth",
        "prosthetic arm", "missing eye",
    }
)  # fmt: skip
_CONTROL = re.compile(r"(?:source|rating)_[a-z]+")
SEPARATOR = re.compile(r"(?<=[A-Za-z0-9)])\s*[，、；;|]\s*(?=[A-Za-z0-9(])")  # noqa: RUF001 - full-width commas
"""What people write for commas between words."""
_AFTER_PROSE = ". "
_MOST_PARTS = 200_000
_LONG_PART = 100  # characters; what is longer seldom comes twice


class Part:
    """A part of a caption between two commas.

    ``key`` is its canonical spelling after aliases, empty where it is no tag; ``tag`` the same of the tag alone, where
    prose stands before it. ``kind`` is what that is an inborn trait of. ``signs`` are the bits above.
    """

    __slots__ = ("key", "kind", "signs", "tag")

    def __init__(self, key: str, tag: str, kind: Kind | None, signs: int) -> None:
        self.key, self.tag, self.kind, self.signs = key, tag, kind, signs


class _Parts(dict[str, Part]):
    """Parts by their text, as they stand between commas."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def __missing__(self, text: str) -> Part:
        part = self._part(text)
        if len(self) >= _MOST_PARTS:
            self.clear()
        if len(text) <= _LONG_PART:
            self[text] = part
        return part

    def _part(self, text: str) -> Part:
        spelt = canonical(text)
        key = self._known(spelt)
        prose = is_prose(text)
        tag = self._known(canonical(text.rpartition(_AFTER_PROSE)[2])) if prose else key
        kind = "name" if self._vocabulary.categories.get(tag) == "character" else inherent(tag)
        return Part(key, tag, kind, (PROSE if prose else 0) | _of_text(text) | _of_spelling(text, spelt))

    def _known(self, tag: str) -> str:
        return self._vocabulary.aliases.get(tag, tag)


def _of_text(text: str) -> int:
    """Return the signs that are in the letters."""
    safe = text.isprintable() and "|||" not in text and ";;;" not in text
    line = text.strip() if safe else one_line(text)
    signs = WORDS if line.strip() else 0
    if not safe and line != text.strip():
        signs |= UNSAFE
    if without_leftovers(text) != text:
        signs |= LEFTOVER
    if is_unbalanced(text):
        signs |= UNBALANCED
    if _SIDES.search(text):
        signs |= SIDED
    if SEPARATOR.search(text):
        signs |= OTHER_SEPARATOR
    return signs


def _of_spelling(text: str, spelt: str) -> int:
    """Return the signs of a canonical tag."""
    signs = SCORE if is_score(spelt) else 0
    if _CONTROL.fullmatch(spelt):
        signs |= CONTROL
    elif spelt in RATINGS or (spelt.startswith("rating:") and spelt[7:] in {*RATINGS, "safe"}):
        signs |= RATING
    if spelt in _ONE_SIDED:
        signs |= ONE_SIDED
    bare = text.strip()
    if "_" in bare and " " not in bare and spelt.count("_") < bare.count("_"):
        signs |= UNDERSCORES
    return signs


@lru_cache(maxsize=4)
def parts_of(vocabulary: Vocabulary) -> dict[str, Part]:
    """Return a table in which every text that stands between commas has its part."""
    return _Parts(vocabulary)


class _Marks(dict[str, int]):
    """A number of 64 bits for each word, the same in every run; that two words share one is as good as impossible."""

    def __missing__(self, word: str) -> int:
        mark = int.from_bytes(blake2b(word.encode(errors="replace"), digest_size=8).digest(), "little")
        if len(self) >= _MOST_PARTS:
            self.clear()
        self[word] = mark
        return mark


MARKS: dict[str, int] = _Marks()
"""A number for each word or tag."""
