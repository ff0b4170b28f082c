"""Processes of this machine: who they are, whether they still run, and how all that a trainer has started ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from .run_folder import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAME_START = 5.0  # seconds: clocks are set while a training runs
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux' prctl.h
_CTRL_BREAK = 1  # CTRL_BREAK_EVENT of wincon.h
_STEP = 0.1
GENTLE = signal.SIGINT
FIRM = signal.SIGTERM
# Windows' own errors come through for processes that end while they are looked at.
_GONE = (psutil.Error, OSError)
_AT_START = Path(__file__).with_name("at_start")


def identity(pid: int) -> Process:
    """Return who a process is; one that is gone already began just now."""
    try:
        return Process(pid, psutil.Process(pid).create_time())
    except _GONE:
        return Process(pid, time.time())


def alive(process: Process | None) -> bool:
    """Say whether that very process still runs, and not another with its id."""
    return process is not None and _found(process) is not None


def _found(process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.id)
    except _GONE:
        return None
    try:
        same = abs(found.create_time() - process.start) < _SAME_START
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.AccessDenied:
        return found  # it is there, and nothing says that it is another
    except _GONE:
        return None


def environment_of(process: Process | None) -> Mapping[str, str]:
    """Return the environment that a process was started with; ours, where it is gone or may not be looked at."""
    found = _found(process) if process else None
    with suppress(*_GONE):
        if found:
            return found.environ()
    return os.environ


def stoppable(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a trainer's environment in which it can be interrupted.

    Windows can send nothing but Ctrl-Break to one group of processes (GenerateConsoleCtrlEvent: "CTRL_C_EVENT … cannot
    be limited to a specific process group"), and that ends a Python on the spot. So each Python of the trainer imports
    ``at_start/sitecustomize.py``, which makes it a KeyboardInterrupt: OneTrainer saves at that (``scripts/train.py``);
    sd-scripts ends, as it does at Ctrl-C anywhere. A Python that ignores PYTHONPATH (one with a ``._pth`` file, or
    ``-I``) ends at once. Intel's Fortran runtime, which comes with some builds of NumPy and SciPy, must be set not to
    end the process itself.

    https://learn.microsoft.com/windows/console/generateconsolectrlevent
    https://www.intel.com/content/www/us/en/docs/fortran-compiler/developer-guide-reference/2024-0/supported-environment-variables.html
    """
    if sys.platform != "win32":
        return dict(environment)
    places = [str(_AT_START), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(places), "FOR_DISABLE_CONSOLE_CTRL_HANDLER": "1"}


def adopt_orphans() -> None:
    """Become the parent of whatever outlives the parent that started it, on Linux: nothing slips away unseen."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - for this alone

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


class ProcessTree:
    """A trainer's process and all that it has started, also where its starter has ended or a session is its own."""

    def __init__(self, root: Process, *, with_own_children: bool) -> None:
        self.root = root
        # Elsewhere we adopt nobody, and a child of ours may be Windows' conhost.exe, which lives as long as we do.
        self._with_own = with_own_children and sys.platform == "linux"
        self._seen: dict[Process, None] = {root: None}

    def living(self) -> list[Process]:
        """Return those that still run; called now and then, it remembers whom it has seen."""
        for parent in [*self._seen]:
            self._remember(_found(parent))
        if self._with_own:
            _reap(self.root.id)
            self._remember(psutil.Process())
        living = [process for process in self._seen if alive(process)]
        self._seen = dict.fromkeys(living)
        return living

    def _remember(self, parent: psutil.Process | None) -> None:
        with suppress(*_GONE):
            for child in parent.children(recursive=True) if parent else ():
                self._seen[identity(child.pid)] = None

    def end(self, grace: float) -> None:
        """End them all: SIGINT, then SIGTERM, then kill."""
        for sent, seconds in ((GENTLE, grace), (FIRM, grace / 3)):
            if self._send(sent) and self._gone_within(seconds):
                return
        deadline = time.monotonic() + 30
        while self.living() and time.monotonic() < deadline:  # what is being started meanwhile is killed next time
            self._kill()
            self._gone_within(1.0)

    def _send(self, sent: signal.Signals) -> bool:
        """Send a signal to the trainer's group, and to those outside it; return False where nobody can have got it."""
        living = self.living()
        if sys.platform == "win32" and sent == GENTLE:
            # An id that leads no group could mean the whole console.
            return self.root in living and send_ctrl_break(self.root.id)
        groups = {_group(process.id) for process in living} - {0, _group(os.getpid())}
        for group in groups:
            with suppress(OSError):
                os.killpg(group, sent)
        for process in living:
            if _group(process.id) not in groups and (found := _found(process)):
                with suppress(*_GONE, ValueError):
                    found.send_signal(sent)
        return True

    def _kill(self) -> None:
        for process in self.living():
            if found := _found(process):
                with suppress(*_GONE):
                    found.kill()

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.living():
            if time.monotonic() > deadline:
                return False
            time.sleep(_STEP)
        return True


def send_ctrl_break(group: int) -> bool:
    """Send Ctrl-Break to the processes of a group that share our console, and return whether Windows took it.

    A watcher that took up a training after the first one was cut off has another console: nothing arrives then. This is
    not ``os.kill``, which goes on to end the process on the spot where the event cannot be sent, and breaks
    (``os_kill_impl`` in Modules/posixmodule.c, Python 3.11).
    """
    import ctypes  # noqa: PLC0415 - for this alone

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - it is Windows' alone
    return bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, group))


def _group(pid: int) -> int:
    """Return a process's group; 0 on Windows, which has none, and for one that is gone."""
    if sys.platform == "win32":
        return 0
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _reap(but: int) -> None:
    """Let adopted processes that have ended go; ``but`` is waited for by who started it."""
    if sys.platform == "win32":
        return
    with suppress(*_GONE):
        for child in psutil.Process().children():
            with suppress(*_GONE):
                if child.pid != but and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
