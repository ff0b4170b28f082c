"""Choosing among candidates: the best first, each unlike those before (maximal marginal relevance); pure numpy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float32
    from numpy.typing import NDArray

    from .band import Band

_UNKNOWN_QUALITY = 0.5


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be picked: scores (n) of 0-1, vectors (n, d) at length 1, and a group's name or "" for each (n)."""

    scores: NDArray[float32]
    vectors: NDArray[float32]
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class DiversityRules:
    """How unlike each other picks shall be.

    ``diversity`` is 0 (the best scores) to 1 (as different as possible); no candidate is picked whose cosine to an
    earlier pick is ``max_similarity`` or more (1: no limit); at most ``per_group`` come from one
    named group (0: any number).
    """

    diversity: float = 0.3
    max_similarity: float = 0.9
    per_group: int = 0


def scores(
    band: Band, similarities: NDArray[float32], quality: NDArray[float32], quality_weight: float
) -> NDArray[float32]:
    """Return scores (n) of 0-1: how near to the band's upper bound, and how good, by weight.

    ``quality`` (n) is 0-1, NaN where it is not known, which counts as middling.
    """
    place = (similarities - band.lowest) / max(band.highest - band.lowest, 1e-6)
    known = np.where(np.isnan(quality), _UNKNOWN_QUALITY, quality)
    return ((1 - quality_weight) * np.clip(place, 0, 1) + quality_weight * known).astype(np.float32)


class Picker:
    """Picks one after another; what was picked or refused is not offered again."""

    def __init__(self, candidates: Candidates, spread: DiversityRules, former: NDArray[float32] | None = None) -> None:
        """``former`` are vectors (m, d) of images that were picked before: no candidate may be too like them."""
        self._candidates = candidates
        self._spread = spread
        self._open: NDArray[bool_] = np.ones(len(candidates.scores), bool)
        self._nearest = np.full(len(candidates.scores), -1, np.float32)
        self._of_group: Counter[str] = Counter()
        self.twins = 0
        """How many candidates are left out because they are too like a pick."""
        self.filled = 0
        """How many candidates are left out because their group has given enough."""
        for vector in former if former is not None else ():
            self._leave_out_twins(vector)

    def best(self) -> int | None:
        """Return the place of the best candidate that is left, None where none is."""
        if not self._open.any():
            return None
        weight = self._spread.diversity
        value = (1 - weight) * self._candidates.scores - weight * self._nearest
        return int(np.argmax(np.where(self._open, value, -np.inf)))

    def nearest(self, place: int) -> float:
        """Return the cosine of a candidate to the pick nearest to it, -1 before the first pick."""
        return float(self._nearest[place])

    def refuse(self, place: int) -> None:
        """Take a candidate out."""
        self._open[place] = False

    def take(self, place: int) -> None:
        """Pick a candidate: whatever is too like it, or was the last that its group may give, is out too."""
        self.refuse(place)
        self._leave_out_twins(self._candidates.vectors[place])
        self._fill(self._candidates.groups[place])

    def _leave_out_twins(self, vector: NDArray[float32]) -> None:
        near: NDArray[float32] = np.inner(self._candidates.vectors, vector)
        np.maximum(self._nearest, near, out=self._nearest)
        if self._spread.max_similarity < 1:  # rounding makes cosines of copies greater than 1
            twins = self._open & (near >= self._spread.max_similarity)
            self.twins += int(twins.sum())
            self._open &= ~twins

    def _fill(self, group: str) -> None:
        self._of_group[group] += 1
        if group and self._spread.per_group and self._of_group[group] >= self._spread.per_group:
            full = self._open & np.array([name == group for name in self._candidates.groups], bool)
            self.filled += int(full.sum())
            self._open &= ~full
