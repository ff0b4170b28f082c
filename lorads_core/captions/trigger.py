"""The trigger word in a caption: put in once, or taken out; nothing else of the caption changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..tags import safe_text

if TYPE_CHECKING:
    from ..model import Trigger

LONGEST = 75
"""Characters; CLIP's first chunk ends at as many tokens, and a trigger should be a few."""


def checked(trigger: Trigger) -> Trigger:
    """Return the trigger if it can stand in a caption.

    Raises:
        CaptionError: it is too long, or holds a comma, a separator, a line end or an invisible character.
    """
    word = trigger.word
    if len(word) > LONGEST:
        raise CaptionError(f"The trigger has {len(word)} characters: choose a short word, at most {LONGEST}.")
    if any(separator in word for separator in (",", "|||", ";;;")) or safe_text(word) != word:
        raise CaptionError(
            f"The trigger {word!r} holds a comma, a separator, a line end or an invisible character, which would break"
            " captions: choose a plain word."
        )
    return trigger


def add_trigger(caption: str, trigger: Trigger) -> str:
    """Put the trigger at the front or the end, unless it is a part of its own there already."""
    if not trigger.word or trigger.position == "none" or not caption:
        return caption
    others = remove_trigger(caption, trigger)
    parts = (trigger.word, others) if trigger.position == "prepend" else (others, trigger.word)
    return ", ".join(part for part in parts if part)


def remove_trigger(caption: str, trigger: Trigger) -> str:
    """Take the trigger out where it is a part of its own between commas."""
    if not trigger.word:
        return caption
    word = trigger.word.casefold()
    parts = [part.strip() for part in caption.split(",")]
    kept = [part for part in parts if part.casefold() != word]
    return caption if len(kept) == len(parts) else ", ".join(kept)
