"""How like generated images are to a training set and to each other, by their vectors; pure numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

NEIGHBOURS = 5
MEMORISED = 0.95
"""From this cosine on, an image and its nearest training image count as the same image."""
_NINE_IN_TEN = 0.9
_SURELY = 0.99


class Likeness(NamedTuple):
    """Of an image: its mean cosine to the nearest training images, and which one is nearest, and how near."""

    training: float
    nearest: int
    nearest_cosine: float


def unit(vectors: NDArray[float32]) -> NDArray[float32]:
    """Return vectors (n, d) at length one; those without a length stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def likeness(pictures: NDArray[float32], training: NDArray[float32], neighbours: int = NEIGHBOURS) -> list[Likeness]:
    """Return the likeness of images (n, d) to training images (m, d), both of one space; m is at least 1."""
    cosines = cast("NDArray[float32]", unit(pictures) @ unit(training).T)
    order: NDArray[int64] = np.argsort(-cosines, axis=1)[:, :neighbours]
    found: list[Likeness] = []
    for row in range(len(cosines)):
        near: NDArray[float32] = cosines[row, order[row]]
        found.append(Likeness(float(near.mean()), int(order[row, 0]), float(near[0])))
    return found


def drift(pictures: NDArray[float32], base: NDArray[float32]) -> list[float]:
    """Return how far images (n, d) are from what the base model drew (d): 1 minus the cosine."""
    return [float(1 - cosine) for cosine in unit(pictures) @ unit(base[None])[0]]


def memorised_from(training: NDArray[float32], block: int = 1024) -> float:
    """Return the cosine from which on an image counts as one of the training images (m, d).

    In a set whose images are alike, an image is no copy for being as near to one as they are to each other: what is
    required then is more than nine in ten of them have. A set with copies in it does not raise it above 0.99.
    """
    vectors = unit(training)
    if len(vectors) < 2:  # noqa: PLR2004 - no other image to be near to
        return MEMORISED
    nearest: list[NDArray[float32]] = []
    for at in range(0, len(vectors), block):
        cosines = cast("NDArray[float32]", vectors[at : at + block] @ vectors.T)
        rows = np.arange(len(cosines))
        cosines[rows, at + rows] = -1
        nearest.append(cosines.max(axis=1))
    usual = float(np.quantile(np.concatenate(nearest), _NINE_IN_TEN))
    return max(MEMORISED, min(_SURELY, usual))
