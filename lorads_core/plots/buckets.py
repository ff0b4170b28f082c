"""The plot of buckets: their shapes, how much of an epoch lies in each, and which batches stay part empty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from PIL import Image

from .sheet import clipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rest = Literal["empty", "repeated", "dropped"]

_DOTS = 100
_WIDTH, _HEAD, _FOOT, _ROW = 10.0, 1.0, 0.55, 0.3  # inches
_MOST_ROWS = 40
_TITLE, _WORDS = 14, 10.5  # points
_TITLE_PIXELS, _TITLE_WIDTH = round(_TITLE * _DOTS / 72), 960
_TRAINING, _OTHERS = "#c2410c", "#8d99a6"
_FAINT, _LINE = "#5f6368", "#c9cdd2"
_SHAPE = 0.62  # height of a row's shape, in rows


@dataclass(frozen=True, slots=True)
class BucketBar:
    """A bucket of ``width`` × ``height`` pixels, and how many samples (images × repeats) an epoch has in it.

    ``parts`` are the samples of folders that share no batch with each other; none means that all are batched together.
    """

    width: int
    height: int
    training: int
    regularization: int = 0
    parts: tuple[int, ...] = ()

    @property
    def samples(self) -> int:
        """All samples of an epoch."""
        return self.training + self.regularization

    def batches(self, size: int, rest: Rest) -> tuple[int, int]:
        """Return the batches of an epoch, and the number of places (or samples, if dropped) that fill none."""
        parts = self.parts or (self.samples,)
        if rest == "dropped":
            return sum(part // size for part in parts), sum(part % size for part in parts)
        batches = sum(math.ceil(part / size) for part in parts)
        return batches, batches * size - sum(parts)


def bucket_plot(bars: Sequence[BucketBar], batch_size: int, title: str, rest: Rest = "empty") -> Image.Image:
    """Return an image, 1000 pixels wide and as high as its rows: a bar for each bucket, the fullest first.

    Beyond 40 buckets the others are one row. ``rest`` is what becomes of the places of a batch that a bucket cannot
    fill: they stay empty, repeat images already shown, or the samples in such a batch are dropped.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    ordered = sorted(bars, key=lambda bar: (-bar.samples, bar.width, bar.height))
    shown, others = ordered[:_MOST_ROWS], ordered[_MOST_ROWS:]
    rows = max(1, len(shown) + bool(others))
    height = _HEAD + _FOOT + rows * _ROW
    figure = Figure(figsize=(_WIDTH, height), dpi=_DOTS, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.17, _FOOT / height, 0.6, rows * _ROW / height))
    _frame(axes, rows, max((bar.samples for bar in shown), default=1))
    for row, bar in enumerate(shown):
        _draw(axes, row, bar, batch_size, rest)
    if others:
        _say(axes, len(shown), f"{len(others)} more", f"{sum(bar.samples for bar in others):,} samples")
    figure.text(0.02, 1 - 0.38 / height, clipped(title, _TITLE_WIDTH, _TITLE_PIXELS), fontsize=_TITLE, parse_math=False)
    figure.text(0.02, 1 - 0.66 / height, _sentence(bars, batch_size, rest), fontsize=_WORDS, color=_FAINT)
    if any(bar.regularization for bar in bars):
        _key(figure, 1 - 0.6 / height)
    packed = BytesIO()
    canvas.print_png(packed)
    return Image.open(packed).convert("RGB")


def _frame(axes: Axes, rows: int, most: int) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, most)
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_LINE)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.set_xlabel("samples an epoch (images × repeats)", fontsize=_WORDS)


def _draw(axes: Axes, row: int, bar: BucketBar, batch_size: int, rest: Rest) -> None:
    axes.barh(row, bar.training, height=0.62, color=_TRAINING)
    axes.barh(row, bar.regularization, left=bar.training, height=0.62, color=_OTHERS)
    batches, missing = bar.batches(batch_size, rest)
    part = f", {missing:,} {rest}" if missing else ""
    plural = "batch" if batches == 1 else "batches"
    _say(axes, row, f"{bar.width}×{bar.height}", f"{bar.samples:,} in {batches:,} {plural}{part}")
    _shape(axes, row, bar)


def _say(axes: Axes, row: int, name: str, words: str) -> None:
    sides = axes.get_yaxis_transform()
    axes.text(-0.02, row, name, transform=sides, ha="right", va="center", fontsize=_WORDS)
    axes.text(1.015, row, words, transform=sides, ha="left", va="center", fontsize=_WORDS - 1.5, color=_FAINT)


def _shape(axes: Axes, row: int, bar: BucketBar) -> None:
    """Draw the bucket's shape at the left end, so that its area is the same in every row."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - see above

    inches = axes.get_window_extent().width / _DOTS
    aspect = math.sqrt(bar.width / bar.height)
    across, high = _SHAPE * _ROW * aspect / inches, _SHAPE / aspect
    longest = max(1.0, high / 0.95, across * inches / 0.6)  # a very long one is drawn smaller, within its row
    across, high = across / longest, high / longest
    axes.add_patch(
        Rectangle(
            (-0.215 - across / 2, row - high / 2),
            across,
            high,
            transform=axes.get_yaxis_transform(),
            clip_on=False,
            fill=False,
            edgecolor=_FAINT,
            lw=1,
        )
    )


def _key(figure: Figure, top: float) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - see above

    handles = [Patch(color=_TRAINING, label="training"), Patch(color=_OTHERS, label="regularization")]
    figure.legend(
        handles=handles, loc="center right", bbox_to_anchor=(0.99, top), ncols=2, frameon=False, fontsize=_WORDS
    )


def _sentence(bars: Sequence[BucketBar], batch_size: int, rest: Rest) -> str:
    samples = sum(bar.samples for bar in bars)
    each = [bar.batches(batch_size, rest) for bar in bars]
    batches, lost = sum(batches for batches, _ in each), sum(missing for _, missing in each)
    what = "samples" if rest == "dropped" else "places"
    plural = "bucket" if len(bars) == 1 else "buckets"
    return (
        f"{len(bars)} {plural}, {samples:,} samples an epoch, {batches:,} batches of {batch_size};"
        f" {lost:,} {what} {rest}"
    )
