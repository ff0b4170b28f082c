"""What ai-toolkit calls things: tables of model architectures, optimizers and schedulers (0.12.26); no config yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..checks import NEEDS_CONTROL
from ..extra import OptionSource
from ..memory import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model import TrainingConfig

LABEL = "ai-toolkit"


@dataclass(frozen=True, slots=True)
class Kind:
    """An architecture: ``step`` is what bucket sides are multiples of (``get_bucket_divisibility``).

    ``tokens`` are all that is read of a caption. ``quantizes`` says whether its denoiser can be held in 8 bits,
    ``in_8_bits`` whether it is where the config says nothing, ``low_vram`` whether it then waits in the computer's
    memory. ``timesteps`` is the ``timestep_type`` of flow matching, empty for ai-toolkit's own (sigmoid).
    ``lora_prefix`` begins the keys of LoRAs in the form that it saves itself.

    A checkpoint is a single file (``file``), all parts in Diffusers' form (``folder``), or either; both can be a
    repository at Hugging Face. ``extras`` says whether its other parts are taken from ``extras_name_or_path``; if not,
    it takes them from ``parts``, whatever the checkpoint. ``vae`` is a repository that has to be named for its
    autoencoder. ``offloads`` says whether layers can wait in RAM (those with ``MemoryManager.attach``), ``own_encoder``
    whether its text encoder can have another precision than the denoiser (``qtype_te`` in its ``load_model``).
    ``recovery`` are the accuracy recovery adapters of its window, by bits.

    ``networks`` are those whose LoRAs can be made to load in ComfyUI, none for all. ``more`` are keys of the sections
    network, train and model that its window sets besides; a network leaves out layers with ``ignored`` words in their
    names. ``unconditional`` is the file of a LoRA that samples need.
    """

    arch: str
    step: int
    tokens: int = 75
    noise: str = "ddpm"
    timesteps: str = ""
    guidance: float = 7.0
    sample_steps: int = 28
    quantizes: bool = False
    in_8_bits: bool = False
    low_vram: bool = False
    lora_prefix: str = "lora_unet_"
    file: bool = True
    folder: bool = True
    extras: bool = False
    parts: tuple[str, ...] = ()
    vae: str = ""
    offloads: bool = False
    own_encoder: bool = False
    recovery: Mapping[str, str] = field(default_factory=dict[str, str])
    more: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, "Mapping[str, object]"])
    unconditional: str = ""
    ignored: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


def _flow(
    arch: str, step: int, *, tokens: int = 512, timesteps: str = "weighted", guidance: float = 4.0,
    sample_steps: int = 25, in_8_bits: bool = True, low_vram: bool = True, lora_prefix: str = "diffusion_model.",
    file: bool = True, folder: bool = False, extras: bool = False, parts: tuple[str, ...] = (), vae: str = "",
    offloads: bool = True, own_encoder: bool = True, recovery: Mapping[str, str] | None = None,
    more: Mapping[str, Mapping[str, object]] | None = None, unconditional: str = "", ignored: tuple[str, ...] = (),
) -> Kind:  # fmt: skip
    """Return a flow model, with what ai-toolkit's own window sets for it (``ui/src/app/jobs/new/options.tsx``)."""
    return Kind(
        arch, step, tokens, "flowmatch", timesteps, guidance, sample_steps, quantizes=True, in_8_bits=in_8_bits,
        low_vram=low_vram, lora_prefix=lora_prefix, file=file, folder=folder, extras=extras, parts=parts, vae=vae,
        offloads=offloads, own_encoder=own_encoder, recovery=recovery or {},
        more=more or {}, unconditional=unconditional, ignored=ignored,
    )  # fmt: skip


_FLUX = Kind(
    "flux", 32, tokens=512, noise="flowmatch", guidance=4.0, quantizes=True, in_8_bits=True, lora_prefix="transformer.",
    file=False,
)  # fmt: skip
_MISTRAL = "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
_FLUX2_VAE = "ai-toolkit/flux2_vae"
_ZIMAGE = _flow("zimage", 16, sample_steps=30, folder=True, extras=True)
_KREA2 = _flow("krea2", 16, timesteps="linear", parts=("Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen-Image"))
_RECOVERY = "ostris/accuracy_recovery_adapters"
_QWEN_IMAGE = _flow(
    "qwen_image", 32, folder=True, extras=True,
    recovery={"int3": f"{_RECOVERY}/qwen_image_torchao_uint3.safetensors"},
)  # fmt: skip
_QWEN_IMAGE_2512 = replace(
    _QWEN_IMAGE,
    recovery={
        bits: f"{_RECOVERY}/qwen_image_2512_torchao_u{bits}.safetensors" for bits in ("int3", "int4")
    },
)  # fmt: skip
# Its authors' code draws with a guidance of 5, Wan 2.2 14B with 3 and 4 (musubi-tuner 0.3.4, wan/configs).
_UMT5 = "ai-toolkit/umt5_xxl_encoder"
_WAN21 = _flow(
    "wan21", 16, timesteps="", guidance=5.0, sample_steps=30, low_vram=False, file=False, folder=True, parts=(_UMT5,),
    own_encoder=False,
)  # fmt: skip


