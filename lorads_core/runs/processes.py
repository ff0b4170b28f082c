"""Processes of this machine: who they are, whether they still run, and how all that a trainer has started ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

import psutil

from .folder import Process

_SAME_START = 5.0  # seconds: clocks are set while a training runs
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux' prctl.h
_STEP = 0.1
GENTLE = signal.SIGINT
FIRM = signal.SIGTERM


def identity(pid: int) -> Process:
    """Return who a process is; one that is gone already began just now."""
    try:
        return Process(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Process(pid, time.time())


def alive(process: Process | None) -> bool:
    """Say whether that very process still runs, and not another with its id."""
    return process is not None and _found(process) is not None


def _found(process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.id)
        same = abs(found.create_time() - process.start) < _SAME_START
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def adopt_orphans() -> None:
    """Become the parent of whatever outlives the parent that started it, on Linux: nothing slips away unseen."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - for this alone

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


class Tree:
    """A trainer's process and all that it has started, also where its starter has ended or a session is its own."""

    def __init__(self, root: Process, *, with_own_children: bool) -> None:
        self.root = root
        self._with_own = with_own_children
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
        with suppress(psutil.Error):
            for child in parent.children(recursive=True) if parent else ():
                self._seen[identity(child.pid)] = None

    def end(self, grace: float) -> None:
        """End them all: asked, told, killed."""
        for sent, seconds in ((GENTLE, grace), (FIRM, grace / 3)):
            self._send(sent)
            if self._gone_within(seconds):
                return
        deadline = time.monotonic() + 30
        while self.living() and time.monotonic() < deadline:  # what is being started meanwhile is killed next time
            self._kill()
            self._gone_within(1.0)

    def _send(self, sent: signal.Signals) -> None:
        """Send a signal to the trainer's group, and to those outside it."""
        living = self.living()
        groups = {_group(process.id) for process in living} - {0, _group(os.getpid())}
        for group in groups:
            with suppress(OSError):
                os.killpg(group, sent)
        for process in living:
            if _group(process.id) not in groups and (found := _found(process)):
                with suppress(psutil.Error, OSError, ValueError):
                    _send_to(found, sent)

    def _kill(self) -> None:
        for process in self.living():
            if found := _found(process):
                with suppress(psutil.Error):
                    found.kill()

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.living():
            if time.monotonic() > deadline:
                return False
            time.sleep(_STEP)
        return True


def _group(pid: int) -> int:
    """Return a process's group; 0 on Windows, which has none, and for one that is gone."""
    if sys.platform == "win32":
        return 0
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _send_to(process: psutil.Process, sent: signal.Signals) -> None:
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_BREAK_EVENT if sent == GENTLE else sent)
    else:
        process.send_signal(sent)


def _reap(but: int) -> None:
    """Let adopted processes that have ended go; ``but`` is waited for by who started it."""
    if sys.platform == "win32":
        return
    for child in psutil.Process().children():
        with suppress(psutil.Error, ChildProcessError, OSError):
            if child.pid != but and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
