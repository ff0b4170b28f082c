"""Memory shared by all threads that encode pictures: a very large one waits until others are done; it measures none."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..images.encode import ImagePolicy
    from ..model import ImageRecord

_LIMIT = 400 * 1024**2
# Bytes a pixel at the peak, seen with Pillow 12: WebP is decoded twice over; JPEG is decoded small, where it is to be.
_DECODED = {"webp": 16, "jpeg": 8}
_DECODED_SMALL = {"jpeg": 3}
_USUAL = 8
_ENCODED = 6


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
