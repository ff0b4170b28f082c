"""The folder of a run: what was ordered, what is going on, what was printed; all that programs tell each other here.

The one who launches writes the order, the watcher all else but the wish to stop; everybody may read at any time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from filelock import FileLock, Timeout

from ..errors import TrainerError
from ..system import files
from .log import LogMark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..model import RunState

ORDER = "order.json"
STATUS = "status.json"
HISTORY = "history.json"
LOADS = "lora_loads.json"
STOP = "stop"
LOCK = "watcher.lock"
"""Locked by the watcher for as long as it lives."""
TRAINER = "trainer.json"
"""Created by the process that starts the trainer, before that; a process that finds it starts none."""
FAULTS = "watcher.txt"
GRACE = 15.0
"""Seconds that a trainer has to end when it is interrupted, if its profile says nothing else."""
_WRITE_PATIENCE = 0.5  # seconds: a status that cannot be written now is written at the next turn


class UnreadableError(TrainerError):
    """A file of a run is there and cannot be read just now: nothing is known, least of all that the run has ended."""


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


class Caching(NamedTuple):
    """A stage before the training: its command, and how the names of the files end that it leaves (`Stage.suffix`)."""

    name: str
    argv: tuple[str, ...]
    suffix: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a watcher is to start, and what is to come of it.

    ``checkpoints`` are names in ``output``, as `Trainer.checkpoints` gives them; ``rank`` is the network dim that the
    final one must have, ``family`` names that of its base model, ``key_prefixes`` begin the keys that ComfyUI loads of
    it; ``trigger`` are the words that call
    it. ``reports`` is the trainer's own file of progress. ``masked`` names the environment variables whose values are
    in no log; ``grace`` is how many seconds the trainer has to end when it is interrupted.

    A resumed training has done ``steps_done`` and ``epochs_done`` before; of these, its trainer leaves
    ``uncounted_steps`` and ``uncounted_epochs`` out of its own counts. ``since`` is when it was started first (0: now),
    ``reports_from`` the byte where its reports go on. ``note`` is what a user should know while it runs.

    ``argv`` starts the training. The stages of ``caching`` come before it: each leaves a file for each of the
    ``images``, a number, below the folder ``cache``. ``is_here`` says whether it trains on this machine, of which the
    graphics memory is looked at.
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
    grace: float = GRACE
    key_prefixes: tuple[str, ...] = ()
    steps_done: int = 0
    epochs_done: int = 0
    uncounted_steps: int = 0
    uncounted_epochs: int = 0
    since: float = 0.0
    reports_from: int = 0
    note: str = ""
    family: str = ""
    caching: tuple[Caching, ...] = ()
    cache: str = ""
    images: int = 0
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands, as its watcher has seen it last, at ``at`` (seconds since 1970).

    ``printed`` and ``log`` say what of the trainer's output is in it, for the watcher that reads on. ``stage`` is the
    one before the training that runs, empty while it trains; ``cached`` images of ``to_cache`` are done in it.
    ``peak_memory`` and ``peak_of_card`` are as of `model.Run`.
    """

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
    printed: int = 0
    log: LogMark = field(default_factory=LogMark)
    stage: str = ""
    cached: int = 0
    to_cache: int = 0
    peak_memory: int = 0
    peak_of_card: bool = False

    @property
    def is_at_the_end(self) -> bool:
        """Whether the trainer was seen to take its last step."""
        return bool(self.step) and self.step >= self.total_steps


def write_order(folder: Path, order: Order) -> None:
    """Write the order into a new folder."""
    _write(folder / ORDER, dataclasses.asdict(order))


