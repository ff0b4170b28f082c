"""Presets of training options for families of base models, and which options count for a config."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..base_models import FAMILIES, base_model
from ..errors import SettingsError
from ..training_fields import ANY, TRAINING_FIELDS, training_field
from .cards import CARDS
from .defaults import change_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import TrainingConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """Options that belong together, for all base models of some families (all of them where none is named).

    ``values`` are fields of a training config, ``source`` is where they come from. ``vram`` is the graphics memory in
    GB of the card for which they are, 0 where they are for no card in particular.
    """

    name: str
    named: tuple[str, ...]
    values: Mapping[str, Any]
    source: str
    vram: int = 0

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that it is for."""
        return self.named or tuple(each.name for each in FAMILIES)


_ALL = ()


_NAMED = ("sd-scripts", "musubi-tuner")
"""Trainers whose rows of cards are presets, which know no trainer: other trainers have the options of most of them."""


def _cards() -> Iterator[Preset]:
    for each in CARDS:
        if each.trainer in _NAMED:
            yield Preset(f"card of {each.vram} GB", each.models, each.values, each.source, each.vram)


PRESETS: tuple[Preset, ...] = (
    Preset("defaults", _ALL, {}, "LoRADS: the defaults"),
    Preset(
        "subject (sd-scripts' guide)",
        ("sdxl",),
        {"network_dim": 32, "learning_rate": 1e-4, "optimizer": "AdamW8bit", "scheduler": "constant"},
        "sd-scripts 0.10.1, docs/sdxl_train_network.md; text encoders left alone, as their outputs are cached",
    ),
    Preset(
        "anime character or style (Prodigy)",
        ("sdxl",),
        {
            "network_dim": 16,
            "network_alpha": 16.0,
            "optimizer": "Prodigy",
            "learning_rate": 1.0,
            "scheduler": "cosine",
            "warmup": 0.0,
            "shuffle_caption": True,
            "min_snr_gamma": 5.0,
        },
        "Prodigy's README (learning rate 1, cosine without warm-up); Min-SNR's paper (gamma 5); tags are shuffled",
    ),
    Preset(
        "subject (OneTrainer's preset)",
        ("sd15", "sdxl"),
        {
            "network_alpha": 1.0,
            "learning_rate": 3e-4,
            "batch_size": 4,
            "optimizer": "AdamW",
            "scheduler": "constant",
        },
        "OneTrainer, training_presets/SD1.5 and SDXL, '#... LoRA'; its defaults of rank and alpha",
    ),
    Preset(
        "subject with text encoder",
        ("sd15",),
        {"network_dim": 32, "network_alpha": 16.0, "text_encoder_learning_rate": 5e-5, "min_snr_gamma": 5.0},
        "sd-scripts 0.10.1, docs/train_network.md: the text encoder at half the learning rate",
    ),
    Preset(
        "subject (ai-toolkit's example)",
        ("flux",),
        {"network_alpha": 16.0, "batch_size": 1, "learning_rate": 1e-4, "caption_dropout": 0.05},
        "ai-toolkit, config/examples/train_lora_flux_24gb.yaml",
    ),
    Preset(
        "subject (sd-scripts' guide)",
        ("flux",),
        {"network_alpha": 1.0, "batch_size": 1, "learning_rate": 1e-4, "scheduler": "constant"},
        "sd-scripts 0.10.1, docs/flux_train_network.md",
    ),
    Preset(
        "low VRAM",
        _ALL,
        {"network_dim": 8, "network_alpha": 4.0, "batch_size": 1, "gradient_accumulation_steps": 4},
        "LoRADS: batches of one image, four to a step; 8-bit optimizer",
    ),
    *_cards(),
    Preset(
        "quick test",
        _ALL,
        {"network_dim": 4, "network_alpha": 4.0, "epochs": 2, "repeats": 1, "batch_size": 1},
        "LoRADS: to check that everything runs, not to learn much",
    ),
)


def preset_values(preset: Preset) -> dict[str, Any]:
    """Return all values of a preset: None for what it leaves unset, which a person's own fields are not among."""
    unset: dict[str, Any] = {
        each.name: None if each.unset else each.default for each in TRAINING_FIELDS if not each.own
    }
    return unset | {**preset.values}


def preset_names(family: str | None = None) -> tuple[str, ...]:
    """Return the names of all presets, or of a family's."""
    return tuple(dict.fromkeys(each.name for each in PRESETS if family is None or family in each.families))


def find_preset(name: str, base: str) -> Preset:
    """Return the preset called ``name`` for the base model ``base``.

    Raises:
        SettingsError: there is none for it; the message names those there are.
    """
    family = base_model(base).family.name
    for each in PRESETS:
        if each.name == name and family in each.families:
            return each
    known = ", ".join(f'"{known}"' for known in preset_names(family))
    raise SettingsError(f"There is no preset {name!r} for {base_model(base).label}: choose one of {known}.")


def counts(config: TrainingConfig, name: str) -> bool:
    """Tell whether a field of a config counts, as its other fields stand."""
    when = training_field(name).when
    fits = all(_fits(getattr(config, other), wanted) for other, wanted in when.values.items())
    return fits and when.fits(base_model(config.base_model).family)


def _fits(value: object, wanted: tuple[str, ...]) -> bool:
    if ANY in wanted:
        return bool(value)
    return (str(value).lower() if isinstance(value, bool) else str(value)) in wanted


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
