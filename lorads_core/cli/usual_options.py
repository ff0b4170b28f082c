"""Usual options: which options ``--help`` shows of commands that have many; ``--help-all`` shows all of them."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

_SELECTING = ("--library", "--folder", "--cluster", "--album", "--require", "--exclude", "--minimum-rating")
_TRAINING = (
    *("--preset", "--vram", "--base-model", "--checkpoint", "--network", "--network-dim", "--resolution"),
    *("--batch-size", "--epochs", "--repeats", "--steps", "--learning-rate"),
)
_BUILDING = (
    *("--name", "--trigger", "--duplicates", "--regularization", "--find-regularization", "--class"),
    *("--cluster", "--require", "--exclude", "--minimum-rating"),
    *("--caption", "--fallback", "--leave-out", *_TRAINING, "--trainer", "--images", "--out", "--dry-run"),
)
USUAL: Mapping[str, Sequence[str]] = {
    "build": _BUILDING,
    "demo": ("--trigger", "--regularization", *_TRAINING, "--trainer", "--out"),
    "export": (*_TRAINING, "--trainer", "--images", "--out", "--fresh", "--dry-run"),
    "query": (
        *(*_SELECTING, "--favorite", "--nsfw", "--made-with-checkpoint", "--made-with-lora"),
        *("--order", "--maximum-images", "--duplicates", "--paths", "--json", "--sheet"),
    ),
    "regularize": (*_SELECTING, "--among", "--count", "--class", "--without", "--band", "--sheet", "--histogram"),
    "captions": (
        *("--base-model", "--show", "--sources", "--analysis", "--history", "--undo", "--redo"),
        *("--add-tag", "--remove-tag", "--replace-tag", "--find", "--replace", "--trigger", "--apply", "--containing"),
    ),
    "embed": (*_SELECTING, "--embedder"),
    "tag": (*_SELECTING, "--tagger", "--again"),
    "rate": (*_SELECTING, "--all", "--id"),
    "mark": (*_SELECTING, "--all", "--id"),
    "unindex": (*_SELECTING, "--all", "--id", "--missing"),
    "album": (*_SELECTING, "--all", "--id", "--remove"),
    "cluster": (*_SELECTING, "--smallest", "--list", "--rename"),
}
"""By command; the help and the usage of one that is not here show all of its options."""


class CommandParser(argparse.ArgumentParser):
    """Parser of one command, whose ``--help`` and usage show the usual options."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**how)
        self.usual = USUAL.get((self.prog or "").rpartition(" ")[2], ())
        if self.usual:
            self.add_argument("--help-all", action=_HelpAll, help="show all options of this command, and exit")

    def format_usage(self) -> str:
        """Return the usage with the usual options."""
        with self._usual_only():
            return super().format_usage()

    def format_help(self) -> str:
        """Return the help with the usual options; its last line says how many more there are."""
        with self._usual_only() as hidden:
            text = super().format_help()
        return f"{text}\n{self.prog} --help-all shows {hidden} more options\n" if hidden else text

    def format_all(self) -> str:
        """Return the help with all options."""
        return super().format_help()

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - argparse's own
        """Name what was probably meant besides all choices."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if hint := did_you_mean(str(value), map(str, action.choices or ())):
                raise argparse.ArgumentError(action, f"{error.message}; {hint}") from None
            raise

    @contextmanager
    def _usual_only(self) -> Generator[int]:
        """Hide all options but the usual ones for a while."""
        shown = {*self.usual, "--help", "--help-all"}
        hidden = [action for action in self._actions if self.usual and _is_hidden(action, shown)]
        helps = [action.help for action in hidden]
        for action in hidden:
            action.help = argparse.SUPPRESS
        try:
            yield len(hidden)
        finally:
            for action, text in zip(hidden, helps, strict=True):
                action.help = text


def _is_hidden(action: argparse.Action, shown: set[str]) -> bool:
    return bool(action.option_strings) and not action.required and shown.isdisjoint(action.option_strings)


class _HelpAll(argparse.Action):
    """Option that prints the help with all options, and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print and exit."""
        sys.stdout.write(parser.format_all() if isinstance(parser, CommandParser) else parser.format_help())
        parser.exit()
