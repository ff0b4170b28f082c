"""Images written for training: fitted to a policy, or copied byte for byte; nothing half-written is ever left."""

from __future__ import annotations

import errno
import math
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args
from uuid import uuid4

from PIL import Image

from ..errors import ExportError
from ..system import files
from ..system.rights import EVERYONE, limit_rights
from .decode import decode
from .files import DEFAULT_LIMITS, check_unchanged, image_error, open_regular, os_error_reason, printable_path
from .png import encode_png

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from ..buckets import Size
    from ..model import FileStamp
    from .files import ImageLimits

Kind = Literal["original", "normalised", "max_side", "max_area", "bucket"]
Format = Literal["png", "jpeg", "webp"]
FORMATS: tuple[Format, ...] = get_args(Format)

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "bmp": ".bmp"}
"""The suffix of each format that a dataset may hold."""

_LARGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """How images are written.

    ``kind`` original copies a file that is ready and writes others at their own size; normalised writes all at their
    own size; max_side shrinks the longer side to ``size`` pixels, max_area the area to that of a square of that side;
    bucket shrinks to cover the size ``bucket`` (in pixels; (0, 0) is none) and crops what stands over.
    Nothing is ever enlarged or distorted. ``quality`` is JPEG's and WebP's 1–100; at 100 WebP is lossless, PNG always
    is. Transparency is laid on ``background`` (sRGB) unless ``keep_alpha`` keeps it, which JPEG cannot. ``strip``
    leaves workflows and all other metadata out of files that are copied; those that are encoded never have any.
    """

    kind: Kind = "original"
    size: int | None = None
    format: Format = "png"
    quality: int = 95
    background: tuple[int, int, int] = (255, 255, 255)
    keep_alpha: bool = False
    strip: bool = False
    bucket: Size = (0, 0)

    def __post_init__(self) -> None:
        """Refuse what cannot be written.

        Raises:
            ExportError: a missing size, a quality out of range, alpha in a JPEG.
        """
        if self.kind in {"max_side", "max_area"} and (self.size is None or self.size < 1):
            raise ExportError(f"Images of at most {self.size} pixels cannot be written: give a size of 1 or more.")
        if not 1 <= self.quality <= 100:  # noqa: PLR2004 - the encoders' scale
            raise ExportError(f"The image quality {self.quality} is out of range: give 1 to 100.")
        if self.keep_alpha and self.format == "jpeg":
            raise ExportError("JPEG cannot keep transparency: choose PNG or WebP.")

    @property
    def suffix(self) -> str:
        """The suffix of files that this policy encodes."""
        return SUFFIXES[self.format]

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the size that an upright image of ``width`` × ``height`` pixels is shrunk to, before any crop."""
        if self.kind == "bucket":
            across, down = self.bucket[0] / width, self.bucket[1] / height
            if not 0 < max(across, down) < 1:
                return width, height
            # The side that decides is the bucket's very own.
            return (self.bucket[0], round(height * across)) if across >= down else (round(width * down), self.bucket[1])
        scale = 1.0
        if self.size is not None and self.kind == "max_side":
            scale = self.size / max(width, height)
        elif self.size is not None and self.kind == "max_area":
            scale = self.size / math.sqrt(width * height)
        if scale >= 1:
            return width, height
        # Rounded down, so that an area stays within its limit; the small addition undoes binary fractions.
        return max(1, int(width * scale + 1e-6)), max(1, int(height * scale + 1e-6))


def fit(image: Image.Image, policy: ImagePolicy) -> Image.Image:
    """Shrink an image as the policy says, by Lanczos, keeping its aspect within a pixel; the same image if it fits.

    What is as large as its bucket, or larger, is cropped to it about the centre; what is smaller stays as it is.
    """
    size = policy.size_of(*image.size)
    if size != image.size:
        # With a reducing gap of 2 it is at least 51 dB from Lanczos in floating point (58 without), and from a quarter
        # of the size on takes half the time; with one of 1.5 it would be 47 dB (benchmarks/export.py).
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _cropped(image, policy.bucket) if policy.kind == "bucket" else image


def _cropped(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut an image to a size about its centre, where it is not smaller (sd-scripts v0.10.1, trim_and_resize...)."""
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    if min(left, top, *size) < 0 or image.size == size or 0 in size:
        return image
    return image.crop((left, top, left + size[0], top + size[1]))


