"""Ctrl-C, SIGTERM and the like: a command ends in order, and in two seconds at the latest.

What asks a program to end raises KeyboardInterrupt in the main thread, which unwinds. That alone does not always end
it: a thread of a pool may hang in a file, and is joined at the exit; a signal that comes just before the main thread
waits (in a lock, or in the poll of asyncio's loop) is heard only when that wait is over. So a thread of its own hears
of each signal by `signal.set_wakeup_fd`, and ends the process when its time is up. Nothing is lost by that: what was
done is saved all the time, and the keeper stops the embedded store.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

INTERRUPTED = 130
"""Exit code of a command that was interrupted."""
MESSAGE = "interrupted; finished work is saved."
_SECONDS = 2.0
_WRITE_SECONDS = 0.2  # for the message, whose reader may be gone or slow
# What asks a program to end: Ctrl-C, `kill`, a terminal that is closed (SIGHUP), and on Windows Ctrl-Break or a closed
# console.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_ENDINGS = [signal.Signals[name] for name in _NAMES if hasattr(signal, name)]


class _Deadline:
    """Ends this process some time after the first signal that asks for it."""

    def __init__(self) -> None:
        self._heard, self._written = socket.socketpair()
        self._written.settimeout(0)  # as `signal.set_wakeup_fd` demands
        self._answered = threading.Event()
        self._call: Callable[[], object] = lambda: None
        self._code = INTERRUPTED
        self.said = False
        threading.Thread(target=self._listen, name="lorads-ending", daemon=True).start()

    def hear(self) -> None:
        """Be the one who hears of signals; asyncio's loop on Windows makes itself that."""
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)

    def expect(self, call: Callable[[], object], code: int) -> None:
        """Have ``call`` called, in a thread of its own, at a signal; and ``code`` as the exit code."""
        self._call, self._code = call, code

    def wait_longer(self) -> None:
        """Let the program go on after this signal, until the next one."""
        self._answered.set()

    def _listen(self) -> None:
        while received := self._heard.recv(64):
            if not any(each in received for each in _ENDINGS):
                continue
            self._call()
            if not self._answered.wait(_SECONDS):
                self._end()
            self._answered.clear()

    def _end(self) -> None:
        if self._code and not self.said:
            # By another thread: a pipe that nobody reads may be full.
            message = f"error: {MESSAGE}\n".encode()
            writer = threading.Thread(target=os.write, args=(2, message), daemon=True)
            writer.start()
            writer.join(_WRITE_SECONDS)
        os._exit(self._code)


_deadlines: list[_Deadline] = []  # at most one; none where `main` is called by another program


@contextmanager
def in_order(*, own_process: bool) -> Generator[None]:
    """Treat whatever asks this program to end as Ctrl-C; what `nohup` or a shell has it ignore stays ignored.

    Where the process is our own, it ends in time, and a second signal changes nothing about that.
    """
    before = {each: signal.getsignal(each) for each in _ENDINGS}
    heard = [each for each, handler in before.items() if handler != signal.SIG_IGN]
    if own_process:
        _deadlines.append(_Deadline())
        _deadlines[0].hear()
    for each in heard:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, _pass_over if own_process else before[each])


@contextmanager
def announced(call: Callable[[], object], code: int = 0) -> Generator[None]:
    """Have ``call`` called, in a thread of its own, when this program is to end: nothing is raised meanwhile.

    For an event loop: an exception that is raised anywhere in it may be caught by what happens to run, and a signal
    that comes just before it polls would be heard at the next event, which may be never.
    """
    if not _deadlines:
        yield
        return
    before = {each: signal.getsignal(each) for each in _ENDINGS}
    _deadlines[0].expect(call, code)
    _deadlines[0].hear()
    for each, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(each, _pass_over)
    yield  # no `finally`: what comes after it is the end of this program


def wait_longer() -> None:
    """Let this command go on after a Ctrl-C that it answers in its own way; the next one ends it."""
    for each in _deadlines:
        each.wait_longer()


def message_shown() -> None:
    """Note that the interruption has been reported."""
    for each in _deadlines:
        each.said = True


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _pass_over(_signal: int, _frame: FrameType | None) -> None:
    """Leave it to the deadline, whose thread has heard of it."""
