"""What OneTrainer calls things: tables of model types, networks, optimizers and schedulers (23df383); no config yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from ...base_models import base_model
from ...networks import network
from ..extra import OptionSource
from ..memory import USUAL
from ..network_options import layer_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model import TrainingConfig

LABEL = "OneTrainer"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of model: ``denoiser`` and ``text_encoders`` are the parts of it that its config has sections for.

    ``step`` is what bucket sides are rounded to (``aspect_bucketing_quantization`` of its data loader). ``layers``,
    ``convolutions`` and ``linear`` are filters of the denoiser's layers, by parts of their names: those that LoRA
    changes elsewhere too, those that LoCon changes besides, and those of the first that are no convolutions at all.
    The first ``trained_encoders`` text encoders can be trained. ``tokens`` are all that is read of a caption, 0 where
    the config says it. ``precision`` is how the denoiser is held where the config says nothing, empty as all else.
    ``encoder_precision`` is the same for text encoders other than CLIP, empty as the denoiser. ``quantized`` is a
    filter of the layers that are held in fewer bits, empty for all. ``keys`` are more of the denoiser's section,
    ``timesteps`` those of how flow matching draws them. ``lora_format`` is the ``output_model_format`` that ComfyUI
    loads; ``version`` is the oldest one of a config that knows the model. ``blocks`` are all layers that can wait in
    RAM, where they are of one size, 0 where they are not.

    A denoiser of one file is read only with ``file``. ``repository`` is the one in Diffusers' form that it reads, where
    that is not the base model's; ``encoders`` are those of text encoders that it lacks. ``sections`` are of further
    parts.
    """

    model_type: str
    denoiser: str
    text_encoders: tuple[str, ...]
    step: int
    layers: str
    linear: str
    convolutions: str = ""
    trained_encoders: int = 1
    tokens: int = 75
    precision: str = ""
    encoder_precision: str = ""
    quantized: str = ""
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    timesteps: Mapping[str, object] = field(default_factory=dict[str, object])
    guidance: float = 7.0
    sampler: str = "EULER_A"
    lora_format: str = "KOHYA_LORA"
    version: int = 10
    blocks: int = 0
    file: bool = True
    repository: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict[str, str])
    sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, "Mapping[str, object]"])

    @property
    def offloads(self) -> bool:
        """Whether layers can wait in RAM, which those of a U-Net cannot (``supports_offloading`` of its set-up)."""
        return self.denoiser != "unet"


def _flow(
    model_type: str, layers: str, precision: str, quantized: str, *, guidance: float,
    timesteps: Mapping[str, object] | None = None, lora_format: str = "DIFFUSERS_LORA", blocks: int = 0,
) -> Kind:  # fmt: skip
    """Return a flow model with one text encoder, a language model that is left alone, as its LoRA preset has it."""
    return Kind(
        model_type, "transformer", ("text_encoder",), 64, layers, layers, trained_encoders=0, tokens=512,
        precision=precision, encoder_precision="FLOAT_8", quantized=quantized, timesteps=timesteps or _NORMAL,
        guidance=guidance, sampler="EULER", lora_format=lora_format, version=11, blocks=blocks,
    )  # fmt: skip


_NORMAL: Mapping[str, object] = {"timestep_distribution": "LOGIT_NORMAL"}
_SHIFTED: Mapping[str, object] = {**_NORMAL, "dynamic_timestep_shifting": True}
_PARABOLA: Mapping[str, object] = {"timestep_distribution": "INVERTED_PARABOLA", "noising_weight": 7.7}


