"""Near-duplicates among images: copies, resaves, crops and small edits, by vectors and by perceptual prints; pure.

A vector alone proves little: encoders place two photographs of one scene as near as two copies, and DiffusionToolkit
copies vectors among images with the same settings. So likeness of vectors wants to be confirmed by the print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float32, int64
    from numpy.typing import NDArray

    from ..model import ImageRecord

SAME_PICTURE = 6
"""Bits of 64 by which the prints of one picture differ at most, however it was saved or scaled."""

_CONFIRMS = 14  # bits that are enough where the vectors are near, too
_NEAR = 0.96
_ALONE = 0.995  # cosine that is enough where a print is missing
_BLOCK = 128


def bits(a: NDArray[int64], b: NDArray[int64]) -> NDArray[int64]:
    """Return in how many bits (n, m) each of the prints a (n) differs from each of b (m)."""
    different = (a[:, None] ^ b[None, :]).astype(">i8").view(np.uint8).reshape(len(a), len(b), 8)
    return _ONES[different].sum(axis=2, dtype=np.int64)


_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def nearest_prints(a: NDArray[int64], b: NDArray[int64]) -> NDArray[int64]:
    """Return in how many bits each of the prints a (n) differs from the nearest of b (m), 64 where b is empty."""
    if not len(b):
        return np.full(len(a), 64, np.int64)
    parts = [bits(a[at : at + _BLOCK], b).min(axis=1) for at in range(0, len(a), _BLOCK)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Alike:
    """What is known of images, to tell near-duplicates: vectors (n, d) at length 1, and prints (n).

    ``has_vector`` and ``has_print`` (n) say for which images.
    """

    vectors: NDArray[float32]
    has_vector: NDArray[bool_]
    prints: NDArray[int64]
    has_print: NDArray[bool_]


def groups(alike: Alike) -> list[list[int]]:
    """Return groups of near-duplicates as places of images, the first image of each first.

    Images belong together by print alone where it is nearly the same, by vector where the print confirms it, and by
    vector alone only where a print is missing and it is as good as equal. A group has a middle that all of it are like:
    chains of ever more different images are not one.
    """
    like = _likeness(alike)
    left = np.ones(len(alike.has_print), bool)
    found: list[list[int]] = []
    # The image with most twins first: the middle of its group.
    for place in sorted(range(len(like)), key=lambda place: -len(like[place])):
        members = [twin for twin in like[place] if left[twin]] if left[place] else []
        if members:
            left[[place, *members]] = False
            found.append(sorted([place, *members]))
    return sorted(found)


def _likeness(alike: Alike) -> list[list[int]]:
    """Return the near-duplicates of each image."""
    count = len(alike.has_print)
    like: list[list[int]] = []
    for at in range(0, count, _BLOCK):
        rows = slice(at, min(at + _BLOCK, count))
        both = alike.has_print[rows, None] & alike.has_print[None, :]
        apart = np.where(both, bits(alike.prints[rows], alike.prints), 64)
        near = np.where(
            alike.has_vector[rows, None] & alike.has_vector[None, :],
            np.inner(alike.vectors[rows], alike.vectors),
            -1,
        )
        same = (apart <= SAME_PICTURE) | ((near >= _NEAR) & (apart <= _CONFIRMS)) | ((near >= _ALONE) & ~both)
        for n, row in enumerate(same, start=at):
            row[n] = False
            like.append(np.flatnonzero(row).tolist())
    return like


def best(records: Sequence[ImageRecord]) -> ImageRecord:
    """Return the image to keep: best rated, then best judged, most pixels, largest file, lowest id."""
    return max(
        records,
        key=lambda record: (
            record.rating if record.rating is not None else -1,
            record.aesthetic if record.aesthetic is not None else float("-inf"),
            record.width * record.height,
            record.file_size,
            -record.id,
        ),
    )
