"""Command-line options of a training config: one for each row of `training_fields`, and presets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base_models import FAMILIES
from ..trainers.defaults import make_config
from ..trainers.extra import parse_extra
from ..trainers.presets import find_preset, preset_names
from ..training_fields import TRAINING_FIELDS, TrainingField, training_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model import TrainingConfig

    Group = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

_PREFIX = "training_"
_NAMES = tuple(each.label for each in FAMILIES)  # a help text that starts with one keeps its capital


def add_training_options(group: Group) -> None:
    """Add the options.

    An option that is not given has no value at all, so that defaults can follow those that are.
    """
    group.add_argument(
        "--preset", metavar="NAME",
        help=f"values that belong together, which other options override: {_listed(preset_names())}",
    )  # fmt: skip
    for each in TRAINING_FIELDS:
        _add(group, each)


def add_some_training_options(group: Group, names: Sequence[str]) -> None:
    """Add the options of a few rows, which `given_options` reads."""
    for name in names:
        _add(group, training_field(name))


def _add(group: Group, each: TrainingField) -> None:
    group.add_argument(
        each.flag, dest=f"{_PREFIX}{each.name}", default=argparse.SUPPRESS, help=_help(each), **_how(each)
    )


def _how(each: TrainingField) -> dict[str, Any]:
    """Return how argparse reads the option of a row."""
    match each.kind:
        case "flag" | "switch":
            return {"action": argparse.BooleanOptionalAction}
        case "choice":
            return {"metavar": "NAME"} if each.is_open else {"choices": each.choices()}
        case "whole":
            return {"type": int, "metavar": "N"}
        case "number":
            return {"type": float, "metavar": "X"}
        case "lines" | "toml":
            return {"metavar": "PROMPT" if each.kind == "lines" else "KEY=VALUE", "action": "append"}
        case "file" | "text":
            return {"metavar": "FILE" if each.kind == "file" else "TEXT"}


def _help(each: TrainingField) -> str:
    is_name = each.help.startswith(_NAMES) or not each.help[1].islower()
    text = each.help if is_name else each.help[0].lower() + each.help[1:]
    text = text.removesuffix(".")
    default = each.unset or each.zero or default_text(each)
    text += f": {', '.join(each.choices())}, or one of lorads.toml" if each.is_open else ""
    return f"{text}{f' (default: {default})' if default else ''}".replace("%", "%%")


def default_text(each: TrainingField) -> str:
    """Return the default of a row as a person reads it; empty where there is none."""
    if isinstance(each.default, bool):
        return "on" if each.default else "off"
    return f"{each.default:g}" if isinstance(each.default, float) else str(each.default or "")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def training_config(options: argparse.Namespace) -> TrainingConfig:
    """Return the training config of a command line: its options over those of its preset.

    Raises:
        SettingsError: there is no such preset for the base model.
    """
    given = given_options(options)
    return make_config(_preset(options.preset, given) | given)


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the training options that a command line gives, by the names of `training_fields`."""
    return _typed(
        {name.removeprefix(_PREFIX): value for name, value in vars(options).items() if name.startswith(_PREFIX)}
    )


def _preset(name: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    if name is None:
        return {}
    return {**find_preset(name, given.get("base_model", training_field("base_model").default)).values}


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of the command line as those of a config: several lines are one value."""
    return {name: _value(training_field(name), value) for name, value in given.items()}


def _whole_path(value: str) -> str:
    """Return the whole path of a file that is here, as trainers run in folders of their own; a repository stays."""
    path = Path(value).expanduser()
    return str(path.absolute()) if path.is_file() else value


def _value(each: TrainingField, value: Any) -> Any:  # noqa: ANN401 - of the option's own type
    match each.kind:
        case "lines":
            return tuple(value)
        case "toml":
            return parse_extra("\n".join(value))
        case "file":
            return _whole_path(value)
        case _:
            return value
