"""The folder of a run: what was ordered, what is going on, what was printed; all that programs tell each other here.

The one who launches writes the order, the watcher all else but the wish to stop; everybody may read at any time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..model import RunState

ORDER = "order.json"
STATUS = "status.json"
HISTORY = "history.json"
STOP = "stop"
LOCK = "watcher.lock"
FAULTS = "watcher.txt"


class Process(NamedTuple):
    """A process: its id alone may be another's by now, so that its start (seconds since 1970) belongs to it."""

    id: int
    start: float


class Point(NamedTuple):
    """The training at a step: seconds since its start, loss and learning rate where they were said."""

    step: int
    seconds: float
    loss: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a watcher is to start, and what is to come of it.

    ``checkpoints`` are names in ``output``, as `Trainer.checkpoints` gives them; ``rank`` is the network dim that the
    final one must have; ``trigger`` are the words that call it. ``reports`` is the trainer's own file of progress.
    ``masked`` names the environment variables whose values are in no log; ``grace`` is how many seconds the trainer
    has to end when it is asked to.
    """

    trainer: str
    argv: tuple[str, ...]
    cwd: str
    output: str
    checkpoints: tuple[str, ...]
    rank: int
    total_steps: int
    epochs: int
    trigger: str = ""
    reports: str = ""
    masked: tuple[str, ...] = ()
    grace: float = 15.0


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands, as its watcher has seen it last, at ``at`` (seconds since 1970)."""

    state: RunState = "starting"
    watcher: Process | None = None
    trainer: Process | None = None
    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    seconds_a_step: float | None = None
    exit_code: int | None = None
    message: str = ""
    loras: tuple[str, ...] = ()
    started: float = 0.0
    ended: float | None = None
    at: float = field(default_factory=time.time)


def write_order(folder: Path, order: Order) -> None:
    """Write the order into a new folder."""
    _write(folder / ORDER, dataclasses.asdict(order))


def read_order(folder: Path) -> Order:
    """Return what was ordered.

    Raises:
        TrainerError: it is not there or damaged.
    """
    values = _read(folder / ORDER)
    try:
        values |= {name: tuple(values[name]) for name in ("argv", "checkpoints", "masked")}
        return Order(**values)
    except (KeyError, TypeError) as error:
        raise TrainerError(f"{folder / ORDER} is missing or damaged: launch the training again.") from error


def write_status(folder: Path, status: Status) -> None:
    """Put a status in the place of the former one; no reader ever sees half of it."""
    _write(folder / STATUS, dataclasses.asdict(status))


def read_status(folder: Path) -> Status | None:
    """Return the last status, None where there is none yet."""
    values = _read(folder / STATUS)
    try:
        values |= {name: Process(*values[name]) for name in ("watcher", "trainer") if values[name]}
        values["loras"] = tuple(values["loras"])
        return Status(**values)
    except (KeyError, TypeError):
        return None


def write_history(folder: Path, points: list[Point]) -> None:
    """Put a history in the place of the former one."""
    _write(folder / HISTORY, {"points": points})


def read_history(folder: Path) -> list[Point]:
    """Return the training's course so far, in order of steps."""
    try:
        return [Point(*values) for values in _read(folder / HISTORY)["points"]]
    except (KeyError, TypeError):
        return []


def wish_stop(folder: Path) -> None:
    """Ask the watcher to stop the training."""
    (folder / STOP).touch()


def stop_is_wished(folder: Path) -> bool:
    """Say whether somebody has asked for it."""
    return (folder / STOP).exists()


def _write(path: Path, values: Mapping[str, object]) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(values), encoding="utf-8")
    os.replace(whole, path)  # noqa: PTH105 - it replaces on every system, and says so


def _read(path: Path) -> dict[str, Any]:
    try:
        values: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", values) if isinstance(values, dict) else {}
