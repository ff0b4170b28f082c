"""Preprocessing presets of image encoders.

Where the presets are from:

- ``clip-vit-h`` is what DiffusionToolkit does (LSDJesus/DiffusionToolkit, Diffusion.Embeddings/CLIPVisionEncoder.cs,
  2026-01-11): ``Image.Load<Rgb24>``, ``Resize(224, 224)`` without regard to the sides' ratio, CLIP's mean and deviation
  (its comment calls them ImageNet's), float32, ``pixel_values`` as NCHW, length 1. Of the model it takes the *second*
  output, 1280 numbers an image, which its comment calls last_hidden_state, and the first one pooler_output: in the
  model that it was written for the two names are swapped. Before 2026-01-03 it took the first output, whose 257 × 1280
  numbers it read as if they were 1280 an image: vectors as old as that are of another kind. Its README speaks of 1024
  dimensions; its code and its columns of 2026 have 1280. Its Diffusion.FaceDetection/Services/ClipFaceEncoder.cs crops
  instead of stretching, but embeds faces, which is not what `image_embedding` holds.
- ``Resize(width, height)`` of its SixLabors.ImageSharp 3.1.11 is ``KnownResamplers.Bicubic`` without companding
  (ResizeExtensions.cs): a = -0.5, radius 2, widened when scaling down, weights made to sum to one
  (BicubicResampler.cs, ResizeKernelMap.cs). Pillow's BICUBIC has the same kernel, but rounds to 8 bits between its two
  passes, which changes a tenth of all values by one level, some by seven. Resampling in floating point and rounding
  once (``imagesharp``) agrees with ImageSharp's rule in all but one value of 50,000, and there by one level.
- What stays different from DiffusionToolkit is meant: we turn images upright, convert colour profiles and show white
  beneath transparency; it does none of that. Images from a generator seldom have any of it.
- ``clip``: OpenAI's CLIP as Hugging Face runs it (CLIPImageProcessor; openai/clip-vit-large-patch14,
  preprocessor_config.json). ``siglip``, ``siglip2``, ``dinov2``: preprocessor_config.json of
  google/siglip-base-patch16-224, google/siglip2-base-patch16-512 and facebook/dinov2-base.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from ...errors import SettingsError
from ...store.vectors import CLIP_VIT_H
from ..options import choice, integer, key_path
from ..preprocess import CLIP_MEAN, CLIP_STD, ONES, Channels, Layout, Preprocess, Resample

if TYPE_CHECKING:
    from ...settings import Table
    from ..preprocess import Triple

Pool = Literal["", "cls", "mean"]

LARGEST = 4096
_HALVES: Triple = (0.5, 0.5, 0.5)
_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Preset:
    """A family of encoders: its preprocessing, the names of the output to take (the best first), and how it is pooled.

    ``space`` and ``dimensions`` are given where the vectors are known to be the same whichever program computes them.
    """

    preprocess: Preprocess
    outputs: tuple[str, ...] = ("pooler_output", "image_embeds")
    pool: Pool = ""
    space: str = ""
    dimensions: int = 0


PRESETS: dict[str, Preset] = {
    "clip-vit-h": Preset(
        Preprocess(224, "stretch", resample="imagesharp", mean=CLIP_MEAN, std=CLIP_STD),
        outputs=("pooler_output",),
        space=CLIP_VIT_H,
        dimensions=1280,
    ),
    "clip": Preset(Preprocess(224, "crop", mean=CLIP_MEAN, std=CLIP_STD)),
    "siglip": Preset(Preprocess(224, "stretch", mean=_HALVES, std=_HALVES)),
    "siglip2": Preset(Preprocess(224, "stretch", resample="bilinear", mean=_HALVES, std=_HALVES)),
    # What is pooled is the first token of the normalised last layer (transformers, Dinov2Model): exports often have
    # that layer alone.
    "dinov2": Preset(
        Preprocess(224, "crop", resize_to=256, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
        outputs=("pooler_output", "last_hidden_state"),
        pool="cls",
    ),
}

SETTINGS = tuple(field.name for field in fields(Preprocess))


def read_preset(table: Table) -> Preset:
    """Return the preset of an embedder's settings; without one, what its own settings must then complete.

    Raises:
        SettingsError: the preset is unknown, or there is neither a preset nor a mean.
    """
    name = table.text("preset")
    if name in PRESETS:
        return PRESETS[name]
    known = ", ".join(PRESETS)
    if name:
        raise SettingsError(f"{key_path(table, 'preset')} is {name!r}; known are: {known}.")
    if "mean" not in table.values:
        raise SettingsError(
            f"{key_path(table, 'preset')} is missing: choose one ({known}), or give mean, std, size and resize as the"
            " model's page states them."
        )
    return Preset(Preprocess())


def read_preprocess(table: Table, preset: Preset) -> Preprocess:
    """Return a preset's preprocessing with the settings that differ from it.

    Raises:
        SettingsError: a value is wrong.
    """
    base = preset.preprocess
    changes: dict[str, Any] = {
        key: choice(table, key, getattr(base, key), known)
        for key, known in (
            ("resize", ("stretch", "crop", "pad")),
            ("resample", get_args(Resample)),
            ("channels", get_args(Channels)),
            ("layout", get_args(Layout)),
        )
    }
    changes["size"] = integer(table, "size", base.size, 1, LARGEST)
    changes["resize_to"] = integer(table, "resize_to", base.resize_to, 0, LARGEST)
    changed = replace(base, **changes, **_normalisation(table, base))
    if 0 < changed.resize_to < changed.size:
        raise SettingsError(
            f"{key_path(table, 'resize_to')} must not be below size ({changed.size}), which is cut of it."
        )
    return changed


def _normalisation(table: Table, base: Preprocess) -> dict[str, Any]:
    mean = _triple(table, "mean", base.mean)
    in_255 = "mean" in table.values and max(mean) > 1
    std = _triple(table, "std", ONES if in_255 else base.std)
    if min(std) <= 0:
        raise SettingsError(f"{key_path(table, 'std')} must be three numbers above 0.")
    return {"mean": mean, "std": std, "white": table.number("white", 255 if in_255 else base.white, 1, 255)}


def _triple(table: Table, key: str, default: Triple) -> Triple:
    value = table.values.get(key, list(default))
    numbers = cast("list[object]", value) if isinstance(value, list) else []
    if len(numbers) != len(default) or not all(_is_number(number) for number in numbers):
        raise SettingsError(
            f"{key_path(table, key)} must be three numbers, one for each channel, e.g. [0.5, 0.5, 0.5]."
        )
    first, second, third = (float(cast("float", number)) for number in numbers)
    return first, second, third


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))
