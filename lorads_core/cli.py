"""The `lorads` command: words in, sentences out; what it does lies in the modules below it."""

from __future__ import annotations

import argparse
import io
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .errors import LoradsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from .show import Screen

_INTERRUPTED = 130
_EXIT_CODES = """\
exit codes:
  0 done   2 wrong arguments   3 settings   4 store   5 library   6 image
  7 captions   8 export   9 trainer   130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors that a user can mend are one line, all others a traceback."""
    options = _parser().parse_args(arguments)
    from .show import Screen  # noqa: PLC0415 - `lorads --help` needs no terminal library

    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal or a pipe whose code page lacks a letter still gets the rest
            stream.reconfigure(errors="backslashreplace")
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


# Words


def _text(word: str) -> str:
    """Refuse a word that is no text: it could be neither stored nor shown."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("it is not valid UTF-8") from None
    return word


def _path(word: str) -> Path:
    """Refuse an empty path, which would mean the current folder: most often a variable that is not set."""
    if not word:
        raise argparse.ArgumentTypeError("it is empty; write . for the current folder")
    try:
        return Path(_text(word)).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"there is no such user: {word}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lorads",
        description="From a picture library to a training-ready LoRA dataset.",
        epilog=f"example:\n  lorads demo\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lorads {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _index_words(
        _command(
            commands,
            "index",
            _story,
            "read the pictures of folders into a library",
            "lorads index ~/Pictures --sidecar .txt=wd",
        )
    )
    build = _command(
        commands,
        "build",
        _story,
        "folders of pictures to a dataset that a trainer takes",
        "lorads build ~/Pictures/tom --trigger tomcat --regularization ~/Pictures/cats",
    )
    build.add_argument("folders", nargs="+", type=_path, metavar="FOLDER", help="folder with training pictures")
    _build_words(build)
    demo = _command(
        commands,
        "demo",
        _story,
        "the same with sample pictures, or with a folder of yours",
        "lorads demo\n  lorads demo ~/Pictures/tom --trigger tomcat",
    )
    demo.add_argument("folders", nargs="*", type=_path, metavar="FOLDER", help="folder instead of the sample pictures")
    _build_words(demo)
    _command(commands, "doctor", _doctor, "say what is wrong with the set-up, and how to mend it", "lorads doctor")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],  # pyright: ignore[reportPrivateUsage]
    name: str,
    run: Callable[[argparse.Namespace, Screen], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=run, name_of_command=name)
    command.add_argument("--settings", type=_path, metavar="FILE", help="settings instead of the usual lorads.toml")
    return command


def _index_words(command: argparse.ArgumentParser) -> None:
    command.add_argument("folders", nargs="+", type=_path, metavar="FOLDER", help="folder; those below it count too")
    _reading_words(command)


def _reading_words(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library", type=_text, default="pictures", help="library to keep them in (default: %(default)s)"
    )
    command.add_argument(
        "--sidecar",
        action="append",
        default=[],
        metavar=".SUFFIX=SOURCE",
        help="what text files beside pictures hold: .txt=wd, .txt=joytag, .caption=joycaption …"
        " (default: .txt=sidecar .caption=joycaption)",
    )
    command.add_argument("--follow-links", action="store_true", help="follow symbolic links (default: leave them out)")


def _build_words(command: argparse.ArgumentParser) -> None:
    from .bases import BASE_MODEL_NAMES  # noqa: PLC0415 - words of the tables, read when they are shown

    command.add_argument("--name", type=_text, help="the dataset's name (default: the trigger)")
    command.add_argument("--trigger", type=_text, default="", help="the word that shall call the concept")
    command.add_argument("--trigger-position", choices=["prepend", "append", "none"], default="prepend")
    command.add_argument("--regularization", type=_path, metavar="FOLDER", help="folder with regularization pictures")
    _reading_words(command)
    choosing = command.add_argument_group("choosing")
    choosing.add_argument("--require", action="append", default=[], metavar="TAG", help="only images with this tag")
    choosing.add_argument("--exclude", action="append", default=[], metavar="TAG", help="no images with this tag")
    choosing.add_argument("--minimum-rating", type=int, metavar="0-10")
    choosing.add_argument("--minimum-side", type=int, default=0, metavar="PIXELS", help="of the shorter side")
    choosing.add_argument("--maximum-images", type=int, metavar="N")
    choosing.add_argument("--order", default="path", help="path, newest, oldest, rating, largest or random")
    choosing.add_argument("--seed", type=int, default=0, help="of the order random")
    captions = command.add_argument_group("captions")
    captions.add_argument("--caption", default="sidecar", metavar="SOURCE", help="source (default: %(default)s)")
    captions.add_argument("--fallback", action="append", default=[], metavar="SOURCE", help="where the source has none")
    training = command.add_argument_group("training")
    training.add_argument("--base-model", choices=BASE_MODEL_NAMES, default="sdxl")
    training.add_argument("--checkpoint", type=_text, default="", metavar="FILE", help="the base model's file")
    training.add_argument("--resolution", type=int, default=1024)
    training.add_argument("--batch-size", type=int, default=2)
    training.add_argument("--epochs", type=int, default=10)
    training.add_argument("--repeats", type=int, default=10)
    training.add_argument("--network-dim", type=int, default=16)
    training.add_argument("--network-alpha", type=float, default=8.0)
    training.add_argument("--learning-rate", type=float, default=1e-4)
    writing = command.add_argument_group("writing")
    writing.add_argument(
        "--out", type=_path, metavar="FOLDER", help="folder of all exports (default: ./lorads-exports)"
    )
    writing.add_argument(
        "--images",
        default="original",
        metavar="POLICY",
        help="original (sound files as they are), normalised, max_side=N or max_area=N (default: %(default)s)",
    )


# Commands


def _story(options: argparse.Namespace, screen: Screen) -> int:
    # Their libraries take a while to load, and `doctor` must run where one of them is missing.
    from .commands import COMMANDS  # noqa: PLC0415

    return COMMANDS[options.name_of_command](options, screen)


def _doctor(options: argparse.Namespace, screen: Screen) -> int:
    from .doctor import examine  # noqa: PLC0415

    findings = screen.findings(examine(options.settings))
    return 1 if any(finding.state == "error" for finding in findings) else 0
