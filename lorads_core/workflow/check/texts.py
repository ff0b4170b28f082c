"""The caption that a trainer would take for an image, and the text files beside it that it would not read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...images.prompts import is_infotext
from ...library.sidecars.decode import LARGEST
from ...system.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ...library.layouts import CaptionRule

State = Literal["read", "missing", "empty", "unreadable"]
_OTHERS = (".txt", ".caption", ".cap", ".json")


@dataclass(frozen=True, slots=True)
class TrainedCaption:
    """What a trainer takes as the caption: ``state`` says whether its source has one; ``text`` is what is trained.

    ``whole`` is what its text file holds, ``lines`` are that file's. ``unread`` are other text files of the image.
    """

    text: str
    state: State
    lines: int = 1
    whole: str = ""
    file: str = ""
    unread: tuple[str, ...] = ()

    @property
    def is_infotext(self) -> bool:
        """Whether it is the info text of a generated image (A1111, Forge): prompt, negative prompt and settings."""
        return is_infotext(self.whole or self.text)

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, which no text encoder understands."""
        text = self.text.strip()
        if not (text.startswith(('{"', "{'", "[{")) and text.endswith(("}", "]"))):
            return False
        try:
            return isinstance(json.loads(text), dict | list)
        except (ValueError, RecursionError):
            return False


def trained_caption(path: str, folder: Path, rule: CaptionRule, texts: Collection[str]) -> TrainedCaption:
    """Return the caption of an image by the rule of its folder; ``texts`` are the text files of the folder."""
    stem = path[: path.rfind(".")]
    match rule.kind:
        case "fixed":
            return TrainedCaption(rule.text, "read" if rule.text else "missing")
        case "filename":
            name = os.path.basename(stem)  # noqa: PTH119 - a Path for each of many images is slow
            return TrainedCaption(name.replace("_", " "), "read")
        case "table":
            key = os.path.relpath(path, folder).replace(os.sep, "/")
            text = rule.table.get(key, rule.table.get(key.rsplit("/", 1)[-1], ""))
            text = text or rule.table.get(os.path.basename(stem), "")  # noqa: PTH119 - as above
            return TrainedCaption(text, "read" if text else "missing")
        case _:
            return _of_file(path, stem, rule, texts)


def _of_file(path: str, stem: str, rule: CaptionRule, texts: Collection[str]) -> TrainedCaption:
    file = f"{stem}{rule.suffix}"
    beside = (*(f"{stem}{suffix}" for suffix in _OTHERS), *(f"{path}{suffix}" for suffix in _OTHERS))
    unread = tuple(other for other in beside if other != file and other in texts)
    if file not in texts:
        return TrainedCaption(rule.text, "missing", unread=unread)
    try:
        with open_regular(file) as stream:
            text = stream.read(LARGEST).decode("utf-8")
    except (OSError, ValueError):
        return TrainedCaption("", "unreadable", file=file, unread=unread)
    lines = [line.strip() for line in text.splitlines()]
    used = lines[:1] if rule.first_line else lines
    caption = "\n".join(used).strip()
    filled = sum(bool(line) for line in lines)
    return TrainedCaption(caption, "read" if caption else "empty", filled, text.strip(), file, unread)
