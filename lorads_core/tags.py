"""How a tag is spelt: one canonical spelling inside, plain for training text, escaped for ComfyUI prompts; pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 200
"""Characters; what is longer is no tag (and too long for an index)."""

_MOST_WORDS = 6
# A full stop between two words, or at the end of several.
_SENTENCE = re.compile(r"\w[.!?] |^\S+ .*\w[.!?]$")

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
_SEPARATORS = re.compile(r"\|\|\|+|;;;+|,|\s+")
_ESCAPED = re.compile(r"\\([()\[\]{}\\])")
_LIST_ENDS = re.compile(r"[,\r\n]")


def safe_text(text: str) -> str:
    """Return text as one line in NFC without control characters, nor those that turn the direction of writing."""
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(_safe(character) for character in text)
    return " ".join(text.split())


def _safe(character: str) -> str:
    if character.isspace():
        return " "
    # Cc: control; Cf: invisible formatting such as bidirectional marks; Cs: halves of a character; Co, Cn: nobody's.
    return "" if unicodedata.category(character)[0] == "C" else character


@lru_cache(maxsize=65536)
def canonical(tag: str) -> str:
    """Return the one spelling of a tag: lower case, spaces for underscores, faces and control words repaired.

    Empty where nothing is left of it, or where it is too long for a tag.
    """
    text = _ESCAPED.sub(r"\1", safe_text(tag)).lower()
    if text in KAOMOJI:
        return text
    if text in _BROKEN_KAOMOJI:
        return _BROKEN_KAOMOJI[text]
    text = " ".join(_SEPARATORS.sub(" ", text.replace("_", " ")).split())
    if _CONTROL.fullmatch(text):
        return text.replace(" ", "_")
    return text if len(text) <= LONGEST else ""


def is_score(tag: str) -> bool:
    """Tell Pony's quality words, which belong in test prompts and not in training captions."""
    return bool(_SCORE.fullmatch(tag))


def parse_tag_list(text: str) -> list[str]:
    """Return the canonical tags of text with commas or line ends between them, each once, in order."""
    tags = (canonical(part) for part in _LIST_ENDS.split(text))
    return [tag for tag in dict.fromkeys(tags) if tag]


def is_tag_list(text: str) -> bool:
    """Tell a list of tags from prose: commas between short parts, none of which is a sentence."""
    parts = [part.strip() for part in _LIST_ENDS.split(text) if part.strip()]
    return len(parts) > 1 and not any(len(part.split()) > _MOST_WORDS or _SENTENCE.search(part) for part in parts)


def render_training(tags: Iterable[str]) -> str:
    """Return tags as training text: trainers parse no weights, so that nothing is escaped."""
    return ", ".join(tags)


def render_prompt(tags: Iterable[str]) -> str:
    """Return tags as a ComfyUI prompt, where parentheses would be weights."""
    return ", ".join(re.sub(r"([()\\])", r"\\\1", tag) for tag in tags)
