"""What musubi-tuner would stop at, ignore or do badly; its config file is read without any check of its own (0.3.4)."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...checkpoints import found_at
from ...model import Problem
from ...networks import network
from .. import checks, optimizer_args
from ..memory import precision_refusals, swap_refusals
from .counting import placements
from .scripts import (
    EDITS,
    FAMILIES,
    LABEL,
    NETWORKS,
    OPTIMIZERS,
    OPTIONS,
    REASONS,
    SCHEDULERS,
    has_full_rank,
    in_8_bits,
    script,
    step,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...model import TrainingConfig
    from .. import Subset

__all__ = ["EDITS", "FAMILIES", "LABEL", "NETWORKS", "OPTIONS", "REASONS"]
ADAPTERS = checks.NO_ADAPTERS
_SOURCES = "src/musubi_tuner"


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what musubi-tuner stops at, or would train something else with, in a settled config."""
    yield from _unknown(config)
    yield from _not_done(config)
    yield from _files(config)
    if config.scheduler == "constant" and config.warmup:
        yield "The scheduler constant takes no warm-up: choose constant_with_warmup, or set the warm-up to 0."
    yield from optimizer_args.no_warmup(LABEL, config)
    if known := version(config):
        yield from swap_refusals(LABEL, config, known.swaps)
        encoder = ("16-bit", "fp8") if known.encoder_8_bits else ("16-bit",)
        weights = ("fp8",) if known.quantized else ("16-bit", "fp8")
        yield from precision_refusals(LABEL, config, weights, encoder)
    if in_8_bits(config) and config.mixed_precision == "no":
        yield "A base model in 8 bits needs mixed precision: choose bf16, or turn fp8 off."


def _unknown(config: TrainingConfig) -> Iterator[str]:
    chosen, base = script(config), base_model(config.base_model)
    if version(config) is None:
        yield f"{LABEL} has no version of its scripts for {base.label}: choose another base model."
    if NETWORKS[config.network] and not chosen.auto:
        kind = network(config.network)
        others = [each for each in checks.able_trainers(base, kind.name) if not each.startswith(LABEL)]
        instead = f", or {checks.chosen_of('trainer', others)}" if others else ""
        yield f"{LABEL} makes no {kind.label} of {base.family.label}: choose the network lora{instead}."
    yield from checks.unknown(LABEL, "scheduler", config.scheduler, tuple(SCHEDULERS))
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    if config.mixed_precision not in chosen.precisions:
        known = " or ".join(chosen.precisions)
        yield f"{LABEL} trains {base.label} in {known}, and not in {config.mixed_precision}: choose {known}."


def _files(config: TrainingConfig) -> Iterator[str]:
    """Yield that files on this machine are of a kind that its scripts do not read."""
    chosen, base = script(config), base_model(config.base_model)
    for file in config.model_files.values():
        found = found_at(file)
        if found and found.part in chosen.unread:
            yield f"{LABEL} cannot read {file} for {base.label}: {chosen.unread[found.part]}."
    found = found_at(config.checkpoint) if chosen.file_precision else None
    if found is None or not found.precision:
        return
    if found.precision.startswith("fp8"):
        yield (
            f"{config.checkpoint} is in 8 bits, which {LABEL} makes of {base.label} itself: choose a file in 16 bits."
        )
    elif found.precision in ("fp16", "bf16") and config.mixed_precision not in (found.precision, "no"):
        yield (
            f"{config.checkpoint} is in {found.precision}, in which alone {LABEL} trains it: choose the mixed precision"
            f" {found.precision}."
        )


