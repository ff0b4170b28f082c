"""Did-you-mean for the command line: the nearest command or option for one that there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..problems import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def parse(parser: argparse.ArgumentParser, given: Sequence[str]) -> argparse.Namespace:
    """Parse arguments as argparse does; what it does not know is named with what is nearest to it.

    Raises:
        SystemExit: 2, with the usage on standard error.
    """
    commands = commands_of(parser)
    if given and not given[0].startswith("-") and given[0] not in commands:
        parser.error(f"there is no command {given[0]!r}{_nearest(given[0], commands, _all(commands))}")
    if given and given[0].startswith("--settings"):
        parser.error("the command comes first: lorads COMMAND --settings FILE")
    options, unknown = parser.parse_known_args(given)
    if unknown:
        command = commands[given[0]]
        parser = command if unknown[0].startswith("-") else parser
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown[0], _options(command), '')}")
    return options


def subparsers_of(parser: argparse.ArgumentParser) -> Subparsers:
    """Return the action that holds the parsers of all commands."""
    return cast("Subparsers", next(each for each in parser._actions if isinstance(each.choices, dict)))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there is no other way


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of all commands, by name."""
    return cast("Mapping[str, argparse.ArgumentParser]", subparsers_of(parser).choices)


def _options(command: argparse.ArgumentParser) -> list[str]:
    return list(command._option_string_actions)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _all(commands: Mapping[str, object]) -> str:
    return f"; there are: {', '.join(commands)}"


def _nearest(word: str, known: Sequence[str] | Mapping[str, object], otherwise: str) -> str:
    hint = did_you_mean(word.partition("=")[0], known)
    return f"; {hint}" if hint else otherwise
