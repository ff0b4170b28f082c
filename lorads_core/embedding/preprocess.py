"""Pictures as image encoders want them: sized, cut, normalised, laid out; it knows presets, and runs no encoder.

Where the presets are from:

- ``clip-vit-h`` is what DiffusionToolkit does (LSDJesus/DiffusionToolkit, Diffusion.Embeddings/CLIPVisionEncoder.cs,
  2026-01-11): ``Image.Load<Rgb24>``, ``Resize(224, 224)`` without regard to the sides' ratio, CLIP's mean and deviation
  (its comment calls them ImageNet's), float32, ``pixel_values`` as NCHW, length 1. Of the model it takes the *second*
  output, 1280 numbers a picture, which its comment calls last_hidden_state, and the first one pooler_output: in the
  model that it was written for the two names are swapped. Before 2026-01-03 it took the first output, whose 257 × 1280
  numbers it read as if they were 1280 a picture: vectors as old as that are of another kind. Its README speaks of 1024
  dimensions; its code and its columns of 2026 have 1280. Its Diffusion.FaceDetection/Services/ClipFaceEncoder.cs crops
  instead of stretching, but embeds faces, which is not what `image_embedding` holds.
- ``Resize(width, height)`` of its SixLabors.ImageSharp 3.1.11 is ``KnownResamplers.Bicubic`` without companding
  (ResizeExtensions.cs): a = -0.5, radius 2, widened when scaling down, weights made to sum to one
  (BicubicResampler.cs, ResizeKernelMap.cs). Pillow's BICUBIC has the same kernel, but rounds to 8 bits between its two
  passes, which changes a tenth of all values by one level, some by seven. Resampling in floating point and rounding
  once (``imagesharp``) agrees with ImageSharp's rule in all but one value of 50,000, and there by one level.
- What stays different from DiffusionToolkit is meant: we turn pictures upright, convert colour profiles and show white
  beneath transparency; it does none of that. Pictures from a generator seldom have any of it.
- ``clip``: OpenAI's CLIP as Hugging Face runs it (CLIPImageProcessor; openai/clip-vit-large-patch14,
  preprocessor_config.json). ``siglip``, ``siglip2``, ``dinov2``: preprocessor_config.json of
  google/siglip-base-patch16-224, google/siglip2-base-patch16-512 and facebook/dinov2-base.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from PIL import Image

from ..errors import SettingsError
from ..store.vectors import CLIP_VIT_H

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float16, float32
    from numpy.typing import NDArray

    from ..settings import Table

Resize = Literal["stretch", "crop", "pad"]
Resample = Literal["nearest", "box", "bilinear", "bicubic", "lanczos", "imagesharp"]
Channels = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]
Pool = Literal["", "cls", "mean"]
Triple = tuple[float, float, float]


LARGEST = 4096
_LONGEST = 16  # times its width that a strip is looked at
_PILLOW: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ONES: Triple = (1.0, 1.0, 1.0)
_HALVES: Triple = (0.5, 0.5, 0.5)
_CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes an encoder's input.

    It is brought to ``resize_to`` × ``resize_to`` pixels (0: ``size``): stretched, or its shorter side is, or it is
    padded with white; then the middle ``size`` × ``size`` is cut out. Values run from 0 to ``white``; ``mean`` is
    subtracted and the rest divided by ``std``, both in the order of the encoder's channels.
    """

    size: int = 224
    resize: Resize = "crop"
    resize_to: int = 0
    resample: Resample = "bicubic"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = _ONES
    white: float = 1.0
    channels: Channels = "rgb"
    layout: Layout = "nchw"

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an RGB picture at ``size`` × ``size`` pixels."""
        side = self.resize_to or self.size
        if self.resize == "stretch":
            whole_picture = _resampled(picture, (side, side), self.resample)
        elif self.resize == "pad":
            whole_picture = _padded(picture, side, self.resample)
        else:
            cut = _not_too_long(picture)
            whole_picture = _resampled(cut, _shorter_side(cut.size, side), self.resample)
        return _middle(whole_picture, self.size)

    def tensor(self, pictures: Sequence[Image.Image], dtype: type[float32 | float16]) -> NDArray[float32 | float16]:
        """Return pictures (n) that `fit` gave as an encoder's input, (n, 3, size, size) or (n, size, size, 3)."""
        levels = np.stack([np.asarray(picture, np.float32) for picture in pictures])
        values: NDArray[float32] = np.divide(levels, 255 / self.white, dtype=np.float32)
        if self.channels == "bgr":
            values = values[..., ::-1]
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        normal: NDArray[float32] = (values - mean) / std
        return np.ascontiguousarray(normal.transpose(0, 3, 1, 2) if self.layout == "nchw" else normal, dtype)


