"""Paths in a manifest: the table of its fields that are paths, and the check that each stays where it belongs.

A manifest may be a stranger's: what it names is read, trained from and written to, on any system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from ..errors import SettingsError
from ..system.links import is_link_or_junction
from ..system.paths import OUTPUT, contained, has_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Where(Enum):
    """What a path in a manifest is relative to, and how it must look."""

    NAME = "a plain name without a folder"
    EXPORT = "a file in the export"
    BESIDE = f"NAME{OUTPUT}/ and twelve hexadecimal digits, beside the export"
    OUTPUT = "a file in the folder of trained LoRAs"
    ANYWHERE = "a file of this machine that is only read, or only a note"


@dataclass(frozen=True, slots=True)
class PathField:
    """A field of the manifest that is a path: ``[]`` stands for each item, ``{}`` for each key, ``{}=`` each value."""

    name: str
    where: Where


PATH_FIELDS = (
    PathField("name", Where.NAME),
    PathField("files[]", Where.EXPORT),
    PathField("texts{}", Where.EXPORT),
    PathField("masks[]", Where.EXPORT),
    PathField("mask_hashes{}", Where.EXPORT),
    PathField("images[].file", Where.EXPORT),
    PathField("training.output", Where.BESIDE),
    PathField("training.checkpoints[]", Where.OUTPUT),
    # Models lie where their user has them; launching checks that they are there, and a trainer only reads them.
    PathField("config.checkpoint", Where.ANYWHERE),
    PathField("config.model_files{}=", Where.ANYWHERE),
    PathField("config.initial_lora", Where.ANYWHERE),
    # Says where an image came from, on the machine of the one who exported it; nothing opens it.
    PathField("images[].source.path", Where.ANYWHERE),
)

_OUTPUT_FORM = re.compile(rf"[A-Za-z0-9-]+{OUTPUT}/[0-9a-f]{{12}}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def path_fault(manifest: Mapping[str, Any]) -> str:
    """Return what is wrong with the form of the first bad path of a manifest, empty where all are as they must be."""
    for field in PATH_FIELDS:
        for name, value in field_values(manifest, field.name):
            if fault := _form_fault(value, field.where):
                return f"{name} is {value!r:.80}, which {fault}; it must be {field.where.value}"
    return ""


def link_fault(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return which path of an export leads out of its folder by a link, empty where none does; forms are checked."""
    roots = {Where.EXPORT: folder, Where.BESIDE: folder.parent}
    looked_at: set[Path] = set()
    for field in PATH_FIELDS:
        root = roots.get(field.where)
        if root is None:
            continue
        for name, value in field_values(manifest, field.name):
            path = root / str(value)
            # Each folder is resolved once: an export may have many thousand files.
            if path.parent in looked_at and not is_link_or_junction(path):
                continue
            looked_at.add(path.parent)
            try:
                contained(root, str(value), name)
            except SettingsError:
                return f"{name} is {value!r:.80}, which leads out of {root} by a link"
    return ""


def _form_fault(value: object, where: Where) -> str:
    if where is Where.ANYWHERE:
        return ""
    if not isinstance(value, str) or not value:
        return "is no path"
    if fault := _relative_fault(value):
        return fault
    if where is Where.NAME and "/" in value:
        return "has a folder in it"
    if where is Where.BESIDE and not _OUTPUT_FORM.fullmatch(value):
        return "is no folder of trained LoRAs"
    return ""


def _relative_fault(path: str) -> str:
    """Return why a path is not plain and relative on every system, empty where it is."""
    parts = path.split("/")
    checks = (
        (_CONTROL.search(path), "has control characters"),
        ("\\" in path or ":" in path, "has a backslash or a colon (a drive, a share or a stream of Windows)"),
        (path.startswith("/"), "is absolute"),
        (".." in parts, "climbs out of its folder"),
        ("" in parts or "." in parts, "has an empty part"),
        (any(part != part.rstrip(" .") for part in parts), "has a name that Windows shortens"),
        (has_device(path), "is a device of Windows"),
    )
    return next((fault for is_so, fault in checks if is_so), "")


def field_values(manifest: Mapping[str, Any], name: str) -> Iterator[tuple[str, object]]:
    """Yield the values of a field with their full names, e.g. ``images[3].file``; none where the manifest lacks it."""
    found: list[tuple[str, object]] = [("", manifest)]
    for step in re.findall(r"[^.\[\]{}=]+|\[\]|\{\}=?", name):
        found = [item for name, value in found for item in _step(name, value, step)]
    yield from found


def _step(name: str, value: object, step: str) -> Iterator[tuple[str, object]]:
    if step == "[]" and isinstance(value, list):
        items = cast("list[object]", value)
        yield from ((f"{name}[{number}]", item) for number, item in enumerate(items))
    elif isinstance(value, dict):
        table = cast("dict[str, object]", value)
        if step == "{}":
            yield from ((f"{name}[{key!r:.80}]", key) for key in table)
        elif step == "{}=":
            yield from ((f"{name}.{key}", item) for key, item in table.items())
        elif step in table:
            yield (f"{name}.{step}" if name else step), table[step]
