"""The trigger word in a caption: put in once, or taken out; nothing else of the caption changes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..tags import canonical, is_prose, one_line
from .tokens import is_common
from .vocabulary import SHIPPED

if TYPE_CHECKING:
    from ..model import Trigger

LONGEST = 75
"""Characters; CLIP's first chunk ends at as many tokens, and a trigger should be a few."""

_PLACEHOLDER = re.compile(r"\[(?:trigger|name)\]", re.IGNORECASE)
# What a trigger is put before in captions of people's own: `sks dog`, `ohwx woman`.
_CLASSES = frozenset(
    {"girl", "boy", "man", "woman", "person", "child", "cat", "dog", "animal", "character", "style", "object"}
)
# What tells a sentence about the trigger from a tag that begins as the trigger does: `sks is sitting`.
_OF_SENTENCES = frozenset(
    {"a", "an", "the", "is", "are", "was", "has", "in", "on", "at", "by", "from", "with", "without", "wearing", "who"}
)
_JOINER = re.compile("[\u200c\u200d]")


def checked(trigger: Trigger) -> Trigger:
    """Return the trigger in NFC if it can stand in a caption.

    Raises:
        CaptionError: it is too long, or holds a comma, a separator, a line end or an invisible character.
    """
    word = unicodedata.normalize("NFC", trigger.word[: LONGEST + 1])
    if len(word) > LONGEST:
        raise CaptionError(f"The trigger has {len(trigger.word)} characters: choose a short word, at most {LONGEST}.")
    if "," in word or one_line(word) != word or _JOINER.search(word):
        raise CaptionError(
            f"The trigger {word!r} holds a comma, a separator, a line end, an invisible character or a stray space,"
            " which would break captions: choose a plain word."
        )
    return replace(trigger, word=word)


def place_trigger(caption: str, trigger: Trigger) -> str:
    """Put the trigger where its placeholder stands within text (``[trigger]``, ``[name]``), else as `add_trigger` does.

    The placeholders are those of ai-toolkit (toolkit/prompt_utils.py, inject_trigger_into_prompt). One that is a part
    of its own says that the trigger is to be there, not in which place of the list.
    """
    if not has_placeholder(caption):
        return add_trigger(caption, trigger)
    if not trigger.word or trigger.position == "none":
        return remove_placeholder(caption)
    parts = [part for part in caption.split(",") if not _PLACEHOLDER.fullmatch(part.strip())]
    others = ",".join(parts).strip(" ,")
    if has_placeholder(others):
        return _PLACEHOLDER.sub(lambda _: trigger.word, remove_trigger(others, trigger))
    return add_trigger(others, trigger) if others else trigger.word


def has_placeholder(caption: str) -> bool:
    """Tell whether a caption holds what stands for the trigger."""
    return "[" in caption and bool(_PLACEHOLDER.search(caption))


def remove_placeholder(caption: str) -> str:
    """Return a caption without what stands for the trigger."""
    if not has_placeholder(caption):
        return caption
    parts = (" ".join(_PLACEHOLDER.sub(" ", part).split()) for part in caption.split(","))
    return ", ".join(filter(None, parts))


def add_trigger(caption: str, trigger: Trigger) -> str:
    """Put the trigger at the front or the end, as a part of its own between commas, and there only.

    A caption that begins with the trigger and goes on with what is said of it stays as it is: ``sks is sitting``,
    ``sks dog``, ``sks red hair``. Where the trigger is a word of every day, so may a tag begin that is another:
    ``red hair`` for the trigger ``red``, ``tom and jerry`` for ``tom``.
    """
    word = trigger.word
    if not word or trigger.position == "none" or not caption:
        return caption
    if _begins_with(caption, word) and (is_prose(caption) or _begins_phrase(caption, word)):
        return caption
    others = remove_trigger(caption, trigger)
    if not others:
        return word
    if trigger.position == "prepend":
        return f"{word}, {others}"
    return f"{others.removesuffix('.') if is_prose(others) else others}, {word}"


def remove_trigger(caption: str, trigger: Trigger) -> str:
    """Take the trigger out where it is a part of its own between commas, however it is spelled there."""
    if not trigger.word or (trigger.word.isascii() and _plain(trigger.word) not in _plain(caption)):
        return caption
    parts = caption.split(",")
    kept = [part for part in parts if not _is(part, trigger.word)]
    return caption if len(kept) == len(parts) else ",".join(kept).strip(" ,")


def mentions(caption: str, trigger: Trigger) -> bool:
    """Tell whether the trigger stands anywhere in a caption as a word of its own."""
    if not trigger.word or trigger.word.casefold() not in caption.casefold():
        return False
    return bool(re.search(rf"(?<!\w){re.escape(trigger.word)}(?!\w)", caption, re.IGNORECASE))


def _begins_with(caption: str, word: str) -> bool:
    following = caption[len(word) : len(word) + 1]
    same = caption[: len(word)].casefold() == word.casefold()
    # A comma would make it a part of its own, which is looked for apart.
    return same and not (following.isalnum() or following in {"_", ","})


def _begins_phrase(caption: str, word: str) -> bool:
    """Tell whether the first part says something of the trigger with which it begins, and is no tag of its own."""
    first = caption.partition(",")[0]
    rest = canonical(first[len(word) :])
    words = rest.split()
    if not words or SHIPPED.knows(canonical(first)):
        return False
    if not is_common(word):
        return True
    is_sentence = not _OF_SENTENCES.isdisjoint(words) or words[0].endswith("ing")
    return is_sentence or words[0] in _CLASSES or words[-1] in _CLASSES or SHIPPED.knows(rest)


def _plain(text: str) -> str:
    """Return text so that it holds a trigger, however spelled, as it holds its own letters: a quick look, no proof."""
    return text.lower().replace("_", " ").replace("\\", "")


def _is(part: str, word: str) -> bool:
    part = part.strip()
    return part.casefold() == word.casefold() or (canonical(part) == canonical(word) != "")
