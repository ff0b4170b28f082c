"""The plot of captions: of one size whatever is in it, and no name on it is taken for mathematics."""

import matplotlib as mpl
import numpy as np
import pytest

from lorads_core.captions.analysis import analyse
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.plots.captions import SourceBar, TagBar, caption_plot, drawable
from lorads_core.workflow.plots import caption_image

TRAINING, REGULARIZATION, LIMIT = (0xC2, 0x41, 0x0C), (0x8D, 0x99, 0xA6), (0x0F, 0x76, 0x6E)


def plot(**parts):
    parts = {
        "tags": [TagBar("1girl", 10, 4), TagBar("hat", 5, 1)],
        "tagged": (10, 5),
        "lengths": ([(40, 6), (60, 4)], [(30, 5)]),
        "unit": "tokens",
        "limits": (75, 150, 225),
        "sources": [SourceBar("wd", 10, 5)],
        "title": "Captions of anna",
    } | parts
    return caption_plot(**parts)


def pixels(picture, colour):
    return int((np.asarray(picture, int) == colour).all(axis=2).sum())


def columns(picture, colour):
    """Return the columns of the right half, upper part, in which a colour stands."""
    found = (np.asarray(picture, int)[:440, 700:] == colour).all(axis=2)
    return np.flatnonzero(found.sum(axis=0) > 50) + 700


@pytest.mark.parametrize("count", [0, 1, 2, 30, 5000])
def test_it_has_one_size_whatever_is_in_it(count):
    tags = [TagBar(f"tag {n}", count - n, n) for n in range(count)]
    lengths = [(n, 1) for n in range(count)]
    sources = [SourceBar(f"source {n}", 1, 0) for n in range(count)]
    picture = plot(tags=tags, tagged=(count, count), lengths=(lengths, lengths), sources=sources)
    assert (picture.size, picture.mode) == ((1200, 800), "RGB")


def test_both_sets_have_bars_and_a_set_that_is_not_there_has_none():
    both = plot()
    assert pixels(both, TRAINING) > 5_000
    assert pixels(both, REGULARIZATION) > 5_000
    alone = plot(
        tags=[TagBar("1girl", 10, 0)], tagged=(10, 0), lengths=([(40, 6)], []), sources=[SourceBar("wd", 10, 0)]
    )
    assert pixels(alone, TRAINING) > 5_000
    assert pixels(alone, REGULARIZATION) == 0


def test_a_bar_is_the_share_of_its_set():
    few, many = (plot(tags=[TagBar("hat", 10, 0), TagBar("tree", count, 0)], tagged=(10, 5)) for count in (2, 8))
    assert pixels(many, TRAINING) > pixels(few, TRAINING) + 2_000


def test_limits_in_sight_are_marked_where_they_are():
    near = columns(plot(), LIMIT)
    assert len(near) == 1  # of 75, 150 and 225 the next one; the longest caption has 60
    beyond = columns(plot(lengths=([(40, 6), (300, 1)], [])), LIMIT)
    assert len(beyond) == 3
    assert beyond[0] < near[0]
    assert len(columns(plot(limits=(512,)), LIMIT)) == 0
    assert pixels(plot(limits=(512,)), LIMIT) > pixels(plot(limits=()), LIMIT)  # told, with an arrow


@pytest.mark.parametrize(
    "name",
    [
        "$x_1^2$",
        "$",
        "a_b^c \\frac{",
        "x" * 400,
        "",
        "\u521d\u97f3\u30df\u30af",
        "\U0001f600 smile",
        "a\nb\tc",
        "\x00",
        "\u202eabc",
    ],
)
def test_any_name_can_be_on_it(name):
    drawn = plot(tags=[TagBar(name, 3, 1)], sources=[SourceBar(name, 3, 1)], title=name)
    assert drawn.size == (1200, 800)


def test_long_names_stay_on_the_picture():
    picture = np.asarray(plot(tags=[TagBar("W" * 400, 3, 1)], title=""), int)
    assert (picture[110:, :12] == 255).all()


def test_letters_that_no_font_has_are_boxes():
    assert drawable("añ \u03a9 \u0436") == "añ \u03a9 \u0436"
    assert drawable("\U0010ffff\n") == "\u25a1\u25a1"


def test_it_leaves_no_trace_in_matplotlib():
    before = dict(mpl.rcParams)
    plot()
    assert dict(mpl.rcParams) == before


def image(number, text, source="wd"):
    record = ImageRecord("pictures", number, f"/{number}.png", 8, 8, 1, 1, "", "PNG")
    return DatasetImage(record, Caption(text, source) if text else None)


def test_a_dataset_is_drawn_with_or_without_an_analysis_at_hand():
    training = (image(1, "annax, 1girl, hat"), image(2, "annax, 1girl"), image(3, ""))
    dataset = Dataset(None, "anna", "pictures", training, (image(4, "1girl, sea", "joytag"),), Trigger("annax"))
    plain = caption_image(dataset)
    counted = caption_image(dataset, analyse(dataset, len), (10, 20))
    assert plain.size == counted.size == (1200, 800)
    assert pixels(plain, LIMIT) == 0  # characters have no limits
    assert len(columns(counted, LIMIT)) == 2  # the longest has 17
    assert caption_image(Dataset(None, "none", "pictures")).size == (1200, 800)
