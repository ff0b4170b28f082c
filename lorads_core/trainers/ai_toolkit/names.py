"""What ai-toolkit calls things: tables of model architectures, optimizers and schedulers (0.12.26); no config yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..extra import OptionSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model import TrainingConfig

LABEL = "ai-toolkit"


@dataclass(frozen=True, slots=True)
class Kind:
    """An architecture: ``step`` is what bucket sides are multiples of (``get_bucket_divisibility``).

    ``tokens`` are all that is read of a caption. ``in_8_bits`` says whether its denoiser can be held so.
    ``lora_prefix`` begins the keys of LoRAs in the form that it saves itself (``toolkit/network_mixins.py``).
    """

    arch: str
    step: int
    tokens: int = 75
    noise: str = "ddpm"
    guidance: float = 7.0
    in_8_bits: bool = False
    lora_prefix: str = "lora_unet_"


FAMILIES: Mapping[str, Kind] = {
    "sd15": Kind("sd1", 16),
    "sdxl": Kind("sdxl", 16),
    "flux": Kind(
        "flux", 32, tokens=512, noise="flowmatch", guidance=4.0, in_8_bits=True, lora_prefix="transformer.",
    ),
}  # fmt: skip
NETWORKS: Mapping[str, str] = {"lora": "lora", "locon": "lora", "lokr": "lokr"}
"""The ``type`` of each network; that of the name locon is another library's, which convolutions in a lora are not."""
REASONS: Mapping[str, str] = {"dora": "it saves DoRA in a form that ComfyUI does not read"}
# A process's sections and their keys; deeper tables are free-form, such as optimizer_params.
OPTIONS = OptionSource(
    ("toolkit/config_modules.py", "jobs/process/BaseSDTrainProcess.py"),
    r"""(?:kwargs\.get|get_conf)\(\s*['"](\w+)['"]""",
    depth=2,
)
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
    return FAMILIES[base_model(config.base_model).family.name]


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions."""
    return network(config.network).convolutions and base_model(config.base_model).family.convolutions


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in 8 bits: by itself too, as in ai-toolkit's own examples.

    No U-Net can be: ``StableDiffusion.load_model`` quantizes none.
    """
    asked = config.fp8_base if config.fp8_base is not None else config.mixed_precision != "no"
    return asked and kind(config).in_8_bits
