"""Presets of training options for families of base models, and which options count for a config."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..base_models import FAMILIES, base_model
from ..errors import SettingsError
from ..training_fields import ANY, TRAINING_FIELDS, training_field
from .defaults import change_config

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def _card(vram: int, family: str, source: str, swapped: int, batch: int = 1) -> Preset:
    """Return the preset of a card: the base model in 8 bits, ``swapped`` of its blocks in RAM."""
    values = {"batch_size": batch, "fp8_base": True, "blocks_to_swap": swapped, "optimizer": "AdamW8bit"}
    return Preset(f"card of {vram} GB", (family,), values, source, vram)


_FLUX_CARDS = "sd-scripts 0.10.1, docs/flux_train_network.md, recommended settings by GPU memory"
_HUNYUAN_CARDS = "sd-scripts 0.10.1, docs/hunyuan_image_train_network.md, recommended settings by GPU memory"
_QWEN_CARDS = "musubi-tuner 0.3.4, docs/qwen_image.md: 1024 × 1024, batches of one image, 64 GB of RAM for swapping"

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
    _card(24, "flux", _FLUX_CARDS, 0, batch=2),
    _card(12, "flux", _FLUX_CARDS, 16),
    _card(10, "flux", _FLUX_CARDS, 22),
    _card(8, "flux", _FLUX_CARDS, 28),
    _card(24, "hunyuan_image", _HUNYUAN_CARDS, 9),
    _card(12, "hunyuan_image", _HUNYUAN_CARDS, 32),
    _card(8, "hunyuan_image", _HUNYUAN_CARDS, 37),
    _card(30, "qwen_image", _QWEN_CARDS, 0),
    _card(24, "qwen_image", _QWEN_CARDS, 16),
    _card(12, "qwen_image", _QWEN_CARDS, 45),
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


def card_preset(vram: float, base: str) -> Preset:
    """Return the preset for the largest card of at most ``vram`` GB, for the base model ``base``.

    Raises:
        SettingsError: there is none for this base model, or none for so small a card.
    """
    chosen = base_model(base)
    cards = [each for each in PRESETS if each.vram and chosen.family.name in each.families]
    if not cards:
        known = ", ".join(dict.fromkeys(family for each in PRESETS if each.vram for family in each.families))
        raise SettingsError(
            f"No trainer's own table says what fits which card for {chosen.label}: leave the card out, and set batch"
            f" size, fp8 and blocks to swap yourself. There are tables for {known}."
        )
    fitting = [each for each in cards if each.vram <= vram]
    if not fitting:
        least = min(each.vram for each in cards)
        raise SettingsError(f"{chosen.label} does not fit on a card of {vram:g} GB: the smallest known has {least} GB.")
    return max(fitting, key=lambda each: each.vram)


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
