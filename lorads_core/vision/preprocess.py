"""Images as models want them: sized, cut or padded, normalised, laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float16, float32
    from numpy.typing import NDArray

Resize = Literal["stretch", "crop", "pad", "square"]
Resample = Literal["nearest", "box", "bilinear", "bicubic", "lanczos", "imagesharp"]
Channels = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]
Triple = tuple[float, float, float]

_LONGEST = 16  # times its width that a strip is looked at
_PILLOW: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_WHITE = (255, 255, 255)
_STRIPE = 256  # rows
ONES: Triple = (1.0, 1.0, 1.0)
CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How an image becomes a model's input.

    It is brought to ``resize_to`` × ``resize_to`` pixels (0: ``size``): stretched, or its shorter side is, or it is
    padded with white, after it was scaled (pad) or before (square); then the middle ``size`` × ``size`` is cut out.
    Values run from 0 to ``white``; ``mean`` is subtracted and the rest divided by ``std``, both in the order of the
    model's channels.
    """

    size: int = 224
    resize: Resize = "crop"
    resize_to: int = 0
    resample: Resample = "bicubic"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = ONES
    white: float = 1.0
    channels: Channels = "rgb"
    layout: Layout = "nchw"

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an RGB image at ``size`` × ``size`` pixels."""
        side = self.resize_to or self.size
        if self.resize == "stretch":
            whole_picture = _resampled(picture, (side, side), self.resample)
        elif self.resize == "pad":
            whole_picture = _padded(picture, side, self.resample)
        elif self.resize == "square":
            whole_picture = _squared(picture, side, self.resample)
        else:
            cut = _not_too_long(picture)
            whole_picture = _resampled(cut, _shorter_side(cut.size, side), self.resample)
        return _middle(whole_picture, self.size)

    def tensor(self, pictures: Sequence[Image.Image], dtype: type[float32 | float16]) -> NDArray[float32 | float16]:
        """Return images (n) that `fit` gave as a model's input, (n, 3, size, size) or (n, size, size, 3)."""
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
    square = Image.new("RGB", (side, side), _WHITE)
    square.paste(_resampled(picture, (width, height), resample), ((side - width) // 2, (side - height) // 2))
    return square


def _squared(picture: Image.Image, side: int, resample: Resample) -> Image.Image:
    """Return what padding to a square of the longer side and then resizing gives, to the bit, without that square.

    Pillow resizes rows first and columns then, and rounds to 8 bits in between (Resample.c), so that rows can be padded
    and resized a few at a time: the square of a strip of 30,000 pixels would take 2.7 GB.
    """
    width, height = picture.size
    longest, scaling = max(picture.size), _PILLOW[resample]
    left, top = (longest - width) // 2, (longest - height) // 2
    narrow = Image.new("RGB", (side, longest), _WHITE)
    for row in range(0, height, _STRIPE):
        rows = min(_STRIPE, height - row)
        stripe = Image.new("RGB", (longest, rows), _WHITE)
        stripe.paste(picture.crop((0, row, width, row + rows)), (left, 0))
        narrow.paste(stripe.resize((side, rows), scaling), (0, top + row))
    return narrow.resize((side, side), scaling)


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
