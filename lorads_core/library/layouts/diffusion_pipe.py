"""diffusion-pipe's ``dataset.toml``: a list of directories with their repeats.

Keys by diffusion-pipe's examples/dataset.toml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...images.formats import SUFFIXES
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .values import Notes, Values

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN = {
    "path", "num_repeats", "mask_path", "resolutions", "enable_ar_bucket", "min_ar", "max_ar", "num_ar_buckets",
    "ar_buckets", "frame_buckets", "size_buckets", "control_path", "caption_prefix", "shuffle_tags",
    "cache_shuffle_num", "cache_shuffle_delimiter",
}  # fmt: skip


def _from_document(file: Path, document: object) -> Layout | None:
    found = cast("dict[str, object]", document).get("directory") if isinstance(document, dict) else None
    listed = cast("list[object]", found) if isinstance(found, list) else []
    if not any(isinstance(each, dict) and "path" in each for each in listed):
        return None
    notes = Notes("diffusion-pipe")
    config = Values(cast("object", document), notes)
    notes.unknown(config.all, _KNOWN | {"directory"})
    options: dict[str, Any] = {"batch_size": 1}
    if sides := config.sides("resolutions"):
        options["resolution"] = max(sides)
    folders = [_directory(file, config, each, notes) for each in config.tables("directory")]
    few, more = limited(folders)
    return Layout(file.name, file, "", few, SUFFIXES, options, (*notes.problems(), *more))


def _directory(file: Path, config: Values, directory: Values, notes: Notes) -> ImageFolder:
    notes.unknown(directory.all, _KNOWN)
    path, exists = resolve(file.parent, directory.text("path"))
    masks = directory.text("mask_path")
    repeats = directory.number("num_repeats", config.number("num_repeats", 1))
    return ImageFolder(
        path,
        path.name,
        "training",
        max(0.0, repeats),
        captions=CaptionRule(),
        masks=resolve(file.parent, masks)[0] if masks else None,
        exists=exists,
    )


LAYOUT = LayoutReader("diffusion-pipe", "diffusion-pipe's dataset.toml", 60, _from_document)
