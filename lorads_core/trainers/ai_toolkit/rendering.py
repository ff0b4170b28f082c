"""The config file of ai-toolkit as text, with its own option names (0.12.26); it ignores unknown keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...captions.profiles import profile
from ...networks import network
from .. import LOGS, checks
from ..extra import merged
from ..memory import USUAL
from ..network_options import dropouts, layer_parts
from . import counting
from .names import LOSSES, NETWORKS, OPTIMIZERS, PRECISIONS, QTYPES, TIMESTEPS, has_convolutions, in_8_bits, kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...model import TrainingConfig
    from .. import Schedule, Subset

    Keys = Iterator[tuple[str, object]]

CONFIG_FILE = "ai_toolkit_config.json"


def files(config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str) -> dict[str, str]:
    """Return the config file of a settled config by name: a job of one process, in JSON."""
    process = merged(dict(_process(config, subsets, folder, output)), config.extra)
    job = {"job": "extension", "config": {"name": name, "process": [process]}, "meta": {"name": "[name]"}}
    text = json.dumps(job, ensure_ascii=False, indent=2) + "\n"
    # It would put variables of its environment in the place of ${…}, before it reads the JSON.
    return {CONFIG_FILE: text.replace("${", "\\u0024{")}


def options(config: TrainingConfig, subsets: Sequence[Subset]) -> dict[str, object]:
    """Return what the job's process holds besides extra options."""
    return dict(_process(config, subsets, Path(), Path()))


def _process(config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path) -> Keys:
    planned = counting.schedule(config, subsets)
    yield "type", "sd_trainer"
    yield "training_folder", str(output)
    yield "training_seed", config.seed
    if config.tensorboard:
        yield "log_dir", str(output / LOGS)
    yield "network", dict(_network(config))
    yield (
        "save",
        {
            "dtype": "float16",
            "save_every": max(1, config.save_every_epochs * planned.steps_per_epoch),
            "max_step_saves_to_keep": config.epochs + 1,  # its default keeps five
            "push_to_hub": False,
        },
    )
    yield "datasets", [dict(_dataset(config, subset, folder)) for subset in subsets if subset.sizes]
    yield "train", dict(_train(config, planned))
    yield "model", dict(_model(config))
    yield "sample", dict(_sample(config, planned))
    yield "logging", {"log_every": 1}


def _network(config: TrainingConfig) -> Keys:
    if config.initial_lora:
        yield "pretrained_lora_path", config.initial_lora
    kronecker = network(config.network).kronecker
    yield "type", NETWORKS[config.network]
    # NetworkConfig puts values of its own in place of these where LoKr has full rank, for convolutions too.
    if not (kronecker and config.lokr_full_rank):
        yield "linear", config.network_dim
        yield "linear_alpha", float(config.network_alpha)
        if has_convolutions(config):
            yield "conv", config.conv_dim
            yield "conv_alpha", float(config.conv_alpha)
    if kronecker:
        yield "lokr_full_rank", config.lokr_full_rank
        yield "lokr_factor", config.lokr_factor or -1
    elif config.network_dropout:
        yield "dropout", float(config.network_dropout)
    yield from kind(config).more.get("network", {}).items()
    if more := dict(_network_kwargs(config)):
        yield "network_kwargs", more


def _network_kwargs(config: TrainingConfig) -> Keys:
    """Yield what is handed on to its network (``LoRASpecialNetwork``)."""
    if not network(config.network).kronecker:
        yield from dropouts(config).items()
    if parts := layer_parts(config):
        yield "only_if_contains", parts
    if kind(config).ignored:
        yield "ignore_if_contains", list(kind(config).ignored)


def _dataset(config: TrainingConfig, subset: Subset, folder: Path) -> Keys:
    yield "folder_path", str(folder / subset.folder)
    yield "caption_ext", "txt"
    yield "num_repeats", subset.repeats
    yield "resolution", config.resolution
    if config.cache_to_disk is False and config.cache_latents:
        yield "cache_latents", True
    else:
        yield "cache_latents_to_disk", config.cache_latents
    yield from _caption_keys(config)
    if config.loader_workers is not None:
        yield "num_workers", config.loader_workers
    if config.flip_aug:
        yield "flip_x", True
    if config.masked_loss == "alpha" and not subset.is_regularization:
        yield "alpha_mask", True
    if config.masked_loss == "sidecar" and not subset.is_regularization:
        yield "mask_path", str(folder / mask_folder(subset.folder))
    if subset.is_regularization:
        yield "is_reg", True
        if config.regularization_method == "preservation":
            yield "prior_reg", True


def _caption_keys(config: TrainingConfig) -> Keys:
    yield "caption_dropout_rate", float(config.caption_dropout)
    if config.tag_dropout:
        yield "token_dropout_rate", float(config.tag_dropout)
        yield "keep_tokens", config.keep_tokens


def mask_folder(folder: str) -> str:
    """Return the folder of the masks of a subset's images: beside it, as it is looked through with its folders."""
    return f"{folder}_masks"


