"""What ai-toolkit would stop at, ignore or do badly (0.12.26)."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...model import Problem
from ...networks import network
from ...problems import counted
from ...system.files import file_error_reason, read_text
from .. import checks
from ..defaults import sets_its_rate
from ..memory import precision_refusals, share_refusals
from .counting import placements
from .names import (
    ADAPTERS,
    EDITS,
    FAMILIES,
    LABEL,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    OPTIONS,
    PRECISIONS,
    REASONS,
    SCHEDULERS,
    SMOOTH_DELTA,
    encoder_weights,
    in_8_bits,
    kind,
    weights,
)
from .rendering import trains_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...model import TrainingConfig
    from .. import Subset


__all__ = ["ADAPTERS", "EDITS", "FAMILIES", "NETWORKS", "OPTIONS", "REASONS"]


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:
    """Yield what speaks against the ai-toolkit in ``home``."""
    if home is None:
        return
    if not (home / "run.py").is_file() or not (home / "toolkit" / "config_modules.py").is_file():
        yield f"There is no {LABEL} in {home}: fix the folder in lorads.toml."
        return
    try:
        text = read_text(home / "toolkit" / "config_modules.py", errors="replace")
    except OSError as error:
        yield f"The {LABEL} in {home} cannot be read: {file_error_reason(error)}."
        return
    if "prior_reg" not in text or "gradient_accumulation'" not in text:
        yield f"The {LABEL} in {home} knows neither prior_reg nor gradient_accumulation: update it."
    if network(config.network).kronecker and "lokr_full_rank" not in text:
        yield f"The {LABEL} in {home} has no LoKr: update it, or choose the network lora."


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what ai-toolkit stops at, or would train something else with, in a settled config."""
    yield from _unknown(config)
    yield from _captions(config)
    if trains_text(config) and config.text_encoder_learning_rate != config.learning_rate:
        yield (
            f"{LABEL} has one learning rate for all: set that of the text encoders to {config.learning_rate:g} too, or"
            " to 0, which leaves them alone."
        )
    if config.processes > 1:
        yield f"{LABEL} is started with one process here: set the number of processes to 1."
    if in_8_bits(config) and config.mixed_precision == "no":
        yield "A base model in 8 bits needs mixed precision: choose bf16, or turn fp8 off."
    yield from checks.unmergeable(LABEL, config, kind(config).networks)
    if base_model(config.base_model).edits and config.sample_prompts:
        label = base_model(config.base_model).label
        yield f"{LABEL} stops at a sample of {label} without a control image: leave the sample prompts out."
    yield from precision_refusals(LABEL, config, weights(config), encoder_weights(config))
    if kind(config).offloads:
        yield from share_refusals(LABEL, config)
    yield from _checkpoint(config)


def _checkpoint(config: TrainingConfig) -> Iterator[str]:
    """Yield that a checkpoint has a form that it does not load."""
    base, of = base_model(config.base_model), kind(config)
    label, usual = base.label, checks.usual_checkpoint(base)
    if not of.file and PurePath(config.checkpoint).suffix == ".safetensors":
        yield f"{LABEL} takes {label} as a folder of all parts, or as a repository, and no single file: {usual}."
    if not of.folder and checks.is_diffusers_folder(config.checkpoint):
        yield (
            f"{LABEL} takes {label} as a single .safetensors file, and {config.checkpoint} is a folder in Diffusers'"
            f" form: choose a file, or {usual}."
        )


