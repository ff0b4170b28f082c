"""musubi-tuner's scripts, which train what and how: tables of families, versions, networks, optimizers (0.3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..checks import NEEDS_CONTROL
from ..extra import OptionSource
from ..memory import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model import TrainingConfig

LABEL = "musubi-tuner"
STEP = 16
"""What sides of buckets are multiples of for most families."""
ANY = "*"
"""Stands in `Script.versions` for every other variant of a family."""


@dataclass(frozen=True, slots=True)
class Version:
    """A base model as the scripts know it.

    ``architecture`` ends the names of what is cached of it (``dataset/architectures.py``), so that what was cached as
    another one would not be found. ``name`` is its ``--model_version``, empty where the scripts have no such option.
    ``in_8_bits`` says whether it is held in 8 bits where the config says nothing: those whose weights leave no room
    for anything else on a card of 24 GB. ``files`` says what is to be known of the files that are read. ``swaps`` is
    how many of its blocks can wait in RAM at most, as its page in ``docs`` says. ``encoder_8_bits`` is the option for
    its text encoder in 8 bits, of the script that caches and of the one that trains. ``keys`` are more of its config,
    ``sampling`` of each sample prompt. Files of one that is ``quantized`` hold 8 bits, and stay so.
    """

    architecture: str
    name: str = ""
    in_8_bits: bool = False
    files: str = ""
    swaps: int = 0
    encoder_8_bits: str = ""
    quantized: bool = False
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    sampling: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Script:
    """The scripts of a family, run in musubi-tuner's own folder; ``name`` begins the names of all of them.

    ``lora`` is its module for LoRA; ``auto`` says whether those for LoHa and LoKr know its layers too
    (``networks/network_arch.py``). ``versions`` are those of the family's variants (`BaseModel.variant`). ``lora_keys``
    begin the denoiser's keys in its LoRAs. ``precisions`` are those that it can train in. ``keys`` are more of its
    config, as its page in ``docs`` has them, and ``sampling`` of each sample prompt. ``latents`` ends the name of the
    script that caches images; sides of buckets are multiples of ``step`` (``dataset/bucket.py``, BucketSelector).

    ``caching`` begins the names of the scripts that cache where that is another than ``name`` and an underscore.
    ``parts`` are its options for files that it does not call as we do, and ``encoders`` our names of those that its
    second script reads. ``unread`` says of files that look like the ones it needs, by their names in
    `checkpoints.parts`, what to choose instead. Where encoders write one file ``in_turns``, a file that is there may
    lack what the last one makes. Not all scale what they hold in 8 bits (``scales``). One with
    ``file_precision`` trains in the precision of its file alone.
    """

    name: str
    lora: str
    versions: Mapping[str, Version]
    lora_keys: tuple[str, ...]
    auto: bool = True
    precisions: tuple[str, ...] = ("bf16",)
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    sampling: Mapping[str, object] = field(default_factory=dict[str, object])
    latents: str = "cache_latents"
    step: int = STEP
    caching: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    encoders: tuple[str, ...] = ("text_encoder",)
    unread: Mapping[str, str] = field(default_factory=dict[str, str])
    in_turns: bool = False
    scales: bool = True
    file_precision: bool = False

    @property
    def caches(self) -> tuple[str, str]:
        """The scripts that cache latents and the outputs of text encoders."""
        begin = f"{self.name}_" if self.caching is None else self.caching
        return f"{begin}{self.latents}.py", f"{begin}cache_text_encoder_outputs.py"

    @property
    def training(self) -> str:
        """The script that trains."""
        return f"{self.name}_train_network.py"


def _shift(shift: float) -> Mapping[str, object]:
    return {"timestep_sampling": "shift", "discrete_flow_shift": shift}


_ENCODER = "fp8_text_encoder"
_AE = "the VAE is the ae.safetensors of Black Forest Labs, not ComfyUI's flux2-vae"
_SPLIT = f"{_AE}, and the text encoder the first of its split files"
_NOT_FLOAT_8 = "ComfyUI's files with fp8_scaled or fp8_e4m3fn in their names cannot be read"


def _qwen_edit(name: str) -> Version:
    """Return a version of Qwen-Image-Edit, which learns from single images as a model that draws from text.

    Without control images its captions are encoded as those of Qwen-Image are, and the model is given the image alone
    (``qwen_image_cache_text_encoder_outputs.py``; ``call_dit`` in ``qwen_image_train_network.py``).
    """
    return Version("qie", name, in_8_bits=True, files=_NOT_FLOAT_8, swaps=45, encoder_8_bits="fp8_vl")


_NOT_SCALED = "ComfyUI's files with fp8_scaled in their names cannot be read"
_UMT5 = "choose models_t5_umt5-xxl-enc-bf16 of Wan-AI, whose layers have other names than those of ComfyUI's umt5_xxl"


def _wan(
    task: str, *, swaps: int, in_8_bits: bool = True, cfg: float = 5.0, shift: float = 5.0,
    timesteps: tuple[int, int] | None = None,
) -> Version:  # fmt: skip
    """Return a Wan: what its authors draw it with (``wan/configs``), and the timesteps that a half is trained at."""
    keys: dict[str, object] = {"task": task}
    if timesteps:
        # The range of docs/wan.md, in which timesteps are as frequent as they are in a training of all.
        keys |= {"min_timestep": timesteps[0], "max_timestep": timesteps[1], "preserve_distribution_shape": True}
    sampling = {"cfg_scale": cfg, "discrete_flow_shift": shift}
    return Version("wan", in_8_bits=in_8_bits, files=f"{_NOT_SCALED}, and the text encoder is Wan-AI's own file",
                   swaps=swaps, encoder_8_bits="fp8_t5", keys=keys, sampling=sampling)  # fmt: skip


def _wan_script(versions: Mapping[str, Version]) -> Script:
    return Script(
        "wan", "networks.lora_wan", versions, ("lora_unet_blocks_",), precisions=("bf16", "fp16", "no"),
        keys=_shift(3.0), parts={"text_encoder": "t5"}, unread={"umt5xxl": _UMT5}, file_precision=True,
    )  # fmt: skip


# docs/zimage.md, krea2.md, flux_2.md, qwen_image.md, wan.md. Where one precision is named, they are held in it whatever
# is set (``dit_dtype`` in their ``main``), so that others multiply numbers of two types, which stops them.
FAMILIES: Mapping[str, Script] = {
    "zimage": Script(
        "zimage", "networks.lora_zimage", {ANY: Version("zi", swaps=28, encoder_8_bits="fp8_llm")},
        ("lora_unet_layers_",),
        precisions=("bf16", "fp16", "no"), keys=_shift(2.0), sampling={"cfg_scale": 4.0},
    ),
    "krea2": Script(
        "krea2", "networks.lora_krea2", {ANY: Version("kr2", in_8_bits=True, swaps=26)}, ("lora_unet_blocks_",),
        auto=False,
        keys={"timestep_sampling": "krea2_shift"}, sampling={"cfg_scale": 5.5},
    ),
    "flux2": Script(
        "flux_2", "networks.lora_flux_2",
        {
            "klein_4b": Version("f2k4b", "klein-base-4b", files=_AE, swaps=13, encoder_8_bits=_ENCODER),
            "klein_9b": Version("f2k9b", "klein-base-9b", files=_AE, swaps=16, encoder_8_bits=_ENCODER),
            "": Version("f2d", "dev", in_8_bits=True, files=_SPLIT, swaps=29),
        },
        ("lora_unet_double_blocks_", "lora_unet_single_blocks_"),
        keys={"timestep_sampling": "flux2_shift"}, sampling={"guidance_scale": 4.0},
    ),
    "qwen_image": Script(
        "qwen_image", "networks.lora_qwen_image",
        {
            ANY: Version("qi", "original", in_8_bits=True, files=_NOT_FLOAT_8, swaps=45, encoder_8_bits="fp8_vl"),
            **{name.replace("-", "_"): _qwen_edit(name) for name in ("edit", "edit-2509", "edit-2511")},
        },
        ("lora_unet_transformer_blocks_",), keys=_shift(2.2), sampling={"cfg_scale": 4.0},
    ),
    # docs/ideogram4.md; samples have a schedule of their own (``--sampler_preset``).
    "ideogram4": Script(
        "ideogram4", "networks.lora_ideogram4",
        {
            ANY: Version(
                "i4", swaps=33, quantized=True,
                files="the checkpoint is ComfyUI's ideogram4_fp8_scaled, not the unconditional one, the text encoder"
                " its qwen3vl_8b_fp8_scaled and the VAE its flux2-vae",
            ),
        },
        ("lora_unet_layers_",), auto=False, keys={"timestep_sampling": "ideogram4_shift"},
    ),
    # docs/hidream_o1.md; a block less than it has can be swapped (``enable_block_swap``).
    "hidream_o1": Script(
        "hidream_o1", "networks.lora_hidream_o1",
        {ANY: Version("ho1", swaps=35, files="ComfyUI's hidream_o1_image_bf16, not its fp8 or mxfp8")},
        ("lora_unet_model_",), auto=False,
        keys={
            "model_type": "full", "task": "t2i", "timestep_sampling": "uniform", "noise_scale_start": 8.0,
            "noise_scale_end": 8.0, "noise_clip_std": 0.0,
        },
        sampling={"cfg_scale": 5.0}, latents="cache_pixel", step=32,
    ),
    # docs/hunyuan_video.md. Its config has no fp8_scaled (``main``), its files are named apart.
    "hunyuan_video": Script(
        "hv", "networks.lora",
        {
            "": Version(
                "hv", in_8_bits=True, swaps=36, encoder_8_bits="fp8_llm",
                sampling={"guidance_scale": 6.0, "discrete_flow_shift": 7.0},
            ),
        },
        ("lora_unet_double_blocks_", "lora_unet_single_blocks_"), keys=_shift(7.0), caching="",
        parts={"text_encoder": "text_encoder1", "clip_l": "text_encoder2"}, encoders=("text_encoder", "clip_l"),
        in_turns=True, scales=False,
    ),
    "wan21": _wan_script({
        "": _wan("t2v-14B", swaps=39),
        "1.3b": _wan("t2v-1.3B", swaps=29, in_8_bits=False),
    }),
    "wan22": _wan_script({
        "high_noise": _wan("t2v-A14B", swaps=39, cfg=4.0, shift=12.0, timesteps=(875, 1000)),
        "low_noise": _wan("t2v-A14B", swaps=39, cfg=3.0, shift=12.0, timesteps=(0, 875)),
    }),
}  # fmt: skip

NETWORKS: Mapping[str, str] = {"lora": "", "loha": "networks.loha", "lokr": "networks.lokr"}
"""The module of each network, empty for the script's own."""
REASONS: Mapping[str, str] = {
    "dora": "it has no such network",
    "locon": "it trains no convolutions",
    "flux:kontext": NEEDS_CONTROL,  # ``latents_control`` in flux_kontext_train_network.py
}
EDITS = frozenset(("qwen_image",))
"""Families of which it trains edit models without control images."""
FULL_RANK = 100_000
"""A network dim beyond every layer's size: its LoKr then has full rank, and no alpha (``networks/lokr.py``)."""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer: ``name`` as ``get_optimizer`` or Python knows it; ``package`` is what it needs besides."""

    name: str
    args: tuple[str, ...] = ()
    package: str = ""


# With its own defaults AdaFactor finds the learning rate itself and stops at a warm-up.
_ADAFACTOR = ("scale_parameter=False", "relative_step=False", "warmup_init=False")
_NESTEROV = ("momentum=0.9", "nesterov=True")
OPTIMIZERS: Mapping[str, Optimizer] = {
    "AdamW8bit": Optimizer("AdamW8bit"),
    "AdamW": Optimizer("AdamW"),
    "AdaFactor": Optimizer("AdaFactor", _ADAFACTOR),
    "Prodigy": Optimizer("prodigyopt.Prodigy", package="prodigyopt"),
    "Lion": Optimizer("bitsandbytes.optim.Lion"),
    "Lion8bit": Optimizer("bitsandbytes.optim.Lion8bit"),
    "PagedAdamW8bit": Optimizer("bitsandbytes.optim.PagedAdamW8bit"),
    "PagedAdamW": Optimizer("bitsandbytes.optim.PagedAdamW"),
    "PagedLion8bit": Optimizer("bitsandbytes.optim.PagedLion8bit"),
    "DAdaptAdam": Optimizer("dadaptation.DAdaptAdam", package="dadaptation"),
    "DAdaptLion": Optimizer("dadaptation.DAdaptLion", package="dadaptation"),
    "SGDNesterov": Optimizer("torch.optim.SGD", _NESTEROV),
    "SGDNesterov8bit": Optimizer("bitsandbytes.optim.SGD8bit", _NESTEROV),
}


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A scheduler: ``function`` of transformers makes it, empty where a saved state holds all that it reckons with.

    ``counts_steps`` says whether it reckons with the steps of the whole training.
    """

    function: str = ""
    counts_steps: bool = True