_ZIMAGE = r"^(?=.*attention)(?!.*refiner).*,^(?=.*feed_forward)(?!.*refiner).*"
_CONVOLUTIONS = "resnets,downsamplers,upsamplers"
# SD 1.5's attention blocks begin and end with convolutions of one pixel, SDXL's do not.
FAMILIES: Mapping[str, Kind] = {
    "sd15": Kind(
        "STABLE_DIFFUSION_15", "unet", ("text_encoder",), 8, "attentions", "transformer_blocks", _CONVOLUTIONS
    ),
    "sdxl": Kind(
        "STABLE_DIFFUSION_XL_10_BASE", "unet", ("text_encoder", "text_encoder_2"), 64, "attentions", "attentions",
        _CONVOLUTIONS, trained_encoders=2,
    ),
    "flux": Kind(
        "FLUX_DEV_1", "transformer", ("text_encoder", "text_encoder_2"), 64, "transformer_block", "transformer_block",
        tokens=0, precision="NFLOAT_4", keys={"guidance_scale": 1.0}, timesteps=_SHIFTED, guidance=3.5, sampler="EULER",
    ),
    # Layers, precisions, timesteps and LoRA formats are those of training_presets; guidance is that of the models'
    # own pages and ComfyUI's blueprints.
    "flux2": _flow(
        "FLUX_2", "transformer_block", "INT_W8A8", "transformer_block", guidance=4.0, timesteps=_SHIFTED
    ),
    # Not the refiners; but for them its preset has the same layers, by a regular expression.
    "zimage": _flow("Z_IMAGE", _ZIMAGE, "FLOAT_8", "layers", guidance=4.0),
    "krea2": _flow("KREA_2", "attn,ff", "INT_W8A8", "attn,ff", guidance=5.5),
    "qwen_image": _flow("QWEN", "attn,img_mlp,txt_mlp", "FLOAT_8", "transformer_block", guidance=4.0, blocks=60),
    "chroma": _flow(
        "CHROMA_1", "attn,ff.net,proj_mlp", "FLOAT_8", "transformer_block", guidance=3.0, timesteps=_PARABOLA
    ),
    "ernie_image": _flow("ERNIE", "self_attention,mlp", "INT_W8A8", "layers", guidance=4.0),
    # Samples draw with a second denoiser besides, which is not trained.
    "ideogram4": replace(
        _flow("IDEOGRAM_4", "attention,feed_forward", "INT_W8A8", "layers", guidance=7.0, lora_format="COMFY_LORA"),
        tokens=2048, encoder_precision="NFLOAT_4", file=False,
        repository="CalamitousFelicitousness/Ideogram-4-bf16-Diffusers",
        sections={"unconditional_transformer": {"weight_dtype": "NFLOAT_4", "offload_fraction": 1.0}},
    ),
    # All layers, as its preset has it.
    "hidream": replace(
        _flow("HI_DREAM_FULL", "", "FLOAT_8", "", guidance=5.0), tokens=128, file=False,
        text_encoders=("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4"),
        encoders={"text_encoder_4": "meta-llama/Llama-3.1-8B-Instruct"},
    ),
    # In its own form, which joins projections as ComfyUI's model has them.
    "hunyuan_video": replace(
        _flow(
            "HUNYUAN_VIDEO", "transformer_blocks", "FLOAT_8", "transformer_block", guidance=6.0,
            lora_format="COMFY_LORA",
        ),
        text_encoders=("text_encoder", "text_encoder_2"), tokens=77,
    ),
    "anima": _flow(
        "ANIMA", "attn1,attn2,ff", "INT_W8A8", "attn1,attn2,ff", guidance=4.0, lora_format="KOHYA_LORA"
    ),
}  # fmt: skip
NETWORKS: Mapping[str, str] = {"lora": "LORA", "locon": "LORA", "loha": "LOHA", "lokr": "LOKR", "dora": "LORA"}
"""The ``peft_type`` of each network; LoCon has more layers, DoRA is ``lora_decompose``."""
REASONS: Mapping[str, str] = {}
# TrainConfig.default_values and those of the tables in it.
OPTIONS = OptionSource(("modules/util/config/*.py",), r'data\.append\(\(\s*"(\w+)"', depth=9)
LINEAR_ONLY = frozenset({"LOHA"})
"""Saved in four dimensions for convolutions, which ComfyUI's loader stops at; LoKr's are those of LyCORIS."""


def kind(config: TrainingConfig) -> Kind:
    """Return the type of the config's base model."""
    return FAMILIES[base_model(config.base_model).family.name]


def repository(config: TrainingConfig) -> str:
    """Return the repository at Hugging Face that parts, or all of them, are taken from; empty where none is known."""
    return kind(config).repository or base_model(config.base_model).repository