def read_order(folder: Path) -> Order:
    """Return what was ordered.

    Raises:
        UnreadableError: it cannot be read just now.
        TrainerError: it is not there or damaged.
    """
    values = _read(folder / ORDER) or {}
    try:
        values |= {name: tuple(values[name]) for name in ("argv", "checkpoints", "masked")}
        values["key_prefixes"] = tuple(values.get("key_prefixes", ()))  # orders of former versions have none
        caching = values.get("caching", ())
        values["caching"] = tuple(Caching(name, tuple(argv), suffix) for name, argv, suffix in caching)
        return Order(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise TrainerError(f"{folder / ORDER} is missing or damaged: launch the training again.") from error


def write_status(folder: Path, status: Status) -> None:
    """Put a status in the place of the former one; no reader ever sees half of it.

    Raises:
        OSError: it cannot be written just now, as while others read the former one all the time.
    """
    _write(folder / STATUS, dataclasses.asdict(status))


def read_status(folder: Path) -> Status | None:
    """Return the last status, None where there is none yet.

    Of a damaged one, as a power failure leaves it, what else the folder knows is put together.

    Raises:
        UnreadableError: it cannot be read just now.
    """
    values = _read(folder / STATUS)
    if values is None:
        return None
    try:
        values |= {name: Process(*values[name]) for name in ("watcher", "trainer") if values[name]}
        values["loras"] = tuple(values["loras"])
        values["log"] = LogMark(*values.get("log", ()))
        return Status(**values)
    except (KeyError, TypeError):
        return rebuilt_status(folder)


def rebuilt_status(folder: Path) -> Status:
    """Return a status of what the folder knows without one; it names no watcher.

    Raises:
        UnreadableError: it cannot be read just now.
    """
    trainer, points = read_trainer(folder), read_history(folder)
    return Status(
        state="running",
        trainer=trainer,
        step=points[-1].step if points else 0,
        started=trainer.start if trainer else _changed(folder / ORDER),
        at=_changed(folder / STATUS),
    )


def _changed(path: Path) -> float:
    """Return when a file was changed last, in seconds since 1970; now, where that is not known."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def claim(folder: Path) -> bool:
    """Become the only one who may start the trainer of a run; return whether nobody was before.

    A process that gives a run up as never started claims it too: what is late then starts nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        with (folder / TRAINER).open("x", encoding="utf-8"):
            return True
    except FileExistsError:
        return False


def write_trainer(folder: Path, trainer: Process) -> None:
    """Note who the trainer is, once: a status is written all the time, and may be damaged."""
    _write(folder / TRAINER, {"id": trainer.id, "start": trainer.start})


def read_trainer(folder: Path) -> Process | None:
    """Return who the trainer is, None where that was not noted.

    Raises:
        UnreadableError: it cannot be read just now.
    """
    try:
        return Process(**(_read(folder / TRAINER) or {}))
    except TypeError:
        return None


def is_watched(folder: Path) -> bool:
    """Say whether a watcher holds its lock, or may hold it: where that cannot be found out, too."""
    if not os.path.lexists(folder / LOCK):
        return False
    try:
        with FileLock(folder / LOCK).acquire(timeout=0):
            return False
    except (OSError, Timeout):
        return True


def write_history(folder: Path, points: list[Point]) -> None:
    """Put a history in the place of the former one."""
    _write(folder / HISTORY, {"points": points})


def read_history(folder: Path) -> list[Point]:
    """Return the training's course so far, in order of steps; empty where it cannot be read."""
    try:
        return [Point(*values) for values in (_read(folder / HISTORY) or {})["points"]]
    except (UnreadableError, KeyError, TypeError):
        return []


def request_stop(folder: Path) -> None:
    """Ask the watcher to stop the training."""
    (folder / STOP).touch()


def stop_requested(folder: Path) -> bool:
    """Return whether a stop was requested."""
    return os.path.exists(folder / STOP)  # noqa: PTH110 - a Path's own raises where it cannot look


def write_loads(folder: Path, values: Mapping[str, object]) -> None:
    """Write what ComfyUI loads of each LoRA, as `lora_loading` has it.

    Raises:
        OSError: it cannot be written.
    """
    _write(folder / LOADS, values)


def read_loads(folder: Path) -> dict[str, Any]:
    """Return what was written of it; nothing where it is missing or damaged.

    Raises:
        UnreadableError: it cannot be read just now.
    """
    return _read(folder / LOADS) or {}


def _write(path: Path, values: Mapping[str, object]) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(values), encoding="utf-8")
    files.retry_in_use(lambda: os.replace(whole, path), _WRITE_PATIENCE)  # noqa: PTH105 - as in `files`


def _read(path: Path) -> dict[str, Any] | None:
    """Return the values of a file, none at all where it is damaged, None where it is not there.

    Raises:
        UnreadableError: it cannot be read just now, also after some tries: Windows refuses that while it is replaced.
    """
    try:
        text = files.read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        return {}
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read now: {files.file_error_reason(error)}.") from error
    values: object = None
    with suppress(ValueError, RecursionError):
        values = json.loads(text)
    return cast("dict[str, Any]", values) if isinstance(values, dict) else {}
