"""The head of a caption: the parts at its front that say who is shown, and that are not to be shuffled; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .trigger import mentions
from .vocabulary import SHIPPED, Category, Vocabulary

if TYPE_CHECKING:
    from ..model import Trigger

_HEAD: frozenset[Category] = frozenset({"count", "character"})


def head_parts(text: str, trigger: Trigger, vocabulary: Vocabulary = SHIPPED) -> int:
    """Return how many leading parts of a caption, between its commas, are its head.

    These are parts that hold the trigger, counts of people (``1girl``, ``solo``) and the characters that the vocabulary
    knows; the first part that is none of them ends the head.
    """
    parts = text.split(",")
    for position, part in enumerate(parts):
        word = vocabulary.words[part.strip()]
        if not (mentions(part, trigger) or (word is not None and word.category in _HEAD)):
            return position
    return len(parts)
