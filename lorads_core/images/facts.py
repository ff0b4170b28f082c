"""What there is to know of an image file without decoding it, from one reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model import FileStamp
from .exif import NO_EXIF, Exif, read_exif
from .files import DEFAULT_LIMITS, image_error, read_file
from .formats import read_header
from .header import Header, InvalidImageError
from .icc import Profile, colours_of, profile_of
from .prompts import NO_PROMPTS, Prompts, lines_of, read_prompts
from .stealth import stealth_texts
from .xmp import read_orientation, read_rating, read_user_comment

if TYPE_CHECKING:
    from pathlib import Path

    from .files import ImageLimits

_REJECTED = -1
_SIDEWAYS = 5  # orientations from here on swap width and height


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A sound image file as it is.

    ``format`` is the true one whatever the name says: png, jpeg, webp, gif, bmp, tiff, avif, jp2 and, with plugins,
    heif and jxl. ``width`` and ``height`` are pixels of the upright image, ``orientation`` (1–8) is how the stored
    one lies. ``mode`` is in Pillow's words, ``bits`` are those of a channel. ``frames`` over 1: animated, or pages.
    ``rating`` is 1–10 (two for each star) or None; ``marked_bad`` where a person rejected it. ``profile`` says what
    an embedded colour profile does. ``prompt`` is what is certain of it, as its program (``prompt_source``) writes it;
    ``prompt_uncertain`` are lines of what a graph may have used besides.
    """

    sha256: str
    file_size: int
    mtime_ns: int
    format: str
    width: int
    height: int
    orientation: int
    mode: str
    bits: int
    has_alpha: bool
    frames: int
    profile: Profile
    rating: int | None
    marked_bad: bool
    prompt: str
    negative_prompt: str
    prompt_source: str
    prompt_uncertain: str


def read_facts(path: str | Path, *, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFacts:
    """Read an image file once, check that it is whole, and say what it is; safe to call from many threads.

    Checked are: every CRC of a PNG and its end; that a JPEG's scan ends; the sizes of all chunks of a WebP, the boxes
    of an AVIF, the length of a BMP. Damage within compressed pixels shows only when they are decoded.

    Raises:
        ImageError: the file is gone, unreadable, not a regular file, empty, over a limit, not an image, or broken.
    """
    data, found = read_file(path, limits)
    try:
        header = read_header(data, limits)
    except InvalidImageError as fault:
        raise image_error(path, str(fault)) from fault
    stamp = FileStamp.of(found)
    exif = read_exif(header.exif) if header.exif else NO_EXIF
    orientation = orientation_of(header, exif)
    width, height = upright_size(header, orientation)
    rating, is_bad = _rating(header, exif)
    prompts = _prompts(header, exif)
    if prompts is NO_PROMPTS and header.has_alpha and (hidden := stealth_texts(data, header)):
        prompts = read_prompts(hidden)
    return ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        file_size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        format=header.format,
        width=width,
        height=height,
        orientation=orientation,
        mode=header.mode,
        bits=header.bits,
        has_alpha=header.has_alpha,
        frames=header.frames,
        profile=profile_of(colours_of(header, exif), header.mode),
        rating=rating,
        marked_bad=is_bad,
        prompt=prompts.positive,
        negative_prompt=prompts.negative,
        prompt_source=prompts.source,
        prompt_uncertain=lines_of(prompts.uncertain),
    )


def _prompts(header: Header, exif: Exif) -> Prompts:
    xmp_comment = read_user_comment(header.xmp) if header.xmp else ""
    if not (header.texts or exif.texts or exif.comment or xmp_comment):
        return NO_PROMPTS
    return read_prompts(header.texts, exif.texts, exif.comment, xmp_comment)


def orientation_of(header: Header, exif: Exif) -> int:
    """Return how the stored pixels lie, 1–8: by EXIF, else by XMP, as Pillow's `Image.getexif` has it."""
    return exif.orientation or (read_orientation(header.xmp) if header.xmp else 0) or 1


def is_sideways(header: Header, orientation: int) -> bool:
    """Say whether turning the pixels upright swaps width and height; Pillow hands TIFF out upright already."""
    return orientation >= _SIDEWAYS and header.format != "tiff"


def upright_size(header: Header, orientation: int) -> tuple[int, int]:
    """Return width and height of the upright image."""
    if is_sideways(header, orientation):
        return header.height, header.width
    return header.width, header.height


def _rating(header: Header, exif: Exif) -> tuple[int | None, bool]:
    """Return the rating on our scale and whether a person rejected it: XMP before EXIF, stars before percent."""
    stars, percent = read_rating(header.xmp) if header.xmp else (None, None)
    if stars is None and exif.rating is not None:
        stars = float(exif.rating)
    percent = exif.percent if percent is None else percent
    if stars is None and percent:
        stars = 1 + percent // 25 if percent < 99 else 5.0  # noqa: PLR2004 - Windows: 1, 25, 50, 75, 99 are 1–5 stars
    if stars is None:
        return None, False
    rating = min(10, round(2 * stars))
    return (rating if rating > 0 else None), stars == _REJECTED
