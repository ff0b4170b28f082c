"""The plot of a band: how a library lies to a training set, what was searched of it, and what was picked."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .sheet import clipped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy import float32, float64
    from numpy.typing import NDArray

_BINS = 48
_INCHES = (10, 5)
_DOTS = 100
_TITLE_WIDTH = 960  # pixels
_LIBRARY, _TRAINING, _BAND = "#8d99a6", "#c2410c", "#0f766e"
_FAINT, _LINE = "#5f6368", "#c9cdd2"
_TITLE, _WORDS = 14, 10.5  # points
_TITLE_PIXELS = round(_TITLE * _DOTS / 72)
_LEAST_RANGE = 0.1  # of cosine, so that equal values do not fill the plot
_TOGETHER = 40  # ticks from which on they get fainter


def similarity_histogram(
    *,
    library: NDArray[float32],
    training: NDArray[float32],
    picks: NDArray[float32],
    lowest: float,
    highest: float,
    title: str,
    logarithmic: bool = False,
) -> Image.Image:
    """Return an image of 1000 × 500 pixels: the library as a histogram, below it a tick per training image and pick.

    Args:
        library: cosines of (a sample of) the library's images to the training set; any number, none too.
        training: those of the training images to each other, each without itself.
        picks: those of the images that were picked.
        lowest: the band's lower bound.
        highest: its upper bound.
        title: what stands above.
        logarithmic: whether the histogram's height grows with the logarithm, which shows what is rare.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=_INCHES, dpi=_DOTS, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.19, right=0.97, top=0.8, bottom=0.11, hspace=0.12)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[7, 1, 1])
    edges = _edges(np.concatenate([library, training, picks, [lowest, highest]]), lowest, highest)
    _shade((top, middle, bottom), lowest, highest)
    _bars(top, library, edges, logarithmic=logarithmic)
    _ticks(middle, training, "training images", _TRAINING)
    _ticks(bottom, picks, "picks", _BAND)
    middle.tick_params(axis="x", length=0)
    bottom.set_xlim(edges[0], edges[-1])
    bottom.set_xlabel("cosine similarity to the training set (figures: 5 %, median, 95 %)", fontsize=_WORDS)
    figure.text(0.02, 0.93, clipped(title, _TITLE_WIDTH, _TITLE_PIXELS), fontsize=_TITLE, parse_math=False)
    figure.text(0.02, 0.875, _sentence(library, lowest, highest), fontsize=_WORDS, color=_FAINT)
    packed = BytesIO()
    canvas.print_png(packed)
    return Image.open(packed).convert("RGB")


def _edges(values: NDArray[float64], lowest: float, highest: float) -> NDArray[float64]:
    """Return the edges of bins for all values, with the band's bounds among them, so that none lies across a bound."""
    least, most = float(values.min()), float(values.max())
    pad = max(_LEAST_RANGE - (most - least), 0.12 * (most - least)) / 2
    wanted = (most - least + 2 * pad) / _BINS
    band = highest - lowest
    step = band / max(1, round(band / wanted)) if band > wanted / 2 else wanted
    below, above = math.ceil((lowest - least + pad) / step), math.ceil((most + pad - lowest) / step)
    return np.asarray(lowest + step * np.arange(-below, above + 1), np.float64)


def _shade(all_axes: tuple[Axes, ...], lowest: float, highest: float) -> None:
    for axes in all_axes:
        axes.axvspan(lowest, highest, color=_BAND, alpha=0.12, lw=0)
        for bound in (lowest, highest):
            axes.axvline(bound, color=_BAND, lw=1)
        axes.spines[["top", "right"]].set_visible(False)
    for bound, side in ((lowest, "right"), (highest, "left")):
        all_axes[0].annotate(
            f" {bound:.2f} ",
            (bound, 1),
            xycoords=("data", "axes fraction"),
            ha=side,
            va="bottom",
            color=_BAND,
            fontsize=_WORDS,
        )


def _bars(axes: Axes, library: NDArray[float32], edges: NDArray[float64], *, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415 - see above

    axes.set_ylabel("share of the library, per bin", fontsize=_WORDS)
    axes.tick_params(axis="x", length=0)
    if not len(library):
        axes.set_yticks([])
        _none(axes, "no image of the library was compared")
        return
    counts, _ = np.histogram(library, edges)
    shares = counts / len(library)
    if logarithmic:
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    floor = 0.5 / len(library) if logarithmic else 0.0
    axes.stairs(np.maximum(shares, floor), edges, baseline=floor, fill=True, color=_LIBRARY)
    axes.set_ylim(floor, float(shares.max()) * 1.05)


def _percent(share: float, _place: int) -> str:
    return f"{100 * share:g} %"


def _ticks(axes: Axes, values: NDArray[float32], name: str, colour: str) -> None:
    """Draw a tick per value, and their median as a higher one."""
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    axes.spines[["left"]].set_visible(False)
    axes.spines[["bottom"]].set_color(_LINE)
    label = f"{name}, {len(values):,}"
    if len(values):
        axes.vlines(values, 0.12, 0.72, color=colour, lw=1.2, alpha=max(0.08, min(0.85, _TOGETHER / len(values))))
        axes.vlines([float(np.median(values))], 0, 0.92, color=colour, lw=2.4)
        label += f"\n{_range(values)}"
    else:
        _none(axes, "none")
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=_WORDS, color=colour)


def _none(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=_WORDS, color=_FAINT)


def _sentence(library: NDArray[float32], lowest: float, highest: float) -> str:
    if not len(library):
        return f"band {lowest:.3f} to {highest:.3f}"
    inside = float(np.mean((library >= lowest) & (library <= highest)))
    low, middle, high = np.percentile(library, [5, 50, 95])
    return (
        f"{len(library):,} images of the library: 5 % below {low:.2f}, median {middle:.2f}, 5 % above {high:.2f};"
        f" {100 * inside:.3g} % in the band {lowest:.3f} to {highest:.3f}"
    )


def _range(values: NDArray[float32]) -> str:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"{low:.2f} · {middle:.2f} · {high:.2f}"
