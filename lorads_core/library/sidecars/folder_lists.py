"""Files that list the captions of a folder's images: metadata.jsonl, metadata.csv, captions.json, kohya's meta_*.json.

Hugging Face's imagefolder names images relative to the file, those of a subfolder too; kohya's sd-scripts by their
path, with or without a suffix.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from typing import TYPE_CHECKING, cast

from ...errors import CaptionError
from .data import Said, parse_json, said_by
from .decode import LARGEST_LIST, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LISTS = frozenset(
    {
        "metadata.jsonl", "captions.jsonl", "metadata.json", "captions.json", "metadata.csv", "captions.csv",
        "meta_cap.json", "meta_cap_dd.json", "meta_clean.json",
    }
)  # fmt: skip
"""The names of such files, lower case."""

_NAMES = ("file_name", "filename", "file", "image", "image_path", "path", "file_path", "media_path")
_MOST = 2_000_000  # entries, so that a list of empty objects does not fill the memory
_DIGEST = 8  # bytes; a changed entry is missed once in 2^64


class Listed(dict[str, "tuple[Said, str]"]):
    """What a list says by image, and a text that changes with it; images are known by their path without suffix too."""

    def of(self, path: str) -> tuple[Said, str] | None:
        """Return what it says of an image."""
        return self.get(path) or self.get(os.path.splitext(path)[0])  # noqa: PTH122 - for each of many images


def read_list(path: Path) -> Listed:
    """Return what a list says, by the full path of each image.

    Raises:
        CaptionError: it is too long, malformed, or cannot be read.
    """
    text = read_text(path, largest=LARGEST_LIST)
    entries = {".jsonl": _json_lines, ".csv": _csv}.get(path.suffix.lower(), _json)(path, text)
    folder = str(path.parent)
    listed = Listed()
    for name, value in entries:
        if len(listed) >= _MOST:
            raise CaptionError(f"{path} has over {_MOST:,} entries: divide it.")
        said = said_by(value)
        if said.caption or said.tags or said.prompt:
            digest = hashlib.blake2b(repr(said).encode(), digest_size=_DIGEST).hexdigest()
            listed.setdefault(_full(folder, name), (said, digest))
    return listed


def _full(folder: str, name: str) -> str:
    """Return the full path of an image; one that was written on another machine is looked for by its name."""
    name = name.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        inside = os.path.normpath(name)
        name = name if inside.startswith(folder + os.sep) else name.rpartition("/")[2]
    return os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - a Path for each of a million is slow


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield from _named(parse_json(line, f"Line {number:,} of {path}"))


def _csv(path: Path, text: str) -> Iterator[tuple[str, object]]:
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            yield from _named(row)
    except csv.Error as error:
        raise CaptionError(f"{path} is not valid CSV ({error}): save it again.") from error


def _json(path: Path, text: str) -> Iterator[tuple[str, object]]:
    value = parse_json(text, str(path))
    if isinstance(value, list):
        for entry in cast("list[object]", value):
            yield from _named(entry)
    elif isinstance(value, dict):
        yield from cast("dict[str, object]", value).items()


def _named(entry: object) -> Iterator[tuple[str, object]]:
    """Yield the image that an entry names, and the entry without its name."""
    if not isinstance(entry, dict):
        return
    fields = cast("Mapping[str, object]", entry)
    for key in _NAMES:
        name = fields.get(key)
        if isinstance(name, str) and name:
            yield name, {other: value for other, value in fields.items() if other != key}
            return
