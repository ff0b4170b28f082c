"""Small pictures for a browser: made from the originals, kept in a folder that stays within bounds."""

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
from ..system.files import remove_if_possible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDES = (128, 256, 384, 512, 768, 1024)
LARGE = 2048
_MOST_BYTES = 1024**3
_KEPT_SHARE = 0.8  # of the bound, when it was passed
_LARGE_FROM = 768
_VERSION = "1"  # of how they are made


def cache_folder() -> Path:
    """Return where thumbnails are kept: in the user's folder of caches."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - of those who show pictures

    return user_cache_path("lorads", appauthor=False) / "thumbnails"


def side_of(wanted: int) -> int:
    """Return the side that a thumbnail is made at: few, so that a stranger cannot fill the cache with all numbers."""
    return next((side for side in SIDES if side >= wanted), SIDES[-1])


@dataclass(frozen=True, slots=True)
class Small:
    """A picture as a browser gets it; ``mark`` is another one when the original or the size is."""

    data: bytes
    content_type: str
    mark: str


class Thumbnails:
    """The cache; any thread may use it."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def mark(self, path: str, side: int) -> str:
        """Return the mark of a picture at a size.

        Raises:
            ImageError: it is gone, may not be read, or is no regular file.
        """
        descriptor, found = open_regular(path)
        os.close(descriptor)
        words = (_VERSION, path, found.st_size, found.st_mtime_ns, side)
        return hashlib.sha256("\0".join(map(str, words)).encode(errors="surrogatepass")).hexdigest()[:40]

    def picture(self, path: str, side: int) -> Small:
        """Return a picture of which the longer side is at most ``side``, from the cache where it is there.

        Raises:
            ImageError: it cannot be read.
        """
        mark = self.mark(path, side)
        suffix, content_type = (".jpg", "image/jpeg") if side >= _LARGE_FROM else (".webp", "image/webp")
        file = self._folder / mark[:2] / f"{mark}{suffix}"
        try:
            data = file.read_bytes()
        except OSError:
            data = _encoded(path, side, content_type)
            self._put(file, data)
        return Small(data, content_type, mark)

    def _put(self, file: Path, data: bytes) -> None:
        # Without a cache it is slower and no worse: a full disk must not take the pictures away.
        with suppress(OSError, ExportError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_writer(file) as unfinished:
                unfinished.write(data)
            self._account(len(data))

    def _account(self, added: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += added
            if self._bytes > self._most:
                self._bytes = self._swept()

    def _swept(self) -> int:
        """Remove the oldest, and return how many bytes are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._most * _KEPT_SHARE:
                break
            if remove_if_possible(path):  # one that is just being sent stays until the next time
                left -= size
        return left

    def _files(self) -> Iterator[tuple[float, int, str]]:
        with suppress(OSError):
            for folder in [each.path for each in os.scandir(self._folder) if each.is_dir(follow_symlinks=False)]:
                with suppress(OSError):
                    for entry in os.scandir(folder):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime, found.st_size, entry.path


def _encoded(path: str, side: int, content_type: str) -> bytes:
    image = decode(path, first_frame=True, shrink_to=lambda width, height: _within(width, height, side))
    size = _within(*image.size, side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = BytesIO()
    try:
        if content_type == "image/webp":
            image.convert("RGB").save(file, "WEBP", quality=82, method=2)
        else:
            image.convert("RGB").save(file, "JPEG", quality=90)
    except OSError as error:
        raise ImageError(f"{path} cannot be shown in the browser ({error}): save it anew.") from error
    return file.getvalue()


def _within(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
