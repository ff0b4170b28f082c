"""The config file of OneTrainer as text, with its own option names (23df383; before 2026-07 in older ones)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...captions.profiles import profile
from ...networks import network
from .. import checks
from ..extra import merged
from .names import (
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULERS,
    TIMESTEPS,
    caches_text,
    denoiser_precision,
    encoder_precision,
    kind,
    large_encoders,
    layer_filter,
    layer_share,
    offloads_encoders,
    optimizer_args,
    repository,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...model import TrainingConfig
    from .. import Subset

    Keys = Iterator[tuple[str, object]]

CONFIG_FILE = "onetrainer_config.json"
NEWEST = 11
"""The newest version of the config that we know: of 2026-07, commit de1437cb. Newer ones migrate it themselves."""
OLDEST = 10
"""The oldest version that we write: of 2025; it names neither LoRA formats nor checkpointing by part."""

_CONCEPT_VERSION = 2
VARIATIONS = 10
"""How many forms of an image or caption that changes by chance are cached at most; they are shown in turn."""
# As much as sd-scripts' colour augmentation: 8 of OpenCV's 180 degrees of hue each way, a gamma of 0.95 to 1.05.
_HUE = 0.09
_BRIGHTNESS = 0.03
_SAMPLE_STEPS = 30


def files(
    config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str, version: int
) -> dict[str, str]:
    """Return the config file of a settled config, concepts and samples in it, by name; ``version`` is its format's."""
    keys = dict(_keys(config, output, name, version))
    keys["concepts"] = [_concept(config, subset, folder) for subset in subsets if subset.sizes]
    return {CONFIG_FILE: json.dumps(merged(keys, config.extra), ensure_ascii=False, indent=2) + "\n"}


def options(config: TrainingConfig, _subsets: Sequence[Subset]) -> dict[str, object]:
    """Return what the config holds besides concepts and extra options."""
    return dict(_keys(config, Path(), "", NEWEST)) | {"concepts": None}


def _keys(config: TrainingConfig, output: Path, name: str, version: int) -> Keys:
    """Yield the keys of the config: each must be one that OneTrainer has, in its type, as all else is passed over."""
    yield "__version", version
    yield "training_method", "LORA"
    yield "model_type", kind(config).model_type
    yield "base_model_name", _base_model_name(config)
    yield from _output_keys(config, output, name, version)
    yield from _dataset_keys(config)
    yield from _learning_keys(config)
    yield from _network_keys(config)
    yield from _noise_keys(config)
    yield from _part_keys(config, version)
    yield from _speed_keys(config, version)
    yield from _sample_keys(config)
    # A multi-GPU run without device indexes takes all GPUs there are.
    yield "multi_gpu", config.processes > 1
    yield "device_indexes", ",".join(map(str, range(config.processes))) if config.processes > 1 else ""


def _base_model_name(config: TrainingConfig) -> str:
    return repository(config) if checks.is_denoiser_alone(config) else config.checkpoint


def _output_keys(config: TrainingConfig, output: Path, name: str, version: int) -> Keys:
    yield "workspace_dir", str(output)
    yield "cache_dir", str(output / "cache")
    yield "output_model_destination", str(output / f"{name}.safetensors")
    yield "output_model_format", kind(config).lora_format if version >= NEWEST else "SAFETENSORS"
    yield "output_dtype", "FLOAT_16"
    yield "save_filename_prefix", f"{name}-"
    yield "save_every", config.save_every_epochs
    yield "save_every_unit", "EPOCH"
    # Backups are what a stopped training resumes from; one is enough.
    yield "backup_after", config.save_every_epochs
    yield "backup_after_unit", "EPOCH" if config.save_state else "NEVER"
    yield "rolling_backup", True
    yield "rolling_backup_count", 1
    # Off is its web server, which would need a port; the logs are written all the same.
    yield "tensorboard", False


def _dataset_keys(config: TrainingConfig) -> Keys:
    # Its default names a file of OneTrainer's own, which backups would take along.
    yield "concept_file_name", ""
    yield "resolution", str(config.resolution)
    yield "aspect_ratio_bucketing", True
    yield "latent_caching", config.cache_latents
    yield "clear_cache_before_training", True
    yield "masked_training", config.masked_loss == "sidecar"
    if config.masked_loss == "sidecar":
        # Else a tenth of the loss, and of the steps, would not care about the mask.
        yield "unmasked_probability", 0.0
        yield "unmasked_weight", 0.0


def _learning_keys(config: TrainingConfig) -> Keys:
    optimizer = OPTIMIZERS[config.optimizer]
    keys: dict[str, object] = {"optimizer": optimizer.name, **optimizer.keys}
    if config.fused_backward:
        keys |= optimizer.fused or {}
    if config.weight_decay is not None:
        keys["weight_decay"] = float(config.weight_decay)
    keys |= optimizer_args(config)
    yield "optimizer", keys
    yield "learning_rate", float(config.learning_rate)
    yield "learning_rate_scheduler", SCHEDULERS[config.scheduler]
    yield "learning_rate_warmup_steps", float(config.warmup)  # up to 1: a share of all steps
    yield "learning_rate_cycles", 1.0
    yield "epochs", config.epochs
    yield "batch_size", config.batch_size
    yield "gradient_accumulation_steps", config.gradient_accumulation_steps
    yield "train_dtype", PRECISIONS[config.mixed_precision]
    if config.ema_decay:
        yield "ema", "GPU"
        yield "ema_decay", float(config.ema_decay)
        yield "ema_update_step_interval", 1  # every step, as others
    if config.loss_type != "mse":
        yield from ((key, float(key == LOSSES[config.loss_type])) for key in LOSSES.values())
        yield "huber_delta", float(config.huber_delta)


