"""The config files of SimpleTuner as text, with its own option names (4.8); an unknown key stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...captions.profiles import profile
from .. import checks
from ..extra import merged
from ..memory import USUAL, swapped
from . import counting
from .names import LOSSES, OPTIMIZERS, SCHEDULERS, encoder_weights, in_8_bits, kind, lycoris, weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...model import TrainingConfig
    from .. import Subset

    Keys = Iterator[tuple[str, object]]

CONFIG_FILE = "config.json"
"""A name that SimpleTuner looks for itself in the folder that it is given."""
DATASET_FILE = "multidatabackend.json"
NETWORK_FILE = "lycoris_config.json"
PROMPTS_FILE = "user_prompt_library.json"
START_FILE = "start_simpletuner.py"
LORA_FILE = "pytorch_lora_weights.safetensors"
COMPILER = "inductor"
"""The backend of torch.compile."""
VARIATIONS = 10
"""How many orders of a caption's tags are learned at most; each is cached as an embedding."""

# SimpleTuner learns by its environment alone where its config is, and what starts a command (ssh, srun, docker) hands
# on its arguments, but not always the environment. SimpleTuner's own command line would start accelerate from the
# PATH, in a session of its own, where whoever stops the training misses it.
_START = '''\
"""Starts SimpleTuner with the config.json beside this file; the arguments are those of accelerate launch."""

import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))
# Modules are those of Python and of SimpleTuner, in whose folder this is run; none lies beside this file.
sys.path[:] = ["", *(path for path in sys.path if path and os.path.abspath(path) != folder)]

import runpy

os.environ["SIMPLETUNER_ENVIRONMENT"] = folder
os.environ["CONFIG_BACKEND"] = "json"
os.environ.pop("CONFIG_PATH", None)
runpy.run_module("accelerate.commands.launch", run_name="__main__")
'''
_CACHE = "cache"


def files(
    config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, *, metrics: bool
) -> dict[str, str]:
    """Return the config files of a settled config and the start file, by name.

    ``metrics`` says whether SimpleTuner can write its progress.
    """
    texts: dict[str, object] = {
        CONFIG_FILE: merged(dict(_keys(config, subsets, folder, output, metrics=metrics)), config.extra),
        DATASET_FILE: list(_backends(config, subsets, folder)),
        NETWORK_FILE: dict(lycoris(config)),
    }
    if config.sample_prompts:
        texts[PROMPTS_FILE] = {f"sample_{n}": prompt for n, prompt in enumerate(config.sample_prompts, 1)}
    configs = {name: json.dumps(value, ensure_ascii=False, indent=2) + "\n" for name, value in texts.items()}
    return {**configs, START_FILE: _START}


def options(config: TrainingConfig, subsets: Sequence[Subset]) -> dict[str, object]:
    """Return what ``config.json`` holds besides extra options."""
    return dict(_keys(config, subsets, Path(), Path(), metrics=True))


def _keys(config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, *, metrics: bool) -> Keys:
    """Yield the keys of ``config.json``: each is an option of ``train.py``, without its hyphens."""
    yield "model_type", "lora"
    yield "model_family", kind(config).family
    if kind(config).flavour:
        yield "model_flavour", kind(config).flavour
    yield from kind(config).keys.items()
    yield from kind(config).more.items()
    yield from _model_keys(config)
    yield "lora_type", "lycoris"
    yield "lycoris_config", str(folder / NETWORK_FILE)
    if config.initial_lora:
        yield "init_lora", config.initial_lora
        # Else the step in that file's metadata would count as done.
        yield "init_lora_step", 0
    yield "data_backend_config", str(folder / DATASET_FILE)
    yield "output_dir", str(output)
    # Its default takes up the newest checkpoint in the folder.
    yield "resume_from_checkpoint", ""
    yield from _step_keys(config, subsets)
    yield from _learning_keys(config)
    yield "mixed_precision", config.mixed_precision
    yield from _weight_keys(config)
    yield "gradient_checkpointing", config.gradient_checkpointing
    yield from _memory_keys(config)
    yield from _caption_keys(config)
    yield from _noise_keys(config)
    yield from _sample_keys(config, subsets, folder)
    # Else a bucket with fewer images than a step would stop it even where there are no repeats.
    yield "allow_dataset_oversubscription", True
    yield "aspect_bucket_alignment", kind(config).step
    yield "aspect_bucket_rounding", 2
    # What its cache says of an earlier config would win otherwise.
    yield "override_dataset_config", True
    yield "report_to", "simpletuner" if metrics else "none"
    yield "push_to_hub", False
    yield "seed", config.seed


