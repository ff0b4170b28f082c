"""Images without their metadata (workflows, prompts, cameras, places): what is seen stays byte for byte."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .encode import atomic_writer
from .files import DEFAULT_LIMITS, check_unchanged, image_error, read_file
from .formats import format_of
from .header import InvalidImageError
from .jpeg import strip_jpeg
from .png import strip_png
from .webp import strip_webp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..model import FileStamp
    from .files import ImageLimits


def _webp(data: bytes) -> Iterable[bytes]:
    return (strip_webp(data),)


_STRIPPED: dict[str, Callable[[bytes], Iterable[bytes | memoryview]]] = {
    "png": strip_png,
    "jpeg": strip_jpeg,
    "webp": _webp,
    "bmp": lambda data: (data,),  # holds none
}


def copy_stripped(source: str | Path, target: Path, stamp: FileStamp, limits: ImageLimits = DEFAULT_LIMITS) -> str:
    """Copy an image without its metadata, whole or not at all; arguments as `copy_file`.

    Returns:
        The SHA-256 of what was written, in hex.

    Raises:
        ImageError: the source cannot be read, is damaged, or is not what was indexed.
        ExportError: the target cannot be written.
    """
    data, found = read_file(source, limits)
    check_unchanged(source, found, stamp)
    digest = hashlib.sha256()
    try:
        pieces = list(_STRIPPED[format_of(data)](data))
    except InvalidImageError as fault:
        raise image_error(source, str(fault)) from fault
    with atomic_writer(target, found.st_mode) as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