def _wan22(half: str, guidance: float) -> Kind:
    """Return one denoiser of Wan 2.2 14B; of LoRAs that are not split, that of one half is as any other."""
    halves = {f"train_{each}_noise": each == half for each in ("high", "low")}
    return replace(
        _flow(
            "wan22_14b", 16, timesteps="linear", guidance=guidance, sample_steps=30, file=False, folder=True,
            parts=(_UMT5, "ai-toolkit/wan2.1-vae"), own_encoder=False,
            recovery={"int4": f"{_RECOVERY}/wan22_14b_t2i_torchao_uint4.safetensors"},
        ),
        more={"network": {"split_multistage_loras": False}, "model": {"model_kwargs": halves}},
    )  # fmt: skip


_LTX2 = _flow("ltx2", 32, tokens=1024, sample_steps=30, file=False, folder=True)
KINDS: Mapping[str, Kind] = {
    "sd15": Kind("sd1", 16),
    "sdxl": Kind("sdxl", 16),
    "flux": _FLUX,
    "flux:krea": _FLUX,
    "flux:schnell": replace(_FLUX, guidance=1.0, sample_steps=4),
    # Without a control image it reads the image alone (``get_noise_prediction``).
    "flux:kontext": replace(_FLUX, arch="flux_kontext", step=16, timesteps="weighted"),
    # config/examples/train_lora_sd35_large_24gb.yaml; its T5 reads 256 tokens (Diffusers' encode_prompt).
    "sd35": _flow(
        "sd3", 32, tokens=256, timesteps="linear", low_vram=False, lora_prefix="transformer.", file=False, folder=True,
        offloads=False, own_encoder=False,
    ),
    "chroma": _flow("chroma", 32, timesteps="", low_vram=False, parts=("ostris/Flex.1-alpha",), offloads=False,
        own_encoder=False,
    ),
    "anima": _flow("anima", 32, in_8_bits=False, low_vram=False, file=False, folder=True),
    "flux2": _flow(
        "flux2", 16, parts=(_MISTRAL, "black-forest-labs/FLUX.2-dev"), vae="black-forest-labs/FLUX.2-dev",
        own_encoder=False,
    ),
    "flux2:klein_4b": _flow("flux2_klein_4b", 16, parts=("Qwen/Qwen3-4B", _FLUX2_VAE)),
    "flux2:klein_9b": _flow("flux2_klein_9b", 16, parts=("Qwen/Qwen3-8B", _FLUX2_VAE)),
    "zimage": _ZIMAGE,
    "zimage:deturbo": replace(_ZIMAGE, guidance=3.0, sample_steps=25),
    "zimage:turbo": replace(_ZIMAGE, guidance=1.0, sample_steps=9),
    "krea2": _KREA2,
    "krea2:turbo": replace(_KREA2, guidance=1.0, sample_steps=9),
    "qwen_image": _QWEN_IMAGE,
    "qwen_image:2512": _QWEN_IMAGE_2512,
    "lumina2": replace(
        _flow(
            "lumina2", 16, tokens=256, timesteps="", in_8_bits=False, low_vram=False, lora_prefix="transformer.",
            file=False, folder=True, offloads=False, own_encoder=False,
        ),
        networks=("lora",),
    ),
    "ernie_image": _flow("ernie_image", 32, file=False, folder=True),
    "ideogram4": _flow(
        "ideogram4", 16, tokens=3072, timesteps="linear", guidance=7.0, file=False, folder=True,
        parts=("Qwen/Qwen3-VL-8B-Instruct",),
        unconditional="ostris/ideogram_4_unconditional_lora/ideogram_4_unconditional_lora_r16.safetensors",
    ),
    "hidream": _flow(
        "hidream", 16, tokens=128, timesteps="shift", low_vram=False, file=False, folder=True, offloads=False,
        parts=("unsloth/Meta-Llama-3.1-8B-Instruct",), ignored=("ff_i.experts", "ff_i.gate"),
        recovery={"int3": f"{_RECOVERY}/hidream_i1_full_torchao_uint3.safetensors"},
    ),
    # Of a file, the processor of texts is taken from the repository.
    "hidream_o1": _flow(
        "hidream_o1", 32, tokens=1024, timesteps="linear", low_vram=False, folder=True, extras=True, own_encoder=False,
        more={
            "network": {"transformer_only": False},
            "train": {"max_loss": 1.0},
            "model": {"model_kwargs": {"noise_scale": 8.0, "noise_scale_inference": 8.0}},
        },
        ignored=("lm_head", "patch_embed", "visual"),
    ),
    "wan21": _WAN21,
    "wan21:1.3b": replace(_WAN21, in_8_bits=False),
    "wan22:high_noise": _wan22("high", 4.0),
    "wan22:low_noise": _wan22("low", 3.0),
    # LTX-2 takes its text encoder from the same folder; 2.3 has one of its own.
    "ltx2": _LTX2,
    "ltx2:2.3": replace(
        _LTX2, arch="ltx2.3", file=True, parts=("Lightricks/gemma-3-12b-it-qat-q4_0-unquantized",)
    ),
    "wan22_5b": _flow(
        "wan22_5b", 32, guidance=5.0, sample_steps=30, file=False, folder=True, parts=(_UMT5,),
        own_encoder=False,
    ),
}  # fmt: skip
"""By `BaseModel.kind`. Its Lumina 2 has layers of Diffusers' names, which `runs.lora_files` merges for ComfyUI."""
FAMILIES: Mapping[str, Kind] = {name.partition(":")[0]: each for name, each in reversed(KINDS.items())}
ADAPTERS = frozenset(("flux", "zimage", "krea2"))
"""Families of which it trains distilled models, by ``assistant_lora_path``."""
EDITS = frozenset(("flux",))
"""Families of which it trains edit models without control images."""
NETWORKS: Mapping[str, str] = {"lora": "lora", "locon": "lora", "lokr": "lokr"}
"""The ``type`` of each network; that of the name locon is another library's, which convolutions in a lora are not."""
REASONS: Mapping[str, str] = {
    "dora": "it saves DoRA in a form that ComfyUI does not read",
    **dict.fromkeys(("qwen_image:edit", "qwen_image:edit_2509", "qwen_image:edit_2511"), NEEDS_CONTROL),
}
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
}
"""DAdaptLion is not among them: ai-toolkit gives it an ``eps``, which it does not take (dadaptation 3.2), and stops."""
LOSSES: Mapping[str, str] = {"mse": "mse", "l1": "mae", "smooth_l1": "pseudo_huber"}
"""The ``loss_type`` of each loss; its pseudo-Huber is half of what sd-scripts calls smooth_l1."""
SMOOTH_DELTA = 0.01
"""Where its pseudo-Huber becomes linear (``SDTrainer.calculate_loss``)."""
TIMESTEPS: Mapping[str, str] = {"uniform": "linear", "sigmoid": "sigmoid"}
SCHEDULERS = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts")
PRECISIONS: Mapping[str, str] = {"no": "fp32", "fp16": "fp16", "bf16": "bf16"}


