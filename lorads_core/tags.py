r"""Spelling of tags: one canonical spelling inside, plain for training text, escaped for ComfyUI prompts; pure.

A canonical tag is lower case, in NFC, without commas, line ends, separators of trainers or invisible characters. It
has a backslash neither before a bracket nor at its end (but for ``/\``), so that lists of tags read back as written.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 200
"""Characters; what is longer is not a tag (and too long for an index)."""

LONGEST_RAW = 5 * LONGEST
"""Characters, with escapes and stray spaces; nothing longer is looked at, nor worth a place in a cache."""

_MOST_WORDS = 6
# A full stop between two words, or at the end of several.
_SENTENCE = re.compile(r"\w[.!?] |^\S+ .*\w[.!?]$|\u3002")  # U+3002: of Chinese and Japanese
_MOST_MARKS = 30  # on one letter: Unicode's UAX #15, Stream-Safe Text Format
_LONG_WORD = 200

# The faces that WD taggers spell with underscores: selected_tags.csv of SmilingWolf's taggers.
KAOMOJI = frozenset(
    "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||".split()  # noqa: SIM905
)
_BROKEN_KAOMOJI = {face.replace("_", " "): face for face in KAOMOJI}
# Words that Pony was trained on with their underscores.
_CONTROL = re.compile(
    r"(score[ _]\d(?:[ _]up)?|source[ _](?:anime|cartoon|furry|pony|comic)"
    r"|rating[ _](?:safe|questionable|explicit))"
)
_SCORE = re.compile(r"score_\d(?:_up)?")
# What would break a caption file (separators of sd-scripts and OneTrainer, line ends) becomes a space.
_SEPARATORS = re.compile(r"\|{3,}|;{3,}|,")
_SEPARATORS_IN_TEXT = re.compile(r" ?,?(?: ?(?:\|{3,}|;{3,}) ?,?)+ ?")
_ESCAPED = re.compile(r"\\+(?=[()\[\]{}\\,])")
# A comma after a backslash belongs to the tag, but not after another backslash nor in the tag `/\/\/\`.
_BETWEEN_TAGS = re.compile(r"(?<![^/\\]\\),|[\r\n]|\|{3,}|;{3,}")
_BRACKET = re.compile(r"[()]")
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_ENTITY_ROUNDS = 2  # what was escaped twice on its way, such as &amp;#039;
# Invisible, yet letters of Persian and Indic scripts and the glue of emoji: they stay in text, and never make a tag.
_JOINERS = "\u200c\u200d"
_NO_JOINERS = str.maketrans("", "", _JOINERS)


def safe_text(text: str) -> str:
    """Return text as one line in NFC without control characters, nor those that turn the direction of writing."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")
    if not text.isprintable():
        text = "".join(_safe(character) for character in text)
    words = text.split() if text.isascii() else [_composed(word) for word in text.split()]
    return " ".join(words)


def _safe(character: str) -> str:
    if character.isspace():
        return " "
    # Cc: control; Cf: invisible formatting such as bidirectional marks; Cs: halves of a character. What this Python
    # does not know yet (Cn) stays: it may be a newer emoji.
    unwanted = unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in _JOINERS
    return "" if unwanted else character


def _composed(word: str) -> str:
    """Return a word in NFC; sorting thousands of marks on one letter would take time by their square."""
    return unicodedata.normalize("NFC", word if len(word) <= _LONG_WORD else "".join(_few_marks(word)))


def _few_marks(word: str) -> Iterator[str]:
    marks = 0
    for character in word:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            yield character


def one_line(text: str) -> str:
    """Return text as `safe_text` does, with commas for the separators ``|||`` and ``;;;``; empty if only commas."""
    text = safe_text(text)
    if "|||" in text or ";;;" in text:
        text = _SEPARATORS_IN_TEXT.sub(", ", text).strip(" ,")
    return text if text.strip(" ," + _JOINERS) else ""


def unescape_entities(text: str) -> str:
    """Return text with its HTML entities as the characters that they stand for: ``&#039;``, ``&lt;``, ``&amp;``."""
    for _ in range(_ENTITY_ROUNDS):
        if "&" not in text or ";" not in text:
            break
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return text


def canonical(tag: str) -> str:
    """Return the one spelling of a tag: lower case, spaces for underscores, faces and control words repaired.

    Empty where nothing is left of it, or where it is too long for a tag.
    """
    return _canonical(tag) if len(tag) <= LONGEST_RAW else ""


@lru_cache(maxsize=65536)
def _canonical(tag: str) -> str:
    text = safe_text(tag.translate(_NO_JOINERS)).lower()
    # Once more: lower letters may compose where upper ones do not.
    text = _ESCAPED.sub("", unicodedata.normalize("NFC", text))
    if text in KAOMOJI:
        return text
    text = " ".join(_SEPARATORS.sub(" ", text.replace("_", " ")).split())
    if not text.endswith("/\\"):
        text = text.rstrip("\\ ")
    if text in _BROKEN_KAOMOJI:
        return _BROKEN_KAOMOJI[text]
    if _CONTROL.fullmatch(text):
        return text.replace(" ", "_")
    return text if len(text) <= LONGEST else ""


def is_score(tag: str) -> bool:
    """Tell Pony's quality words, which belong in test prompts and not in training captions."""
    return bool(_SCORE.fullmatch(tag))


def parse_tag_list(text: str) -> list[str]:
    r"""Return the canonical tags of text with commas, line ends or trainers' separators between them, once, in order.

    Brackets may be escaped as in prompts (``\(``); an escaped comma (``\,``) does not end a tag.
    """
    tags = (canonical(part) for part in split_tags(text))
    return [tag for tag in dict.fromkeys(tags) if tag]


def split_tags(text: str) -> list[str]:
    """Return the parts of a list of tags as they are written; some may be empty."""
    return _BETWEEN_TAGS.split(text)


def is_tag_list(text: str) -> bool:
    """Tell a list of tags from prose: commas between short parts, none of which is a sentence."""
    return len(_parts(text)) > 1 and not is_prose(text)


def is_prose(text: str) -> bool:
    """Tell prose, by a part between commas that is long or ends as a sentence does."""
    return any(len(part.split()) > _MOST_WORDS or _SENTENCE.search(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    parts = (part.strip() for part in _BETWEEN_TAGS.split(text))
    return [part for part in parts if part]


def render_training(tags: Iterable[str]) -> str:
    """Return tags as training text: trainers parse no weights, so that nothing is escaped.

    Tags that are not canonical are made so: none can break a caption file.
    """
    return ", ".join(filter(None, map(_canonical, tags)))


def escape_prompt(text: str) -> str:
    r"""Return training text as a ComfyUI prompt: ``\(`` and ``\)`` for brackets, which would be weights there.

    Only these two are escapes there (ComfyUI 0.3, comfy/sd1_clip.py, escape_important): a backslash of a tag
    stays single.
    """
    return _BRACKET.sub(r"\\\g<0>", text)
