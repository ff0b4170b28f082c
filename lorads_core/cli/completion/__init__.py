"""Shell completion: what can follow each command, read from the argument parser itself."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..arguments.runs import CHECK
from ..shared_options import path
from ..suggestions import commands_of as parsers_of
from ..suggestions import subparsers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ListName = Literal["base-models", "embedders", "exports", "libraries", "taggers", "trainers", "vocabularies"]
LIST_NAMES: tuple[ListName, ...] = get_args(ListName)

_LISTS: dict[str, ListName] = {
    "base_model": "base-models",
    "embedder": "embedders",
    "library": "libraries",
    "profile": "trainers",
    "tagger": "taggers",
    "vocabulary": "vocabularies",
}
"""Options (by where argparse stores them) that take a name of the user's own: `lorads completion --list` prints it."""
_LONGEST_HELP = 70  # characters; longer lines wrap in the list that a shell shows


@dataclass(frozen=True, slots=True)
class Values:
    """What can stand as a value: fixed words, the path of a file or folder, names of the user's, or any text."""

    kind: Literal["words", "files", "list", "text"]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """An option by all its names; one without values is a flag."""

    names: tuple[str, ...]
    help: str
    values: Values | None


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its options, and what its other arguments are."""

    name: str
    help: str
    options: tuple[Option, ...]
    arguments: Values


def commands_of(parser: argparse.ArgumentParser) -> list[Command]:
    """Return the commands of a parser, in its order."""
    about = {each.dest: each.help or "" for each in subparsers_of(parser)._choices_actions}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there is no other way
    return [_command(name, about.get(name, ""), each) for name, each in parsers_of(parser).items()]


def _command(name: str, about: str, parser: argparse.ArgumentParser) -> Command:
    options = tuple(
        Option(tuple(each.option_strings), _plain(each.help or ""), _values(each))
        for each in _actions(parser)
        if each.option_strings
    )
    arguments = (_values(each) for each in _actions(parser) if not each.option_strings)
    known = (each for each in arguments if each and each.kind != "text")
    return Command(name, _plain(about), options, next(known, Values("text")))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from parser._actions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _values(action: argparse.Action) -> Values | None:
    if action.nargs == 0:
        return None
    if action.choices is not None:
        return Values("words", tuple(map(str, action.choices)))
    if action.metavar == CHECK:  # a word, not what stands for one
        return Values("words", (CHECK,))
    if action.metavar == "EXPORT":
        return Values("list", ("exports",))
    if action.option_strings and action.dest in _LISTS:
        return Values("list", (_LISTS[action.dest],))
    return Values("files" if action.type is path else "text")


def _plain(text: str) -> str:
    """Return the first sentence of a help text in ASCII, which shells of every code page read."""
    if text == argparse.SUPPRESS:
        return ""
    first = text.partition(" (")[0].partition(";")[0].partition(":")[0]
    line = " ".join(first.replace("%%", "%").encode("ascii", "ignore").decode().split())
    return line if len(line) <= _LONGEST_HELP else f"{line[: _LONGEST_HELP - 3]}..."