def layer_filter(config: TrainingConfig) -> str:
    """Return which layers of the denoiser are changed.

    Those of the config's own filter, if there is one. Only ``layer_filter`` is read by the training,
    ``layer_filter_preset`` by the user interface alone. LoHa keeps off convolutions: OneTrainer saves their factors
    with four dimensions, which ComfyUI's loader stops at.
    """
    chosen = network(config.network)
    if parts := layer_parts(config):
        return ",".join(parts)
    if NETWORKS[config.network] in LINEAR_ONLY:
        return kind(config).linear
    if chosen.convolutions and kind(config).convolutions:
        return f"{kind(config).layers},{kind(config).convolutions}"
    return kind(config).layers


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer: ``args`` are what it is given (``create_optimizer``), all else is passed over without a word.

    ``keys`` are what OneTrainer's own window sets for it (``OPTIMIZER_DEFAULT_PARAMETERS``). A config file without them
    gets others: Prodigy without decoupled decay, 8-bit ones without blocks. ``fused`` are those that apply each
    gradient at once, None where it cannot (``supports_fused_back_pass``).
    """

    name: str
    args: tuple[str, ...]
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    fused: Mapping[str, object] | None = None


_BETAS = ("beta1", "beta2")
_ADAM = (*_BETAS, "eps")
_8_BITS = ("min_8bit_size", "percentile_clipping")
_SGD = ("momentum", "dampening", "nesterov")
_BLOCKS = {"block_wise": True}
OPTIMIZERS: Mapping[str, Optimizer] = {
    "AdamW8bit": Optimizer("ADAMW_8BIT", (*_ADAM, *_8_BITS), _BLOCKS),
    "AdamW": Optimizer(
        "ADAMW", (*_ADAM, "amsgrad", "fused", "stochastic_rounding"), {"fused": True, "stochastic_rounding": False},
        {"fused": False, "fused_back_pass": True},
    ),
    "AdaFactor": Optimizer(
        "ADAFACTOR",
        (
            "eps", "eps2", "clip_threshold", "decay_rate", "beta1", "scale_parameter", "relative_step", "warmup_init",
            "stochastic_rounding",
        ),
        {"scale_parameter": False, "relative_step": False, "warmup_init": False}, {"fused_back_pass": True},
    ),
    "Prodigy": Optimizer(
        "PRODIGY",
        (
            *_ADAM, "beta3", "decouple", "use_bias_correction", "safeguard_warmup", "d0", "d_coef", "growth_rate",
            "slice_p",
        ),
        {"decouple": True, "slice_p": 11},
    ),
    "Lion": Optimizer("LION", _BETAS),
    "Lion8bit": Optimizer("LION_8BIT", (*_BETAS, *_8_BITS), _BLOCKS),
    "PagedAdamW8bit": Optimizer("ADAMW_8BIT", (*_ADAM, *_8_BITS), {**_BLOCKS, "is_paged": True}),
    "PagedLion8bit": Optimizer("LION_8BIT", (*_BETAS, *_8_BITS), {**_BLOCKS, "is_paged": True}),
    "DAdaptAdam": Optimizer("DADAPT_ADAM", (*_ADAM, "decouple", "use_bias_correction", "d0", "growth_rate")),
    "DAdaptLion": Optimizer("DADAPT_LION", (*_BETAS, "d0")),
    "SGDNesterov": Optimizer("SGD", _SGD, {"momentum": 0.9, "nesterov": True}),
    "SGDNesterov8bit": Optimizer("SGD_8BIT", _SGD, {"momentum": 0.9, "nesterov": True}),
}  # fmt: skip
OPTIMIZER_ARGS: Mapping[str, type[bool | int | float]] = {
    **dict.fromkeys(
        (
            "beta1", "beta2", "beta3", "eps", "eps2", "d0", "d_coef", "growth_rate", "momentum", "dampening",
            "clip_threshold", "decay_rate",
        ), float,
    ),
    **dict.fromkeys(
        (
            "amsgrad", "decouple", "use_bias_correction", "safeguard_warmup", "nesterov", "fused",
            "stochastic_rounding", "scale_parameter", "relative_step", "warmup_init",
        ), bool,
    ),
    **dict.fromkeys(("slice_p", "min_8bit_size", "percentile_clipping"), int),
}  # fmt: skip
"""Arguments of these optimizers with their types (``TrainOptimizerConfig.default_values``)."""
LOSSES: Mapping[str, str] = {"mse": "mse_strength", "l1": "mae_strength", "huber": "huber_strength"}
"""The key of each loss, which is how much it counts."""
TIMESTEPS: Mapping[str, str] = {"uniform": "UNIFORM", "sigmoid": "LOGIT_NORMAL", "shift": "LOGIT_NORMAL"}
# What others call restarts falls back to the full rate at once; OneTrainer's own of that name swings.
SCHEDULERS: Mapping[str, str] = {
    "constant": "CONSTANT",
    "constant_with_warmup": "CONSTANT",
    "linear": "LINEAR",
    "cosine": "COSINE",
    "cosine_with_restarts": "COSINE_WITH_HARD_RESTARTS",
    "rex": "REX",
}
PRECISIONS: Mapping[str, str] = {"no": "FLOAT_32", "fp16": "FLOAT_16", "bf16": "BFLOAT_16"}


WEIGHTS: Mapping[str, str] = {
    "16-bit": "", "fp8": "FLOAT_8", "fp8-w8a8": "FLOAT_W8A8", "int8-w8a8": "INT_W8A8", "nf4": "NFLOAT_4",
}  # fmt: skip
"""The ``weight_dtype`` of each precision that its window offers (``BaseModelTabView``), empty for the training's."""
ENCODER_WEIGHTS: Mapping[str, str] = {name: WEIGHTS[name] for name in ("16-bit", "fp8", "nf4")}
"""The same for text encoders."""