def _network_keys(config: TrainingConfig) -> Keys:
    chosen = network(config.network)
    if config.initial_lora:
        yield "lora_model_name", config.initial_lora
    yield "peft_type", NETWORKS[config.network]
    yield "lora_rank", config.network_dim
    yield "lora_alpha", float(config.network_alpha)
    yield "lora_decompose", chosen.decomposed
    if chosen.kronecker:
        yield "lokr_dim", config.network_dim
        yield "lokr_decompose_factor", config.lokr_factor or -1
        yield "lokr_full_matrix", config.lokr_full_rank
    yield "dropout_probability", float(config.network_dropout)  # of the network; each text encoder has one of captions
    yield "layer_filter", layer_filter(config)
    yield "layer_filter_preset", "custom"
    if layer_filter(config).startswith("^"):
        yield "layer_filter_regex", True
    if kind(config).quantized:
        yield "quantization", {"layer_filter": kind(config).quantized, "layer_filter_preset": "custom"}


def _noise_keys(config: TrainingConfig) -> Keys:
    yield "offset_noise_weight", float(config.noise_offset)
    if config.min_snr_gamma and checks.is_diffusion(config):
        yield "loss_weight_fn", "MIN_SNR_GAMMA"
        yield "loss_weight_strength", float(config.min_snr_gamma)
    if config.v_prediction:
        # Training a LoRA reads no force_v_prediction: this one turns both on.
        yield "rescale_noise_scheduler_to_zero_terminal_snr", True
    if config.debiased_estimation and checks.is_diffusion(config):
        yield "loss_weight_fn", "DEBIASED_ESTIMATION"
    yield from _timestep_keys(config)


def _timestep_keys(config: TrainingConfig) -> Keys:
    sampling = config.timestep_sampling
    if sampling == "default":
        yield from kind(config).timesteps.items()
        return
    yield "timestep_distribution", TIMESTEPS[sampling]
    yield "timestep_shift", float(config.timestep_shift) if sampling == "shift" else 1.0


# The parts of the model


def _part_keys(config: TrainingConfig, version: int) -> Keys:
    checkpointing = config.gradient_checkpointing
    if version < NEWEST:
        yield from _offload_keys(config)
    offloads = dict(_offloads(config)) if version >= NEWEST else {}
    parts: dict[str, dict[str, object]] = {
        kind(config).denoiser: _denoiser(config),
        **{part: _text_encoder(config, index) for index, part in enumerate(kind(config).text_encoders)},
        "vae": {"weight_dtype": "FLOAT_32"},  # SDXL's own overflows in half precision
    }
    for part, keys in parts.items():
        if version >= NEWEST and part != "vae":
            keys["gradient_checkpointing"] = checkpointing
        yield part, {**keys, **offloads.get(part, {})}
    yield from kind(config).sections.items()
    if not kind(config).tokens:
        yield "text_encoder_2_sequence_length", config.max_token_length
    yield from _skip_keys(config)


def _skip_keys(config: TrainingConfig) -> Keys:
    """Yield which layer of the text encoders is taken: it counts from the usual one, SDXL's second-last."""
    family = base_model(config.base_model).family
    if family.skips_clip and config.clip_skip > 1:
        yield "text_encoder_layer_skip", config.clip_skip - 1
    elif family.takes_second_last and config.clip_skip > 2:  # noqa: PLR2004 - the second-last
        for key in ("text_encoder_layer_skip", "text_encoder_2_layer_skip"):
            yield key, config.clip_skip - 2


