"""Recipe of a dataset, ``dataset.toml``: the options of `lorads build` as TOML; the parser's options are its keys.

It may be a stranger's: each value goes through the type and choices of its option, as on the command line.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard, cast

from ..errors import SettingsError
from ..images.files import printable_path
from ..library.layouts.document import read_document
from ..problems import did_you_mean
from ..training_fields import TRAINING_FIELDS
from .export_options import WRITING_PREFIX
from .parser import parser
from .shared_options import text
from .suggestions import commands_of
from .training_options import TRAINING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 2**20  # bytes; a recipe of a thousand tags has some 20 KB
_DIGITS = 2**63  # what the store's whole numbers hold
# Of one call of the command, not of a dataset.
_OF_A_CALL = frozenset({"help", "help_all", "settings", "verbose", "out", "plot", "dry_run", "preset", "vram"})
_FILES = frozenset(f"{TRAINING_PREFIX}{each.name}" for each in TRAINING_FIELDS if each.kind == "file")


def recipe_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return how a build chooses images and captions: its options that are not the defaults.

    The rest of a recipe is that of an export; see `workflow.recipe`.
    """
    found: dict[str, Any] = {}
    for key, action in _recipe_options(_build_command()).items():
        value = getattr(options, action.dest, None)
        if not action.dest.startswith((TRAINING_PREFIX, WRITING_PREFIX)) and value not in (None, action.default):
            found[key] = [_plain(each) for each in value] if _is_list(value) else _plain(value)
    return found


def _plain(value: object) -> object:
    """Return a value as JSON and TOML have it: a path in full, as the recipe may be used in another folder."""
    if isinstance(value, Path):
        return str(value.absolute())
    return str(value) if isinstance(value, date) else value


def recipe_file(options: argparse.Namespace) -> Path | None:
    """Return the recipe among the folders of a build, and take it out of them; None where there is none.

    Raises:
        SettingsError: there are several.
    """
    found = [each for each in options.folders if each.suffix.lower() == ".toml" and not each.is_dir()]
    if len(found) > 1:
        raise SettingsError(f"There are {len(found)} recipes: build them one after the other.")
    options.folders = [each for each in options.folders if each not in found]
    return found[0] if found else None


def apply_recipe(options: argparse.Namespace, file: Path) -> tuple[list[str], list[str]]:
    """Set the options of a recipe; return its keys that count, and those that the command line goes over.

    Raises:
        SettingsError: a key is unknown, or a value is not one of its option's.
        LibraryError: the file cannot be read, or is no TOML.
    """
    command = _build_command()
    known = _recipe_options(command)
    given = _given(command, options)
    used: list[str] = []
    values = cast("Mapping[str, object]", read_document(file, _LARGEST))
    for key, value in values.items():
        if key not in known:
            hint = did_you_mean(key, known, "keys are the options of lorads build, see its --help-all.")
            raise SettingsError(f"{printable_path(file)}: unknown key {key!r:.80}; {hint}")
        converted = _Value(file, key).converted(known[key], value)
        if known[key].dest not in given:
            setattr(options, known[key].dest, converted)
            used.append(key)
    return used, [key for key in values if key not in used]


def _build_command() -> argparse.ArgumentParser:
    return commands_of(parser(_never, _never))["build"]


def _never(*_: object) -> int:
    raise NotImplementedError  # only its options are read


def _recipe_options(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options of `lorads build` that a recipe may have, by key: ``minimum_rating`` for --minimum-rating."""
    return {
        (action.option_strings[0] if action.option_strings else action.dest)
        .removeprefix("--")
        .replace("-", "_"): action
        for action in command._actions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there is no other way
        if action.dest not in _OF_A_CALL
    }


def _given(command: argparse.ArgumentParser, options: argparse.Namespace) -> set[str]:
    """Return the options that are on the command line, by the names that argparse stores them under."""
    for action in _recipe_options(command).values():
        action.default = argparse.SUPPRESS
    given = set(vars(command.parse_args(options.given[1:])))
    return given - {"folders"} if not options.folders else given


class _Value:
    """A value of a recipe, to be what its option takes."""

    def __init__(self, file: Path, key: str) -> None:
        self._folder = file.absolute().parent
        self._name = f"{printable_path(file)}: {key}"

    def converted(self, action: argparse.Action, value: object) -> object:
        """Return it as argparse would have stored it."""
        if action.nargs == 0:
            return value if isinstance(value, bool) else self._refuse(value, "true or false")
        if _takes_several(action):
            return [self._one(action, each) for each in value] if _is_list(value) else self._refuse(value, "a list")
        return self._one(action, value)

    def _one(self, action: argparse.Action, value: object) -> object:
        kind = action.type
        if kind in (int, float):
            allowed = (int, float) if kind is float else int
            if not isinstance(value, allowed) or isinstance(value, bool) or not abs(value) < _DIGITS:
                self._refuse(value, "a number" if kind is float else "a whole number")
            return kind(value)
        if isinstance(value, date):  # TOML has them without quotes
            value = str(value)
        if not isinstance(value, str):
            self._refuse(value, "text in quotes")
        if action.choices and value not in action.choices:
            self._refuse(value, f"one of: {', '.join(map(str, action.choices))}")
        return self._text(action, value)

    def _text(self, action: argparse.Action, value: str) -> object:
        try:
            found = cast("Callable[[str], object]", action.type or text)(value)
        except argparse.ArgumentTypeError as error:
            raise SettingsError(f"{self._name} cannot be {value!r:.80}: {error}.") from None
        if isinstance(found, Path):
            return self._folder / found
        beside = self._folder / value
        return str(beside) if action.dest in _FILES and value and _is_there(beside) else found

    def _refuse(self, value: object, wanted: str) -> NoReturn:
        raise SettingsError(f"{self._name} is {value!r:.80}: it must be {wanted}.")


def _takes_several(action: argparse.Action) -> bool:
    return action.nargs == "*" or isinstance(action, argparse._AppendAction)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
