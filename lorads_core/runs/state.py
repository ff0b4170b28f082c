"""How runs stand: looked up in their folders and processes, kept in the store, waited for, stopped."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, TrainerError
from ..store import runs as kept
from . import folder as files
from .log import tail
from .outcome import judge
from .processes import alive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg

    from ..model import Run
    from ..store.connect import Store
    from .folder import Status

_UNSTARTED = 60.0  # seconds; after that nobody will start it any more
_LOOK = 0.5  # seconds
_HARD_END = 45.0  # seconds beyond the gentle ones
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from lorads_core.runs.watch import main_of_process; main_of_process()"
)
_ROOT = Path(__file__).resolve().parents[2]


def start_watcher(folder: Path, words: Mapping[str, Any]) -> None:
    """Start a watcher that goes on without us; what no file may hold goes to it by a pipe."""
    with (folder / files.FAULTS).open("ab") as faults:
        watcher = subprocess.Popen(
            [sys.executable, "-c", _CODE, str(_ROOT), str(folder)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=faults,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    # It goes on without us; as long as we are here, somebody must take note of its end.
    threading.Thread(target=watcher.wait, name="lorads-watcher", daemon=True).start()
    if watcher.stdin:
        with watcher.stdin as pipe:
            pipe.write(json.dumps(words).encode())


def refreshed(connection: psycopg.Connection, run: Run) -> Run:
    """Return a run as it stands now, and keep that.

    One whose watcher was cut off gets another, or its end is judged by what is there.
    """
    if run.is_over:
        return run
    now = _seen(run)
    if now != run:
        kept.change(connection, now)
    return now


def _seen(run: Run) -> Run:
    status = files.read_status(run.folder)
    here = run.host == socket.gethostname()
    if status is None:
        return failed(run, "It was never started: who launched it was ended.") if here and _is_old(run) else run
    if status.ended is None and here and not alive(status.watcher):
        status = files.read_status(run.folder) or status  # its last word may have come just now
        if status.ended is None:
            return _without_watcher(run, status)
    return _as_told(run, status)


def _is_old(run: Run) -> bool:
    try:
        return time.time() - (run.folder / files.ORDER).stat().st_mtime > _UNSTARTED
    except OSError:
        return run.started_at is None or (datetime.now(timezone.utc) - run.started_at).total_seconds() > _UNSTARTED


def _without_watcher(run: Run, status: Status) -> Run:
    """Have a trainer watched again that still runs; judge one that does not."""
    if alive(status.trainer):
        start_watcher(run.folder, {"attach": True})
        return _as_told(run, status)
    order = files.read_order(run.folder)
    stopped = files.stop_is_wished(run.folder)
    outcome = judge(order, None, tail(run.folder), since=status.started, stopped=stopped)
    ended = dataclasses.replace(
        status, state=outcome.state, message=outcome.message, loras=outcome.loras, ended=status.at
    )
    return _as_told(run, ended)


def _as_told(run: Run, status: Status) -> Run:
    names = ("state", "message", "loras", "step", "total_steps", "epoch", "loss", "seconds_a_step", "exit_code")
    ended = datetime.fromtimestamp(status.ended, timezone.utc) if status.ended else None
    return dataclasses.replace(run, ended_at=ended, **{name: getattr(status, name) for name in names})


def failed(run: Run, message: str) -> Run:
    """Return a run that has ended before it began."""
    return dataclasses.replace(run, state="failed", message=message, ended_at=datetime.now(timezone.utc))


def check_untrained(store: Store, folder: Path) -> None:
    """Refuse to change an export from which a trainer reads just now.

    Raises:
        ExportError: it is being trained.
    """
    with store.connection() as connection:
        for run in kept.alive(connection, folder.name):
            if run.folder.parents[2] == folder.parent and not refreshed(connection, run).is_over:
                raise ExportError(
                    f"{folder} is being trained ({run.id}), from these very files: wait for it, stop it (lorads stop"
                    f" {run.name}), or export under another name."
                )


def wait(store: Store, run: Run, look: Callable[[Run], None] = lambda _run: None) -> Run:
    """Return a run when it is over; ``look`` is called with how it stands, and may raise to wait no more."""
    while True:
        with store.connection() as connection:
            run = refreshed(connection, run)
        look(run)
        if run.is_over:
            return run
        time.sleep(_LOOK)


def stop(store: Store, run: Run) -> Run:
    """Stop a training and return it when it has ended: gently, then hard, with all that it has started.

    Raises:
        TrainerError: it has not ended in time, as on a machine that does not answer.
    """
    with store.connection() as connection:
        run = refreshed(connection, run)
    if run.is_over:
        return run
    if not run.folder.is_dir():
        raise TrainerError(f"The folder of the run is gone ({run.folder}): end its trainer by hand.")
    files.wish_stop(run.folder)
    grace = files.read_order(run.folder).grace
    deadline = time.monotonic() + grace * 4 / 3 + _HARD_END
    while time.monotonic() < deadline:
        with store.connection() as connection:
            run = refreshed(connection, run)
        if run.is_over:
            return run
        time.sleep(_LOOK / 2)
    raise TrainerError(f"The training on {run.host} has not ended yet: look at it there, or stop it again.")
