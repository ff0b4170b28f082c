"""The plot of a band: of one size whatever is in it, with the band where it belongs."""

import matplotlib as mpl
import numpy as np
import pytest

from lorads_core.plots.histogram import _edges, similarity_histogram

RANDOM = np.random.default_rng(0)
NONE = np.zeros(0, np.float32)


def plot(library=NONE, training=NONE, picks=NONE, lowest=0.5, highest=0.85, **more):
    more = {"title": "Similarity to anna"} | more
    return similarity_histogram(library=library, training=training, picks=picks, lowest=lowest, highest=highest, **more)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_it_has_one_size_whatever_is_in_it(count):
    values = RANDOM.normal(0.6, 0.1, count).astype(np.float32)
    picture = plot(values, values, values)
    assert (picture.size, picture.mode) == ((1000, 500), "RGB")


def test_the_band_is_shaded_where_it_is():
    def shaded(lowest, highest):
        # A row just below the upper end of the axis.
        row = np.asarray(plot(np.linspace(0, 1, 9, dtype=np.float32), lowest=lowest, highest=highest), int)[104]
        return np.flatnonzero((row[:, 0] < 240) & (row[:, 1] > 225))

    low, high = shaded(0.1, 0.3), shaded(0.6, 0.9)
    assert len(low) > 50
    assert low.max() < high.min()


def test_it_leaves_no_trace_in_matplotlib():
    before = dict(mpl.rcParams)
    plot(RANDOM.random(50).astype(np.float32))
    assert dict(mpl.rcParams) == before


def grey(picture):
    return int((np.asarray(picture, int) == (0x8D, 0x99, 0xA6)).all(axis=2).sum())


def test_a_logarithmic_height_shows_what_is_rare():
    values = np.concatenate([RANDOM.normal(0.4, 0.02, 20_000), RANDOM.uniform(0.5, 0.9, 40)]).astype(np.float32)
    assert grey(plot(values, logarithmic=True)) > 2 * grey(plot(values))
    assert plot(NONE, logarithmic=True).size == (1000, 500)


@pytest.mark.parametrize(("lowest", "highest"), [(0.5, 0.85), (0.6, 0.601), (0.7, 0.7), (-1.0, 1.0)])
def test_all_values_have_a_bin_and_none_lies_across_a_bound(lowest, highest):
    values = np.array([0.2, 0.9, lowest, highest])
    edges = _edges(values, lowest, highest)
    assert edges[0] < values.min()
    assert values.max() < edges[-1]
    assert np.abs(edges - lowest).min() < 1e-9
    wide = highest - lowest > 0.01
    assert not wide or np.abs(edges - highest).min() < 1e-9
    assert 20 < len(edges) < 200


@pytest.mark.parametrize("title", ["$anna", "a_b^c \\frac", "x" * 400, ""])
def test_any_name_can_be_in_the_title(title):
    assert plot(title=title).size == (1000, 500)