def _not_done(config: TrainingConfig) -> Iterator[str]:
    """Yield what other trainers do, with those that do it for some base model."""
    if config.masked_loss != "none":
        yield f"{LABEL} has no masked loss: train masks with sd-scripts, OneTrainer or ai-toolkit, or choose none."
    if config.regularization_method == "preservation":
        yield (
            f"{LABEL} has no differential output preservation: use regularization images as prior, or choose OneTrainer"
            " or another trainer."
        )
    if config.caption_variants:
        yield (
            f"{LABEL} encodes a caption once, and would take all of its variants for one: write one line, or train"
            " variants with OneTrainer or sd-scripts."
        )


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:
    """Yield what the musubi-tuner in ``home`` lacks."""
    if home is None:
        return
    chosen = script(config)
    module = (NETWORKS[config.network] or chosen.lora).replace(".", "/")
    for file in (f"{_SOURCES}/{chosen.training}", f"{_SOURCES}/{module}.py"):
        if not (home / file).is_file():
            yield f"There is no {file} in {home}: update {LABEL} to 0.3.4 or newer, or fix the folder in lorads.toml."


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what musubi-tuner trains, though hardly as it is meant."""
    if not config.checkpoint:
        yield "No checkpoint is chosen, so that training_config.toml names none: choose the base model's file."
    elif PurePath(config.checkpoint).suffix.lower() != ".safetensors":
        yield f"{LABEL} reads a base model from one .safetensors file: choose that of the transformer alone."
    base = base_model(config.base_model)
    if unnamed := [part for part in base.family.parts if not config.model_files.get(part)]:
        yield f"{LABEL} needs more files of {base.label} than its checkpoint: choose its {' and '.join(unnamed)}."


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield what must be installed besides musubi-tuner, and what to know of its files."""
    optimizer = OPTIMIZERS.get(config.optimizer)
    if optimizer and optimizer.package:
        yield f"{config.optimizer} needs {optimizer.package}: pip install {optimizer.package} in {LABEL}'s own Python."
    if config.tensorboard:
        yield f"TensorBoard logs need tensorboard: pip install tensorboard in {LABEL}'s own Python."
    known = version(config)
    if known and known.files:
        yield f"{LABEL} reads files of {base_model(config.base_model).label} as they are published: {known.files}."


def lacks(config: TrainingConfig) -> dict[str, str]:
    """Return the fields that musubi-tuner lacks for this base model and network, and what is done instead."""
    once = "images are cached before the training; it is left out."
    found = {
        "text_encoder_learning_rate": "it trains no text encoder; it is left out.",
        "noise_offset": "flow matching is trained without one; it is left out.",
        "shuffle_caption": "a caption is encoded once, before the training: its tags stay in their order.",
        "keep_tokens": "a caption is encoded once, before the training: its tags stay in their order.",
        "caption_dropout": "a caption is encoded once, before the training, and always shown.",
        "max_token_length": f"captions of {base_model(config.base_model).label} have a fixed length; it is left out.",
        "flip_aug": "it never mirrors; flipped copies must be images of their own.",
        "color_aug": once,
        "random_crop": "every image is cropped about its centre.",
        "cache_latents": "it always caches them.",
        "cache_text_encoder_outputs": "it always caches them.",
        "text_encoder_offload": "captions are encoded before the training, by a program of its own.",
        "fused_backward": "it is for full fine-tuning alone; a LoRA has few gradients.",
        "prior_loss_weight": "regularization images count as much as others.",
        "max_bucket_side": "a bucket is at least half the resolution wide, and about twice as long at most.",
    }
    found |= checks.of_base_model(config)
    found |= {
        "loss_type": "its loss is the squared error.",
        "huber_delta": "its loss is the squared error.",
        "ema_decay": "it averages no weights while it trains; its lora_post_hoc_ema.py averages saved files.",
        "tag_dropout": "a caption is encoded once, before the training, with all of its tags.",
    }
    if config.bucket_step != step(config):
        found["bucket_step"] = f"its buckets have steps of {step(config)} pixels."
    if not config.cache_to_disk:
        found["cache_to_disk"] = "it always caches on the disk."
    known = version(config)
    if known and known.quantized:
        found["fp8_base"] = "its files are in 8 bits, and stay so."
    if config.cache_text_encoder_outputs:
        del found["cache_text_encoder_outputs"]
    if NETWORKS[config.network]:
        left_out = f"its {network(config.network).label} has none; it is left out."
        found["network_dropout"] = found["lora_plus_ratio"] = left_out
    if has_full_rank(config):
        found["network_dim"] = found["network_alpha"] = "full rank has none."
    return found


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:  # noqa: ARG001
    """Yield nothing: what musubi-tuner does otherwise is said where an option asks for it."""
    yield from ()


# The images


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    yield from checks.size_problems(LABEL, placements(config, subsets), step(config))