def _shorter_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    """As Hugging Face's get_resize_output_image_size does it: the longer side is rounded down."""
    width, height = size
    shorter = min(width, height)
    return max(side, width * side // shorter), max(side, height * side // shorter)


def _not_too_long(picture: Image.Image) -> Image.Image:
    """Cut the ends off a strip, which would not be seen and take all memory once its shorter side is enlarged."""
    width, height = picture.size
    most = _LONGEST * min(width, height)
    if max(width, height) <= most:
        return picture
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return picture.crop((left, top, min(width, left + most), min(height, top + most)))


def _padded(picture: Image.Image, side: int, resample: Resample) -> Image.Image:
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(_resampled(picture, (width, height), resample), ((side - width) // 2, (side - height) // 2))
    return square


def _middle(picture: Image.Image, size: int) -> Image.Image:
    if picture.size == (size, size):
        return picture
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def _resampled(picture: Image.Image, size: tuple[int, int], resample: Resample) -> Image.Image:
    if picture.size == size:
        return picture
    if resample != "imagesharp":
        return picture.resize(size, _PILLOW[resample])
    wide = [band.convert("F").resize(size, Image.Resampling.BICUBIC) for band in picture.split()]
    values = np.stack([np.asarray(band) for band in wide], axis=-1)
    return Image.fromarray(np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Preset:
    """A family of encoders: its preprocessing, the names of the output to take (the best first), and how it is pooled.

    ``space`` and ``dimensions`` are given where the vectors are known to be the same whoever computes them.
    """

    preprocess: Preprocess
    outputs: tuple[str, ...] = ("pooler_output", "image_embeds")
    pool: Pool = ""
    space: str = ""
    dimensions: int = 0


PRESETS: dict[str, Preset] = {
    "clip-vit-h": Preset(
        Preprocess(224, "stretch", resample="imagesharp", mean=_CLIP_MEAN, std=_CLIP_STD),
        outputs=("pooler_output",),
        space=CLIP_VIT_H,
        dimensions=1280,
    ),
    "clip": Preset(Preprocess(224, "crop", mean=_CLIP_MEAN, std=_CLIP_STD)),
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
        raise SettingsError(f"{place(table, 'preset')} is {name!r}; known are: {known}.")
    if "mean" not in table.values:
        raise SettingsError(
            f"{place(table, 'preset')} is missing: choose one ({known}), or give mean, std, size and resize as the"
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
            ("resize", get_args(Resize)),
            ("resample", get_args(Resample)),
            ("channels", get_args(Channels)),
            ("layout", get_args(Layout)),
        )
    }
    changes["size"] = whole(table, "size", base.size, 1, LARGEST)
    changes["resize_to"] = whole(table, "resize_to", base.resize_to, 0, LARGEST)
    changed = replace(base, **changes, **_normalisation(table, base))
    if 0 < changed.resize_to < changed.size:
        raise SettingsError(f"{place(table, 'resize_to')} must not be below size ({changed.size}), which is cut of it.")
    return changed


def _normalisation(table: Table, base: Preprocess) -> dict[str, Any]:
    mean = _triple(table, "mean", base.mean)
    in_255 = "mean" in table.values and max(mean) > 1
    std = _triple(table, "std", _ONES if in_255 else base.std)
    if min(std) <= 0:
        raise SettingsError(f"{place(table, 'std')} must be three numbers above 0.")
    return {"mean": mean, "std": std, "white": table.number("white", 255 if in_255 else base.white, 1, 255)}


def _triple(table: Table, key: str, default: Triple) -> Triple:
    value = table.values.get(key, list(default))
    numbers = cast("list[object]", value) if isinstance(value, list) else []
    if len(numbers) != len(default) or not all(_is_number(number) for number in numbers):
        raise SettingsError(f"{place(table, key)} must be three numbers, one for each channel, e.g. [0.5, 0.5, 0.5].")
    first, second, third = (float(cast("float", number)) for number in numbers)
    return first, second, third


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))


def choice(table: Table, key: str, default: str, known: Sequence[str]) -> str:
    """Return one of the words that are known.

    Raises:
        SettingsError: it is another one.
    """
    value = table.text(key, default)
    if value not in known:
        listed = ", ".join(word for word in known if word)
        raise SettingsError(f"{place(table, key)} is {value!r}; known are: {listed}.")
    return value


def whole(table: Table, key: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number within bounds, both of them allowed.

    Raises:
        SettingsError: it is outside, or has a fraction.
    """
    value = table.number(key, default, lowest, highest)
    if value != int(value):
        raise SettingsError(f"{place(table, key)} must be a whole number.")
    return int(value)


def place(table: Table, key: str) -> str:
    """Return where a setting stands."""
    return f"{table.source}: {table.where}{key}"
