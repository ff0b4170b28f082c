"""Argument parser of the `lorads` command: the arguments and help of every command; it runs none of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import __version__
from .arguments import captions, datasets, library, runs, setup
from .arguments.command import EXIT_CODES
from .usual_options import CommandParser

if TYPE_CHECKING:
    from .arguments.command import Run


def parser(story: Run, doctor: Run) -> argparse.ArgumentParser:
    """Return the parser of all commands; the chosen one is in ``command``, its name in ``name_of_command``."""
    found = argparse.ArgumentParser(
        prog="lorads",
        description="From an image library to a trained LoRA: select, caption, export, train.",
        epilog=f"example:\n  lorads demo\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action="version", version=f"lorads {__version__}")
    commands = found.add_subparsers(required=True, metavar="command", parser_class=CommandParser)
    datasets.add_story(commands, story)
    datasets.add_existing_sets(commands, story)
    library.add_choosing(commands, story)
    captions.add_captions(commands, story)
    datasets.add_datasets(commands, story)
    datasets.add_exports(commands, story)
    runs.add_runs(commands, story)
    captions.add_panel(commands, story)
    library.add_judging(commands, story)
    setup.add_store(commands, story)
    setup.add_init(commands, story)
    setup.add_doctor(commands, doctor)
    setup.add_completion(commands, story)
    return found
