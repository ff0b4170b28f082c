"""The plot of a training's course: its loss, smoothed, and its learning rate over the steps; it reads no run."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import float64
    from numpy.typing import NDArray

_INCHES = (9, 4.5)
_DOTS = 100
_LOSS, _RATE, _FAINT, _LINE = "#c2410c", "#0f766e", "#5f6368", "#c9cdd2"
_SMOOTHED_OVER = 25  # such a part of the points is one time constant
_SHOWN = 0.995  # of the losses: a single spike shall not press the rest flat


class LossPoint(NamedTuple):
    """A training at a step; None where it has said nothing."""

    step: int
    loss: float | None
    learning_rate: float | None


def loss_plot(courses: Sequence[LossPoint], total_steps: int, title: str, note: str = "") -> Image.Image:
    """Return an image of 900 × 450 pixels: the loss as it was said and smoothed, above it the learning rate."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    axes = figure.subplots()
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    steps, losses = _column([(each.step, each.loss) for each in courses])
    if steps.size:
        _draw_loss(axes, steps, losses)
    else:
        axes.text(0.5, 0.5, "no loss was said yet", transform=axes.transAxes, ha="center", color=_FAINT)
        axes.set_yticks([])
    axes.set_xlim(0, max(total_steps, int(steps[-1]) if steps.size else 1, 1))
    axes.set_xlabel("step", color=_FAINT)
    axes.spines["right"].set_visible(False)
    _plain(axes)
    rates = _column([(each.step, each.learning_rate) for each in courses])
    if rates[0].size:
        _draw_rate(axes, *rates)
    if note:
        axes.set_title(note, loc="left", fontsize=9, color=_FAINT)
    return _as_image(figure)


def _column(pairs: Sequence[tuple[int, float | None]]) -> tuple[NDArray[float64], NDArray[float64]]:
    there = [(step, value) for step, value in pairs if value is not None]
    found = np.array(there, np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _draw_loss(axes: Axes, steps: NDArray[float64], losses: NDArray[float64]) -> None:
    smooth = smoothed(losses)
    axes.plot(steps, losses, color=_LOSS, alpha=0.25, linewidth=1, marker="o" if steps.size == 1 else "")
    axes.plot(steps, smooth, color=_LOSS, linewidth=1.8)
    axes.set_ylabel("loss", color=_LOSS)
    top, bottom = float(np.quantile(losses, _SHOWN)), float(losses.min())
    room = (top - bottom) * 0.08 or max(abs(top) * 0.1, 1e-6)
    axes.set_ylim(bottom - room, top + room)
    axes.annotate(f"{smooth[-1]:.4g}", (steps[-1], smooth[-1]), (5, 0), textcoords="offset points", color=_LOSS)


def _draw_rate(axes: Axes, steps: NDArray[float64], rates: NDArray[float64]) -> None:
    beside = axes.twinx()
    beside.plot(steps, rates, color=_RATE, linewidth=1, linestyle="--")
    beside.set_ylabel("learning rate", color=_RATE)
    beside.set_ylim(0, float(rates.max()) * 1.1 or 1)
    beside.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _plain(beside)


def _plain(axes: Axes) -> None:
    axes.spines["top"].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_LINE)
    axes.tick_params(colors=_FAINT, labelsize=9)


def smoothed(values: NDArray[float64]) -> NDArray[float64]:
    """Return the exponential moving average of values, without a bias at its beginning."""
    keep = 1 - 1 / max(values.size / _SMOOTHED_OVER, 1)
    found = np.empty_like(values)
    sum_, weight = 0.0, 0.0
    for place, value in enumerate(values):
        sum_, weight = sum_ * keep + value, weight * keep + 1
        found[place] = sum_ / weight
    return found


def _as_image(figure: Figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy

    file = BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return Image.open(file).convert("RGB")
