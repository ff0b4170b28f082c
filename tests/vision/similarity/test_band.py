"""The band: refused where it makes no sense, taken from percentiles, lowered where it would let the subject in."""

import numpy as np
import pytest

from lorads_core.errors import SettingsError
from lorads_core.vision.similarity.band import Band, BandRequest, resolve_band, share_within

ALONE = np.array([1.0])
LIBRARY = np.linspace(0, 1, 1001).astype(np.float32)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ((0.9, 0.5), "must be below"),
        ((0.5, 0.5), "must be below"),
        ((-1.5, 0.5), "minimum similarity is -1.5"),
        ((0.5, 1.01), "maximum similarity is 1.01"),
        ((float("nan"), 0.5), "minimum similarity is nan"),
        ((50, 101, "percentile"), "maximum percentile"),
        ((-1, 50, "percentile"), "minimum percentile"),
        ((0.5, 0.8, "degrees"), "not of 'degrees'"),
    ],
)
def test_nonsense_is_refused(wish, says):
    with pytest.raises(SettingsError, match=says):
        BandRequest(*wish)


def test_percentiles_are_those_of_the_library():
    band = resolve_band(BandRequest(60, 95, "percentile"), LIBRARY, ALONE, ALONE)
    assert (band.lowest, band.highest) == pytest.approx((0.6, 0.95))
    with pytest.raises(SettingsError, match="embed the library"):
        resolve_band(BandRequest(60, 95, "percentile"), LIBRARY[:0], ALONE, ALONE)


def test_the_upper_bound_comes_down_to_below_the_subject():
    own = np.linspace(0.75, 0.9, 200)
    band = resolve_band(BandRequest(), LIBRARY, own, own + 0.05)
    assert band.lowered
    assert band.highest == pytest.approx(np.percentile(own, 2) - 0.02)
    assert band.highest < own.min() + 0.01
    assert band.ceiling == pytest.approx(band.highest + 0.05)


def test_the_ceiling_is_never_below_the_band():
    band = resolve_band(BandRequest(), LIBRARY, np.full(9, 0.8), np.full(9, 0.7))
    assert (band.highest, band.ceiling) == pytest.approx((0.78, 0.80))


def test_it_stays_where_training_images_are_unlike_each_other():
    own = np.linspace(0.1, 0.9, 200)
    assert resolve_band(BandRequest(), LIBRARY, own, own) == Band(0.5, 0.85, 0.85, guarded=False)


def test_one_outlier_of_a_small_set_does_not_set_it():
    own = np.array([0.2, 0.8, 0.81, 0.82, 0.83])
    band = resolve_band(BandRequest(), LIBRARY, own, own)
    assert (band.lowered, band.guarded) == (True, True)
    assert band.highest == pytest.approx(0.78)


def test_the_hundredth_percentile_is_the_likest_image_too():
    band = resolve_band(BandRequest(10, 100, "percentile"), LIBRARY, ALONE, ALONE)
    assert band.highest > 1.0
    assert resolve_band(BandRequest(), LIBRARY, ALONE, ALONE) == Band(0.5, 0.85, 0.85)


def test_it_stays_where_it_is_low_enough():
    assert resolve_band(BandRequest(0.2, 0.4), LIBRARY, np.full(9, 0.9), np.full(9, 0.9)) == Band(0.2, 0.4, 0.4)


def test_share_within():
    assert share_within(Band(0.25, 0.5, 0.5), LIBRARY) == pytest.approx(0.25, abs=0.01)
    assert share_within(Band(0.25, 0.5, 0.5), LIBRARY[:0]) == 0
