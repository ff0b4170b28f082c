"""Presets of training figures for kinds of base models, and which figures count for which; no trainer is known here."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ..base_models import FAMILIES, Family, base_model, model_parts
from ..model import TrainingConfig
from ..networks import networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings that belong together, for all base models of some families (all of them where none is named).

    ``values`` are fields of a training config, ``source`` is where they come from.
    """

    name: str
    named: tuple[str, ...]
    values: Mapping[str, Any]
    source: str

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that it is for."""
        return self.named or tuple(each.name for each in FAMILIES)


@dataclass(frozen=True, slots=True)
class Only:
    """When a field of a training config counts: for families of which ``fits`` is true, and with these other values."""

    fits: Callable[[Family], bool] = lambda _: True
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that the field counts for."""
        return tuple(each.name for each in FAMILIES if self.fits(each))


_ALL = ()
_SLOWLY = ("cosine", "constant_with_warmup", "linear", "cosine_with_restarts", "polynomial")

PRESETS: tuple[Preset, ...] = (
    Preset("usual", _ALL, {}, "LoRADS: what a config has where nothing is said"),
    Preset(
        "subject (sd-scripts' guide)",
        ("sdxl",),
        {"network_dim": 32, "learning_rate": 1e-4, "optimizer": "AdamW8bit", "scheduler": "constant"},
        "sd-scripts 0.10.1, docs/sdxl_train_network.md; text encoders left alone, as their outputs are kept",
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
        "little memory",
        _ALL,
        {"network_dim": 8, "network_alpha": 4.0, "batch_size": 1, "gradient_accumulation_steps": 4},
        "LoRADS: batches one by one, four to a step; the optimizer in 8 bits",
    ),
    Preset(
        "a quick try",
        _ALL,
        {"network_dim": 4, "network_alpha": 4.0, "epochs": 2, "repeats": 1, "batch_size": 1},
        "LoRADS: to see that all goes through, not to learn much",
    ),
)


def _is_diffusion(family: Family) -> bool:
    return family.is_diffusion


def _has(part: str) -> Callable[[Family], bool]:
    return lambda family: part in family.parts


_KRONECKER = tuple(each.name for each in networks() if each.kronecker)

ONLY: Mapping[str, Only] = {
    **{file.part: Only(_has(file.part)) for file in model_parts()},
    "v_prediction": Only(_is_diffusion),
    "min_snr_gamma": Only(_is_diffusion),
    "noise_offset": Only(_is_diffusion),
    "conv_dim": Only(values={"network": tuple(each.name for each in networks() if each.convolutions)}),
    "lokr_factor": Only(values={"network": _KRONECKER}),
    "lokr_full_rank": Only(values={"network": _KRONECKER}),
    "warmup": Only(values={"scheduler": _SLOWLY}),
}
"""What does not count always; a part stands for its file in ``model_files``.

Flow matching predicts a velocity by itself, and Min-SNR and noise offset are of noise
schedules that it does not have (sd-scripts 0.10.1, ``flux_train_network.py``)."""

# These are a user's own: a preset leaves them as they are.
_OWN = frozenset({"base_model", "checkpoint", "model_files", "sample_prompts", "seed"})


def preset_values(preset: Preset) -> dict[str, Any]:
    """Return all figures of a preset: those that it does not name are the usual ones."""
    usual = TrainingConfig()
    return {each.name: getattr(usual, each.name) for each in fields(usual) if each.name not in _OWN} | {**preset.values}


def counts(config: TrainingConfig, name: str) -> bool:
    """Tell whether a field of a config counts, as its other fields stand."""
    only = ONLY.get(name, Only())
    fits = all(getattr(config, other) in wanted for other, wanted in only.values.items())
    return fits and only.fits(base_model(config.base_model).family)


def fitted(config: TrainingConfig) -> TrainingConfig:
    """Return a config in which fields that do not count are as if nothing was said of them."""
    nothing = {"warmup": 0.0}
    usual = TrainingConfig()
    idle = {name for name in ONLY if not counts(config, name)}
    away = {each.name: nothing.get(each.name, getattr(usual, each.name)) for each in fields(usual) if each.name in idle}
    files = {part: file for part, file in config.model_files.items() if part not in idle}
    return replace(config, **away, model_files=files)