def _train(config: TrainingConfig, planned: Schedule) -> Keys:
    yield "steps", planned.total_steps
    yield "batch_size", config.batch_size
    yield "gradient_accumulation", config.gradient_accumulation_steps
    yield "train_unet", True
    yield "train_text_encoder", trains_text(config)
    yield "lr", float(config.learning_rate)  # the text encoders' too: text_encoder_lr is read, and used nowhere
    yield "optimizer", OPTIMIZERS[config.optimizer]
    if params := _optimizer_params(config):
        yield "optimizer_params", params
    yield from _scheduler(config, planned)
    yield "dtype", PRECISIONS[config.mixed_precision]
    yield "gradient_checkpointing", config.gradient_checkpointing
    yield "noise_scheduler", kind(config).noise
    yield from _timestep_keys(config)
    if config.loss_type != "mse":
        yield "loss_type", LOSSES[config.loss_type]
    if config.ema_decay:
        yield "ema_config", {"use_ema": True, "ema_decay": float(config.ema_decay)}
    yield "reg_weight", float(config.prior_loss_weight)
    if config.min_snr_gamma and checks.is_diffusion(config):
        yield "min_snr_gamma", float(config.min_snr_gamma)
    if config.noise_offset and checks.is_diffusion(config):
        yield "noise_offset", float(config.noise_offset)
    if config.cache_text_encoder_outputs:
        yield "cache_text_embeddings", True
    yield from kind(config).more.get("train", {}).items()
    yield "skip_first_sample", True
    yield "disable_sampling", not config.sample_prompts


def _optimizer_params(config: TrainingConfig) -> dict[str, object]:
    decay = {} if config.weight_decay is None else {"weight_decay": float(config.weight_decay)}
    return {**decay, **config.optimizer_args}


def _timestep_keys(config: TrainingConfig) -> Keys:
    if config.timestep_sampling != "default" and not checks.is_diffusion(config):
        yield "timestep_type", TIMESTEPS[config.timestep_sampling]
    elif kind(config).timesteps and not _is_extra(config, "train", "timestep_type"):
        yield "timestep_type", kind(config).timesteps


def _is_extra(config: TrainingConfig, section: str, key: str) -> bool:
    """Say whether an extra option sets a key that is written only because it is usual for the base model."""
    table: object = config.extra.get(section)
    return isinstance(table, dict) and key in table


def trains_text(config: TrainingConfig) -> bool:
    """Say whether the text encoders are trained, which Flux's are not."""
    return bool(config.text_encoder_learning_rate) and checks.is_diffusion(config)


def _scheduler(config: TrainingConfig, planned: Schedule) -> Keys:
    if config.scheduler in ("constant", "constant_with_warmup"):
        yield "lr_scheduler", "constant_with_warmup" if config.warmup else "constant"
        if config.warmup:
            yield "lr_scheduler_params", {"num_warmup_steps": round(config.warmup * planned.total_steps)}
        return
    yield "lr_scheduler", config.scheduler
    if config.scheduler == "linear":
        # PyTorch's own linear scheduler rises.
        yield "lr_scheduler_params", {"start_factor": 1.0, "end_factor": 0.0}


def _model(config: TrainingConfig) -> Keys:
    of, base = kind(config), base_model(config.base_model)
    yield "name_or_path", config.checkpoint or base.usual_checkpoint or None
    yield "arch", of.arch
    if of.extras and (config.checkpoint or base.usual_checkpoint) != base.repository:
        # A folder that has them itself is read instead (``load_transformer``).
        yield "extras_name_or_path", base.repository
    if of.vae:
        yield "vae_path", of.vae
    if base.adapter:
        yield "assistant_lora_path", base.adapter
    if in_8_bits(config):
        yield "quantize", True
        if of.low_vram and not _is_extra(config, "model", "low_vram"):
            yield "low_vram", True
    yield from _weights(config)
    yield from _offloads(config)
    if config.compile:
        yield "compile", True
    yield from _more_of_model(config)


def _more_of_model(config: TrainingConfig) -> Keys:
    of = kind(config)
    if of.unconditional and config.sample_prompts:
        yield "unconditional_lora_path", of.unconditional
    yield from of.more.get("model", {}).items()
    if config.v_prediction:
        yield "is_v_pred", True


def _weights(config: TrainingConfig) -> Keys:
    """Yield precisions that were chosen; of the usual ones its defaults are those that `in_8_bits` turns on."""
    if config.base_precision in QTYPES:
        yield "qtype", _qtype(config, config.base_precision)
        if adapter := kind(config).recovery.get(config.base_precision):
            yield "accuracy_recovery_adapter", adapter
    if config.text_encoder_precision == USUAL:
        return
    yield "quantize_te", config.text_encoder_precision in QTYPES
    if config.text_encoder_precision in QTYPES:
        yield "qtype_te", _qtype(config, config.text_encoder_precision)


def _qtype(config: TrainingConfig, precision: str) -> str:
    """Return its name of a precision: layers that wait in RAM are held in PyTorch's own 8 bits (``ModelConfig``)."""
    return "float8" if precision == "fp8" and _offloads_layers(config) else QTYPES[precision]


def _offloads_layers(config: TrainingConfig) -> bool:
    return kind(config).offloads and bool(config.layer_offload or config.text_encoder_offload)


def _offloads(config: TrainingConfig) -> Keys:
    """Yield what waits in RAM: by itself all of both parts."""
    if _offloads_layers(config):
        yield "layer_offloading", True
        yield "layer_offloading_transformer_percent", float(config.layer_offload)  # from 0 to 1
        yield "layer_offloading_text_encoder_percent", float(config.text_encoder_offload)


def _sample(config: TrainingConfig, planned: Schedule) -> Keys:
    yield "sampler", kind(config).noise
    yield "sample_every", max(1, config.sample_every_epochs * planned.steps_per_epoch)
    yield "width", config.resolution
    yield "height", config.resolution
    yield "prompts", list(config.sample_prompts)
    yield "neg", profile(config.base_model).negative
    yield "seed", config.seed
    yield "guidance_scale", float(config.sample_guidance or kind(config).guidance)
    yield "sample_steps", config.sample_steps or kind(config).sample_steps
