"""What ai-toolkit calls things: tables of model architectures, optimizers and schedulers (0.12.26); no config yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model import TrainingConfig

LABEL = "ai-toolkit"


@dataclass(frozen=True, slots=True)
class Kind:
    """An architecture: ``step`` is what bucket sides are multiples of (``get_bucket_divisibility``).

    ``tokens`` are all that is read of a caption. ``diffusion`` says whether it is trained by noise prediction.
    """

    arch: str
    step: int
    tokens: int = 75
    diffusion: bool = True
    noise: str = "ddpm"
    guidance: float = 7.0


KINDS: Mapping[str, Kind] = {
    "sd15": Kind("sd1", 16),
    "sdxl": Kind("sdxl", 16),
    "flux": Kind("flux", 32, tokens=512, diffusion=False, noise="flowmatch", guidance=4.0),
}
OPTIMIZERS: Mapping[str, str] = {
    "AdamW8bit": "adamw8bit",
    "AdamW": "adamw",
    "AdaFactor": "adafactor",
    "Prodigy": "prodigy",
    "Lion": "lion",
    "Lion8bit": "lion8bit",
    "DAdaptAdam": "dadaptation",  # its dadaptationadam is DAdaptLion (``toolkit/optimizer.py``)
    "DAdaptLion": "dadaptationlion",
}
SCHEDULERS = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts")
PRECISIONS: Mapping[str, str] = {"no": "fp32", "fp16": "fp16", "bf16": "bf16"}


def kind(config: TrainingConfig) -> Kind:
    """Return the architecture of the config's base model."""
    return KINDS[base_model(config.base_model).family.name]


def is_flux(config: TrainingConfig) -> bool:
    """Say whether the base model matches flows, and comes in several files."""
    return base_model(config.base_model).family.name == "flux"


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions, which Flux has not."""
    return network(config.network).convolutions and not is_flux(config)


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in 8 bits: by itself too, as in ai-toolkit's own examples.

    Only Flux can be: ``StableDiffusion.load_model`` quantizes no UNet.
    """
    asked = config.fp8_base if config.fp8_base is not None else config.mixed_precision != "no"
    return asked and is_flux(config)
