"""The plot of a dataset's captions: their most frequent tags, how long they are, their sources; it counts nothing."""

from __future__ import annotations

import math
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from PIL import Image

from .sheet import clipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import float64
    from numpy.typing import NDArray

    Counts = Sequence[tuple[int, int]]

MOST_TAGS = 30
_MOST_SOURCES = 6
_INCHES = (12, 8)
_DOTS = 100
_TRAINING, _REGULARIZATION, _LIMIT = "#c2410c", "#8d99a6", "#0f766e"
_FAINT, _LINE = "#5f6368", "#c9cdd2"
_TITLE, _WORDS, _SMALL = 14, 10.5, 9  # points
_TITLE_WIDTH, _TAG_WIDTH, _SOURCE_WIDTH = 1160, 185, 115  # pixels
_NARROWEST, _DIGIT = 380, 6  # pixels, of a panel and of a figure beside a bar
_BINS = 36
_APART = 0.07  # of the axis, between two figures above it
_NEAR = 2.5  # a limit within so many times the longest caption is drawn in its place
_SETS = ("training", "regularization")
_UNKNOWN = "\u25a1"  # for what the font has no letter


# Fonts with Chinese, Japanese and Korean letters that Linux, macOS and Windows bring along.
_EASTERN = (
    "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic",
    "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei", "Malgun Gothic", "Apple SD Gothic Neo", "Arial Unicode MS",
)  # fmt: skip


class TagBar(NamedTuple):
    """A tag, and how many captions of each set hold it."""

    name: str
    training: int
    regularization: int


class SourceBar(NamedTuple):
    """A source of captions, and how many of each set come from it."""

    name: str
    training: int
    regularization: int


