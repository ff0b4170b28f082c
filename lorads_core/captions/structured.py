"""Structured captions: JSON as Ideogram 4 was trained with, of a caption that is plain text.

The keys and their order are those of its authors' verifier (musubi-tuner 0.3.4, ideogram4/caption_verifier.py). What a
caption does not say is left out or empty: no medium, light or place of anything is made up.
"""

from __future__ import annotations

import json
from typing import Any, cast

_DESCRIPTION, _COMPOSITION = "high_level_description", "compositional_deconstruction"


def structured(caption: str) -> str:
    """Return a caption as JSON on one line.

    One that is such JSON already stays as it is, but for words in front of it, such as a trigger: they begin its
    description.
    """
    head, brace, rest = caption.partition("{")
    if written := _read(brace + rest):
        words, said = head.strip(" ,"), str(written.get(_DESCRIPTION, ""))
        if words and words not in said:
            written = {_DESCRIPTION: f"{words}, {said}" if said else words} | {
                key: each for key, each in written.items() if key != _DESCRIPTION
            }
        return _text(written)
    return _text({_DESCRIPTION: caption, _COMPOSITION: {"background": "", "elements": []}})


def _read(text: str) -> dict[str, Any] | None:
    """Return the caption that a text holds, None where it is none of this form."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return found if isinstance(found.get(_COMPOSITION), dict) else None


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
