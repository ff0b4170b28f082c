"""musubi-tuner's ``dataset.toml``: general and datasets with ``image_directory``.

Keys by musubi-tuner's docs/dataset_config.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...images.formats import SUFFIXES
from ...model import Problem
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .values import Notes, Values

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN = {
    "image_directory", "caption_extension", "num_repeats", "resolution", "batch_size", "enable_bucket",
    "bucket_no_upscale", "cache_directory", "control_directory", "multiple_target", "no_resize_control",
}  # fmt: skip
_SOURCES = ("image_directory", "image_jsonl_file", "video_directory", "video_jsonl_file")


def _from_document(file: Path, document: object) -> Layout | None:
    datasets = cast("dict[str, object]", document).get("datasets") if isinstance(document, dict) else None
    listed = cast("list[object]", datasets) if isinstance(datasets, list) else []
    if not any(isinstance(each, dict) and any(key in each for key in _SOURCES) for each in listed):
        return None
    notes = Notes("musubi-tuner")
    general = Values(cast("object", document), notes).table("general")
    folders: list[ImageFolder] = []
    options: dict[str, Any] = {}
    for each in listed:
        dataset = Values({**general.all, **Values(each, notes).all}, notes)
        if "image_directory" not in dataset:
            message = "A dataset of videos, or one listed in a JSON Lines file, is left out: only folders are read."
            notes.add(Problem("warning", "dataset-left-out", message))
            continue
        folders.append(_dataset(file, dataset, notes))
        options = options or _options(dataset)
    few, more = limited(folders)
    return Layout(file.name, file, "", few, SUFFIXES, options, (*notes.problems(), *more))


def _options(dataset: Values) -> dict[str, Any]:
    found: dict[str, Any] = {"batch_size": max(1, dataset.whole("batch_size", 1))}
    if sides := dataset.sides("resolution"):
        found["resolution"] = round((sides[0] * sides[-1]) ** 0.5)
    if dataset.flag("bucket_no_upscale"):
        found["bucket_no_upscale"] = True
    return found


def _dataset(file: Path, dataset: Values, notes: Notes) -> ImageFolder:
    notes.unknown(dataset.all, _KNOWN)
    path, exists = resolve(file.parent, dataset.text("image_directory"))
    rule = CaptionRule(suffix=dataset.text("caption_extension", ".txt"))
    return ImageFolder(
        path, path.name, "training", max(1, dataset.whole("num_repeats", 1)), captions=rule, exists=exists
    )


LAYOUT = LayoutReader("musubi", "musubi-tuner's dataset.toml", 50, _from_document)
