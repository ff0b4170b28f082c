"""The shape of a manifest (manifest.json): each value of the type that its readers count on.

A manifest may come from a stranger, with the export that it describes: what has another shape is damaged.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, cast
from uuid import UUID

from ..model import TrainingConfig
from ..system.names import is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object], bool]


def _text(value: object) -> bool:
    return isinstance(value, str) and is_text(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64  # ComfyUI's seeds take 64 bits


def _count(value: object) -> bool:
    return _whole(value) and cast("int", value) < 2**31  # the store's type integer


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def _list(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, cast("list[object]", value)))


def _table(check: Check) -> Check:
    """Return a check of an object whose values are alike."""
    return lambda value: (
        isinstance(value, dict)
        and all(_text(key) and check(each) for key, each in cast("dict[object, object]", value).items())
    )


def _any(_value: object) -> bool:
    return True


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check of an object; keys that are in neither table may hold anything."""

    def check(value: object) -> bool:
        if not isinstance(value, dict):
            return False
        values = cast("dict[str, object]", value)
        return all(key in values and each(values[key]) for key, each in required.items()) and all(
            each(values[key]) for key, each in (optional or {}).items() if key in values
        )

    return check


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _like(default: object) -> Check:
    """Return the check of a field of the training config, by its default."""
    checks: dict[type, Check] = {bool: _flag, int: _integer, float: _number, str: _text, tuple: _list(_text)}
    return checks.get(type(default), _or_none(lambda value: _flag(value) or _number(value)))


_TRIGGER = _object({"word": _text}, {"position": _text})
_CONFIG = _object(
    {},
    {each.name: _like(each.default) for each in fields(TrainingConfig) if each.default is not MISSING}
    | {"model_files": _table(_text), "extra": _table(_any)}
    | dict.fromkeys(("clip_l", "t5xxl", "ae"), _text),  # model files of older versions
)
_IMAGE = _object(
    {
        "file": _text,
        "width": _count,
        "height": _count,
        "bytes": _whole,
        "hash": _text,
        "source": _object({"library": _text, "id": _whole}),
        "caption": _text,
        "regularization": _flag,
    },
    {"key": _text, "concept": _text},
)
_MANIFEST = _object(
    {
        "plan": _text,
        "name": _text,
        "dataset": _object(
            {"id": _uuid, "name": _text, "trigger": _TRIGGER},
            {"concepts": _list(_object({"trigger": _TRIGGER}))},
        ),
        "trainer": _text,
        "config": _CONFIG,
        "images": _list(_IMAGE),
        "texts": _table(_text),
        "files": _list(_text),
        "left_out": _list(_any),
    },
    {
        "policy": _table(_any),
        "masks": _list(_text),
        "mask_hashes": _table(_text),
        "training": _object(
            {"output": _text, "checkpoints": _list(_text), "total_steps": _count, "epochs": _count},
        ),
    },
)


def is_manifest(value: object) -> bool:
    """Say whether a value read from JSON has the shape of a manifest; its version is another matter."""
    return _MANIFEST(value)