def write_image(
    source: str | Path,
    target: Path,
    policy: ImagePolicy,
    *,
    first_frame: bool = False,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> tuple[int, int]:
    """Decode an image, fit it to the policy and write it under exactly ``target``, whole or not at all.

    Returns:
        Width and height of what was written, in pixels.

    Raises:
        ImageError: the source cannot be read, or is too large for the format.
        ExportError: the target cannot be written.
    """
    image = decode(
        source,
        background=policy.background,
        keep_alpha=policy.keep_alpha,
        first_frame=first_frame,
        shrink_to=policy.size_of,
        exact=True,
        limits=limits,
    )
    image = _fit_to_original(image, source, policy)
    save_image(image, target, policy, os.stat(source).st_mode)  # noqa: PTH116 - text or Path alike
    return image.size


def _fit_to_original(image: Image.Image, source: str | Path, policy: ImagePolicy) -> Image.Image:
    image = fit(image, policy)
    if max(image.size) > _LARGEST_SIDE[policy.format]:
        raise image_error(
            source,
            f"has {image.width} × {image.height} pixels, and a {policy.format} ends at"
            f" {_LARGEST_SIDE[policy.format]} a side: choose PNG or a smaller size.",
        )
    return image


def save_image(image: Image.Image, target: Path, policy: ImagePolicy, mode: int = EVERYONE) -> None:
    """Encode an L, RGB or RGBA image in the policy's format under ``target``, whole or not at all.

    ``mode`` limits who may read it, as that of the file which it was made from.

    Raises:
        ExportError: the target cannot be written.
    """
    with atomic_writer(target, mode) as file:
        if policy.format == "png":
            file.writelines(encode_png(image))
        elif policy.format == "jpeg":
            image.save(file, "JPEG", quality=policy.quality, subsampling=0)
        elif policy.quality == 100:  # noqa: PLR2004 - documented above
            image.save(file, "WEBP", lossless=True, method=0, quality=0, exact=True)
        else:
            image.save(file, "WEBP", quality=policy.quality, method=4)


def copy_file(source: str | Path, target: Path, stamp: FileStamp) -> None:
    """Copy an image byte for byte by the system's quickest way, whole or not at all.

    Args:
        source: the image.
        target: its new name; a file there is replaced.
        stamp: that of the source when it was indexed.

    Raises:
        ImageError: the source cannot be read, or is not what was indexed.
        ExportError: the target cannot be written.
    """
    descriptor, found = open_regular(source)
    with os.fdopen(descriptor, "rb") as reader:
        check_unchanged(source, found, stamp)
        with atomic_writer(target, found.st_mode) as writer:
            copied = _copy(source, reader, writer, stamp.size)
            if copied != stamp.size:
                raise image_error(source, "became shorter while it was copied: index its folder again.")
            check_unchanged(source, os.fstat(descriptor), stamp)


def link_file(source: str | Path, target: Path, stamp: FileStamp) -> None:
    """Give an image a second name instead of a copy; arguments as `copy_file`.

    A program that changes the file in place under one name changes it under the other too.

    Raises:
        ImageError: the source cannot be read, or is not what was indexed.
        ExportError: it cannot have a second name there: not across drives, nor on every file system.
    """
    descriptor, found = open_regular(source)
    os.close(descriptor)
    check_unchanged(source, found, stamp)
    try:
        files.remove(target)
    except OSError as error:
        raise _write_error(target, error) from error
    try:
        files.retry_in_use(lambda: os.link(source, target))
    except OSError as error:
        if error.errno in _FULL:
            raise _write_error(target, error) from error
        raise ExportError(
            f"{printable_path(source)} cannot be linked into {printable_path(target.parent)}"
            f" ({files.file_error_reason(error)}): links need one drive that knows them. Export copies instead."
        ) from error


def _copy(source: str | Path, reader: BinaryIO, writer: BinaryIO, size: int) -> int:
    """Copy within the kernel where it can (and without copying at all on file systems that share blocks)."""
    copied = 0
    if hasattr(os, "copy_file_range"):
        # Between some file systems it is not supported: the rest goes by the way that always works.
        with suppress(OSError):
            while copied < size:
                step = os.copy_file_range(reader.fileno(), writer.fileno(), size - copied)
                if not step:
                    break
                copied += step
    if copied < size:
        reader.seek(copied)
        writer.seek(copied)
        for block in _blocks(source, reader):
            copied += writer.write(block)
    return copied


def _blocks(source: str | Path, reader: BinaryIO) -> Iterator[bytes]:
    """Read the rest of a file; its errors are distinguished from those of the file that it is copied to."""
    try:
        while block := reader.read(_BLOCK):
            yield block
    except OSError as error:
        raise os_error_reason(source, error) from error


@contextmanager
def atomic_writer(target: Path, mode: int = EVERYONE) -> Generator[BinaryIO]:
    """Give a new file to write to that takes the target's place when all went well, and goes away when not.

    ``mode`` limits who may read it: a copy of an image of 0600 is 0600 too.
    """
    unfinished = target.parent / f".lorads-{uuid4().hex[:8]}"  # short: Windows takes paths of 259 characters
    try:
        with unfinished.open("xb") as file:
            limit_rights(file.fileno(), mode)
            yield file
        files.replace(unfinished, target)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        files.remove_if_possible(unfinished)


def _write_error(target: Path, error: OSError) -> ExportError:
    if error.errno in _FULL:
        return ExportError(f"The disk of {printable_path(target.parent)} is full: free some space, then export again.")
    if not target.parent.is_dir():
        return ExportError(
            f"{printable_path(target)} cannot be written: its folder is not there. Make it, or choose another folder."
        )
    return ExportError(f"{printable_path(target)} cannot be written: {files.file_error_reason(error)}.")
