"""Memory shared by all threads that encode images: a very large one waits until others are done."""

from __future__ import annotations

import ctypes
import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..images.encode import ImagePolicy
    from ..model import ImageRecord

_LIMIT = 430 * 1024**2
_LARGE = 64 * 1024**2
# Bytes a pixel at the peak, seen with Pillow 12: WebP is decoded twice over.
_DECODED = {"webp": 16}
_USUAL = 8
_ENCODED = 6


class Budget:
    """A number of bytes that may be in use at once; what needs more than all of it runs alone."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Generator[None]:
        """Wait until ``size`` bytes are free, and hold them; what a large image has freed goes back to the system."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._limit)
            self._used += size
        try:
            yield
        finally:
            if size >= _LARGE and (trim := _trim()):
                trim(0)
            with self._changed:
                self._used -= size
                self._changed.notify_all()


@cache
def _trim() -> Callable[[int], object] | None:
    """Return glibc's ``malloc_trim``: it keeps the freed pixels of each thread, 130 MB of them beside two threads."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def needed(record: ImageRecord, policy: ImagePolicy) -> int:
    """Return the bytes that it takes to decode an image and write it by a policy, about."""
    pixels = record.width * record.height
    size = policy.size_of(record.width, record.height) if pixels else (0, 0)
    return pixels * _DECODED.get(record.format, _USUAL) + size[0] * size[1] * _ENCODED


SHARED = Budget()
