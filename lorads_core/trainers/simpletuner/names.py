"""What SimpleTuner calls things: tables of model families, networks, optimizers and schedulers (4.8); no config yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..extra import OptionSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...model import TrainingConfig

LABEL = "SimpleTuner"


@dataclass(frozen=True, slots=True)
class Kind:
    """A model family: ``modules`` are the classes of blocks whose layers a network changes.

    ``convolutions`` are those that LoCon and LoHa change besides. ``tokens`` are all that is read of a caption: no
    option changes that. ``in_8_bits`` says whether it is held so where the config says nothing.
    """

    family: str
    modules: tuple[str, ...]
    convolutions: tuple[str, ...] = ()
    tokens: int = 75
    in_8_bits: bool = False
    guidance: float = 7.0


_CONVOLUTIONS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
FAMILIES: Mapping[str, Kind] = {
    "sd15": Kind("sd1x", ("Transformer2DModel",), _CONVOLUTIONS),
    "sdxl": Kind("sdxl", ("Transformer2DModel",), _CONVOLUTIONS),
    "flux": Kind(
        "flux", ("FluxTransformerBlock", "FluxSingleTransformerBlock"), tokens=512, guidance=3.5,
        in_8_bits=True,
    ),
}  # fmt: skip
NETWORKS: Mapping[str, str] = {"lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "dora": "lora"}
"""LyCORIS' name of each network; LoCon has more layers, DoRA is ``dora_wd``."""
REASONS: Mapping[str, str] = {}
# The registry that its argument parser is made from.
OPTIONS = OptionSource(("simpletuner/**/field_registry/**/*.py",), r'arg_name="--([\w-]+)"')
STEP = 64
"""What bucket sides are multiples of: these families override any other (``check_user_config``)."""

OPTIMIZERS: Mapping[str, str] = {
    "AdamW8bit": "bnb-adamw8bit",
    "AdamW": "torch-adamw",
    "AdaFactor": "torch-adafactor",
    "Prodigy": "prodigy",
    "Lion": "optimi-lion",
    "Lion8bit": "bnb-lion8bit",
    "PagedAdamW8bit": "bnb-adamw8bit-paged",
    "PagedAdamW": "bnb-adamw-paged",
    "PagedLion8bit": "bnb-lion8bit-paged",
}
SCHEDULERS: Mapping[str, str] = {
    "constant": "constant",
    "constant_with_warmup": "constant_with_warmup",
    "linear": "linear",
    "cosine": "cosine",
    "polynomial": "polynomial",
}
PRECISIONS = ("no", "fp16", "bf16")


def kind(config: TrainingConfig) -> Kind:
    """Return the family of the config's base model."""
    return FAMILIES[base_model(config.base_model).family.name]


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions, which Flux has not."""
    return network(config.network).convolutions and bool(kind(config).convolutions)


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in 8 bits: by itself only Flux, as in SimpleTuner's own guide.

    DoRA multiplies the base model's weights, which 8 bits do not allow.
    """
    if config.fp8_base is not None:
        return config.fp8_base
    return kind(config).in_8_bits and config.mixed_precision != "no" and not network(config.network).decomposed


def lycoris(config: TrainingConfig) -> Iterator[tuple[str, object]]:
    """Yield the keys of ``lycoris_config.json`` of a settled config.

    LyCORIS makes every kind of network: PEFT, SimpleTuner's other way, has neither LoHa nor LoCon, changes attention
    layers alone, and saves no alpha, so that one unlike the rank would be lost. ``linear_alpha`` is read as a whole
    number (``init_trainable_peft_adapter``).
    """
    chosen = network(config.network)
    yield "algo", NETWORKS[config.network]
    yield "multiplier", 1.0
    yield "linear_dim", config.network_dim
    yield "linear_alpha", int(config.network_alpha)
    modules = kind(config).modules
    if has_convolutions(config):
        modules = (*modules, *kind(config).convolutions)
        yield "conv_dim", config.conv_dim
        yield "conv_alpha", float(config.conv_alpha)
    if chosen.decomposed:
        yield "dora_wd", True
    if chosen.kronecker:
        yield "factor", config.lokr_factor or -1
        yield "full_matrix", config.lokr_full_rank
    elif config.network_dropout:
        yield "dropout", float(config.network_dropout)
    if in_8_bits(config):
        yield "bypass_mode", True  # else it adds to the weights themselves, which 8 bits do not allow
    yield "apply_preset", {"target_module": list(modules)}