def caption_plot(
    *,
    tags: Sequence[TagBar],
    tagged: tuple[int, int],
    lengths: tuple[Counts, Counts],
    unit: str,
    limits: Sequence[int],
    sources: Sequence[SourceBar],
    title: str,
) -> Image.Image:
    """Return an image of 1200 × 800 pixels; of each pair the first is the training images', the second the others'.

    Args:
        tags: the most frequent first; at most 30 are drawn.
        tagged: of how many captions the tags were counted.
        lengths: pairs of a length and the number of captions that are so long.
        unit: what lengths are counted in, such as "tokens".
        limits: lengths beyond which a trainer cuts captions off, the shortest first; in the same unit.
        sources: the most frequent first; images without a caption are one of them, if they are to be shown.
        title: what stands above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=_INCHES, dpi=_DOTS, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=[1.15, 1], height_ratios=[1.45, 1])
    figure.subplots_adjust(left=0.175, right=0.975, top=0.85, bottom=0.07, wspace=0.34, hspace=0.46)
    _tags(figure.add_subplot(grid[:, 0]), tags[:MOST_TAGS], tagged, len(tags))
    _lengths(figure.add_subplot(grid[0, 1]), lengths, unit, limits)
    _sources(figure.add_subplot(grid[1, 1]), sources)
    _head(figure, title, tagged, lengths)
    packed = BytesIO()
    canvas.print_png(packed)
    return Image.open(packed).convert("RGB")


def _head(figure: Figure, title: str, tagged: tuple[int, int], lengths: tuple[Counts, Counts]) -> None:
    _text(figure, 0.016, 0.955, clipped(drawable(title), _TITLE_WIDTH, round(_TITLE * _DOTS / 72)), _TITLE, "black")
    captions = [sum(count for _, count in each) for each in lengths]
    place = 0.016
    for name, count, of_tags, colour in zip(_SETS, captions, tagged, (_TRAINING, _REGULARIZATION), strict=True):
        if not count and place > 0.016:  # noqa: PLR2004 - no second set, no second key
            return
        _text(figure, place, 0.915, "\u25a0", _WORDS, colour)
        said = f"{count:,} {name} caption{'' if count == 1 else 's'}"
        said += f", {of_tags:,} of them with tags" if of_tags != count else ""
        _text(figure, place + 0.014, 0.915, said, _WORDS, _FAINT)
        place += 0.036 + 0.0066 * len(said)


def _text(figure: Figure, x: float, y: float, words: str, size: float, colour: str) -> None:
    figure.text(x, y, words, fontsize=size, color=colour, family=_families(), parse_math=False)


# Tags


def _tags(axes: Axes, tags: Sequence[TagBar], tagged: tuple[int, int], known: int) -> None:
    _bare(axes)
    _heading(axes, f"the {len(tags)} most frequent of {known:,} tags" if known > len(tags) else "tags")
    if not tags or not any(tagged):
        _none(axes, "no caption is a list of tags")
        return
    _pairs(axes, [(tag.training, tag.regularization) for tag in tags], tagged, MOST_TAGS)
    _names(axes, [tag.name for tag in tags], _TAG_WIDTH)
    axes.set_xlabel("share of the set's captions that hold it", fontsize=_SMALL, color=_FAINT)


def _pairs(axes: Axes, counts: Sequence[tuple[int, int]], totals: tuple[int, int], rows: int) -> None:
    """Draw two bars a row, the share of either set; ``rows`` are there at most, and fewer leave room below."""
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415 - see above

    places = np.arange(len(counts))
    shares = np.array(counts, np.float64) / np.maximum(totals, 1)
    both = bool(totals[1])
    height = 0.38 if both else 0.66
    shift = height / 2 if both else 0.0
    axes.barh(places - shift, shares[:, 0], height, color=_TRAINING)
    if both:
        axes.barh(places + shift, shares[:, 1], height, color=_REGULARIZATION)
    axes.set_ylim(max(len(counts), min(rows, 8)) - 0.4, -0.6)
    most = float(shares.max())
    words = [" · ".join(f"{count:,}" for count in (pair if both else pair[:1])) for pair in counts]
    room = (_DIGIT * max(map(len, words)) + _DIGIT) / _NARROWEST
    axes.set_xlim(0, max(most, 0.01) / (1 - room))
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= min(1, axes.get_xlim()[1])])
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.tick_params(axis="x", labelsize=_SMALL, colors=_FAINT)
    for place, (said, share) in enumerate(zip(words, shares, strict=True)):
        axes.annotate(said, (float(share.max()), place), (4, 0), textcoords="offset points", va="center",
                      fontsize=_SMALL - 1.5, color=_FAINT)  # fmt: skip


def _names(axes: Axes, names: Sequence[str], width: int) -> None:
    """Write names beside the rows; they are no mathematics, whatever is in them."""
    axes.set_yticks(range(len(names)))
    pixels = -(-_SMALL * _DOTS // 72)  # rounded up, as matplotlib's letters are a little wider
    shown = [clipped(drawable(name), width, pixels) for name in names]
    axes.set_yticklabels(shown, fontsize=_SMALL, family=_families(), parse_math=False)
    axes.tick_params(axis="y", length=0)


# Lengths


def _lengths(axes: Axes, lengths: tuple[Counts, Counts], unit: str, limits: Sequence[int]) -> None:
    _bare(axes)
    _heading(axes, f"length in {unit}")
    longest = max((length for counts in lengths for length, _ in counts), default=0)
    if not longest:
        _none(axes, "there are no captions")
        return
    drawn = [limit for limit in limits if limit <= longest]
    drawn += [limit for limit in limits if longest < limit <= _NEAR * longest][:1]
    edges = _edges(max(longest, *drawn, 1))
    for counts, colour, filled in zip(lengths, (_TRAINING, _REGULARIZATION), (True, False), strict=True):
        if shares := _shares(counts, edges):
            axes.stairs(shares, edges, color=colour, fill=filled, lw=1.6, alpha=0.85 if filled else 1)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_yticks([])
    axes.set_ylabel("share of captions", fontsize=_SMALL, color=_FAINT)
    axes.tick_params(axis="x", labelsize=_SMALL, colors=_FAINT)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    _mark(axes, drawn, limits)
    axes.set_xlabel(_sentences(lengths, drawn), fontsize=_SMALL, color=_FAINT)


def _edges(most: int) -> NDArray[float64]:
    """Return the edges of bins of whole lengths from 0 on."""
    step = max(1, -(-(most + 1) // _BINS))
    return np.arange(0, most + 1 + step, step).astype(np.float64) - 0.5


def _shares(counts: Counts, edges: NDArray[float64]) -> list[float]:
    if not counts:
        return []
    values, weights = _columns(counts)
    heights = np.asarray(np.histogram(values, edges, weights=weights)[0], np.float64)
    return [float(height) for height in heights / float(weights.sum())]


def _columns(counts: Counts) -> tuple[NDArray[float64], NDArray[float64]]:
    table = np.array(sorted(counts), np.float64)
    return table[:, 0], table[:, 1]


def _mark(axes: Axes, drawn: Sequence[int], limits: Sequence[int]) -> None:
    """Mark limits where they are; where all are out of sight the first is named."""
    last = -math.inf
    for limit in drawn:
        axes.axvline(limit, color=_LIMIT, lw=1)
        if limit - last > _APART * axes.get_xlim()[1]:
            _limit(axes, f"{limit:,}", (limit, 1), ("data", "axes fraction"), "center")
            last = limit
    if not drawn and limits:
        _limit(axes, f"limit {limits[0]:,} \u2192", (1, 1), ("axes fraction", "axes fraction"), "right")


def _limit(
    axes: Axes, words: str, place: tuple[float, float], units: tuple[str, str], side: Literal["center", "right"]
) -> None:
    axes.annotate(words, place, xycoords=units, ha=side, va="bottom", color=_LIMIT, fontsize=_SMALL)


def _sentences(lengths: tuple[Counts, Counts], drawn: Sequence[int]) -> str:
    lines: list[str] = []
    for counts, name in zip(lengths, _SETS, strict=True):
        if counts:
            values, weights = _columns(counts)
            median = int(values[np.flatnonzero(weights.cumsum() >= weights.sum() / 2)[0]])
            longer = [(limit, sum(count for length, count in counts if length > limit)) for limit in drawn]
            beyond = [f", {count:,} beyond {limit:,}" for limit, count in longer if count]
            lines.append(f"{name}: median {median:,}, longest {int(values[-1]):,}{''.join(beyond[:1])}")
    return "\n".join(lines)


# Sources


def _sources(axes: Axes, sources: Sequence[SourceBar]) -> None:
    _bare(axes)
    _heading(axes, "where captions come from")
    if not sources:
        _none(axes, "there are no images")
        return
    shown = [*sources[:_MOST_SOURCES]]
    if len(sources) > _MOST_SOURCES:
        rest = sources[_MOST_SOURCES - 1 :]
        name = f"{len(rest)} others"
        shown[-1] = SourceBar(name, sum(each.training for each in rest), sum(each.regularization for each in rest))
    totals = sum(each.training for each in sources), sum(each.regularization for each in sources)
    _pairs(axes, [(each.training, each.regularization) for each in shown], totals, _MOST_SOURCES)
    _names(axes, [each.name for each in shown], _SOURCE_WIDTH)
    axes.set_xlabel("share of the set's images", fontsize=_SMALL, color=_FAINT)


# What all share


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines[["bottom"]].set_color(_LINE)


def _heading(axes: Axes, words: str) -> None:
    axes.set_title(words, fontsize=_WORDS, loc="left", pad=14)


def _none(axes: Axes, words: str) -> None:
    axes.spines[["bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=_WORDS, color=_FAINT)


def _percent(share: float, _place: int) -> str:
    return f"{100 * share:g} %"


def drawable(text: str) -> str:
    """Return a text with a box for each letter that no font here has: matplotlib would warn of each of them."""
    return "".join(each if ord(each) in _letters() else _UNKNOWN for each in text)


@cache
def _fonts() -> dict[str, Path]:
    """Return matplotlib's own font, and the fonts of this machine that have what it lacks, by name."""
    from matplotlib import get_data_path  # noqa: PLC0415 - see above
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    own = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    others = {font.name: Path(font.fname) for font in fontManager.ttflist if font.name in _EASTERN}
    return {"DejaVu Sans": own, **{name: others[name] for name in _EASTERN if name in others}}


def _families() -> list[str]:
    return [*_fonts()]


@cache
def _letters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415 - see above

    return frozenset(letter for path in _fonts().values() for letter in FT2Font(str(path)).get_charmap())
