"""What SimpleTuner calls things: tables of model families, networks, optimizers and schedulers (4.8); no config yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..checks import NEEDS_CONTROL
from ..extra import OptionSource
from ..memory import USUAL
from ..network_options import dropouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...model import TrainingConfig

LABEL = "SimpleTuner"


@dataclass(frozen=True, slots=True)
class Kind:
    """A model family and its flavour: ``modules`` are the classes of blocks whose layers a network changes.

    ``step`` is what bucket sides are multiples of: the one that it insists on (``check_user_config``), else 64.
    ``convolutions`` are those that LoCon and LoHa change besides. ``tokens`` are all that is read of a caption: no
    option changes that. ``in_8_bits`` says whether it is held so where the config says nothing, ``precision`` how,
    ``encoder_precision`` how its text encoder is held then. ``vae`` is the type of its autoencoder's numbers. ``shift``
    is that of its timesteps, 0 for SimpleTuner's own. ``canvas`` is the largest area of an image in pixels
    (``MAXIMUM_CANVAS_SIZE``), 0 for any. ``networks`` are those whose LoRAs can be made to load in ComfyUI, none for
    all. A checkpoint of one file is read only with ``file``. ``keys`` are more of its config, of how timesteps are
    drawn: it takes no other for this base model; ``more`` are others. ``stops`` is when a training of
    it was seen to stop, and why.

    ``weights`` are the precisions besides `precision` that its guide names for the denoiser, ``encoder`` is the number
    of its large text encoder, 0 for none. ``blocks`` is how many the denoiser has where they can wait in RAM (those
    whose loader calls ``apply_musubi_pretrained_defaults``; the others pass the option over), ``offloads`` says whether
    its activations can (``gradient_checkpointing_backend`` of its transformer). One that ``is_video`` samples a single
    frame, as it is trained on.
    """

    family: str
    modules: tuple[str, ...]
    convolutions: tuple[str, ...] = ()
    flavour: str = ""
    step: int = 64
    tokens: int = 75
    in_8_bits: bool = False
    precision: str = "int8-quanto"
    encoder_precision: str = ""
    guidance: float = 7.0
    sample_steps: int = 28
    vae: str = "fp32"
    shift: float = 0.0
    canvas: int = 0
    networks: tuple[str, ...] = ()
    file: bool = False
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    more: Mapping[str, object] = field(default_factory=dict[str, object])
    weights: tuple[str, ...] = ()
    encoder: int = 0
    blocks: int = 0
    offloads: bool = False
    stops: str = ""
    is_video: bool = False


def _flow(
    family: str, flavour: str, *modules: str, step: int = 64, tokens: int = 512, in_8_bits: bool = True,
    precision: str = "int8-quanto", encoder_precision: str = "", guidance: float = 4.0, sample_steps: int = 28,
    shift: float = 0.0, weights: tuple[str, ...] = (), encoder: int = 1, blocks: int = 0, offloads: bool = True,
) -> Kind:  # fmt: skip
    """Return a flow model since SD 3.5, with what its guide (documentation/quickstart) and its example have."""
    return Kind(
        family, modules, flavour=flavour, step=step, tokens=tokens, in_8_bits=in_8_bits, precision=precision,
        encoder_precision=encoder_precision, guidance=guidance, sample_steps=sample_steps, vae="bf16", shift=shift,
        weights=weights, encoder=encoder, blocks=blocks, offloads=offloads,
    )  # fmt: skip


def _flux2(flavour: str, guidance: float, blocks: int) -> Kind:
    return _flow(
        "flux2", flavour, "Flux2TransformerBlock", "Flux2SingleTransformerBlock", step=16, precision="int8-torchao",
        encoder_precision="int8-torchao", guidance=guidance, weights=("fp8",), blocks=blocks,
    )  # fmt: skip


_CONVOLUTIONS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
_FLUX = Kind(
    "flux", ("FluxTransformerBlock", "FluxSingleTransformerBlock"), tokens=512, guidance=3.5, in_8_bits=True,
    weights=("int4", "nf4", "int2"), encoder=2, blocks=57, offloads=True,
)  # fmt: skip
_ZIMAGE = _flow(
    "z_image", "base", "ZImageTransformerBlock", precision="int8-torchao", sample_steps=30, weights=("nf4",)
)
_QWEN_IMAGE = _flow(
    "qwen_image", "v1.0", "QwenImageTransformerBlock", step=32, sample_steps=30, shift=1.73,
    weights=("int4", "nf4", "int2"), blocks=60,
)  # fmt: skip
_AURAFLOW = _flow(
    "auraflow", "v0.3", "Attention", tokens=120, in_8_bits=False, sample_steps=30, shift=1.73,
)  # fmt: skip
_LTX2 = replace(
    _flow(
        "ltxvideo2", "dev", "LTX2VideoTransformerBlock", tokens=1024, precision="int8-torchao", guidance=5.0,
        sample_steps=40, blocks=48,
    ),
    is_video=True,
)  # fmt: skip
# Its guide has a shift of 3, and warns of fewer than 40 steps and more than 50.
_WAN21 = replace(
    _flow(
        "wan", "t2v-480p-14b-2.1", "WanTransformerBlock", step=32, guidance=5.2, sample_steps=40, shift=3.0,
        blocks=40,
    ),
    is_video=True,
)  # fmt: skip
KINDS: Mapping[str, Kind] = {
    # _load_pipeline (helpers/models/common.py) makes the pipeline without two arguments that it has to have.
    "sd15": Kind(
        "sd1x", ("Transformer2DModel",), _CONVOLUTIONS, file=True,
        stops="when captions are encoded, as its pipeline asks for a safety checker",
    ),
    "sdxl": Kind("sdxl", ("Transformer2DModel",), _CONVOLUTIONS, file=True),
    "flux": _FLUX,
    "flux:krea": replace(_FLUX, flavour="krea"),
    "flux:schnell": replace(
        _FLUX, flavour="schnell", tokens=256, guidance=1.0, sample_steps=4, keys={"flux_fast_schedule": True},
    ),
    "sd35": _flow(
        "sd3", "", "JointTransformerBlock", tokens=154, in_8_bits=False, guidance=3.0, sample_steps=30,
        weights=("int4", "nf4", "int2"), encoder=3,
    ),
    "chroma": _flow("chroma", "hd", "ChromaTransformerBlock", "ChromaSingleTransformerBlock", weights=("int4", "nf4")),
    # Its LoRAs have layers of Diffusers' names; `runs.lora_files` renames them for ComfyUI.
    "anima": replace(
        _flow("anima", "base-v1.0", "CosmosTransformerBlock", step=16, in_8_bits=False, sample_steps=30,
              encoder=0, offloads=False), file=True,
    ),
    "flux2": _flux2("dev", 4.0, 56),
    "flux2:klein_4b": _flux2("klein-4b", 5.0, 25),
    "flux2:klein_9b": _flux2("klein-9b", 5.0, 32),
    "zimage": _ZIMAGE,
    "zimage:deturbo": replace(_ZIMAGE, flavour="ostris-de-turbo"),
    # Its flavour is what loads the training adapter (``ASSISTANT_LORA_WEIGHT_NAMES``).
    "zimage:turbo": replace(_ZIMAGE, flavour="turbo-ostris-v2", guidance=1.0, sample_steps=8),
    "krea2": _flow("krea2", "raw", "Krea2TransformerBlock", precision="int8-torchao", guidance=4.5, blocks=28),
    "qwen_image": _QWEN_IMAGE,
    "qwen_image:2512": replace(_QWEN_IMAGE, flavour="v2.0"),
    # Its blocks' names are those of Diffusers too, and their projections apart.
    "lumina2": replace(
        _flow("lumina2", "2.0", "Lumina2TransformerBlock", tokens=256, sample_steps=30),
        networks=("lora",), keys={"flow_schedule_auto_shift": True},
    ),
    "ernie_image": _flow("ernie", "base", "ErnieImageSharedAdaLNBlock", precision="int8-torchao", sample_steps=20),
    # Its files are in 8 bits of their own, which hold no other network than PEFT's LoRA: they are made 16 bits first,
    # and held in 8 bits as others are where that is asked for.
    "ideogram4": replace(
        _flow("ideogram", "fp8", "Attention", "FeedForward", tokens=2048, guidance=3.0, sample_steps=20),
        more={"ideogram_fp8_base_upcast": True, "ideogram_validation": True},
    ),
    # Attention alone, as its own default for LyCORIS has it: the experts of its layers are a great many.
    "hidream": replace(
        _flow("hidream", "full", "Attention", tokens=128, guidance=3.0, sample_steps=30, shift=3.0),
        canvas=1024**2, more={"text_encoder_4_precision": "int8-quanto"},
    ),
    "auraflow": _AURAFLOW,
    "auraflow:pony": replace(_AURAFLOW, flavour="pony", tokens=768),
    "ltx2": _LTX2,
    "ltx2:2.3": replace(_LTX2, flavour="2.3-dev"),
    "wan21": _WAN21,
    "wan21:1.3b": replace(_WAN21, flavour="t2v-480p-1.3b-2.1", in_8_bits=False, blocks=30),
}  # fmt: skip
"""By `BaseModel.kind`."""
FAMILIES: Mapping[str, Kind] = {name: each for name, each in KINDS.items() if ":" not in name}
ADAPTERS = frozenset(("zimage", "flux"))
"""Families of which it trains distilled models, with an assistant LoRA."""
NETWORKS: Mapping[str, str] = {"lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "dora": "lora"}
"""LyCORIS' name of each network; LoCon has more layers, DoRA is ``dora_wd``."""
REASONS: Mapping[str, str] = {
    # ``requires_conditioning_dataset`` of its Flux and Qwen-Image.
    **dict.fromkeys(("flux:kontext", "qwen_image:edit", "qwen_image:edit_2509", "qwen_image:edit_2511"), NEEDS_CONTROL),
    "hunyuan_video": "it trains HunyuanVideo 1.5",
    "wan22": "it has image to video of it alone",
    "wan22_5b": "it trains it on videos and their first frames, and would take an image for one",
}
# The registry that its argument parser is made from.
OPTIONS = OptionSource(("simpletuner/**/field_registry/**/*.py",), r'arg_name="--([\w-]+)"')
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
LOSSES: Mapping[str, str] = {"mse": "l2", "huber": "huber", "smooth_l1": "smooth_l1"}
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
    return KINDS[base_model(config.base_model).kind]


