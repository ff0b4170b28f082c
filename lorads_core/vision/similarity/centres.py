"""What a training set looks like, as a few centres among its vectors, and how like it an image is; pure numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MAX_CENTRES = 8
_WORTH = 0.02  # another doubling must bring images this much nearer to their centres
_FEWEST = 8  # images that make a centre worth having
_MOST_LOOKED_AT = 2_000


def centres(vectors: NDArray[float32], most: int = MAX_CENTRES, seed: int = 0) -> NDArray[float32]:
    """Return one, two, four … up to ``most`` centres (k, d) of vectors (n, d) at length 1, at length 1 themselves.

    One mean stands for a tight set. For a mixed one it stands for nothing that is in it: the number is doubled as long
    as that brings the images clearly nearer to their centres.
    """
    looked_at = _some(vectors, seed)
    found = _unit(looked_at.mean(axis=0, keepdims=True))
    nearness = _nearness(looked_at, found)
    count = 2
    while count <= most and count * _FEWEST <= len(looked_at):
        more = _k_means(looked_at, count, seed)
        nearer = _nearness(looked_at, more)
        if nearer - nearness < _WORTH:
            break
        found, nearness, count = more, nearer, count * 2
    return found


def _some(vectors: NDArray[float32], seed: int) -> NDArray[float32]:
    if len(vectors) <= _MOST_LOOKED_AT:
        return vectors
    return vectors[np.random.default_rng(seed).choice(len(vectors), _MOST_LOOKED_AT, replace=False)]


def _k_means(vectors: NDArray[float32], count: int, seed: int) -> NDArray[float32]:
    # Among vectors of length 1, the nearest by distance is the nearest by angle.
    from scipy.cluster import vq  # noqa: PLC0415 - not for those who only read captions

    wide = vectors.astype(np.float64)
    starts = wide[_spread(vectors, count, seed)]
    # It leaves out a centre that no vector is nearest to.
    return _unit(np.asarray(vq.kmeans(wide, starts)[0], np.float32))


def _spread(vectors: NDArray[float32], count: int, seed: int) -> list[int]:
    """Return the places of vectors to begin with: each the farthest from those before, so that no centre is empty."""
    chosen = [int(np.random.default_rng(seed).integers(len(vectors)))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return chosen


def _nearness(vectors: NDArray[float32], anchors: NDArray[float32]) -> float:
    return float(similarity(vectors, anchors).mean())


def _unit(vectors: NDArray[float32]) -> NDArray[float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def similarity(vectors: NDArray[float32], anchors: NDArray[float32], block: int = 4096) -> NDArray[float32]:
    """Return the cosine (n) of each vector (n, d) to the anchor (k, d) nearest to it; all at length 1."""
    if not len(anchors) or not len(vectors):
        return np.full(len(vectors), -1, np.float32)
    parts: list[NDArray[float32]] = [
        np.inner(vectors[at : at + block], anchors).max(axis=1) for at in range(0, len(vectors), block)
    ]
    return np.concatenate(parts)


def own_similarity(vectors: NDArray[float32], anchors: NDArray[float32]) -> NDArray[float32]:
    """Return how like the rest of its set each vector (n, d) is (n): its cosine to the nearest centre without itself.

    It is what `similarity` would say of an image of the same set that is not in it. With one image alone it is 1.
    """
    near: NDArray[float32] = np.inner(vectors, anchors)
    home = near.argmax(axis=1)
    without: NDArray[float32] = np.array(near)
    for label in np.unique(home):
        members = np.flatnonzero(home == label)
        rest = vectors[members].sum(axis=0) - vectors[members]
        lengths = np.linalg.norm(rest, axis=1)
        own = np.einsum("nd,nd->n", rest, vectors[members]) / np.maximum(lengths, 1e-9)
        without[members, label] = np.where(lengths > 1e-6, own, 1 if len(anchors) == 1 else -1)  # noqa: PLR2004
    return np.max(without, axis=1)