def _unknown(config: TrainingConfig) -> Iterator[str]:
    if config.scheduler == "polynomial":
        yield f"{LABEL} stops at the scheduler polynomial: choose linear, which is that of power 1."
    else:
        yield from checks.unknown(LABEL, "scheduler", config.scheduler, SCHEDULERS)
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    yield from checks.unknown(LABEL, "mixed precision", config.mixed_precision, tuple(PRECISIONS))
    if config.loss_type == "huber":
        yield f"{LABEL} has no loss 'huber': choose smooth_l1."
    else:
        yield from checks.unknown(LABEL, "loss", config.loss_type, tuple(LOSSES))
    if sets_its_rate(config):
        yield f"{LABEL} gives AdaFactor a learning rate, and stops at relative_step beside it: leave that out."
    if "eps" in config.optimizer_args and config.optimizer != "AdaFactor":
        yield f"{LABEL} stops at the optimizer argument eps, which it sets to 1e-6 itself: leave it out."
    if config.timestep_sampling == "shift" and not checks.is_diffusion(config):
        yield (
            f"{LABEL} shifts timesteps by the base model's own amount, not by {config.timestep_shift:g}: choose"
            ' uniform, sigmoid or default, or the extra option train.timestep_type = "shift".'
        )


def _captions(config: TrainingConfig) -> Iterator[str]:
    if config.shuffle_caption:
        yield f"{LABEL} shuffles the trigger along with all other tags: turn shuffling off."
    if config.caption_variants:
        yield f"{LABEL} reads all lines of a caption as one: turn variants off."
    if config.cache_text_encoder_outputs and (config.caption_dropout or config.tag_dropout or trains_text(config)):
        dropped = "Captions" if config.caption_dropout else "Tags"
        by_chance = config.caption_dropout or config.tag_dropout
        what = f"{dropped} that are dropped by chance" if by_chance else "Trained text encoders"
        yield f"{what} cannot be learned from cached outputs of the text encoders: leave that caching to us."


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what ai-toolkit trains, though hardly as it is meant."""
    if not config.checkpoint and not base_model(config.base_model).usual_checkpoint:
        yield f"No checkpoint is chosen, at which {LABEL} stops: choose one, or name it in the config."
    if not checks.is_diffusion(config) and config.network_alpha != config.network_dim:
        yield (
            f"{LABEL} trains {base_model(config.base_model).label} with an alpha like the dim ({config.network_dim}),"
            " and leaves"
            f" {config.network_alpha:g} out: that multiplies the learning rate by"
            f" {config.network_dim / config.network_alpha:g}."
        )


def lacks(config: TrainingConfig) -> dict[str, str]:
    """Return the fields that ai-toolkit lacks for this base model and network, and what is done instead."""
    step = kind(config).step
    found = {
        "color_aug": "it is left out.",
        "random_crop": "every image is cropped about its centre.",
        "max_bucket_side": "its buckets are as long as their images.",
        "bucket_step": f"its buckets of {base_model(config.base_model).label} have steps of {step}.",
        "bucket_no_upscale": f"it enlarges no image by more than its step of {step} pixels anyway.",
        "save_state": "it always saves the optimizer's state.",
        "activation_offload": "it keeps them in graphics memory.",
        "fused_backward": "all gradients of a step are held; a LoRA has few.",
        "lora_plus_ratio": "it has one rate for both matrices; sd-scripts and musubi-tuner have two.",
        "huber_delta": f"its smooth_l1 is linear from {SMOOTH_DELTA:g} on.",
        "debiased_estimation": "it is left out; min-SNR is there.",
        "clip_skip": "it takes the text encoder's last layer.",
    }
    if not checks.is_diffusion(config):
        found |= _flow_lacks(config)
    if network(config.network).kronecker:
        found |= dict.fromkeys(("network_dropout", "rank_dropout", "module_dropout"), "its LoKr has none of use.")
    found |= _lacks_of_captions(config) | _lacks_of_memory(config)
    return found | checks.of_base_model(config) | checks.lacks_model_files(config)


def _lacks_of_captions(config: TrainingConfig) -> dict[str, str]:
    found = dict[str, str]()
    if config.cache_text_encoder_outputs is False:
        found["cache_text_encoder_outputs"] = "it caches them only where that is set."
    if config.max_token_length != kind(config).tokens:
        found["max_token_length"] = f"it reads the first {kind(config).tokens} tokens of a caption."
    if not config.tag_dropout:
        found["keep_tokens"] = "it shuffles no captions here."
    return found


def _lacks_of_memory(config: TrainingConfig) -> dict[str, str]:
    found = dict[str, str]()
    if not kind(config).offloads:
        stays = f"all of {base_model(config.base_model).label} stays in graphics memory."
        found |= dict.fromkeys(("blocks_to_swap", "layer_offload", "text_encoder_offload"), stays)
    if config.fp8_base and not kind(config).quantizes:
        found["fp8_base"] = "it holds no U-Net in 8 bits; this one is trained as it is."
    return found


def _flow_lacks(config: TrainingConfig) -> dict[str, str]:
    label = base_model(config.base_model).label
    found = {
        "noise_offset": "flow matching is trained without one; it is left out.",
        "text_encoder_learning_rate": f"{label}'s text encoders stay as they are.",
    }
    if config.network_alpha != config.network_dim:
        found["network_alpha"] = f"{label} gets one like the dim."
    return found


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield what it downloads besides the files that are named."""
    of, base = kind(config), base_model(config.base_model)
    if base.usual_checkpoint and config.checkpoint in ("", base.usual_checkpoint):
        yield checks.downloads(LABEL, base.label, [base.usual_checkpoint])
    parts = of.parts
    if of.extras and config.checkpoint != base.repository and (config.checkpoint or base.denoiser):
        parts = (*parts, base.repository)
    if parts:
        yield checks.downloads(LABEL, f"what {base.label}'s checkpoint lacks", parts)
    if recovery := of.recovery.get(config.base_precision):
        yield checks.downloads(LABEL, "the accuracy recovery adapter", ["/".join(recovery.split("/")[:2])])
    if base.adapter:
        yield checks.downloads(LABEL, "the training adapter", ["/".join(base.adapter.split("/")[:2])])
    if of.unconditional and config.sample_prompts:
        yield checks.downloads(LABEL, "a LoRA that samples need", ["/".join(of.unconditional.split("/")[:2])])


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:
    """Yield what ai-toolkit does differently, for a settled config without errors; ``unsettled`` is as set."""
    if config.warmup and config.scheduler not in ("constant", "constant_with_warmup"):
        yield _lacking(
            f"{LABEL}'s {config.scheduler} has no warm-up: that of {config.warmup:g} is left out;"
            " constant_with_warmup has one."
        )
    if not unsettled.max_token_length and config.max_token_length > kind(config).tokens:
        tokens = kind(config).tokens
        yield _lacking(f"{LABEL} reads the first {tokens} tokens of a caption: keep captions short, the trigger first.")
    if config.loss_type == "smooth_l1":
        yield _lacking(f"{LABEL}'s smooth_l1 is its pseudo-Huber, linear from {SMOOTH_DELTA:g} on.")
    if config.cache_to_disk is False and config.cache_text_encoder_outputs:
        yield _lacking(f"{LABEL} always caches outputs of text encoders on the disk; latents alone stay in memory.")
    if config.tag_dropout:
        yield _lacking(
            f"{LABEL} keeps as many tags in front as keep tokens says ({config.keep_tokens}), of every caption alike."
        )
    yield from checks.own_system_prompt(LABEL, config)
    if config.flip_aug:
        yield _lacking(f"{LABEL} shows every image and its mirror image in each epoch, which doubles the steps.")
    if any(item.sizes for item in subsets if item.is_regularization):
        yield Problem(
            "info",
            "regularization",
            f"Every other step of {LABEL} is one of regularization images, which doubles the steps.",
        )


def _lacking(message: str) -> Problem:
    return Problem("info", "not-in-trainer", message)


# The images


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    placed = placements(config, subsets)
    yield from checks.size_problems(LABEL, placed, kind(config).step)
    smaller = sum(item.source[0] * item.source[1] < config.resolution**2 for item in placed)
    if smaller and not config.bucket_no_upscale:
        yield _lacking(
            f"{LABEL} trains small images at about their own size: {counted(smaller, 'image')} below the resolution"
            f" will be enlarged by less than its step of {kind(config).step} pixels, if at all."
        )
