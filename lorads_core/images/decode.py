"""Images read right: upright, sRGB, 8 bits, alpha flattened; and whether a file may be copied as it stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .exif import read_exif
from .facts import is_sideways, orientation_of, upright_size
from .files import DEFAULT_LIMITS, image_error, printable_path, read_file
from .formats import PILLOW_FAULTS, open_image, read_header
from .header import InvalidImageError
from .icc import colours_of, profile_of, to_srgb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL import ImageFile

    from .facts import ImageFacts
    from .files import ImageLimits
    from .header import Header

_log = logging.getLogger(__name__)

UNUSABLE_COLOURS = (
    "has a colour profile that cannot be used (broken, of other colours than the image's, or HDR), so its colours are"
    " read as sRGB: where they look wrong, open it in an image program and save it as sRGB."
)
_READY_FORMATS = frozenset({"png", "jpeg", "webp", "bmp"})
_READY_MODES = frozenset({"RGB", "L"})
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY = frozenset({"1", "L", "LA", "La"})
_MAX_16 = 65535
_PARTS = (8, 4, 2)  # what libjpeg decodes at


def is_ready(facts: ImageFacts) -> bool:
    """Say whether trainers read a file right as it stands, so that it may be copied byte for byte."""
    return not not_ready_reason(facts)


def not_ready_reason(facts: ImageFacts) -> str:
    """Say why a file must be decoded and re-encoded, empty where it need not be.

    No trainer converts profiles; sd-scripts and SimpleTuner turn nothing upright; alpha shows what lies beneath it.
    """
    checks = (
        (facts.frames > 1, "it has more than one frame"),
        (facts.format not in _READY_FORMATS, f"its format is {facts.format}"),
        (facts.orientation != 1, "it does not lie upright"),
        (facts.has_alpha, "it has transparency"),
        (facts.mode not in _READY_MODES, f"its colours are {facts.mode}"),
        (facts.bits != 8, f"it has {facts.bits} bits a channel"),  # noqa: PLR2004 - what trainers read
        (facts.profile == "other", "its colour profile is not sRGB"),
    )
    return next((reason for is_so, reason in checks if is_so), "")


def decode(
    path: str | Path,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    keep_alpha: bool = False,
    first_frame: bool = False,
    shrink_to: Callable[[int, int], tuple[int, int]] | None = None,
    exact: bool = False,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> Image.Image:
    """Decode an image as a person sees it: upright, sRGB, 8 bits, without metadata.

    An embedded profile that cannot be used is ignored and logged as a warning.

    Args:
        path: an image file of any known format.
        background: what shows through transparency, sRGB 0–255.
        keep_alpha: return RGBA where the image has transparency.
        first_frame: take the first frame of an animation (or page of a TIFF) instead of refusing it.
        shrink_to: what size the caller will shrink an upright width and height to. A JPEG is then decoded at a half, a
            quarter or an eighth as long as it stays at least twice that size, which costs no visible sharpness.
        exact: do so only where the sides are multiples of that. Elsewhere the image is shifted by a part of a pixel:
            good enough for a look, not for training (36 dB against Lanczos where there is much detail, not 55).
        limits: what the file may be at most.

    Returns:
        An RGB image, or RGBA with ``keep_alpha`` and transparency.

    Raises:
        ImageError: as `read_facts`; also damage that only decoding finds, and animations.
    """
    data, _ = read_file(path, limits)
    try:
        header = read_header(data, limits)
        _check_frames(header, first_frame=first_frame)
        exif = read_exif(header.exif)
        icc = colours_of(header, exif)
        _report_profile(path, icc, header.mode)
        orientation = orientation_of(header, exif)
        colours, alpha = _split(_pixels(data, header, _draft_size(header, orientation, shrink_to, exact=exact)))
    except InvalidImageError as fault:
        raise image_error(path, str(fault)) from fault
    flat = _with_alpha(to_srgb(colours, icc).convert("RGB"), alpha, background, keep_alpha=keep_alpha)
    if header.format != "tiff" and orientation in _UPRIGHT:  # Pillow turns TIFF itself
        flat = flat.transpose(_UPRIGHT[orientation])
    flat.info = {}  # or an encoder would write the old profile and EXIF out again
    return flat


def _check_frames(header: Header, *, first_frame: bool) -> None:
    if header.frames > 1 and not first_frame:
        raise InvalidImageError(
            f"holds {header.frames} frames: export the first one (--first-frame, or first_frame in Export Dataset),"
            " save another one as PNG, or leave the file out."
        )


def _report_profile(path: str | Path, icc: bytes, mode: str) -> None:
    if profile_of(icc, mode) == "unusable":
        _log.warning("%s %s", printable_path(path), UNUSABLE_COLOURS)


def _draft_size(
    header: Header, orientation: int, shrink_to: Callable[[int, int], tuple[int, int]] | None, *, exact: bool
) -> tuple[int, int] | None:
    """Return the least stored size that a JPEG must be decoded at."""
    if shrink_to is None or header.format != "jpeg":
        return None
    width, height = shrink_to(*upright_size(header, orientation))
    least = (2 * height, 2 * width) if is_sideways(header, orientation) else (2 * width, 2 * height)
    return _whole(header, least) if exact else least


def _whole(header: Header, least: tuple[int, int]) -> tuple[int, int] | None:
    """Return the smallest size from ``least`` on that a JPEG can be decoded at without a rest."""
    for part in _PARTS:
        size = header.width // part, header.height // part
        if not (header.width % part or header.height % part) and size[0] >= least[0] and size[1] >= least[1]:
            return size
    return None


def _pixels(data: bytes, header: Header, draft_size: tuple[int, int] | None) -> ImageFile.ImageFile:
    try:
        image = open_image(data, header.format)
        if draft_size:
            image.draft(None, draft_size)
        if getattr(image, "default_image", False) and header.frames > 1:
            image.seek(1)  # the image beside an APNG's animation may be quite another one
        image.load()
    except PILLOW_FAULTS as error:
        raise InvalidImageError(
            f"is damaged and cannot be decoded ({error}): copy it again from where it came from, or delete it."
        ) from error
    return image


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours in 8 bits, as L, RGB or CMYK, and the alpha channel where there is one."""
    if image.mode.startswith("I"):
        return _from_deep(image)
    if image.mode == "F":
        raise InvalidImageError("has pixels in floating point, whose white is not known: save it as PNG or JPEG.")
    has_alpha = "transparency" in image.info or image.mode in {"LA", "PA", "RGBA", "La", "RGBa"}
    if has_alpha:
        image = image.convert("LA" if image.mode in _GREY else "RGBA")
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image, None
    try:
        return image.convert("L" if image.mode == "1" else "RGB"), None
    except ValueError as error:
        raise InvalidImageError(
            f"has colours ({image.mode}) that cannot be converted: save it as PNG or JPEG."
        ) from error


def _from_deep(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale grey of 16 bits to 8, where Pillow's own conversion would clip it to white."""
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > _MAX_16:
        raise InvalidImageError("has pixels of 32 bits, whose white is not known: save it as PNG or JPEG.")
    grey = Image.fromarray(((levels * 255 + _MAX_16 // 2) // _MAX_16).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey, None
    return grey, Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8))


def _with_alpha(
    image: Image.Image, alpha: Image.Image | None, background: tuple[int, int, int], *, keep_alpha: bool
) -> Image.Image:
    if alpha is None:
        return image
    if keep_alpha:
        image.putalpha(alpha)
        return image
    flat = Image.new("RGB", image.size, background)
    flat.paste(image, mask=alpha)
    return flat