def _offloads(config: TrainingConfig) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the parts of the model of which something waits in RAM, with the keys for that."""
    if not kind(config).offloads:
        return
    keys: dict[str, object] = {}
    if share := layer_share(config):
        keys["offload_fraction"] = share
    if config.activation_offload:
        keys["activation_offloading"] = True
    yield kind(config).denoiser, keys
    if config.text_encoder_offload:
        for index in large_encoders(config):
            yield kind(config).text_encoders[index], {"offload_fraction": float(config.text_encoder_offload)}


def _offload_keys(config: TrainingConfig) -> Keys:
    """Yield the keys of older configs, which have one share for all parts."""
    share = layer_share(config) if kind(config).offloads else 0.0
    if share or (config.activation_offload and kind(config).offloads):
        yield "gradient_checkpointing", "CPU_OFFLOADED"
        yield "layer_offload_fraction", share
        yield "enable_activation_offloading", config.activation_offload
    else:
        yield "gradient_checkpointing", "ON" if config.gradient_checkpointing else "OFF"


def _speed_keys(config: TrainingConfig, version: int) -> Keys:
    if config.compile:
        yield "compile", True
    threads = config.loader_workers
    if offloads_encoders(config) or (version < NEWEST and layer_share(config)):
        threads = 1
    if threads is not None:
        yield "dataloader_threads", threads


def _denoiser(config: TrainingConfig) -> dict[str, object]:
    keys: dict[str, object] = {
        "train": True,
        "learning_rate": float(config.learning_rate),
        "weight_dtype": denoiser_precision(config),
    }
    if checks.is_denoiser_alone(config) and config.checkpoint:
        keys["model_name"] = config.checkpoint
    return keys | {**kind(config).keys}


def _text_encoder(config: TrainingConfig, index: int) -> dict[str, object]:
    """Return the section of a text encoder: by itself OneTrainer trains it, and stops that after 30 epochs."""
    rate = float(config.text_encoder_learning_rate)
    trained = bool(rate) and index < kind(config).trained_encoders
    model = kind(config).encoders.get(kind(config).text_encoders[index])
    return {
        **({"model_name": model} if model else {}),
        "train": trained,
        "learning_rate": rate if trained else None,
        "stop_training_after": None,
        "stop_training_after_unit": "NEVER",
        "weight_dtype": encoder_precision(config, index),
        "dropout_probability": float(config.caption_dropout),
    }


# Samples


def _sample_keys(config: TrainingConfig) -> Keys:
    """Yield when and what is sampled; without a list, even an empty one, it would look for a file and stop."""
    yield "samples", [_sample(config, prompt) for prompt in config.sample_prompts]
    yield "sample_definition_file_name", ""
    yield "sample_after", config.sample_every_epochs
    yield "sample_after_unit", "EPOCH" if config.sample_prompts else "NEVER"
    yield "sample_skip_first", 1  # else the untrained model is sampled first


def _sample(config: TrainingConfig, prompt: str) -> dict[str, object]:
    """Return a sample in full: what is left out would be SD 1.5's."""
    return {
        "enabled": True,
        "prompt": prompt,
        "negative_prompt": profile(base_model(config.base_model).name).negative,
        "width": config.resolution,
        "height": config.resolution,
        "seed": config.seed,
        "random_seed": False,
        "diffusion_steps": config.sample_steps or _SAMPLE_STEPS,
        "cfg_scale": float(config.sample_guidance or kind(config).guidance),
        "noise_scheduler": kind(config).sampler,
    }


# Concepts


def _concept(config: TrainingConfig, subset: Subset, folder: Path) -> dict[str, object]:
    """Return the concept of a folder of images."""
    preserved = subset.is_regularization and config.regularization_method == "preservation"
    return {
        "__version": _CONCEPT_VERSION,
        "name": subset.folder,
        "path": str(folder / subset.folder),
        # Part of the name of its cache; by itself it is another one each time.
        "seed": zlib.crc32(subset.folder.encode()) & 0x3FFFFFFF,
        "enabled": True,
        "type": "PRIOR_PREDICTION" if preserved else "STANDARD",
        "include_subdirectories": False,
        "balancing": float(subset.repeats),
        "balancing_strategy": "REPEATS",
        "loss_weight": float(config.prior_loss_weight) if subset.is_regularization else 1.0,
        "image_variations": image_variations(config, subset),
        "text_variations": text_variations(config, subset),
        "image": _image_keys(config),
        "text": _text_keys(config),
    }


def _text_keys(config: TrainingConfig) -> dict[str, object]:
    keys: dict[str, object] = {
        "prompt_source": "sample",
        "tag_delimiter": ",",
        "enable_tag_shuffling": config.shuffle_caption,
        "keep_tags_count": config.keep_tokens,
    }
    if config.tag_dropout:
        keys |= {
            "tag_dropout_enable": True,
            "tag_dropout_mode": "RANDOM",
            "tag_dropout_probability": float(config.tag_dropout),
        }
    return keys


def _image_keys(config: TrainingConfig) -> dict[str, object]:
    keys: dict[str, object] = {
        "enable_crop_jitter": config.random_crop,
        "enable_random_flip": config.flip_aug,
        "enable_random_hue": config.color_aug,
        "enable_random_brightness": config.color_aug,
    }
    if config.color_aug:
        keys |= {"random_hue_max_strength": _HUE, "random_brightness_max_strength": _BRIGHTNESS}
    return keys


def image_variations(config: TrainingConfig, subset: Subset) -> int:
    """Return how many forms of each image are cached."""
    by_chance = config.random_crop or config.flip_aug or config.color_aug
    return _shown(config, subset) if by_chance and config.cache_latents else 1


def text_variations(config: TrainingConfig, subset: Subset) -> int:
    """Return how many forms of each caption are cached."""
    by_chance = config.shuffle_caption or config.caption_variants or config.tag_dropout
    return _shown(config, subset) if by_chance and caches_text(config) else 1


def _shown(config: TrainingConfig, subset: Subset) -> int:
    return min(VARIATIONS, config.epochs * subset.repeats)
