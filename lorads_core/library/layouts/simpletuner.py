"""SimpleTuner's ``multidatabackend.json``: its backends of images on this machine.

Keys by SimpleTuner 4.8, ``documentation/DATALOADER.md``.
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
    "id", "type", "dataset_type", "instance_data_dir", "caption_strategy", "instance_prompt", "only_instance_prompt",
    "prepend_instance_prompt", "repeats", "resolution", "resolution_type", "is_regularisation_data",
    "is_regularization_data", "disabled", "disable", "crop", "crop_style", "crop_aspect", "minimum_image_size",
    "maximum_image_size", "target_downsample_size", "cache_dir", "cache_dir_vae", "vae_cache_clear_each_epoch",
    "metadata_backend", "probability", "train_batch_size", "text_embeds", "image_embeds", "preserve_data_backend_cache",
    "skip_file_discovery", "conditioning_data", "conditioning_type", "aspect_bucket_rounding", "max_upscale_threshold",
}  # fmt: skip
_MEGAPIXEL = 1_000_000
_STRATEGIES = ("filename", "textfile", "instanceprompt")


def _from_document(file: Path, document: object) -> Layout | None:
    backends = cast("list[object]", document) if isinstance(document, list) else []
    if not any(isinstance(each, dict) and "instance_data_dir" in each for each in backends):
        return None
    notes = Notes("SimpleTuner")
    options: dict[str, Any] = {}
    folders: list[ImageFolder] = []
    values = [Values(each, notes) for each in backends]
    masks = {each.text("id"): each.text("instance_data_dir") for each in values if _holds_masks(each)}
    for backend in values:
        if _is_of_images(backend, notes):
            folders.append(_backend(file, backend, masks.get(backend.text("conditioning_data"), ""), notes))
            options = options or _options(backend)
    few, more = limited(folders)
    return Layout(file.name, file, "simpletuner", few, SUFFIXES, options, (*notes.problems(), *more))


def _holds_masks(backend: Values) -> bool:
    """Tell masks from images of other conditioning, such as a ControlNet's."""
    return backend.text("dataset_type") == "conditioning" and backend.text("conditioning_type") == "mask"


def _is_of_images(backend: Values, notes: Notes) -> bool:
    """Say whether a backend holds images to train on; what else there is of them is noted."""
    kind = backend.text("dataset_type", "image")
    if backend.flag("disabled") or backend.flag("disable"):
        notes.add(Problem("info", "disabled", f"The backend {backend.text('id'):.60} is disabled: left out."))
        return False
    if kind in {"text_embeds", "image_embeds", "conditioning_image_embeds"}:
        return False
    if kind not in {"image", "conditioning", "eval"} or backend.text("type", "local") != "local":
        message = f"The backend {backend.text('id'):.60} holds no images on this machine: left out."
        notes.add(Problem("warning", "backend-left-out", message))
        return False
    return True


def _options(backend: Values) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if backend.whole("train_batch_size") > 0:
        found["batch_size"] = backend.whole("train_batch_size")
    resolution = backend.number("resolution")
    if backend.text("resolution_type", "pixel_area") == "area":
        resolution = (max(0, resolution) * _MEGAPIXEL) ** 0.5
    if 64 <= resolution <= 8192:  # noqa: PLR2004 - the range of the training option
        found["resolution"] = round(resolution)
    return found


def _backend(file: Path, backend: Values, masks: str, notes: Notes) -> ImageFolder:
    notes.unknown(backend.all, _KNOWN)
    path, exists = resolve(file.parent, backend.text("instance_data_dir"))
    kind = backend.text("dataset_type", "image")
    is_other = backend.flag("is_regularisation_data") or backend.flag("is_regularization_data")
    of_kind = {"conditioning": "masks", "eval": "validation"}.get(kind)
    return ImageFolder(
        path,
        backend.text("id") or path.name,
        of_kind or ("regularization" if is_other else "training"),  # pyright: ignore[reportArgumentType]
        max(0, backend.whole("repeats")) + 1,
        subfolders=True,
        captions=_captions(backend, notes),
        class_tokens=backend.text("instance_prompt"),
        masks=resolve(file.parent, masks)[0] if masks else None,
        exists=exists,
    )


def _captions(backend: Values, notes: Notes) -> CaptionRule:
    strategy = backend.text("caption_strategy", "filename")
    if strategy == "instanceprompt" or backend.flag("only_instance_prompt"):
        return CaptionRule("fixed", text=backend.text("instance_prompt"))
    if strategy == "filename":
        return CaptionRule("filename")
    if strategy not in _STRATEGIES:
        message = f"Captions by {strategy:.60} are not read here: the images count as captioned by nothing."
        notes.add(Problem("warning", "captions-not-read", message))
        return CaptionRule("table")
    return CaptionRule()


LAYOUT = LayoutReader("simpletuner", "SimpleTuner's multidatabackend.json", 40, _from_document)