SCHEDULERS: Mapping[str, Scheduler] = {
    "constant": Scheduler(),
    "constant_with_warmup": Scheduler("get_constant_schedule_with_warmup", counts_steps=False),
    "linear": Scheduler("get_linear_schedule_with_warmup"),
    "cosine": Scheduler("get_cosine_schedule_with_warmup"),
    "cosine_with_restarts": Scheduler("get_cosine_with_hard_restarts_schedule_with_warmup"),
    "polynomial": Scheduler("get_polynomial_decay_schedule_with_warmup"),
    "rex": Scheduler(),
}
PARTS: Mapping[str, str] = {"ae": "vae"}
"""The options of all scripts for files that are not called like them."""
# Scripts, their common parts and what these call for versions.
OPTIONS = OptionSource(
    ("src/musubi_tuner/*_train_network.py", "src/musubi_tuner/training/*.py", "src/musubi_tuner/*/*_utils.py"),
    r'add_argument\(\s*"--([\w-]+)"',
)


def model_files(config: TrainingConfig) -> dict[str, str]:
    """Return the files of a base model besides its checkpoint that are chosen, by musubi-tuner's option for each."""
    parts = base_model(config.base_model).family.parts
    return {option(config, part): config.model_files[part] for part in parts if config.model_files.get(part)}


def option(config: TrainingConfig, part: str) -> str:
    """Return the option for a file of a base model."""
    return {**PARTS, **script(config).parts}.get(part, part)


def script(config: TrainingConfig) -> Script:
    """Return the scripts of the config's base model."""
    return FAMILIES[base_model(config.base_model).family.name]


def step(config: TrainingConfig) -> int:
    """Return what sides of buckets are multiples of; the usual number for a base model that it does not train."""
    row = FAMILIES.get(base_model(config.base_model).family.name)
    return row.step if row else STEP


def version(config: TrainingConfig) -> Version | None:
    """Return the config's base model as the scripts know it; None where they cannot tell which it is."""
    versions = script(config).versions
    return versions.get(base_model(config.base_model).variant) or versions.get(ANY)


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in 8 bits."""
    known = version(config)
    if known and known.quantized:
        return False  # it is given no option for it
    if config.base_precision != USUAL:
        return config.base_precision == "fp8"
    if config.fp8_base is not None:
        return config.fp8_base
    return bool(known and known.in_8_bits) and config.mixed_precision != "no"


def has_full_rank(config: TrainingConfig) -> bool:
    """Say whether the network is a LoKr at full rank."""
    return config.lokr_full_rank and network(config.network).kronecker