def engine(config: TrainingConfig) -> str:
    """Return what holds weights in fewer bits; SimpleTuner takes one for all parts: quanto or torchao."""
    return kind(config).precision.rpartition("-")[2]


def weights(config: TrainingConfig) -> Mapping[str, str]:
    """Return the ``base_model_precision`` of each precision that SimpleTuner's guides name for the base model."""
    return {
        "16-bit": "no_change", "int8": kind(config).precision,
        **{name: _held(config, name) for name in kind(config).weights},
    }  # fmt: skip


def encoder_weights(config: TrainingConfig) -> Mapping[str, str]:
    """Return the same of the large text encoder; none where there is none."""
    if not kind(config).encoder:
        return {"16-bit": "no_change"}
    fewer = ("int4", "int2") if engine(config) == "quanto" else ()
    return {
        "16-bit": "no_change", "int8": kind(config).precision, **{name: _held(config, name) for name in fewer},
    }  # fmt: skip


def _held(config: TrainingConfig, name: str) -> str:
    return "nf4-bnb" if name == "nf4" else f"{name}-{engine(config)}"


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions."""
    return network(config.network).convolutions and bool(kind(config).convolutions)


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in fewer bits: by itself in 8 where SimpleTuner's own guides advise it.

    DoRA multiplies the base model's weights, which 8 bits do not allow.
    """
    if config.base_precision != USUAL:
        return config.base_precision != "16-bit"
    if config.fp8_base is not None:
        return config.fp8_base
    return kind(config).in_8_bits and config.mixed_precision != "no" and not network(config.network).decomposed


def undropped(config: TrainingConfig) -> tuple[str, ...]:
    """Return the dropouts that LyCORIS has not: LoKr in 8 bits none of ranks (4.1.3, ``bypass_forward_diff``)."""
    return ("rank_dropout",) if network(config.network).kronecker and in_8_bits(config) else ()


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
    yield from ((name, share) for name, share in dropouts(config).items() if name not in undropped(config))
    if in_8_bits(config):
        yield "bypass_mode", True  # else it adds to the weights themselves, which 8 bits do not allow
    yield "apply_preset", {"target_module": list(modules)}
