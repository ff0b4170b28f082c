"""ai-toolkit's job configs (YAML or JSON): the datasets of each process.

Keys by ai-toolkit 27a03a9, ``toolkit/config_modules.py`` ``DatasetConfig``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...model import Problem
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .values import Notes, Values

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""What ai-toolkit reads (``toolkit/data_loader.py``)."""

_KNOWN = {
    "folder_path", "dataset_path", "caption_ext", "caption_type", "num_repeats", "is_reg", "prior_reg", "mask_path",
    "resolution", "default_caption", "trigger_word", "flip_x", "shuffle_tokens", "keep_tokens", "alpha_mask",
    "caption_dropout_rate", "token_dropout_rate", "cache_latents", "cache_latents_to_disk", "cache_text_embeddings",
    "mask_min_value", "invert_mask", "network_weight", "type", "buckets", "bucket_tolerance", "random_crop",
    "random_scale", "scale", "flip_y", "batch_size", "control_path", "num_frames", "shrink_video_to_frames", "fps",
}  # fmt: skip


def _from_document(file: Path, document: object) -> Layout | None:
    processes = _processes(document)
    if not processes:
        return None
    notes = Notes("ai-toolkit")
    if len(processes) > 1:
        message = f"Only the first of its {len(processes):,} processes is read."
        notes.add(Problem("warning", "several-processes", message))
    process = Values(processes[0], notes)
    options = _options(process.table("train"))
    trigger = process.text("trigger_word")
    folders: list[ImageFolder] = []
    sizes: list[tuple[int, ...]] = []
    for dataset in process.tables("datasets"):
        folders.append(_dataset(file, dataset, trigger, notes))
        sizes.append(dataset.sides("resolution"))
    if resolutions := [each for each in sizes if each]:
        options["resolution"] = max(resolutions[0])
        if any(len(each) > 1 for each in resolutions):
            message = (
                "It trains at several resolutions, each image at all of them: buckets and steps are counted for the"
                " largest alone."
            )
            notes.add(Problem("warning", "several-resolutions", message))
    few, more = limited(folders)
    return Layout("ai-toolkit's config", file, "ai-toolkit", few, IMAGES, options, (*notes.problems(), *more))


def _processes(document: object) -> list[object]:
    """Return the processes of a job that have datasets."""
    if not isinstance(document, dict):
        return []
    config = cast("dict[str, object]", document).get("config")
    listed = cast("dict[str, object]", config).get("process") if isinstance(config, dict) else None
    found = cast("list[object]", listed) if isinstance(listed, list) else []
    return [each for each in found if isinstance(each, dict) and "datasets" in each]


def _options(train: Values) -> dict[str, Any]:
    found: dict[str, Any] = {"batch_size": max(1, train.whole("batch_size", 1))}
    if train.whole("steps") > 0:
        found["steps"] = train.whole("steps")
    accumulated = train.whole("gradient_accumulation_steps", train.whole("gradient_accumulation", 1))
    if accumulated > 1:
        found["gradient_accumulation_steps"] = accumulated
    return found


def _dataset(file: Path, dataset: Values, trigger: str, notes: Notes) -> ImageFolder:
    notes.unknown(dataset.all, _KNOWN)
    path, exists = resolve(file.parent, dataset.text("folder_path") or dataset.text("dataset_path"))
    masks = dataset.text("mask_path")
    mask_folder, masks_exist = resolve(file.parent, masks) if masks else (None, True)
    if not masks_exist:
        notes.add(Problem("error", "missing-folder", f"The masks {masks:.200} are not there."))
    suffix = dataset.text("caption_type") or dataset.text("caption_ext", ".txt")
    default = dataset.text("default_caption")
    return ImageFolder(
        path,
        path.name,
        "regularization" if dataset.flag("is_reg") or dataset.flag("prior_reg") else "training",
        max(1, dataset.whole("num_repeats", 1)),
        subfolders=True,
        captions=CaptionRule(suffix=suffix if suffix.startswith(".") else f".{suffix}", text=default),
        class_tokens=dataset.text("trigger_word") or trigger,
        masks=mask_folder,
        exists=exists,
    )


LAYOUT = LayoutReader("ai-toolkit", "ai-toolkit's config", 30, _from_document)
