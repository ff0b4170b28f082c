"""The plot of a band: of one size whatever is in it, with the band where it belongs."""

import matplotlib as mpl
import numpy as np
import pytest

from lorads_core.pictures.histogram import similarity_histogram

RANDOM = np.random.default_rng(0)
NONE = np.zeros(0, np.float32)


def plot(library=NONE, training=NONE, picks=NONE, lowest=0.5, highest=0.85):
    return similarity_histogram(
        library=library, training=training, picks=picks, lowest=lowest, highest=highest, title="Similarity to anna"
    )


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_it_has_one_size_whatever_is_in_it(count):
    values = RANDOM.normal(0.6, 0.1, count).astype(np.float32)
    picture = plot(values, values, values)
    assert (picture.size, picture.mode) == ((1000, 500), "RGB")


def test_the_band_is_shaded_where_it_is():
    def shaded(lowest, highest):
        # The row just above the axis of an empty plot.
        row = np.asarray(plot(np.linspace(0, 1, 9, dtype=np.float32), lowest=lowest, highest=highest), int)[60]
        return np.flatnonzero((row[:, 0] < 240) & (row[:, 1] > 225))

    low, high = shaded(0.1, 0.3), shaded(0.6, 0.9)
    assert len(low) > 50
    assert low.max() < high.min()


def test_it_leaves_no_trace_in_matplotlib():
    before = dict(mpl.rcParams)
    plot(RANDOM.random(50).astype(np.float32))
    assert dict(mpl.rcParams) == before
