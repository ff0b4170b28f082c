"""Presets of training options by name (`preset_table`), and how a config goes on from another one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..base_models import base_model
from ..errors import SettingsError
from ..problems import did_you_mean
from ..training_fields import TRAINING_FIELDS
from .defaults import change_config, counts
from .preset_table import PRESETS, Preset

__all__ = ["PRESETS", "Preset"]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import TrainingConfig


def preset_values(preset: Preset) -> dict[str, Any]:
    """Return all values of a preset: None for what it leaves unset, which a person's own fields are not among."""
    unset: dict[str, Any] = {
        each.name: None if each.unset else each.default for each in TRAINING_FIELDS if not each.own
    }
    return unset | {**preset.values}


def preset_names(family: str | None = None) -> tuple[str, ...]:
    """Return the names of all presets, or of a family's."""
    return tuple(dict.fromkeys(each.name for each in PRESETS if family is None or family in each.families))


def find_preset(name: str, base: str, trainer: str = "") -> Preset:
    """Return the preset called ``name`` for the base model ``base`` and, if it is known, the trainer.

    Raises:
        SettingsError: there is none for it, where the message names those there are, or it says what fits a card with
            another trainer.
    """
    family = base_model(base).family.name
    for each in PRESETS:
        if each.name == name and family in each.families:
            if each.vram and trainer and trainer != each.trainer:
                raise SettingsError(
                    f"The preset {name!r} says what fits with {each.trainer}, and not with {trainer}: use --vram"
                    f" {each.vram}, which takes what {trainer} itself says, or --trainer {each.trainer}."
                )
            return each
    names = preset_names(family)
    hint, known = did_you_mean(name, names), ", ".join(f'"{known}"' for known in names)
    choice = f"{hint} Choose one of {known}." if hint else f"choose one of {known}."
    raise SettingsError(f"There is no preset {name!r} for {base_model(base).label}: {choice}")


def fitted(config: TrainingConfig) -> TrainingConfig:
    """Return a config in which fields that do not count have their defaults, as if they were not set."""
    none = {"warmup": 0.0}  # a default warm-up would stop the scheduler constant
    idle = [each for each in TRAINING_FIELDS if not counts(config, each.name)]
    away = {each.name: none.get(each.name, each.default) for each in idle if not each.is_part}
    parts = {each.name for each in idle}
    files = {part: file for part, file in config.model_files.items() if part not in parts}
    return replace(config, **away, model_files=files)


def go_on_from(known: TrainingConfig, given: Mapping[str, Any]) -> TrainingConfig:
    """Return a config with some options set, or unset where they are None; what does not count has its default.

    Files of another architecture are left behind.
    """
    base = given.get("base_model") or known.base_model
    if base_model(base).family != base_model(known.base_model).family:
        known = replace(known, checkpoint="", initial_lora="")
    return fitted(change_config(known, {**given, "base_model": base}))
