"""``dataset_config.toml`` of sd-scripts (and its JSON form): general, datasets and subsets, the nearest one wins.

Keys by sd-scripts v0.10.1, ``library/config_util.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...errors import LibraryError
from ...model import Problem
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .document import read_document
from .kohya import IMAGES
from .values import Notes, Values

if TYPE_CHECKING:
    from pathlib import Path

_READ = {
    "image_dir", "num_repeats", "is_reg", "class_tokens", "caption_extension", "metadata_file", "resolution",
    "batch_size", "enable_bucket", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale",
    "conditioning_data_dir", "subsets", "flip_aug", "shuffle_caption", "keep_tokens", "random_crop", "color_aug",
    "enable_wildcard",
}  # fmt: skip
_HARMLESS = {
    "min_bucket_reso", "keep_tokens_separator", "caption_prefix", "caption_suffix", "caption_separator",
    "secondary_separator", "cache_info", "caption_dropout_rate", "caption_tag_dropout_rate",
    "caption_dropout_every_n_epochs", "token_warmup_min", "token_warmup_step", "custom_attributes", "alpha_mask",
    "face_crop_aug_range", "validation_seed", "validation_split", "network_multiplier", "resize_interpolation",
}  # fmt: skip
"""Known keys that change neither which images are trained nor the steps."""
_FLAGS = ("bucket_no_upscale", "flip_aug", "shuffle_caption", "random_crop", "color_aug")


def _from_document(file: Path, document: object) -> Layout | None:
    if not isinstance(document, dict):
        return None
    top = cast("dict[str, object]", document)
    datasets = top.get("datasets")
    if not isinstance(datasets, list) or not any(
        isinstance(each, dict) and "subsets" in each for each in cast("list[object]", datasets)
    ):
        return None
    notes = Notes("sd-scripts")
    config = Values(top, notes)
    general = config.table("general")
    notes.unknown(top, {"general", "datasets"})
    notes.unknown(general.all, _READ | _HARMLESS)
    folders: list[ImageFolder] = []
    options: list[dict[str, Any]] = []
    for dataset in config.tables("datasets"):
        notes.unknown(dataset.all, _READ | _HARMLESS)
        merged = Values({**general.all, **dataset.all}, notes)
        options.append(_options(merged, notes))
        folders += _subsets(file, merged, notes)
    if any(each != options[0] for each in options):
        message = "Its datasets have different resolutions or batches: all are counted as the first one."
        notes.add(Problem("warning", "several-datasets", message))
    few, more = limited(folders)
    return Layout(file.name, file, "sd-scripts", few, IMAGES, options[0] if options else {}, (*notes.problems(), *more))


def _options(dataset: Values, notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {name: True for name in _FLAGS if dataset.flag(name)}
    sides = dataset.sides("resolution")
    found["resolution"] = round((sides[0] * sides[-1]) ** 0.5) if sides else 512
    found["batch_size"] = max(1, dataset.whole("batch_size", 1))
    found["max_bucket_side"] = max(dataset.whole("max_bucket_reso", 1024), found["resolution"])
    if "bucket_reso_steps" in dataset:
        found["bucket_step"] = dataset.whole("bucket_reso_steps", 64)
    if not dataset.flag("enable_bucket"):
        message = (
            "enable_bucket is off: sd-scripts crops every image to one size, and the buckets below are not made."
            " Set enable_bucket = true."
        )
        notes.add(Problem("warning", "no-buckets", message))
    return found


def _subsets(file: Path, dataset: Values, notes: Notes) -> list[ImageFolder]:
    found: list[ImageFolder] = []
    for each in dataset.tables("subsets"):
        notes.unknown(each.all, _READ | _HARMLESS)
        found.append(_subset(file, Values({**dataset.all, "subsets": None, **each.all}, notes), notes))
    return found


def _subset(file: Path, subset: Values, notes: Notes) -> ImageFolder:
    path, exists = resolve(file.parent, subset.text("image_dir"))
    masks = subset.text("conditioning_data_dir")
    mask_folder, masks_exist = resolve(file.parent, masks) if masks else (None, True)
    if not masks_exist:
        notes.add(Problem("error", "missing-folder", f"The conditioning images {masks:.200} are not there."))
    return ImageFolder(
        path,
        path.name,
        "regularization" if subset.flag("is_reg") else "training",
        max(0, subset.whole("num_repeats", 1)),
        captions=_captions(file, subset, notes),
        class_tokens=subset.text("class_tokens"),
        masks=mask_folder,
        exists=exists,
    )


def _captions(file: Path, subset: Values, notes: Notes) -> CaptionRule:
    if metadata := subset.text("metadata_file"):
        return CaptionRule("table", table=_metadata(file, metadata, notes))
    suffix = subset.text("caption_extension", ".caption")
    return CaptionRule(suffix=suffix, text=subset.text("class_tokens"), first_line=not subset.flag("enable_wildcard"))


def _metadata(file: Path, name: str, notes: Notes) -> dict[str, str]:
    """Return captions by file name of the JSON that fine-tuning datasets have: ``{image: {caption, tags}}``."""
    try:
        found = read_document(file.parent / name) if name.lower().endswith(".json") else None
    except LibraryError as error:
        notes.add(Problem("error", "metadata-not-read", str(error)))
        return {}
    table: dict[str, str] = {}
    for key, value in (cast("dict[str, object]", found) if isinstance(found, dict) else {}).items():
        entry = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        texts = [str(entry[part]) for part in ("caption", "tags") if entry.get(part)]
        table[key.replace("\\", "/").rsplit("/", 1)[-1]] = ", ".join(texts)
    return table


LAYOUT = LayoutReader("sd-scripts", "dataset_config.toml of sd-scripts", 10, _from_document)
