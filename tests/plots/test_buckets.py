"""The plot of buckets: as high as its rows, the fullest first, with every word in its place."""

import matplotlib as mpl
import numpy as np
import pytest

from lorads_core.plots.buckets import BucketBar, bucket_plot

BARS = [BucketBar(832, 1216, 28), BucketBar(1024, 1024, 40, 20), BucketBar(1600, 640, 11)]
TRAINING, OTHERS = (0xC2, 0x41, 0x0C), (0x8D, 0x99, 0xA6)


def pixels(picture, colour):
    return (np.asarray(picture, int) == colour).all(axis=2)


@pytest.mark.parametrize("count", [0, 1, 3, 40, 41, 500])
def test_it_grows_with_its_rows_up_to_a_limit(count):
    bars = [BucketBar(64 * (n + 1), 640, 10 + n) for n in range(count)]
    picture = bucket_plot(bars, 2, "buckets")
    assert (picture.width, picture.mode) == (1000, "RGB")
    assert picture.height == pytest.approx(155 + 30 * max(1, min(count, 41)), abs=1)


def test_bars_are_as_long_as_their_samples_and_the_fullest_comes_first():
    picture = bucket_plot(BARS, 4, "buckets")
    training, others = pixels(picture, TRAINING), pixels(picture, OTHERS)
    rows = [slice(100 + 30 * n + 5, 100 + 30 * n + 25) for n in range(3)]
    lengths = [int(training[row].sum(axis=1).max()) for row in rows]
    assert lengths[0] / lengths[1] == pytest.approx(40 / 28, rel=0.03)
    assert lengths[0] / lengths[2] == pytest.approx(40 / 11, rel=0.06)
    assert int(others[rows[0]].sum(axis=1).max()) / lengths[0] == pytest.approx(20 / 40, rel=0.05)
    assert others[rows[1]].sum() == 0


def test_it_leaves_no_trace_in_matplotlib_and_takes_any_title():
    before = dict(mpl.rcParams)
    bucket_plot(BARS, 1, "$x^2$ \\frac é " * 30)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("bar", "rest", "expected"),
    [
        (BucketBar(64, 64, 7), "empty", (2, 1)),
        (BucketBar(64, 64, 5, 2), "empty", (2, 1)),
        (BucketBar(64, 64, 5, 2, (5, 2)), "repeated", (3, 5)),
        (BucketBar(64, 64, 7), "dropped", (1, 3)),
        (BucketBar(64, 64, 8), "dropped", (2, 0)),
        (BucketBar(64, 64, 3), "dropped", (0, 3)),
        (BucketBar(64, 64, 0), "empty", (0, 0)),
    ],
)
def test_what_fills_no_batch_is_what_the_trainer_makes_of_it(bar, rest, expected):
    assert bar.batches(4, rest) == expected


def test_what_is_dropped_is_drawn_otherwise_than_what_stays_empty():
    words = [bucket_plot([BucketBar(64, 64, 7)], 4, "buckets", rest) for rest in ("empty", "repeated", "dropped")]
    assert len({picture.tobytes() for picture in words}) == 3
