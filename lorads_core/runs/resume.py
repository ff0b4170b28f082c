"""Resuming a stopped training: the run that was stopped, killed or failed, and the state that it saved last."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TrainerError
from ..problems import counted
from ..store import runs as kept
from ..system.files import file_error_reason, remove_tree
from ..trainers import trainer
from . import run_folder as files
from .state import refresh_run

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from ..model import Run
    from ..trainers import SavedState
    from .read_export import TrainableExport


class Stopped(NamedTuple):
    """A run that has ended before its last step, and the state that it is resumed from."""

    run: Run
    state: SavedState


def stopped_run(connection: psycopg.Connection, export: TrainableExport) -> Stopped | None:
    """Return the newest run of an export that can be resumed; runs after the last completed one count.

    It is None where the newest one ended in a stage before its training: what it has cached is used by the next one.

    Raises:
        TrainerError: there is none; the message says why.
    """
    found, obstacle = _look(connection, export)
    if obstacle:
        raise TrainerError(f"{obstacle}: train it without resume, from the beginning.")
    return found


def resume_obstacle(connection: psycopg.Connection, export: TrainableExport) -> str:
    """Return why no run of an export can be resumed, as a clause; empty where one can be."""
    return _look(connection, export)[1]


def _look(connection: psycopg.Connection, export: TrainableExport) -> tuple[Stopped | None, str]:
    over: list[Run] = []
    for run in kept.runs_of_export(connection, export.manifest_hash):
        now = refresh_run(connection, run)
        if now.state == "completed":
            break
        over.append(now)
        if state := _saved_state(export, now):
            return Stopped(now, state), ""
    if over and over[0].stage:
        return None, ""
    return None, _why_not(export, over)


def _saved_state(export: TrainableExport, run: Run) -> SavedState | None:
    training = export.manifest["training"]
    steps_per_epoch = training["total_steps"] // max(training["epochs"], 1)
    try:
        chosen, name = trainer(export.trainer), export.manifest["name"]
        state = chosen.saved_state(export.config, run.output, name, steps_per_epoch)
    except OSError as error:
        raise TrainerError(f"{run.output} cannot be read: {file_error_reason(error)}.") from error
    return state if state and state.steps < training["total_steps"] else None


def _why_not(export: TrainableExport, over: list[Run]) -> str:
    name, config = export.manifest["name"], export.config
    if not over:
        return f"No training of {name} was stopped before its end with these very images, captions and options"
    if not config.save_state and "save_state" not in trainer(export.trainer).lacks(config):
        return f"The training of {name} saved no state, as save_state is off in its config"
    every = counted(config.save_every_epochs, "epoch")
    return f"The training of {name} has saved no state yet (it {over[0].state_clause}, and saves one every {every})"


def resumed_order(order: files.Order, stopped: Stopped) -> files.Order:
    """Return an order that goes on from a saved state, in steps, epochs and reports."""
    state = stopped.state
    started = stopped.run.started_at
    return dataclasses.replace(
        order,
        argv=(*order.argv, *state.arguments),
        checkpoints=state.checkpoints or order.checkpoints,
        steps_done=state.steps,
        epochs_done=state.epochs,
        uncounted_steps=state.uncounted_steps,
        uncounted_epochs=state.uncounted_epochs,
        since=_first_start(stopped.run.folder) or (started.timestamp() if started else 0.0),
        reports_from=_size(order.reports),
    )


def _first_start(folder: Path) -> float:
    """Return when a run was started first that was itself resumed, else 0."""
    try:
        return files.read_order(folder).since
    except TrainerError:
        return 0.0


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size if file else 0  # noqa: PTH116 - a name
    except OSError:
        return 0


def take_over(stopped: Stopped, folder: Path) -> None:
    """Prepare the folder of the run that resumes another: its history up to the state; half-written states go.

    Raises:
        OSError: they cannot be written or removed.
    """
    for each in stopped.state.unfinished:
        remove_tree(each)
    points = [point for point in files.read_history(stopped.run.folder) if point.step <= stopped.state.steps]
    if points:
        files.write_history(folder, points)
