"""How like the training set a regularization image should be: a band of similarities, and how a library lies to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ...errors import SettingsError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

BandUnit = Literal["similarity", "percentile"]
BAND_UNITS: tuple[BandUnit, ...] = get_args(BandUnit)

_OWN_PERCENTILE = 2.0
_GAP = 0.02
_WHOLE = 1e-4


@dataclass(frozen=True, slots=True)
class BandRequest:
    """The band as requested: cosines from -1 to 1, or percentiles of the library's own similarities, 0 to 100.

    Raises:
        SettingsError: a bound is out of its range, or they are the wrong way round.
    """

    lowest: float = 0.5
    highest: float = 0.85
    unit: BandUnit = "similarity"

    def __post_init__(self) -> None:
        if self.unit not in BAND_UNITS:
            raise SettingsError(f"A band is of {' or '.join(BAND_UNITS)}, not of {self.unit!r}.")
        least, most = (-1.0, 1.0) if self.unit == "similarity" else (0.0, 100.0)
        for name, bound in (("minimum", self.lowest), ("maximum", self.highest)):
            if not least <= bound <= most:  # also refuses NaN
                raise SettingsError(f"The {name} {self.unit} is {bound}; give a number from {least:g} to {most:g}.")
        if self.lowest >= self.highest:
            raise SettingsError(
                f"The minimum {self.unit} ({self.lowest:g}) must be below the maximum ({self.highest:g})."
            )


@dataclass(frozen=True, slots=True)
class Band:
    """The band as it is searched, in cosines.

    ``lowest`` and ``highest`` bound the likeness to the set, ``ceiling`` the likeness to any single training image.
    ``lowered`` says that an upper bound is lower than requested, to keep the subject out; ``guarded`` is False
    where the training images are too unlike each other for any bound to do that.
    """

    lowest: float
    highest: float
    ceiling: float
    lowered: bool = False
    guarded: bool = True


def resolve_band(
    wish: BandRequest, library: NDArray[float32], own: NDArray[float32], own_nearest: NDArray[float32]
) -> Band:
    """Return the band to search.

    ``library`` are a library's similarities (n) to the set, ``own`` those of the training images (m), ``own_nearest``
    those of each training image to the nearest other one (m). Whatever is as like the set, or as like one of its
    images, as its own images are is most likely the same subject. So the upper bounds are at most the 2nd percentiles
    of ``own`` and ``own_nearest``, less 0.02; unless that would leave nothing of the band: then the training images
    are so unlike each other that they set no bound.
    """
    lowest, highest = wish.lowest, wish.highest
    if wish.unit == "percentile":
        if not len(library):
            raise SettingsError("There are no vectors to take percentiles of: embed the library first.")
        lowest, highest = (float(np.percentile(library, bound)) for bound in (wish.lowest, wish.highest))
        highest += _WHOLE if wish.highest == 100 else 0  # noqa: PLR2004 - the likest image of all is meant too
    below = _bound(own, highest)
    if below < lowest + _GAP:
        return Band(lowest, highest, highest, guarded=False)
    ceiling = min(highest, max(_bound(own_nearest, highest), below + _GAP))
    return Band(lowest, below, ceiling, lowered=below < highest)


def _bound(own: NDArray[float32], asked: float) -> float:
    """Return the upper bound that training images set, or the requested one where theirs is higher.

    In a small set one image that is unlike all others does not set it.
    """
    if len(own) <= 1:
        return asked
    percentile = max(_OWN_PERCENTILE, min(50.0, 100 / (len(own) - 1)))
    return min(asked, float(np.percentile(own, percentile)) - _GAP)


def share_within(band: Band, similarities: NDArray[float32]) -> float:
    """Return which share (0-1) of similarities lies in the band."""
    if not len(similarities):
        return 0.0
    return float(((similarities >= band.lowest) & (similarities < band.highest)).mean())
