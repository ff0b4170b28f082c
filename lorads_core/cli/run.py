"""Runner of the `lorads` command line: arguments in, exit code out; each command lies in a module of its own."""

from __future__ import annotations

import dataclasses
import io
import logging
import sys
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..system import notices
from .output import written_output
from .parser import parser
from .suggestions import parse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from .console import Screen


def run(arguments: Sequence[str] | None) -> int:
    """Run one command, by its arguments or those of this process; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe whose code page lacks a letter still gets the rest; help texts have such letters too.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(parser(_story, _doctor), given)
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
    from . import commands  # noqa: PLC0415

    return commands.run(options, screen)


def _doctor(options: argparse.Namespace, screen: Screen) -> int:
    from .doctor import examine  # noqa: PLC0415

    found = examine(options.settings, fix=options.fix)
    findings = list(found) if options.json else screen.findings(found)
    if options.json:
        screen.json([dataclasses.asdict(each) for each in findings])
    return 1 if any(finding.state == "error" for finding in findings) else 0
