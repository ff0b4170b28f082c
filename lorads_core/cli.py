"""The `lorads` command: words in, sentences out; what it does lies in the modules below it."""

from __future__ import annotations

import io
import logging
import signal
import sys
from typing import TYPE_CHECKING

from .errors import LoradsError
from .words import parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

    from .show import Screen

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors that a user can mend are one line, all others a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe whose code page lacks a letter still gets the rest, also of `--help`.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser(_story, _doctor).parse_args(arguments)
    from .show import Screen  # noqa: PLC0415 - `lorads --help` needs no terminal library

    # A lost server is told of in our words, once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

    screen = Screen()
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        command: Callable[[argparse.Namespace, Screen], int] = options.command
        return command(options, screen)
    except LoradsError as error:
        screen.fault(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        screen.fault("interrupted; what was done is kept, and the same command goes on from there.")
        return _INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


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
