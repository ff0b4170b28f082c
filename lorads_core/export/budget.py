"""Memory shared by all threads that encode pictures: a very large one waits until others are done; it measures none."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..images.encode import ImagePolicy
    from ..model import ImageRecord

_LIMIT = 400 * 1024**2
# Bytes a pixel at the peak, seen with Pillow 12: WebP is decoded twice over; JPEG is decoded small, where it is to be.
_DECODED = {"webp": 16, "jpeg": 8}
_DECODED_SMALL = {"jpeg": 3}
_USUAL = 8
_ENCODED = 6
_WORTH_IT = 32 * 1024**2


def give_back() -> None:
    """Hand freed memory back to the system: glibc keeps a heap for each thread, which only grows by itself."""
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - for this alone

    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library than glibc
        return None


class Budget:
    """So many bytes at once; what needs more than all of it runs alone."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Generator[None]:
        """Wait until ``size`` bytes are free, and hold them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._limit)
            self._used += size
        try:
            yield
        finally:
            if size >= _WORTH_IT:
                give_back()
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def needed(record: ImageRecord, policy: ImagePolicy) -> int:
    """Return the bytes that it takes to decode a picture and write it by a policy, about."""
    pixels = record.width * record.height
    size = policy.size_of(record.width, record.height) if pixels else (0, 0)
    known = _DECODED_SMALL if size[0] * 2 <= record.width else {}
    decoded = known.get(record.format, _DECODED.get(record.format, _USUAL))
    return pixels * decoded + size[0] * size[1] * _ENCODED


SHARED = Budget()
