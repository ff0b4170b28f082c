"""One command of `lorads`: what all of them have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..shared_options import path, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..console import Screen
    from ..usual_options import CommandParser

    Run = Callable[[argparse.Namespace, Screen], int]
    Commands = argparse._SubParsersAction[CommandParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

EXIT_CODES = """\
exit codes:
  0 done   1 problems found   2 wrong arguments   3 settings   4 store   5 library
  6 image   7 captions   8 export   9 trainer   130 interrupted"""
DATASET = "name of the dataset; OWNER/NAME for another user's"


def add_command(commands: Commands, name: str, run: Run, summary: str, example: str) -> argparse.ArgumentParser:
    """Add a command with what all of them have, and return its parser."""
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.register("type", None, text)
    command.set_defaults(command=run, name_of_command=name)
    command.add_argument("--settings", type=path, metavar="FILE", help="settings file to use instead of lorads.toml")
    command.add_argument("--verbose", action="store_true", help="list all problems, not two examples of each kind")
    return command
