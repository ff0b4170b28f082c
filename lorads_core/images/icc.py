"""Colour profiles: whether one matters, and pixels through it to sRGB by LittleCMS; it reads no file."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageCms

from .declared_colour import adobe_rgb

if TYPE_CHECKING:
    from .exif import Exif
    from .header import Header

Profile = Literal["none", "srgb", "other", "unusable"]
"""none: no profile. srgb: applying it changes nothing. unusable: broken, of another space than the pixels, or HDR."""

_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_COLOUR_MODES = {"1": "L", "I;16": "L", "I": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "RGBX": "RGB"}
_NO_DIFFERENCE = 2  # of 255; profiles called sRGB differ by 1–2 from each other


def profile_of(icc: bytes, mode: str) -> Profile:
    """Say what a profile means for pixels of a mode (any of Pillow's; palettes count as RGB)."""
    if not icc:
        return "none"
    colour_mode = _COLOUR_MODES.get(mode, mode)
    if _transform(icc, colour_mode) is None:
        return "unusable"
    return "srgb" if _is_srgb(icc, colour_mode) else "other"


def colours_of(header: Header, exif: Exif) -> bytes:
    """Return the profile that a file's colours have: embedded, declared in another way, or empty."""
    if header.icc or header.mode != "RGB":
        return header.icc
    return adobe_rgb() if exif.is_adobe_rgb else b""


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Return an L, RGB or CMYK image as sRGB, L as L where no profile says else; unusable profiles are ignored."""
    transform = _transform(icc, image.mode) if icc else None
    if transform is not None and not _is_srgb(icc, image.mode):
        converted = transform.apply(image)
        converted.info = {}
        return converted
    return image if image.mode in {"L", "RGB"} else image.convert("RGB")


# Whole libraries share a handful of profiles. LittleCMS allows one transform to run in several threads at once.
@lru_cache(maxsize=64)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if icc[16:20] != _SPACES.get(mode):
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownArgumentType]
        return ImageCms.ImageCmsTransform(profile, srgb, mode, "RGB")
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


@lru_cache(maxsize=64)
def _is_srgb(icc: bytes, mode: str) -> bool:
    """Try the profile on greys and a grid of colours."""
    transform = _transform(icc, mode)
    if transform is None or mode == "CMYK":
        return False
    levels = range(0, 256, 15)
    greys = bytes(range(256))
    if mode == "L":
        sample, wanted = Image.frombytes("L", (256, 1), greys), bytes(level for level in greys for _ in range(3))
    else:
        wanted = bytes(level for r in levels for g in levels for b in levels for level in (r, g, b))
        wanted += bytes(level for level in greys for _ in range(3))
        sample = Image.frombytes("RGB", (len(wanted) // 3, 1), wanted)
    found = transform.apply(sample).tobytes()
    return all(abs(a - b) <= _NO_DIFFERENCE for a, b in zip(found, wanted, strict=True))
