"""The `lorads` command line: arguments in, exit code out; what it does lies in the modules below it."""

from __future__ import annotations

import io
import logging
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..system import notices
from .output import written_output
from .parser import parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Sequence
    from types import FrameType

    from .console import Screen

_INTERRUPTED = 130
# What asks a program to end: `kill`, a terminal that is closed (SIGHUP), and on Windows Ctrl-Break or a closed console.
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors that a user can fix are one line, all others a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe whose code page lacks a letter still gets the rest; help texts have such letters too.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser(_story, _doctor).parse_args(arguments)
    from .console import Screen  # noqa: PLC0415 - `lorads --help` needs no terminal library

    # A lost server is reported in our words, once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

    screen = Screen()
    try:
        with _ended_in_order(), notices.show_notices(screen.notice), written_output():
            command: Callable[[argparse.Namespace, Screen], int] = options.command
            return command(options, screen)
    except LoradsError as error:
        screen.fault(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        screen.fault("interrupted; what was done is saved, and the same command continues from there.")
        return _INTERRUPTED


@contextmanager
def _ended_in_order() -> Generator[None]:
    """Treat whatever asks this program to end as Ctrl-C; what `nohup` has it ignore stays ignored."""
    before = {each: signal.getsignal(each) for each in _ENDINGS}
    heard = [each for each, handler in before.items() if handler != signal.SIG_IGN]
    for each in heard:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, before[each])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _story(options: argparse.Namespace, screen: Screen) -> int:
    # Their libraries take a while to load, and `doctor` must run where one of them is missing.
    from .commands import COMMANDS  # noqa: PLC0415

    return COMMANDS[options.name_of_command](options, screen)


def _doctor(options: argparse.Namespace, screen: Screen) -> int:
    from .doctor import examine  # noqa: PLC0415

    findings = screen.findings(examine(options.settings))
    return 1 if any(finding.state == "error" for finding in findings) else 0
