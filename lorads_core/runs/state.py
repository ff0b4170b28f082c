"""How runs stand: looked up in their folders and processes, stored, waited for, stopped."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import socket
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, TrainerError
from ..store import runs as kept
from ..system.command import command
from ..system.detached import python_command, start_detached
from ..system.files import file_error_reason, read_text, retry_in_use
from . import run_folder as files
from .console_output import ConsoleOutput
from .log import tail
from .outcome import Outcome, determine_outcome
from .processes import alive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg

    from ..model import Run, RunState
    from ..store.connect import Store
    from .run_folder import Status

_UNSTARTED = 60.0  # seconds; after that a run that nobody has taken up is given up
_ATTACH_AGAIN = 10.0  # seconds for a new watcher to begin, before another one is started
_LOOK = 0.5  # seconds
_HARD_END = 45.0  # seconds beyond the gentle ones
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from lorads_core.runs.watch import main_of_process; main_of_process()"
)
_ROOT = Path(__file__).resolve().parents[2]
_attached: dict[Path, float] = {}  # when this process started a new watcher for a run, by time.monotonic()


def start_watcher(folder: Path, words: Mapping[str, Any]) -> None:
    """Start a watcher that goes on without us; what no file may hold goes to it by a pipe.

    Raises:
        OSError: it cannot be started.
    """
    with (folder / files.FAULTS).open("ab") as faults:
        watcher = python_command(_CODE, str(_ROOT), str(folder))
        start_detached(watcher, cwd=folder, faults=faults, given=json.dumps(words).encode())


def refresh_run(connection: psycopg.Connection, run: Run) -> Run:
    """Return a run as it stands now, and keep that.

    One whose watcher was cut off gets another, or its end is judged by what is there. What cannot be read just now says
    nothing: the run stays as it was, to be looked at again.
    """
    if run.is_over:
        return run
    try:
        now = _seen(run)
    except (files.UnreadableError, OSError):
        return run
    if now != run:
        kept.update_run(connection, now)
    return now


def is_stale(run: Run) -> bool:
    """Say whether a run of this machine counts as going on though nobody watches it any more; it is only looked at.

    `refresh_run` has its trainer watched again where that still runs, and else notes how it ended.
    """
    if run.is_over or run.host != socket.gethostname():
        return False
    try:
        status = files.read_status(run.folder)
    except (files.UnreadableError, OSError):
        return False
    if status is None:
        return _is_old(run) and not files.is_watched(run.folder)
    return status.ended is not None or (not alive(status.watcher) and not files.is_watched(run.folder))


def _seen(run: Run) -> Run:
    status = files.read_status(run.folder)
    here = run.host == socket.gethostname()
    if status is None:
        return _without_status(run) if here and _is_old(run) else run
    if status.ended is None and here and not alive(status.watcher) and not files.is_watched(run.folder):
        status = files.read_status(run.folder) or status  # its last word may have come just now
        if status.ended is None:
            return _without_watcher(run, status)
    return _with_status(run, status) if status.watcher else run


def _is_old(run: Run) -> bool:
    return run.started_at is None or (datetime.now(timezone.utc) - run.started_at).total_seconds() > _UNSTARTED


def _without_status(run: Run) -> Run:
    """Give up a run of which nothing is heard, unless a watcher is at it; from then on nobody can start it any more."""
    if not os.path.isdir(run.folder):  # noqa: PTH112 - a Path's own raises without rights
        if not os.path.isdir(run.folder.parents[2]):  # noqa: PTH112 - as above
            return run  # the drive of all exports is not there
        if run.state != "starting":
            return _ended(run, "lost", f"Its folder {run.folder} is gone: nobody knows how the training ended.")
        run.folder.mkdir(parents=True, exist_ok=True)
    is_ours = not files.is_watched(run.folder) and files.claim(run.folder)
    if is_ours:
        return failed_run(run, f"It was never started: {_fault(run.folder) or 'who launched it was ended'}.")
    # A watcher keeps its lock from before it claims the run until it ends.
    return run if files.is_watched(run.folder) else _without_watcher(run, files.rebuilt_status(run.folder))


def _fault(folder: Path) -> str:
    """Return the last words of a watcher that could not begin."""
    with suppress(OSError):
        return (read_text(folder / files.FAULTS, errors="replace").strip().splitlines() or [""])[-1].rstrip(".")
    return ""


def _without_watcher(run: Run, status: Status) -> Run:
    """Have a trainer watched again that still runs, or has printed what nobody has read; judge another one."""
    attached = time.monotonic() - _attached.get(run.folder, -math.inf)
    may_be_read = attached < _ATTACH_AGAIN or attached == math.inf  # else a watcher could not, within that time
    if alive(status.trainer) or (may_be_read and _has_unread_output(run)):
        if attached >= _ATTACH_AGAIN:
            _attached[run.folder] = time.monotonic()
            start_watcher(run.folder, {"attach": True})
        return _with_status(run, status)
    outcome = _judged(run, status)
    ended = dataclasses.replace(
        status, state=outcome.state, message=outcome.message, loras=outcome.loras, ended=status.at
    )
    return _with_status(run, ended)


def _has_unread_output(run: Run) -> bool:
    """Say whether a watcher has something to read of a trainer that has ended: how far it came, and why it failed."""
    try:
        files.read_order(run.folder)
    except files.UnreadableError:
        raise
    except TrainerError:
        return False
    return ConsoleOutput(run.folder).is_there()


def _judged(run: Run, status: Status) -> Outcome:
    try:
        order = files.read_order(run.folder)
    except files.UnreadableError:
        raise
    except TrainerError as error:
        return Outcome("lost", f"Nobody saw how the trainer ended. {error}", status.loras)
    stopped, lines = files.stop_requested(run.folder), tail(run.folder)
    return determine_outcome(order, None, lines, since=status.started, stopped=stopped, reached=status.is_at_the_end)


def _with_status(run: Run, status: Status) -> Run:
    names = (
        "state",
        "message",
        "loras",
        "step",
        "total_steps",
        "epoch",
        "loss",
        "seconds_a_step",
        "exit_code",
        "stage",
        "cached",
        "to_cache",
        "peak_memory",
        "peak_of_card",
    )
    ended = datetime.fromtimestamp(status.ended, timezone.utc) if status.ended else None
    return dataclasses.replace(run, ended_at=ended, **{name: getattr(status, name) for name in names})


def failed_run(run: Run, message: str) -> Run:
    """Return a run that has ended before it began."""
    return _ended(run, "failed", message)


def _ended(run: Run, state: RunState, message: str) -> Run:
    return dataclasses.replace(run, state=state, message=message, ended_at=datetime.now(timezone.utc))


def check_not_training(store: Store, folder: Path) -> None:
    """Refuse to change an export from which a trainer reads just now.

    Raises:
        ExportError: it is being trained.
    """
    with store.connection() as connection:
        for run in kept.live_runs(connection, folder.name):
            if run.folder.parents[2] == folder.parent and not refresh_run(connection, run).is_over:
                raise ExportError(
                    f"{folder} is being trained ({run.id}), from these very files: wait for it, stop it"
                    f" ({command('stop', run.name)}), or export under another name."
                )


def wait(store: Store, run: Run, look: Callable[[Run], None] = lambda _run: None) -> Run:
    """Return a run when it is over; ``look`` is called with how it stands, and may raise to wait no more."""
    while True:
        with store.connection() as connection:
            run = refresh_run(connection, run)
        look(run)
        if run.is_over:
            return run
        time.sleep(_LOOK)


def stop(store: Store, run: Run) -> Run:
    """Stop a training and return it when it has ended: SIGINT, then kill, with all that it has started.

    Raises:
        TrainerError: it has not ended in time, as on a machine that does not answer.
    """
    with store.connection() as connection:
        run = refresh_run(connection, run)
    if run.is_over:
        return run
    if not run.folder.is_dir():
        raise TrainerError(f"The folder of the run is gone ({run.folder}): end its trainer by hand.")
    try:
        retry_in_use(lambda: files.request_stop(run.folder))
    except OSError as error:
        raise TrainerError(
            f"{run.folder} cannot be written: {file_error_reason(error)}. The training goes on."
        ) from error
    deadline = time.monotonic() + _grace(run.folder) * 4 / 3 + _HARD_END
    while time.monotonic() < deadline:
        with store.connection() as connection:
            run = refresh_run(connection, run)
        if run.is_over:
            return run
        time.sleep(_LOOK / 2)
    raise TrainerError(f"The training on {run.host} has not ended yet: look at it there, or stop it again.")


def _grace(folder: Path) -> float:
    """Return the seconds that the trainer has to end, the usual ones where the order cannot be read."""
    try:
        return files.read_order(folder).grace
    except TrainerError:
        return files.GRACE