def _weight_keys(config: TrainingConfig) -> Keys:
    of = kind(config)
    if in_8_bits(config):
        yield "base_model_precision", weights(config).get(config.base_precision, of.precision)
    if config.text_encoder_precision != USUAL:
        yield f"text_encoder_{of.encoder or 1}_precision", encoder_weights(config)[config.text_encoder_precision]
    elif in_8_bits(config) and of.encoder_precision:
        yield "text_encoder_1_precision", of.encoder_precision


def _memory_keys(config: TrainingConfig) -> Keys:
    if (blocks := swapped(config)) and kind(config).blocks:
        yield "musubi_blocks_to_swap", blocks
    if config.activation_offload and kind(config).offloads:
        yield "gradient_checkpointing_backend", "unsloth"
    if config.compile:
        yield "dynamo_backend", COMPILER


def _model_keys(config: TrainingConfig) -> Keys:
    """Yield the base model; a VAE that is not named would be one that it fetches."""
    base = base_model(config.base_model)
    alone = checks.is_denoiser_alone(config) or config.checkpoint == base.usual_checkpoint
    whole = base.repository if alone else config.checkpoint
    if whole:
        yield "pretrained_model_name_or_path", whole
        yield "pretrained_vae_model_name_or_path", whole
    if alone and config.checkpoint.endswith(".safetensors"):
        yield "pretrained_transformer_model_name_or_path", config.checkpoint
    elif base.denoiser:
        # Else De-Turbo's flavour would fetch one, whatever the folder has.
        yield "pretrained_transformer_model_name_or_path", base.denoiser if alone else config.checkpoint
    yield "vae_dtype", kind(config).vae  # SDXL's own overflows in half precision
    if config.v_prediction:
        yield "prediction_type", "v_prediction"
        yield "rescale_betas_zero_snr", True


def _step_keys(config: TrainingConfig, subsets: Sequence[Subset]) -> Keys:
    planned = counting.schedule(config, subsets)
    yield "train_batch_size", config.batch_size
    yield "gradient_accumulation_steps", config.gradient_accumulation_steps
    yield "num_train_epochs", config.epochs
    yield "max_train_steps", 0
    yield "checkpoint_step_interval", counting.steps_of(config.save_every_epochs, planned)
    yield "checkpoints_total_limit", 0  # no limit: its default keeps five
    yield "learning_rate", float(config.learning_rate)
    yield "lr_scheduler", _scheduler(config)
    if config.scheduler == "cosine":
        # custom_schedule.py: this is the length of half a cosine, and there is no warm-up.
        yield "lr_warmup_steps", max(1, planned.total_steps)
    else:
        yield "lr_warmup_steps", round(config.warmup * planned.total_steps)
    if config.scheduler in ("cosine", "polynomial"):
        yield "lr_end", 0.0
    if config.scheduler == "polynomial":
        yield "lr_power", 1.0


def _scheduler(config: TrainingConfig) -> str:
    return "constant_with_warmup" if config.scheduler == "constant" and config.warmup else SCHEDULERS[config.scheduler]


def _learning_keys(config: TrainingConfig) -> Keys:
    yield "optimizer", OPTIMIZERS[config.optimizer]
    if args := list(_optimizer_args(config)):
        yield "optimizer_config", ",".join(args)
    for number, beta in enumerate(config.optimizer_args.get("betas", ()), 1):
        yield f"optimizer_beta{number}", float(beta)


def _optimizer_args(config: TrainingConfig) -> Iterator[str]:
    """Yield arguments as SimpleTuner reads them: numbers by their point (``convert_arg_to_parameters``)."""
    if config.weight_decay is not None:
        yield f"weight_decay={config.weight_decay:.10f}".rstrip("0") + "0"
    for name, value in config.optimizer_args.items():
        if name != "betas":
            text = str(value)
            yield f"{name}={float(text):.1f}" if "e+" in text else f"{name}={text}"


