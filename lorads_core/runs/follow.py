"""From the lines that a trainer prints to how far it is: step, loss, speed, history."""

from __future__ import annotations

import dataclasses
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..trainers import trainer
from .run_folder import Point

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from ..trainers import Tick
    from .run_folder import Order, Status

_MOST_POINTS = 4000
# A flood of output is looked at by its ends only: what counts is how far it has come.
_LOOKED_AT = 64


class Follower:
    """What lines have said of a training so far."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._trainer = trainer(order.trainer)
        self._steps_per_epoch = order.total_steps / max(order.epochs, 1)
        self._began = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._every = 1
        self._catches_up = False
        self.step = order.steps_done
        self.total_steps = order.total_steps
        self.epoch = order.epochs_done
        self.loss: float | None = None
        self.learning_rate: float | None = None
        self.rate: float | None = None
        self.points: list[Point] = []

    def resume(self, status: Status, points: list[Point]) -> None:
        """Begin where an earlier watcher was cut off, or where a stopped training had come to."""
        self.step, self.epoch, self.points = status.step, status.epoch, points
        self.loss, self.learning_rate = status.loss, status.learning_rate
        if len(points) > _MOST_POINTS // 4:  # some were left out
            self._every = math.gcd(*(point.step for point in points))
        seconds = points[-1].seconds if points else 0.0
        self._began = time.monotonic() - max(seconds, time.time() - status.started if status.started else 0.0)

    @contextmanager
    def catching_up(self) -> Generator[None]:
        """Take every line that is read meanwhile for one of the time since the last known step, evenly spread."""
        before = self.points[-1] if self.points else Point(0, 0.0)
        self._catches_up = True
        yield
        self._catches_up, self._first = False, None
        now, steps = time.monotonic() - self._began, self.step - before.step
        self.points = [
            point._replace(
                seconds=round(before.seconds + (now - before.seconds) * (point.step - before.step) / steps, 2)
            )
            if point.step > before.step
            else point
            for point in self.points
        ]

    def read(self, lines: Iterable[str]) -> None:
        """Take in the lines of a chunk."""
        for line in [*lines] if self._catches_up else [*lines][-_LOOKED_AT:]:
            if tick := self._trainer.tick(line):
                self._take(tick)

    def _take(self, tick: Tick) -> None:
        self.epoch = tick.epoch + self._order.uncounted_epochs if tick.epoch else self.epoch
        self.total_steps = tick.total_steps or self.total_steps
        self.learning_rate = _finite(tick.learning_rate, self.learning_rate)
        self.rate = tick.rate or self.rate
        # A loss that is no number is worth knowing.
        self.loss = tick.loss if tick.loss is not None else self.loss
        step = self._step_of(tick)
        if step is not None and step >= self.step:
            self._reach(step)

    def _step_of(self, tick: Tick) -> int | None:
        if tick.batch is None or not tick.batches:
            return None if tick.step is None else tick.step + self._order.uncounted_steps
        return round((max(self.epoch, 1) - 1 + tick.batch / tick.batches) * self._steps_per_epoch)

    def _reach(self, step: int) -> None:
        now = time.monotonic()
        if step > 0 and self._first is None:
            self._first = step, now
        self.step = step
        point = Point(step, round(now - self._began, 2), _number(self.loss), self.learning_rate)
        if self.points and self.points[-1].step == step:
            self.points[-1] = point
        elif step and step % self._every == 0:
            self.points.append(point)
        if len(self.points) > _MOST_POINTS:
            self._every *= 2
            self.points = [point for point in self.points if point.step % self._every == 0]

    @property
    def seconds_a_step(self) -> float | None:
        """How long a step takes, saving and sampling included; at first as the trainer says."""
        if self._first and self.step > self._first[0] and self.points:
            seconds = self._began + self.points[-1].seconds - self._first[1]
            if seconds > 0:
                return seconds / (self.step - self._first[0])
        return 1 / self.rate if self.rate else None

    def status(self, status: Status) -> Status:
        """Return a status with what is known here."""
        return dataclasses.replace(
            status,
            step=self.step,
            total_steps=self.total_steps,
            epoch=self.epoch,
            loss=_number(self.loss),
            learning_rate=self.learning_rate,
            seconds_a_step=self.seconds_a_step,
        )


def _finite(value: float | None, before: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else before


def _number(value: float | None) -> float | None:
    """Return a loss as JSON and PostgreSQL take it: NaN is None."""
    return value if value is not None and math.isfinite(value) else None