def optimizer_args(config: TrainingConfig) -> dict[str, object]:
    """Return the arguments of the optimizer by OneTrainer's names; it has a key for each beta."""
    found = {name: value for name, value in config.optimizer_args.items() if name != "betas"}
    found |= {f"beta{number}": beta for number, beta in enumerate(_betas(config), 1)}
    return {name: _typed(name, value) for name, value in found.items()}


def _betas(config: TrainingConfig) -> tuple[object, ...]:
    betas: object = config.optimizer_args.get("betas", ())
    return tuple(cast("list[object]", betas)) if isinstance(betas, list | tuple) else (betas,)


def _typed(name: str, value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and OPTIMIZER_ARGS.get(name) is float:
        return float(value)
    return value


def denoiser_precision(config: TrainingConfig) -> str:
    """Return how the denoiser's weights are held: where nothing is said, in the bits of OneTrainer's own preset."""
    if config.base_precision != USUAL:
        return WEIGHTS[config.base_precision] or PRECISIONS[config.mixed_precision]
    if config.fp8_base:
        return "FLOAT_8"
    if config.fp8_base is None and kind(config).precision:
        return kind(config).precision
    return PRECISIONS[config.mixed_precision]


def is_clip(config: TrainingConfig, index: int) -> bool:
    """Say whether a text encoder is a CLIP, which is small: it is held as it is, and does not wait in RAM."""
    return base_model(config.base_model).family.text_encoders[index].startswith("clip")


def large_encoders(config: TrainingConfig) -> list[int]:
    """Return which of the text encoders are no CLIP."""
    return [index for index in range(len(kind(config).text_encoders)) if not is_clip(config, index)]


def offloads_encoders(config: TrainingConfig) -> bool:
    """Say whether layers of a text encoder wait in RAM, which one thread alone brings in (``create_data_loader``)."""
    return bool(config.text_encoder_offload and kind(config).offloads and large_encoders(config))


def layer_share(config: TrainingConfig) -> float:
    """Return which share of the denoiser's layers waits in RAM.

    Layers stay in graphics memory as long as they fit into the rest of all bytes (``LayerOffloadStrategy``), so that
    half a block less leaves exactly those that are not counted.
    """
    blocks = kind(config).blocks
    if config.blocks_to_swap and blocks:
        return round((config.blocks_to_swap - 0.5) / blocks, 6)
    return float(config.layer_offload)


def encoder_precision(config: TrainingConfig, index: int) -> str:
    """Return how a text encoder's weights are held: CLIP in those of the training, larger ones in fewer bits."""
    if is_clip(config, index):
        return PRECISIONS[config.mixed_precision]
    if config.text_encoder_precision != USUAL:
        return ENCODER_WEIGHTS[config.text_encoder_precision] or PRECISIONS[config.mixed_precision]
    if config.fp8_base is None and kind(config).encoder_precision:
        return kind(config).encoder_precision
    return denoiser_precision(config)


def caches_text(config: TrainingConfig) -> bool:
    """Say whether outputs of text encoders are cached: wherever latents are and one is not trained."""
    all_trained = len(kind(config).text_encoders) == kind(config).trained_encoders
    return config.cache_latents and not (config.text_encoder_learning_rate and all_trained)
