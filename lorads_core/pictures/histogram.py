"""The plot of a band: how a library lies to a training set, what was searched of it, and what was picked."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy import float32
    from numpy.typing import NDArray

_BINS = 48
_INCHES = (10, 5)
_DOTS = 100
_LIBRARY, _TRAINING, _PICKS, _BAND = "#9aa5b1", "#c2410c", "#0f766e", "#0f766e"


def similarity_histogram(
    *,
    library: NDArray[float32],
    training: NDArray[float32],
    picks: NDArray[float32],
    lowest: float,
    highest: float,
    title: str,
) -> Image.Image:
    """Return a picture of 1000 × 500 pixels.

    Args:
        library: cosines of (a sample of) the library's images to the training set; any number, none too.
        training: those of the training images to each other.
        picks: those of the images that were picked.
        lowest: the band's lower bound.
        highest: its upper bound.
        title: what stands above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shown = np.concatenate([library, training, picks, [lowest, highest]])
    edges = np.linspace(float(shown.min()) - 0.02, float(shown.max()) + 0.02, _BINS + 1)
    axes.axvspan(lowest, highest, color=_BAND, alpha=0.12, lw=0)
    for bound, side in ((lowest, "right"), (highest, "left")):
        axes.axvline(bound, color=_BAND, lw=1)
        axes.annotate(
            f" {bound:.2f} ",
            (bound, 1),
            xycoords=("data", "axes fraction"),
            ha=side,
            va="top",
            color=_BAND,
            fontsize=11,
        )
    _bars(axes, library, edges, _LIBRARY, f"library ({_range(library)})", filled=True)
    _bars(axes, training, edges, _TRAINING, f"training images, {len(training):,} ({_range(training)})")
    _bars(axes, picks, edges, _PICKS, f"picks, {len(picks):,} ({_range(picks)})")
    axes.set_title(title, loc="left", fontsize=14, pad=12)
    axes.set_xlabel("cosine similarity to the training set", fontsize=11)
    axes.set_ylabel("share of each, per bin", fontsize=11)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=11, loc="upper left", bbox_to_anchor=(0, 0.93))
    packed = BytesIO()
    figure.savefig(packed, format="png")
    return Image.open(packed).convert("RGB")


def _bars(
    axes: Axes, values: NDArray[float32], edges: NDArray[np.float64], colour: str, label: str, *, filled: bool = False
) -> None:
    if not len(values):
        axes.plot([], [], color=colour, label=label)
        return
    counts, _ = np.histogram(values, edges)
    shares = counts / len(values)
    axes.stairs(shares, edges, fill=filled, color=colour, lw=1.8, alpha=0.75 if filled else 1, label=label)


def _range(values: NDArray[float32]) -> str:
    if not len(values):
        return "none"
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"5 % {low:.2f}, median {middle:.2f}, 95 % {high:.2f}"