def _caption_keys(config: TrainingConfig) -> Keys:
    yield "caption_strategy", "textfile"
    yield "caption_dropout_probability", float(config.caption_dropout)
    if config.cache_text_encoder_outputs is False:
        yield "text_cache_disable", True


def _noise_keys(config: TrainingConfig) -> Keys:
    yield from _timestep_keys(config)
    if config.loss_type != "mse":
        yield "loss_type", LOSSES[config.loss_type]
        yield "huber_schedule", "constant"
        yield "huber_c", float(config.huber_delta)
    if not checks.is_diffusion(config):
        return
    if config.min_snr_gamma:
        yield "snr_gamma", int(config.min_snr_gamma)
    if config.noise_offset:
        yield "offset_noise", True
        yield "noise_offset", float(config.noise_offset)
        yield "noise_offset_probability", 1.0


def draws_timesteps(config: TrainingConfig) -> bool:
    """Say whether the config tells how timesteps of a flow model are drawn."""
    return config.timestep_sampling != "default" and not checks.is_diffusion(config)


def _timestep_keys(config: TrainingConfig) -> Keys:
    """Yield how timesteps are drawn; its own shift is 3 for most, and a shift of 0 is none."""
    if not draws_timesteps(config):
        if kind(config).shift and "flow_schedule_shift" not in config.extra:
            yield "flow_schedule_shift", kind(config).shift
        return
    if config.timestep_sampling == "uniform":
        yield "flow_use_uniform_schedule", True
    yield "flow_schedule_shift", float(config.timestep_shift) if config.timestep_sampling == "shift" else 0.0


def _sample_keys(config: TrainingConfig, subsets: Sequence[Subset], folder: Path) -> Keys:
    if not config.sample_prompts:
        yield "validation_disable", True
        return
    yield "user_prompt_library", str(folder / PROMPTS_FILE)
    yield "validation_disable_unconditional", True
    yield "validation_step_interval", counting.steps_of(config.sample_every_epochs, counting.schedule(config, subsets))
    yield "validation_resolution", str(config.resolution)
    yield "validation_seed", config.seed
    yield "validation_num_inference_steps", config.sample_steps or kind(config).sample_steps
    yield "validation_guidance", float(config.sample_guidance or kind(config).guidance)
    if kind(config).is_video:
        yield "validation_num_video_frames", 1
    if negative := profile(config.base_model).negative:
        yield "validation_negative_prompt", negative


# Backends


def _backends(config: TrainingConfig, subsets: Sequence[Subset], folder: Path) -> Iterator[dict[str, object]]:
    """Yield a backend for each folder of images, and that of the captions' embeddings.

    Nothing is written here that lets SimpleTuner delete images.
    """
    for subset in subsets:
        if subset.sizes:
            yield dict(_backend(config, subset, folder))
    yield {
        "id": "text-embeds",
        "dataset_type": "text_embeds",
        "type": "local",
        "default": True,
        "cache_dir": str(folder / _CACHE / "text"),
    }


def _backend(config: TrainingConfig, subset: Subset, folder: Path) -> Keys:
    yield "id", subset.folder
    yield "type", "local"
    yield "dataset_type", "image"
    yield "instance_data_dir", str(folder / subset.folder)
    yield "cache_dir_vae", str(folder / _CACHE / "vae" / subset.folder)
    yield "caption_strategy", "textfile"
    yield "disable_multiline_split", not config.caption_variants
    yield "crop", False
    yield "resolution", config.resolution
    yield "resolution_type", "pixel_area"
    yield "repeats", subset.repeats - 1  # how often besides the first time
    if config.shuffle_caption:
        yield "caption_shuffle", _shuffle(config, subset)
    if not config.cache_latents:
        yield "vae_cache_disable", True
    if subset.is_regularization and config.regularization_method == "preservation":
        yield "is_regularisation_data", True


def _shuffle(config: TrainingConfig, subset: Subset) -> dict[str, object]:
    return {
        "enable": True,
        "count": min(VARIATIONS, config.epochs * subset.repeats),
        "split_on": "comma",
        "position_start": config.keep_tokens,
        "include_original": False,
        "seed": config.seed,
    }
