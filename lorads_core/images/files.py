"""Bytes of an image file, read once and safely; it does not look at what they mean."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..model import FileStamp
from ..system.files import file_error_reason as said
from ..system.files import is_in_use, open_descriptor

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image file may be at most: pixels of one frame (default: Pillow's own limit) and bytes on disk."""

    max_pixels: int = 178_956_970  # 2 × PIL.Image.MAX_IMAGE_PIXELS, from where on Pillow refuses
    max_bytes: int = 512 * 1024 * 1024


DEFAULT_LIMITS = ImageLimits()

_REASONS = {
    errno.ENOENT: "is not there any more: index its folder again, or see where its library says that it is.",
    errno.ENOTDIR: "is not there any more: index its folder again, or see where its library says that it is.",
    errno.EACCES: "may not be read: give this user the right to read it.",
    errno.EPERM: "may not be read: give this user the right to read it.",
    errno.EISDIR: "is a folder: give an image file.",
    errno.ENXIO: "is not a regular file: give an image file.",
    errno.ENAMETOOLONG: "has too long a name: rename it.",
    errno.ELOOP: "is a link that leads back to itself: remove it.",
    errno.EIO: "cannot be read from its disk: check the drive, or copy the file again.",
}


def printable_path(path: str | Path) -> str:
    """Return a path that can be printed and stored whatever is in it: line breaks and broken Unicode are escaped."""
    text = str(path)
    return text if text.isprintable() else text.encode("unicode_escape", "backslashreplace").decode("ascii")


def image_error(path: str | Path, what: str) -> ImageError:
    """Make the error of one image; ``what`` goes on after its name and says what to do."""
    return ImageError(f"{printable_path(path)} {what}")


def os_error_reason(path: str | Path, error: OSError) -> ImageError:
    """Say in a sentence why the system does not give a file out."""
    if hasattr(error, "winerror") and is_in_use(error):  # Windows says EACCES of a file that is in use, too
        return image_error(path, f"cannot be read: {said(error)}.")
    reason = _REASONS.get(error.errno or 0)
    return image_error(path, reason or f"cannot be read ({error.strerror or error}): check it and its drive.")


def open_regular(path: str | Path) -> tuple[int, os.stat_result]:
    """Open a regular file for reading and return its descriptor, which the caller closes, and what it is.

    Raises:
        ImageError: it is gone, may not be read, or is a folder, pipe, socket or device.
    """
    try:
        return open_descriptor(path)
    except OSError as error:
        # Windows says "permission denied" of a folder.
        is_folder = os.path.isdir(path)  # noqa: PTH112 - a Path would be built for each of many files
        raise os_error_reason(path, IsADirectoryError(errno.EISDIR, "") if is_folder else error) from error
    except ValueError as error:  # a NUL in the name
        raise image_error(path, "has a name that no file can have: rename it.") from error


def check_unchanged(path: str | Path, found: os.stat_result, stamp: FileStamp) -> None:
    """Refuse an image that has another stamp than when it was indexed.

    Raises:
        ImageError: it has changed.
    """
    if FileStamp.of(found) != stamp:
        raise image_error(path, "has changed since it was indexed: index its folder again.")


def read_file(path: str | Path, limits: ImageLimits = DEFAULT_LIMITS) -> tuple[bytes, os.stat_result]:
    """Read a whole regular file, and what it was when it was opened.

    Raises:
        ImageError: see `open_regular`; also where it is empty, larger than the limit, or changes while it is read.
    """
    descriptor, found = open_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size == 0:
            raise image_error(path, "is empty (0 bytes): copy it again from where it came from, or delete it.")
        if found.st_size > limits.max_bytes:
            raise image_error(
                path,
                f"is {found.st_size / 2**20:,.0f} MiB large, over the limit of {limits.max_bytes / 2**20:,.0f} MiB:"
                " leave it out, or raise the limit.",
            )
        try:
            data = file.read(found.st_size + 1)
        except OSError as error:
            raise os_error_reason(path, error) from error
    if len(data) != found.st_size:
        raise image_error(path, "changed while it was read: try again when it is finished.")
    return data, found
