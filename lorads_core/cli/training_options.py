"""Command-line options of a training config: one for each row of `training_fields`, and presets."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base_models import FAMILIES
from ..checkpoints import base_model_of, fitting_base_models, read_checkpoint
from ..errors import SettingsError, TrainerError
from ..model import Problem
from ..system.nvidia import graphics_cards
from ..trainers.cards import CardError, card_setting, set_for_card
from ..trainers.defaults import make_config
from ..trainers.extra import parse_extra
from ..trainers.presets import PRESETS, find_preset, go_on_from
from ..trainers.rivals import over
from ..training_fields import TRAINING_FIELDS, TrainingField, training_field
from ..workflow.writing import WRITING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..checkpoints import BaseModelChoice
    from ..model import TrainingConfig
    from ..trainers.cards import Card

    Group = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

TRAINING_PREFIX = "training_"
TRAINER_OPTION = "writing_trainer"
"""What the parser stores the trainer as."""
AUTO = -1.0
"""The memory of the card that is found, as the option ``--vram auto`` stores it."""
_AUTO_WORD = "auto"
# Of files alone; the name of a repository may end in a dot and a number.
_MODEL_SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf"})
_NAMES = tuple(each.label for each in FAMILIES)  # a help text that starts with one keeps its capital


def add_training_options(group: Group) -> None:
    """Add the options.

    An option that is not given has no value at all, so that defaults can follow those that are.
    """
    group.add_argument(
        "--preset", metavar="NAME",
        help=f"values that belong together, under other options: {_preset_names()}",
    )  # fmt: skip
    group.add_argument(
        "--vram", type=_gigabytes, metavar="GB",
        help="memory of the card, or auto: what fits into it",
    )  # fmt: skip
    for each in TRAINING_FIELDS:
        _add(group, each)


def add_some_training_options(group: Group, names: Sequence[str]) -> None:
    """Add the options of a few rows, which `given_options` reads."""
    for name in names:
        _add(group, training_field(name))


def _add(group: Group, each: TrainingField) -> None:
    group.add_argument(
        each.flag, dest=f"{TRAINING_PREFIX}{each.name}", default=argparse.SUPPRESS, help=_help(each), **_how(each)
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
    is_name = each.help.startswith(_NAMES) or not each.help.split()[0][1:].rstrip(":,.").islower()
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


def _preset_names() -> str:
    """Return the names of all presets for any trainer; those of guides and cards in one each, as they are many."""
    named = [f'"{name}"' for name in dict.fromkeys(each.name for each in PRESETS if not each.trainer)]
    return ", ".join([*named, '"subject (...)" of a trainer\'s guide', '"card of N GB (trainer)"'])


class ChosenTraining(NamedTuple):
    """The training config of a command line, and what was chosen for it beside the options, as steps to show.

    ``card`` is the graphics memory in GB that was given or found, None where there was no question of it. ``unfit``
    says why nothing was chosen for it, None where something was.
    """

    config: TrainingConfig
    steps: tuple[tuple[str, str], ...]
    card: float | None
    unfit: CardError | None = None


def chosen_training(
    options: argparse.Namespace,
    last: TrainingConfig | None = None,
    trainer: str | None = None,
    last_trainer: str | None = None,
) -> ChosenTraining:
    """Return the training config of a command line: its options over those of its preset and of the ``last`` export.

    The card's values are those of ``trainer``, by itself the one that the options or else the defaults name. A new card
    or another trainer than the ``last_trainer`` takes back what the row of the former card has set.

    Raises:
        SettingsError: there is no such preset for the base model, or no card is found.
    """
    given, steps = given_options(options), list[tuple[str, str]]()
    if (found := base_model_of_file(options, last)) is not None:
        given = {**given, "base_model": found.base.name}
        steps.append(("Base model", base_model_sentence(found)))
    base = given.get("base_model") or (last.base_model if last else training_field("base_model").default)
    trainer = trainer or chosen_trainer(options)
    preset = find_preset(options.preset, base, trainer) if options.preset is not None else None
    values = over({}, preset.values if preset else {}, trainer)
    is_new, unfit = bool(preset and preset.vram), None
    if card := _card(options.vram):
        try:
            row = card_setting(card.gigabytes, trainer, base)
            values = over(values, row.values, trainer)
            steps.append(("Card", card_sentence(card, row, given)))
            is_new = True
        except CardError as error:
            unfit = error
    values = over(values, given, trainer)
    if last is None:
        config = make_config({name: value for name, value in values.items() if value is not None})
        return ChosenTraining(config, tuple(steps), card.gigabytes if card else None, unfit)
    before = _of_the_former_card(last, last_trainer or trainer, trainer, is_new=is_new)
    config = go_on_from(last, {**dict.fromkeys(before), **values})
    if taken := {name: value for name, value in before.items() if name not in values}:
        steps.append(("Former card", f"no longer {_said(taken)}, which its setting had"))
    return ChosenTraining(config, tuple(steps), card.gigabytes if card else None, unfit)


def _of_the_former_card(last: TrainingConfig, last_trainer: str, trainer: str, *, is_new: bool) -> dict[str, Any]:
    """Return what the row of the card that the ``last`` export was for has set, if it no longer holds."""
    if not is_new and trainer == last_trainer:
        return {}
    return set_for_card(last, last_trainer, wholly=not is_new)


def training_config(options: argparse.Namespace, last: TrainingConfig | None = None) -> TrainingConfig:
    """Return the config of `chosen_training` alone.

    Raises:
        SettingsError: as there.
    """
    return chosen_training(options, last).config


def base_model_of_file(options: argparse.Namespace, last: TrainingConfig | None = None) -> BaseModelChoice | None:
    """Return the base model that the checkpoint of a command line is certainly of the family of.

    None where a base model is given, where the default or that of the ``last`` export can be it, or where the file does
    not tell.
    """
    given = given_options(options)
    checkpoint = given.get("checkpoint", "")
    if "base_model" in given or not checkpoint or not _is_there(Path(checkpoint)):
        return None
    try:
        found = read_checkpoint(Path(checkpoint))
    except TrainerError:  # the export says so
        return None
    usual = last.base_model if last else training_field("base_model").default
    if any(each.name == usual for each in fitting_base_models(found)):
        return None
    return base_model_of(found)


def base_model_sentence(chosen: BaseModelChoice) -> str:
    """Say which base model was taken from a file, and which others may be meant."""
    if not chosen.others:
        return f"{chosen.base.label}, as the checkpoint says"
    others = ", ".join(each.name for each in chosen.others)
    return f"{chosen.base.label}, a guess; --base-model names another of the same tensors: {others}"


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the training options that a command line gives, by the names of `training_fields`."""
    return _typed(
        {
            name.removeprefix(TRAINING_PREFIX): value
            for name, value in vars(options).items()
            if name.startswith(TRAINING_PREFIX)
        }
    )


