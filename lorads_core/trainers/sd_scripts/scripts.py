"""Which of sd-scripts' scripts trains what, and with which network module: two tables, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...networks import network
from ..memory import USUAL
from ..network_options import dropouts, layer_patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...model import TrainingConfig

LYCORIS = "lycoris.kohya"
PRESET_FILE = "lycoris_preset.toml"


_SDPA: Mapping[str, object] = {"sdpa": True}


@dataclass(frozen=True, slots=True)
class Script:
    """A script, run in sd-scripts' own folder.

    ``lora`` is its module for LoRA, ``step`` what bucket sides must be multiples of (``verify_bucket_reso_steps`` in
    its ``assert_extra_args``). ``text_encoders`` of them can be trained. ``caches_text`` says whether it keeps what
    the text encoders say, ``caches_trained`` whether it does beside trained ones, and ``caches_dropped`` whether
    captions may be dropped then. ``preserves`` says whether it has differential output preservation,
    ``preserves_mixed`` whether that may share a batch with other images, and ``half_vae`` whether the VAE bears half
    precision. ``key_8_bits`` is its option for a base model in 8 bits, empty for none; ``in_8_bits`` says whether that
    is set where the config says nothing. ``preset`` is LyCORIS' for networks with convolutions, ``keys`` are more of
    its config, ``attention`` is how it computes attention, and ``sampling`` are keys of each sample prompt.
    ``system_key`` is its option for what stands before every caption. ``lora_keys`` begin the denoiser's keys in its
    LoRAs. ``length_keys`` set a caption's tokens; they are left out at ``length`` of them, which is not among the
    choices, 0 for never. ``options`` names a part of the family's files where the script's option is not called like
    it; with ``finds_parts`` it looks for parts that are not given in the checkpoint. ``converter`` makes of its LoRA
    one that ComfyUI loads as a whole, empty where none is needed. ``swaps`` is how many blocks can wait in RAM at most
    (``enable_block_swap`` of the family's module in ``library``), 0 where it swaps none. ``offloads`` says whether
    what gradient checkpointing keeps can wait in RAM (``enable_gradient_checkpointing``, which others call without that
    or pass over), ``encoder_8_bits`` is its option for a text encoder in 8 bits. ``filters`` says whether its module
    for LoRA can leave out layers by their names; ``picks`` are the ``network_args`` by which others pick whole blocks.
    ``guidance`` is what sample prompts call the guidance.
    """

    name: str
    lora: str
    step: int
    text_encoders: int
    lora_keys: tuple[str, ...]
    caches_text: bool = True
    caches_trained: bool = False
    caches_dropped: bool = False
    preserves: bool = True
    preserves_mixed: bool = True
    half_vae: bool = True
    key_8_bits: str = "fp8_base"
    in_8_bits: bool = False
    preset: str = "full"
    length_keys: tuple[str, ...] = ("max_token_length",)
    length: int = 75
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    attention: Mapping[str, object] = field(default_factory=lambda: _SDPA)
    sampling: Mapping[str, object] = field(default_factory=dict[str, object])
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    finds_parts: bool = False
    converter: str = ""
    system_key: str = ""
    swaps: int = 0
    offloads: bool = False
    encoder_8_bits: str = ""
    filters: bool = False
    picks: str = ""
    guidance: str = "scale"

    def option(self, part: str) -> str:
        """Return its option for a part of the family's files."""
        return self.options.get(part, part)


# docs/flux_train_network.md: the script's own defaults are other ones.
_FLUX: Mapping[str, object] = {
    "guidance_scale": 1.0,
    "timestep_sampling": "shift",
    "discrete_flow_shift": 3.1582,
    "model_prediction_type": "raw",
}
# The same page, "Training Chroma Models".
_CHROMA: Mapping[str, object] = {
    "model_type": "chroma",
    "guidance_scale": 0.0,
    "timestep_sampling": "sigmoid",
    "model_prediction_type": "raw",
    "apply_t5_attn_mask": True,
}
# docs/sd3_train_network.md
_SD3: Mapping[str, object] = {"weighting_scheme": "uniform"}
# docs/anima_train_network.md; the last two keep its VAE within the memory of usual cards.
_ANIMA: Mapping[str, object] = {
    "timestep_sampling": "sigmoid",
    "discrete_flow_shift": 1.0,
    "vae_chunk_size": 64,
    "vae_disable_cache": True,
}
# docs/lumina_train_network.md
_LUMINA: Mapping[str, object] = {
    "timestep_sampling": "nextdit_shift",
    "discrete_flow_shift": 6.0,
    "model_prediction_type": "raw",
}
# docs/hunyuan_image_train_network.md
_HUNYUAN: Mapping[str, object] = {"model_prediction_type": "raw", "discrete_flow_shift": 5.0}
# Its SD 1.5 has the layers of Diffusers, its SDXL those of Stability's own code (``library/sdxl_original_unet.py``).
_UNET = ("lora_unet_down_blocks_", "lora_unet_mid_block_", "lora_unet_up_blocks_")
_SDXL_UNET = ("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_")
_UNET_PICKS = "down_lr_weight, mid_lr_weight, up_lr_weight, block_lr_zero_threshold"
_FLUX_PICKS = "train_blocks, train_double_block_indices, train_single_block_indices"
_FLUX_BLOCKS = ("lora_unet_double_blocks_", "lora_unet_single_blocks_")
_NEXT_DIT = ("lora_unet_layers_", "lora_unet_noise_refiner_", "lora_unet_context_refiner_")
# The assert_extra_args of Flux, Lumina and HunyuanImage call that of train_network.py first: 64, though their own ask
# for less. The call_unet of train_network.py drops `indices`, so that SD 1.5's prior has the size of the whole batch.
FAMILIES: dict[str, Script] = {
    "sd15": Script(
        "train_network.py", "networks.lora", 64, 1, _UNET, caches_text=False, preserves_mixed=False, preset=PRESET_FILE,
        picks=_UNET_PICKS,
    ),
    "sdxl": Script("sdxl_train_network.py", "networks.lora", 32, 2, _SDXL_UNET, half_vae=False, picks=_UNET_PICKS),
    "sd35": Script(
        "sd3_train_network.py", "networks.lora_sd3", 32, 2, ("lora_unet_joint_blocks_",), caches_trained=True,
        keys=_SD3, length_keys=("t5xxl_max_token_length",), length=0, finds_parts=True, swaps=36,
        picks="train_block_indices",
    ),
    "flux": Script(
        "flux_train_network.py", "networks.lora_flux", 64, 1, _FLUX_BLOCKS, caches_trained=True, in_8_bits=True,
        keys=_FLUX, length_keys=("t5xxl_max_token_length",), length=0, swaps=35, offloads=True,
        guidance="guidance_scale", picks=_FLUX_PICKS,
    ),
    "chroma": Script(
        "flux_train_network.py", "networks.lora_flux", 64, 0, _FLUX_BLOCKS, in_8_bits=True, keys=_CHROMA,
        length_keys=("t5xxl_max_token_length",), length=0, sampling={"guidance_scale": 0.0, "scale": 4.0}, swaps=35,
        picks=_FLUX_PICKS,
    ),
    "anima": Script(
        "anima_train_network.py", "networks.lora_anima", 16, 1, ("lora_unet_blocks_",), caches_dropped=True,
        preserves=False, key_8_bits="", keys=_ANIMA, attention={"attn_mode": "torch"},
        length_keys=("qwen3_max_token_length", "t5_max_token_length"), length=0, options={"text_encoder": "qwen3"},
        swaps=26, offloads=True, filters=True,
    ),
    "lumina2": Script(
        "lumina_train_network.py", "networks.lora_lumina", 64, 1, _NEXT_DIT, keys=_LUMINA,
        length_keys=("gemma2_max_token_length",), length=0, options={"text_encoder": "gemma2"},
        system_key="system_prompt", swaps=24, picks="train_blocks",
    ),
    "hunyuan_image": Script(
        "hunyuan_image_train_network.py", "networks.lora_hunyuan_image", 64, 0, _FLUX_BLOCKS, preserves=False,
        key_8_bits="fp8_scaled", in_8_bits=True, keys=_HUNYUAN, attention={"attn_mode": "torch", "split_attn": True},
        length_keys=(), length=0, converter="networks/convert_hunyuan_image_lora_to_comfy.py", swaps=37,
        offloads=True, encoder_8_bits="fp8_vl",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """How a network is made: ``algo`` is LyCORIS' name of it, empty where the script's own module makes it."""

    algo: str = ""
    args: tuple[str, ...] = ()


# networks.lora would drop in silence what makes a network LoHa, LoKr or DoRA. sd-scripts from 0.11 on has a module of
# its own for LoKr (networks.lokr), of SDXL and Anima only and without a switch for full rank.
NETWORKS: dict[str, Module] = {
    "lora": Module(),
    "locon": Module(),
    "loha": Module("loha"),
    "lokr": Module("lokr"),
    "dora": Module("lora", ("dora_wd=True",)),
}


def script(config: TrainingConfig) -> Script:
    """Return the script that trains the config's base model."""
    return FAMILIES[base_model(config.base_model).family.name]


def uses_lycoris(config: TrainingConfig) -> bool:
    """Say whether the network is made by LyCORIS."""
    return bool(NETWORKS[config.network].algo)


def has_convolutions(config: TrainingConfig) -> bool:
    """Say whether the network changes convolutions."""
    return network(config.network).convolutions and base_model(config.base_model).family.convolutions


def text_rate(config: TrainingConfig) -> float:
    """Return the learning rate of the text encoders, 0 where the script trains none."""
    return config.text_encoder_learning_rate if script(config).text_encoders else 0.0


def in_8_bits(config: TrainingConfig) -> bool:
    """Say whether the base model is held in 8 bits: by itself only the largest, as their documentation has it.

    DoRA multiplies the base model's weights, which 8 bits do not allow (lycoris 4.1.3, ``modules/locon.py``).
    """
    if not script(config).key_8_bits:
        return False
    if config.base_precision != USUAL:
        return config.base_precision == "fp8"
    if config.fp8_base is not None:
        return config.fp8_base
    usual = script(config).in_8_bits and config.mixed_precision != "no"
    return usual and not network(config.network).decomposed


def keys_of(config: TrainingConfig) -> dict[str, object]:
    """Return more keys of the script's config, with what the config says of timesteps in the place of the usual."""
    return {**script(config).keys, **_timesteps(config)}


def _timesteps(config: TrainingConfig) -> Mapping[str, object]:
    """Return how timesteps are drawn, where that is said: by all scripts alike but SD 3.5's.

    (``get_noisy_model_input_and_timesteps`` in ``library/flux_train_utils.py`` and ``library/sd3_train_utils.py``.)
    """
    sampling = config.timestep_sampling
    if sampling == "default" or base_model(config.base_model).family.is_diffusion:
        return {}
    shift = float(config.timestep_shift) if sampling == "shift" else 1.0
    if "weighting_scheme" in script(config).keys:
        return {"weighting_scheme": "uniform" if sampling == "uniform" else "logit_normal", "training_shift": shift}
    return {"timestep_sampling": sampling, "discrete_flow_shift": shift}


def network_args(config: TrainingConfig, folder: Path | None = None) -> Iterator[str]:
    """Yield the ``network_args`` of a settled config, each a ``key=value``; ``folder`` is that of the config files."""
    module, kind = NETWORKS[config.network], network(config.network)
    if module.algo:
        yield f"algo={module.algo}"
    yield from module.args
    if kind.kronecker:
        yield f"factor={config.lokr_factor or -1}"
        if config.lokr_full_rank:
            yield "full_matrix=True"
    if uses_lycoris(config):
        preset = preset_of(config)
        yield f"preset={(folder or Path()) / preset if preset == PRESET_FILE else preset}"
    if has_convolutions(config):
        yield f"conv_dim={config.conv_dim}"
        yield f"conv_alpha={config.conv_alpha:g}"
    yield from _training_args(config)
    if module.algo and not kind.decomposed and in_8_bits(config):
        yield "bypass_mode=True"  # else it adds to the weights themselves, which 8 bits do not allow


def _training_args(config: TrainingConfig) -> Iterator[str]:
    """Yield what changes only how the network is trained, and which of its layers."""
    for name, share in dropouts(config).items():
        if name not in undropped(config):
            yield f"{name}={share:g}"
    if not uses_lycoris(config):
        if config.lora_plus_ratio:
            yield f"loraplus_lr_ratio={config.lora_plus_ratio:g}"
        if script(config).filters:
            yield from layer_patterns(config)


def undropped(config: TrainingConfig) -> tuple[str, ...]:
    """Return the dropouts that the network passes over: LyCORIS' LoKr in 8 bits has none of ranks.

    (lycoris 4.1.3, ``modules/lokr.py``, ``bypass_forward_diff``.)
    """
    return ("rank_dropout",) if network(config.network).kronecker and in_8_bits(config) else ()


def preset_of(config: TrainingConfig) -> str:
    """Return LyCORIS' preset: which layers are changed.

    On SD 1.5 its own presets with convolutions stop with "duplicated lora name" (lycoris 4.1.3: the time embedding is
    named twice), so that one of ours is written beside the configs.
    """
    if not has_convolutions(config):
        return "attn-mlp"
    return script(config).preset


PRESET: dict[str, object] = {
    "enable_conv": True,
    "unet_target_module": ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
    "unet_target_name": ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
    "text_encoder_target_module": ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP"],
    "text_encoder_target_name": [],
}
"""What LyCORIS calls ``full``, without what only other models have."""


def caches_text(config: TrainingConfig) -> bool:
    """Say whether the text encoders' outputs are cached: where that is set, or is allowed and not refused."""
    if not script(config).caches_text or config.cache_text_encoder_outputs is False:
        return False
    return bool(config.cache_text_encoder_outputs) or next(cache_obstacles(config), None) is None


def cache_obstacles(config: TrainingConfig) -> Iterator[str]:
    """Yield what forbids to cache the text encoders' outputs; each is the beginning of a sentence.

    Rules: ``is_text_encoder_output_cacheable`` in ``library/train_util.py``, ``assert_extra_args`` in
    ``sdxl_train_network.py``. Variants are not looked at there: all lines would be learned as one.
    """
    if config.shuffle_caption:
        yield "Shuffled captions"
    if config.tag_dropout:
        yield "Tags that are dropped by chance"
    if config.caption_dropout and not script(config).caches_dropped:
        yield "Captions that are dropped by chance"
    if config.caption_variants:
        yield "Captions with variants"
    if text_rate(config) and not script(config).caches_trained:
        yield "Trained text encoders"
