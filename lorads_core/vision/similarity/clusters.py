"""Groups of images proposed by their vectors (HDBSCAN), for people to name; what is unlike all else stays out.

Measured with 1,024 numbers a vector on two cores: 1,000 images 1 s, 5,000 images 2 s, 20,000 images 16 to 25 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LibraryError, SettingsError
from ...system.extras import install_command

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

MAX_IMAGES = 20_000
"""More would take minutes: HDBSCAN's time grows with the square of their number."""

_DIMENSIONS = 32  # of the principal components that are clustered; in more, all distances are alike
_SPREAD = 0.8  # of a group, as a share of the spread of all images


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposed group: its images, the most typical first, and their mean cosine to its centre."""

    name: str
    ids: tuple[int, ...]
    cohesion: float


def propose(ids: NDArray[int64], vectors: NDArray[float32], smallest: int = 5) -> list[Proposed]:
    """Return groups of at least ``smallest`` images by their vectors (n, d) at length 1, the largest group first.

    Raises:
        LibraryError: there are too many images.
        SettingsError: ``smallest`` is below 2, or scikit-learn is not installed.
    """
    if smallest < 2:  # noqa: PLR2004 - one image is no group
        raise SettingsError(f"The smallest cluster has {smallest} images; give 2 or more.")
    if len(ids) > MAX_IMAGES:
        raise LibraryError(
            f"{len(ids):,} images are too many to cluster at once ({MAX_IMAGES:,} at most): choose some by folder,"
            " album, rating or tags, or some at random."
        )
    try:
        from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - an optional library
    except ImportError as error:
        raise SettingsError(f"Clusters need scikit-learn: {install_command('cluster')}") from error
    if len(ids) < smallest:
        return []
    clusterer = HDBSCAN(min_cluster_size=smallest, min_samples=min(5, smallest), copy=True)  # pyright: ignore[reportArgumentType]
    labels: NDArray[np.int64] = np.asarray(clusterer.fit_predict(_components(vectors)), np.int64)
    clusters = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    widest = _SPREAD * _spread(vectors)
    groups = [_group(ids, vectors, places) for places in clusters if _spread(vectors[places]) <= widest]
    groups.sort(key=lambda group: (-len(group[0]), group[0]))
    return [Proposed(f"group {n}", members, cohesion) for n, (members, cohesion) in enumerate(groups, start=1)]


def _components(vectors: NDArray[float32]) -> NDArray[float32]:
    """Return the principal components (n, at most 32) of vectors (n, d)."""
    centred = vectors - vectors.mean(axis=0)
    kept = min(_DIMENSIONS, *vectors.shape)
    _, axes = np.linalg.eigh(np.inner(np.ascontiguousarray(np.swapaxes(centred, 0, 1)), np.swapaxes(centred, 0, 1)))
    main: NDArray[float32] = np.matmul(centred, axes[:, ::-1][:, :kept])
    return main


def _spread(vectors: NDArray[float32]) -> float:
    """Return the mean of 1 - cosine over all pairs of vectors (n, d); 0 for a single one.

    Images that are unlike all else lie in one heap once projected on the components of the others, where HDBSCAN takes
    them for a group. By their whole vectors they lie as far apart as any images do; groups of our samples' crops have
    at most a third of that, synthetic ones up to 0.7.
    """
    count = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(0.0, count * count - float(np.inner(total, total))) / max(1, count * (count - 1))


def _group(ids: NDArray[int64], vectors: NDArray[float32], places: NDArray[np.int64]) -> tuple[tuple[int, ...], float]:
    members = vectors[places]
    centre = members.mean(axis=0)
    near: NDArray[float32] = np.inner(members, centre / max(float(np.linalg.norm(centre)), 1e-9))
    order = np.argsort(-near, kind="stable")
    return tuple(ids[places[order]].tolist()), float(near.mean())
