"""Thumbnails: made from the originals, cached in a folder of limited size."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import ExportError, ImageError
from ..images.decode import decode
from ..images.encode import atomic_writer
from ..images.files import open_regular
from ..model import FileStamp
from ..system.files import remove_if_possible
from ..system.rights import OWNER, make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDES = (128, 256, 384, 512, 768, 1024)
LARGE = 2048
_MAX_BYTES = 1024**3
_EVICT_TO = 0.8  # share of the size limit that is left after an eviction
_LARGE_FROM = 768
_VERSION = "1"  # of the encoding; part of the cache key


def cache_folder() -> Path:
    """Return the thumbnail cache folder, in the user's cache directory."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - only for the panel

    return user_cache_path("lorads", appauthor=False) / "thumbnails"


def thumbnail_side(wanted: int) -> int:
    """Return the thumbnail size for a requested size: one of a few, so that a client cannot fill the cache with all."""
    return next((side for side in SIDES if side >= wanted), SIDES[-1])


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image for the browser; ``etag`` changes with the original and the size."""

    data: bytes
    content_type: str
    mark: str


class Thumbnails:
    """The thumbnail cache; thread-safe."""

    def __init__(self, folder: Path, most_bytes: int = _MAX_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def mark(self, path: str, side: int) -> str:
        """Return the ETag of an image at a size.

        Raises:
            ImageError: it is missing, not readable, or not a regular file.
        """
        descriptor, found = open_regular(path)
        os.close(descriptor)
        words = (_VERSION, path, *FileStamp.of(found), side)
        return hashlib.sha256("\0".join(map(str, words)).encode(errors="surrogatepass")).hexdigest()[:40]

    def image(self, path: str, side: int) -> EncodedImage:
        """Return an image with its longer side at most ``side`` pixels, from the cache if it is there.

        Raises:
            ImageError: it cannot be read.
        """
        mark = self.mark(path, side)
        suffix, content_type = (".jpg", "image/jpeg") if side >= _LARGE_FROM else (".webp", "image/webp")
        file = self._folder / mark[:2] / f"{mark}{suffix}"
        try:
            data = file.read_bytes()
        except OSError:
            data = _encode(path, side, content_type)
            self._put(file, data)
        return EncodedImage(data, content_type, mark)

    def _put(self, file: Path, data: bytes) -> None:
        # A full disk makes the panel slower, but must not make its images fail.
        with suppress(OSError, ExportError):
            # Of images that others may not see, either.
            make_private_folder(self._folder)
            make_private_folder(file.parent)
            with atomic_writer(file, OWNER) as unfinished:
                unfinished.write(data)
            self._account(len(data))

    def _account(self, added: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += added
            if self._bytes > self._most:
                self._bytes = self._evict()

    def _evict(self) -> int:
        """Remove the oldest files; return how many bytes are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._most * _EVICT_TO:
                break
            if remove_if_possible(path):  # a file that is being sent stays (Windows)
                left -= size
        return left

    def _files(self) -> Iterator[tuple[float, int, str]]:
        with suppress(OSError):
            for folder in [each.path for each in os.scandir(self._folder) if each.is_dir(follow_symlinks=False)]:
                with suppress(OSError):
                    for entry in os.scandir(folder):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime, found.st_size, entry.path


def _encode(path: str, side: int, content_type: str) -> bytes:
    image = decode(path, first_frame=True, shrink_to=lambda width, height: _fit_within(width, height, side))
    size = _fit_within(*image.size, side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = BytesIO()
    try:
        if content_type == "image/webp":
            image.convert("RGB").save(file, "WEBP", quality=82, method=2)
        else:
            image.convert("RGB").save(file, "JPEG", quality=90)
    except OSError as error:
        raise ImageError(f"{path} cannot be shown in the browser ({error}): save it again.") from error
    return file.getvalue()


def _fit_within(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
