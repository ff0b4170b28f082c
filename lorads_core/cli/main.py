"""The `lorads` command line: arguments in, exit code out; what it does lies in the modules below it."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..system import notices
from . import ending
from .output import written_output
from .parser import parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from .console import Screen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors that a user can fix are one line, all others a traceback.

    Without ``arguments`` they are those of this process, which is then ours to end.
    """
    try:
        with ending.in_order(own_process=arguments is None):
            return _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write(f"error: {ending.MESSAGE}\n")
        ending.message_shown()
        return ending.INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe whose code page lacks a letter still gets the rest; help texts have such letters too.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser(_story, _doctor).parse_args(given)
    options.given = given
    from .console import Screen  # noqa: PLC0415 - `lorads --help` needs no terminal library

    # A lost server is reported in our words, once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

    screen = Screen(verbose=options.verbose)
    try:
        with notices.show_notices(screen.notice), written_output():
            command: Callable[[argparse.Namespace, Screen], int] = options.command
            return command(options, screen)
    except LoradsError as error:
        screen.fault(str(error))
        return error.exit_code


def _story(options: argparse.Namespace, screen: Screen) -> int:
    # Their libraries take a while to load, and `doctor` must run where one of them is missing.
    from .commands import run  # noqa: PLC0415

    return run(options, screen)


def _doctor(options: argparse.Namespace, screen: Screen) -> int:
    from .doctor import examine  # noqa: PLC0415

    findings = screen.findings(examine(options.settings, fix=options.fix))
    return 1 if any(finding.state == "error" for finding in findings) else 0
