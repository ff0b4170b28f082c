"""The config files of sd-scripts as text, with its own option names (v0.10.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from ...base_models import base_model
from ...captions.profiles import profile
from .. import LOGS, checks
from ..extra import merged
from ..memory import swapped
from ..optimizer_args import python_args
from .counting import bucket_rule
from .scripts import (
    LYCORIS,
    PRESET,
    PRESET_FILE,
    caches_text,
    in_8_bits,
    keys_of,
    network_args,
    preset_of,
    script,
    text_rate,
    uses_lycoris,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model import TrainingConfig
    from .. import Subset

    Keys = Iterator[tuple[str, object]]
    Tables = list[tuple[str, dict[str, object]]]

TRAINING_FILE = "training_config.toml"
DATASET_FILE = "dataset_config.toml"
PROMPTS_FILE = "sample_prompts.json"
SEPARATOR = "|||"
"""What stands behind the parts of a caption that are not shuffled."""

# With its own defaults AdaFactor finds the learning rate itself and stops at a warm-up.
_ADAFACTOR = ("scale_parameter=False", "relative_step=False", "warmup_init=False")


def files(config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str) -> dict[str, str]:
    """Return the config files of a settled config by name; see `Trainer.files`."""
    texts = {
        TRAINING_FILE: tomli_w.dumps(merged(dict(_training_keys(config, folder, output, name)), config.extra)),
        DATASET_FILE: _dataset(config, subsets, folder),
    }
    if config.sample_prompts:
        texts[PROMPTS_FILE] = _prompts(config)
    if uses_lycoris(config) and preset_of(config) == PRESET_FILE:
        texts[PRESET_FILE] = tomli_w.dumps(PRESET)
    return texts


def options(config: TrainingConfig, _subsets: Sequence[Subset]) -> dict[str, object]:
    """Return what ``training_config.toml`` holds besides extra options."""
    return dict(_training_keys(config, Path(), Path(), ""))


def _training_keys(config: TrainingConfig, folder: Path, output: Path, name: str) -> Keys:
    """Yield the keys of ``training_config.toml``: each is an option of the script, spelled as in its ``--help``."""
    yield from _model_keys(config)
    yield "dataset_config", str(folder / DATASET_FILE)
    yield "output_dir", str(output)
    yield "output_name", name
    yield "save_model_as", "safetensors"
    yield "save_precision", "fp16"
    yield "save_every_n_epochs", config.save_every_epochs
    if config.save_state:
        yield "save_state", True
        yield "save_last_n_epochs_state", 1  # the former is removed when the new one is whole
    yield "max_train_epochs", config.epochs
    yield "gradient_accumulation_steps", config.gradient_accumulation_steps
    yield from _network_keys(config, folder)
    yield from _learning_keys(config)
    yield from _text_encoder_keys(config)
    yield "mixed_precision", config.mixed_precision
    if in_8_bits(config):
        yield script(config).key_8_bits, True
    yield "gradient_checkpointing", config.gradient_checkpointing
    yield from _memory_keys(config)
    yield from script(config).attention.items()
    if not script(config).half_vae:
        yield "no_half_vae", True  # SDXL's own VAE overflows in half precision
    yield "cache_latents", config.cache_latents
    if config.cache_to_disk and config.cache_latents:
        yield "cache_latents_to_disk", True
    if config.masked_loss == "sidecar":
        yield "masked_loss", True
    yield "prior_loss_weight", float(config.prior_loss_weight)
    yield from _sample_keys(config, folder)
    yield "seed", config.seed
    if config.tensorboard:
        yield "log_with", "tensorboard"
        yield "logging_dir", str(output / LOGS)


def _memory_keys(config: TrainingConfig) -> Keys:
    chosen = script(config)
    if (blocks := swapped(config)) and chosen.swaps:
        yield "blocks_to_swap", blocks
    if config.activation_offload and chosen.offloads:
        yield "cpu_offload_checkpointing", True
    if config.text_encoder_precision == "fp8":
        yield chosen.encoder_8_bits, True
    if config.compile:
        yield "torch_compile", True
        yield "dynamo_backend", "inductor"
    if config.loader_workers is not None:
        yield "max_data_loader_n_workers", config.loader_workers
        yield "persistent_data_loader_workers", config.loader_workers > 0  # else all begin anew in each epoch


def _model_keys(config: TrainingConfig) -> Keys:
    if config.checkpoint:
        yield "pretrained_model_name_or_path", config.checkpoint
    chosen, base = script(config), base_model(config.base_model)
    for part in base.family.parts:
        if path := config.model_files.get(part):
            yield chosen.option(part), path
    yield from keys_of(config).items()
    if chosen.system_key and base.system_prompt:
        yield chosen.system_key, base.system_prompt
    if config.v_prediction:
        yield "v_parameterization", True
        yield "zero_terminal_snr", True
        # These divide by SNR + 1 themselves (``apply_snr_weight``, ``apply_debiased_estimation``).
        if not config.min_snr_gamma and not config.debiased_estimation:
            yield "scale_v_pred_loss_like_noise_pred", True


def _network_keys(config: TrainingConfig, folder: Path) -> Keys:
    if config.initial_lora:
        yield "network_weights", config.initial_lora
    yield "network_module", LYCORIS if uses_lycoris(config) else script(config).lora
    yield "network_dim", config.network_dim
    yield "network_alpha", float(config.network_alpha)
    if config.network_dropout and not uses_lycoris(config):
        yield "network_dropout", float(config.network_dropout)
    if args := list(network_args(config, folder)):
        yield "network_args", args


def _learning_keys(config: TrainingConfig) -> Keys:
    yield "optimizer_type", config.optimizer
    if args := list(_optimizer_args(config)):
        yield "optimizer_args", args
    yield "learning_rate", float(config.learning_rate)
    yield "unet_lr", float(config.learning_rate)
    yield "lr_scheduler", config.scheduler
    if config.warmup:
        yield "lr_warmup_steps", float(config.warmup)  # below 1: a share of all steps
    if config.min_snr_gamma and checks.is_diffusion(config):
        yield "min_snr_gamma", float(config.min_snr_gamma)
    if config.noise_offset and checks.is_diffusion(config):
        yield "noise_offset", float(config.noise_offset)
    if config.debiased_estimation and checks.is_diffusion(config):
        yield "debiased_estimation_loss", True
    yield from _loss_keys(config)


def _loss_keys(config: TrainingConfig) -> Keys:
    if config.loss_type == "mse":
        return
    yield "loss_type", config.loss_type
    if config.loss_type != "l1":
        yield "huber_schedule", "constant"  # its own, by signal to noise, stops flow matching
        yield "huber_c", float(config.huber_delta)


def _optimizer_args(config: TrainingConfig) -> Iterator[str]:
    if config.optimizer == "AdaFactor":
        yield from (each for each in _ADAFACTOR if each.partition("=")[0] not in config.optimizer_args)
    if config.weight_decay is not None:
        yield f"weight_decay={config.weight_decay:g}"
    yield from python_args(config.optimizer_args)


def _text_encoder_keys(config: TrainingConfig) -> Keys:
    if rate := float(text_rate(config)):
        yield "text_encoder_lr", [rate] * script(config).text_encoders
    else:
        yield "network_train_unet_only", True
    if caches_text(config):
        yield "cache_text_encoder_outputs", True
        if config.cache_to_disk:
            yield "cache_text_encoder_outputs_to_disk", True
    if config.clip_skip > 1 and base_model(config.base_model).family.skips_clip:
        yield "clip_skip", config.clip_skip
    if config.max_token_length != script(config).length:
        for key in script(config).length_keys:
            yield key, config.max_token_length


def _sample_keys(config: TrainingConfig, folder: Path) -> Keys:
    if config.sample_prompts:
        yield "sample_prompts", str(folder / PROMPTS_FILE)
        yield "sample_every_n_epochs", config.sample_every_epochs


def _prompts(config: TrainingConfig) -> str:
    """Return the prompts as JSON: in a text file, what follows two hyphens would be an option."""
    usual: dict[str, object] = {"width": config.resolution, "height": config.resolution, "seed": config.seed}
    usual |= script(config).sampling
    if negative := profile(config.base_model).negative:
        usual["negative_prompt"] = negative
    if config.sample_steps:
        usual["sample_steps"] = config.sample_steps
    if config.sample_guidance:
        usual[script(config).guidance] = float(config.sample_guidance)
    return json.dumps([{"prompt": prompt, **usual} for prompt in config.sample_prompts], ensure_ascii=False, indent=1)


def _dataset(config: TrainingConfig, subsets: Sequence[Subset], folder: Path) -> str:
    """Return ``dataset_config.toml``: one dataset, as regularization subsets count only beside their training ones.

    Every table has its own heading: sd-scripts' parser (toml 0.10.2) misreads an apostrophe within an inline table.
    """
    rule = bucket_rule(config)
    dataset: dict[str, object] = {
        "resolution": config.resolution,
        "batch_size": config.batch_size,
        "enable_bucket": True,
        "bucket_no_upscale": config.bucket_no_upscale,
        "bucket_reso_steps": rule.step,
        "min_bucket_reso": rule.min_side,
        "max_bucket_reso": rule.max_side,
    }
    tables: Tables = [("[general]", dict(_general_keys(config))), ("[[datasets]]", dataset)]
    for subset in subsets:
        if subset.sizes:
            tables += _subset_tables(config, subset, folder)
    return "\n".join(f"{heading}\n{tomli_w.dumps(table)}" for heading, table in tables)


def _general_keys(config: TrainingConfig) -> Keys:
    yield "caption_extension", ".txt"
    yield "shuffle_caption", config.shuffle_caption
    yield "keep_tokens", config.keep_tokens if keeps_head(config) else 0
    if keeps_head(config):
        yield "keep_tokens_separator", SEPARATOR
    if config.tag_dropout:
        yield "caption_tag_dropout_rate", float(config.tag_dropout)
    if config.caption_dropout:
        yield "caption_dropout_rate", float(config.caption_dropout)
    if config.caption_variants:
        yield "enable_wildcard", True
    yield "flip_aug", config.flip_aug
    for key in ("color_aug", "random_crop"):
        if getattr(config, key):
            yield key, True


def keeps_head(config: TrainingConfig) -> bool:
    """Say whether tags are moved or left out by chance, so that those in front must be marked."""
    return config.shuffle_caption or bool(config.tag_dropout)


def _subset_tables(config: TrainingConfig, subset: Subset, folder: Path) -> Iterable[tuple[str, dict[str, object]]]:
    keys: dict[str, object] = {"image_dir": str(folder / subset.folder), "num_repeats": subset.repeats}
    if config.masked_loss == "sidecar":
        keys["conditioning_data_dir"] = str(folder / mask_folder(subset.folder))
    else:
        keys["is_reg"] = subset.is_regularization
    if config.masked_loss == "alpha" and not subset.is_regularization:
        keys["alpha_mask"] = True
    yield "[[datasets.subsets]]", keys
    if subset.is_regularization and config.regularization_method == "preservation":
        yield "[datasets.subsets.custom_attributes]", {"diff_output_preservation": True}


def mask_folder(folder: str) -> str:
    """Return the folder of the masks of a subset's images: a name of its own, as all in it must be masks."""
    return f"{folder}_masks"