QTYPES: Mapping[str, str] = {
    "fp8": "qfloat8", "int4": "uint4", "int3": "uint3", "int2": "uint2",
}  # fmt: skip
"""The ``qtype`` of each precision of weights, of those that its window offers (``quantizationOptions``)."""


def kind(config: TrainingConfig) -> Kind:
    """Return the architecture of the config's base model."""
    return KINDS[base_model(config.base_model).kind]


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions."""
    return network(config.network).convolutions and base_model(config.base_model).family.convolutions


def weights(config: TrainingConfig) -> tuple[str, ...]:
    """Return the precisions in which the denoiser's weights can be held: no U-Net is quantized (``load_model``)."""
    return ("16-bit", *QTYPES) if kind(config).quantizes else ("16-bit",)


def encoder_weights(config: TrainingConfig) -> tuple[str, ...]:
    """Return the precisions in which the large text encoder can be held: where it is none of its own, the denoiser's.

    Of the smallest it is said nowhere that an encoder still works in them.
    """
    if kind(config).own_encoder:
        return ("16-bit", "fp8", "int4")
    return ("16-bit", config.base_precision) if config.base_precision in QTYPES else ("16-bit",)


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in fewer bits: by itself where its own examples and window have it so.

    No U-Net can be: ``StableDiffusion.load_model`` quantizes none.
    """
    if config.base_precision != USUAL:
        return config.base_precision in QTYPES
    if config.fp8_base is not None:
        return config.fp8_base and kind(config).quantizes
    return kind(config).in_8_bits and config.mixed_precision != "no"
