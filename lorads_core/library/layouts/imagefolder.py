"""Hugging Face's imagefolder: ``metadata.jsonl`` or ``metadata.csv`` with ``file_name`` and ``text`` of each image.

By the datasets library's docs/source/image_dataset.mdx. Text columns are called text, caption or prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ...images.formats import SUFFIXES
from ...model import Problem
from ...problems import counted
from . import CaptionRule, ImageFolder, Layout, LayoutReader

if TYPE_CHECKING:
    from pathlib import Path

_TEXTS = ("text", "caption", "prompt", "additional_feature")


def _from_document(file: Path, document: object) -> Layout | None:
    if file.stem.lower() != "metadata" or not isinstance(document, list):
        return None
    rows = [cast("dict[str, object]", each) for each in cast("list[object]", document) if isinstance(each, dict)]
    named = [row for row in rows if isinstance(row.get("file_name"), str)]
    if not named:
        return None
    column = next((name for name in _TEXTS if any(isinstance(row.get(name), str) for row in named)), "")
    table = {str(row["file_name"]).replace("\\", "/"): str(row.get(column) or "") for row in named}
    problems: list[Problem] = []
    if len(named) < len(cast("list[object]", document)):
        count = counted(len(cast("list[object]", document)) - len(named), "row has", "rows have")
        problems.append(Problem("warning", "rows-left-out", f"{count} no file_name: left out.", file.name))
    if not column:
        message = f"It has no column of captions ({', '.join(_TEXTS[:3])}): no image has a caption."
        problems.append(Problem("error", "no-text-column", message, file.name))
    folder = file.parent
    rule = CaptionRule("table", table=table)
    only = ImageFolder(folder, folder.name, subfolders=True, captions=rule)
    return Layout("Hugging Face's imagefolder", file, "", (only,), SUFFIXES, {}, tuple(problems))


LAYOUT = LayoutReader("imagefolder", "Hugging Face's imagefolder (metadata.jsonl, metadata.csv)", 70, _from_document)
