"""What the head of an image file says, as one value for all formats; it reads no file and decodes no pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class InvalidImageError(Exception):
    """Bytes that are no sound image; the text goes on after the file's name. It never leaves this package."""


def no_texts() -> Mapping[str, str]:
    """Return an empty mapping that nobody can fill."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Header:
    """An image as its file declares it: pixels as stored (not yet turned upright), mode in Pillow's words.

    ``bits`` are those of one channel; palettes count as 8, as their colours do. ``exif`` starts at the TIFF header.
    """

    format: str
    width: int
    height: int
    mode: str
    bits: int = 8
    has_alpha: bool = False
    frames: int = 1
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    texts: Mapping[str, str] = field(default_factory=no_texts)


MOST_FRAMES = 2**31 - 1
"""The largest number of frames that a header may say: that of an APNG, and what the store can hold."""

TRUNCATED = "is cut off (truncated): copy it again from where it came from, or delete it."


def damaged_error(where: str) -> InvalidImageError:
    """Make the fault of a file whose content is broken at ``where``."""
    return InvalidImageError(f"is damaged ({where}): copy it again from where it came from, or delete it.")