def _gigabytes(text: str) -> float:
    """Read the graphics memory of a card: 12, or 12GB; `AUTO` for the one that is found."""
    if text.strip().lower() == _AUTO_WORD:
        return AUTO
    number = text.strip().lower().removesuffix("b").removesuffix("g").strip()
    try:
        found = float(number)
    except ValueError:
        found = 0.0
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no graphics memory: give it in GB, e.g. 12, or auto")
    return found


class _ChosenCard(NamedTuple):
    """The card that a command line asks for: ``name`` is empty where its memory was given as a number."""

    gigabytes: float
    name: str = ""


def _card(vram: float | None) -> _ChosenCard | None:
    """Return the card to choose values for; of several that are found the smallest, as any may be trained on.

    Raises:
        SettingsError: none is found.
    """
    if vram is None or vram != AUTO:
        return None if vram is None else _ChosenCard(vram)
    cards = graphics_cards()
    if not cards:
        raise SettingsError(
            "No NVIDIA card answers here (nvidia-smi): give the memory of the card that trains, e.g. --vram 12."
        )
    smallest = min(cards, key=lambda each: each.memory)
    return _ChosenCard(smallest.gigabytes, smallest.name)


def card_sentence(card: _ChosenCard, row: Card, given: Mapping[str, Any]) -> str:
    """Say which card was taken, what that sets beside the ``given`` options, and where it is from."""
    last = over(row.values, given, row.trainer)
    values = _said({name: value for name, value in row.values.items() if name not in given and last[name] is not None})
    found = f"{card.name}, {card.gigabytes:g} GB; " if card.name else ""
    return f"{found}setting for {row.vram} GB or more: {values or 'nothing but what is given'} ({row.source})"


def _said(values: Mapping[str, Any]) -> str:
    named = ((training_field(name).title.removeprefix("number of "), _shown(value)) for name, value in values.items())
    return ", ".join(f"{name} {shown}" for name, shown in named)


def _shown(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def chosen_trainer(options: argparse.Namespace, last: Mapping[str, Any] | None = None) -> str:
    """Return the trainer that a command writes for: of its options, of the last export's, or the usual one."""
    return vars(options).get(TRAINER_OPTION) or (last or {}).get("trainer") or WRITING["trainer"]


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of the command line as those of a config: several lines are one value."""
    return {name: _value(training_field(name), value) for name, value in given.items()}


def missing_files(config: TrainingConfig) -> list[Problem]:
    """Return a warning for each model file that is not on this machine; a trainer elsewhere may have it."""
    files = {"checkpoint": config.checkpoint, **config.model_files, "initial_lora": config.initial_lora}
    return [
        Problem(
            "warning",
            "missing-file",
            f"It is not on this machine: check {training_field(name).flag}, unless the trainer runs elsewhere.",
            file,
        )
        for name, file in files.items()
        if Path(file).is_absolute() and not _is_there(Path(file))
    ]


def _whole_path(each: TrainingField, value: str) -> str:
    """Return the absolute path of a file or folder, as trainers run in folders of their own; a repository stays.

    Raises:
        SettingsError: a relative path names a file that is not there.
    """
    path = Path(value).expanduser()
    if _is_there(path) or value.startswith("~"):
        return str(path.absolute())
    if path.suffix.lower() in _MODEL_SUFFIXES and not path.is_absolute():
        raise SettingsError(f"There is no file {path.absolute()}: check {each.flag}, or give its absolute path.")
    return value


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _value(each: TrainingField, value: Any) -> Any:  # noqa: ANN401 - of the option's own type
    match each.kind:
        case "lines":
            return tuple(value)
        case "toml":
            return parse_extra("\n".join(value), each.title)
        case "file":
            return _whole_path(each, value)
        case _:
            return value
