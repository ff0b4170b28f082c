"""What OneTrainer would stop at, ignore or do badly: a wrong word in its config it only prints, and trains on."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...model import Problem
from ...networks import network
from ...problems import counted
from ...system.files import read_text
from .. import checks
from ..defaults import is_adaptive
from ..memory import precision_refusals, share_refusals
from .counting import batches_of, full_batch, placements, samples
from .names import (
    ENCODER_WEIGHTS,
    FAMILIES,
    LABEL,
    LINEAR_ONLY,
    LOSSES,
    NETWORKS,
    OPTIMIZER_ARGS,
    OPTIMIZERS,
    OPTIONS,
    PRECISIONS,
    REASONS,
    SCHEDULERS,
    WEIGHTS,
    caches_text,
    kind,
    large_encoders,
    layer_share,
    offloads_encoders,
    optimizer_args,
    repository,
)
from .rendering import NEWEST, OLDEST, VARIATIONS, image_variations, text_variations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...buckets import Size
    from ...model import TrainingConfig
    from .. import Subset

__all__ = ["FAMILIES", "NETWORKS", "OPTIONS", "REASONS"]
ADAPTERS = checks.NO_ADAPTERS
EDITS = checks.NO_EDITS
_VERSION = re.compile(r"config_version=(\d+)")


def _settings_of(home: Path) -> str:
    """Return the source of its config class, empty where there is none."""
    try:
        return read_text(home / "modules" / "util" / "config" / "TrainConfig.py", errors="replace")
    except OSError:
        return ""


def version_in(home: Path) -> int | None:
    """Return the version of its config that the OneTrainer in ``home`` reads, None where there is none."""
    found = _VERSION.search(_settings_of(home))
    return int(found[1]) if found else None


def version_of(home: Path | None) -> int:
    """Return the version of the config to write; newer OneTrainers turn the newest that we know into their own."""
    version = version_in(home) if home else None
    return NEWEST if version is None else min(max(version, OLDEST), NEWEST)


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:
    """Yield what speaks against the OneTrainer in ``home``."""
    if home is None:
        return
    version = version_in(home)
    if version is None:
        yield f"There is no {LABEL} in {home}: fix the folder in lorads.toml."
    elif version < OLDEST:
        yield (
            f"The {LABEL} in {home} reads configs of version {version} only, and version {OLDEST} is the oldest that is"
            " written: update it."
        )
    elif version < kind(config).version:
        yield (
            f"The {LABEL} in {home} reads configs of version {version}, and {base_model(config.base_model).label} needs"
            f" {kind(config).version}, which came in 2026-07: update it."
        )
    elif version < NEWEST and config.text_encoder_offload not in (0, layer_share(config)):
        yield (
            f"The {LABEL} in {home} has one share for all layers that wait in RAM; those by part came in 2026-07:"
            " get a newer one, or set the text encoder offload like the layer offload."
        )
    elif network(config.network).kronecker and "lokr_dim" not in _settings_of(home):
        yield f"The {LABEL} in {home} has no LoKr, which came in 2026-05: update it, or choose the network lora."


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what OneTrainer stops at, or would train something else with, in a settled config."""
    yield from _unknown(config)
    yield from _rates(config)
    yield from _caching(config)
    yield from _memory(config)
    if config.resolution <= kind(config).step:
        label, step = base_model(config.base_model).label, kind(config).step
        yield f"At a resolution of {config.resolution}, {label} has buckets without height: use more than {step}."
    base = base_model(config.base_model)
    if base.denoiser and config.checkpoint == base.denoiser:
        yield f"{LABEL} reads no denoiser from a repository of its own: choose a file of {base.label}."
    if config.min_snr_gamma and config.debiased_estimation:
        yield f"{LABEL} weights timesteps by one rule only: turn debiased estimation off, or set min SNR gamma to 0."
    yield from _checkpoint(config)
    if config.masked_loss == "alpha":
        yield f"{LABEL} reads no masks from alpha channels: choose sidecar, masks in files of their own."


def _checkpoint(config: TrainingConfig) -> Iterator[str]:
    """Yield that a checkpoint has a form that it does not load."""
    of, base = kind(config), base_model(config.base_model)
    if not of.file and PurePath(config.checkpoint).suffix == ".safetensors":
        yield (
            f"{LABEL} takes {base.label} as a folder of all parts, or as a repository, and no single file: choose"
            f" {repository(config)} as the checkpoint."
        )
    if of.repository and config.checkpoint == base.repository:
        yield f"{LABEL} does not read the weights in {base.repository}: choose {of.repository} as the checkpoint."


def _unknown(config: TrainingConfig) -> Iterator[str]:
    if config.scheduler == "polynomial":
        yield f"{LABEL} has no scheduler 'polynomial': choose linear, which is that of power 1."
    else:
        yield from checks.unknown(LABEL, "scheduler", config.scheduler, tuple(SCHEDULERS))
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    yield from checks.unknown(LABEL, "mixed precision", config.mixed_precision, tuple(PRECISIONS))
    yield from checks.unknown(LABEL, "loss", config.loss_type, tuple(LOSSES))
    for name, value in optimizer_args(config).items():
        known = OPTIMIZERS[config.optimizer].args if config.optimizer in OPTIMIZERS else tuple(OPTIMIZER_ARGS)
        yield from checks.unknown(f"{LABEL}'s {config.optimizer}", "optimizer argument", name, known)
        if name in OPTIMIZER_ARGS and type(value) is not OPTIMIZER_ARGS[name]:
            wanted = {float: "a number", int: "a whole number", bool: "true or false"}[OPTIMIZER_ARGS[name]]
            yield f"{LABEL} takes {wanted} as the optimizer argument {name}, and {value!r} is none: choose one."


def _rates(config: TrainingConfig) -> Iterator[str]:
    rate = config.text_encoder_learning_rate
    if is_adaptive(config.optimizer) and rate not in {0, config.learning_rate}:
        yield (
            f"{config.optimizer} stops at two learning rates: set that of the text encoder to {config.learning_rate:g}"
            " too, or to 0."
        )


def _memory(config: TrainingConfig) -> Iterator[str]:
    yield from precision_refusals(LABEL, config, WEIGHTS, ENCODER_WEIGHTS)
    if kind(config).offloads:
        yield from share_refusals(LABEL, config, kind(config).blocks)
        if layer_share(config) and not config.gradient_checkpointing:
            yield f"{LABEL} keeps layers in RAM with gradient checkpointing alone: turn that on."
    if config.loader_workers == 0:
        yield f"{LABEL} loads images by 1 thread at least: set the number of loader workers to 1."
    if not config.fused_backward:
        return
    able = [name for name, each in OPTIMIZERS.items() if each.fused is not None]
    if config.optimizer not in able:
        yield f"{LABEL} has no fused backward pass with {config.optimizer}: choose {' or '.join(able)}, or turn it off."
    if config.gradient_accumulation_steps > 1:
        yield "A fused backward pass saves nothing while gradients are accumulated: accumulate 1, or turn it off."
    if config.processes > 1:
        yield f"{LABEL} stops at a fused backward pass with several processes: use one, or turn it off."


def _caching(config: TrainingConfig) -> Iterator[str]:
    if not config.cache_text_encoder_outputs or caches_text(config):
        return
    if not config.cache_latents:
        yield f"{LABEL} caches outputs of text encoders beside latents only: turn the caching of latents on."
    else:
        yield (
            "Trained text encoders cannot be learned from cached outputs: leave that caching to us, or set their"
            " learning rate to 0."
        )


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what OneTrainer trains, though hardly as it is meant."""
    if not config.checkpoint and kind(config).file:
        key = f"{kind(config).denoiser}.model_name" if base_model(config.base_model).repository else "base_model_name"
        yield (f"No checkpoint is chosen, so the config names none: start {LABEL} with --config-value {key}=FILE.")
    # ``setup_optimizations`` of Stable Diffusion 1.5 and XL: what compiles the blocks is called with checkpoints alone.
    if config.compile and not config.gradient_checkpointing and kind(config).denoiser == "unet":
        label = base_model(config.base_model).label
        yield (
            f"{LABEL} compiles the blocks of {label} with gradient checkpointing alone, and nothing without: turn that"
            " on, or compile off."
        )


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield what is needed besides the files that are named."""
    base = base_model(config.base_model)
    if not kind(config).file and config.checkpoint in ("", repository(config)):
        yield checks.downloads(LABEL, base.label, [repository(config)])
    elif checks.is_denoiser_alone(config):
        said = checks.downloads(LABEL, f"{base.family.label}'s text encoders and VAE", [base.repository])
        yield f"{said} A folder of all parts can be the checkpoint instead."
    if kind(config).encoders:
        yield checks.downloads(LABEL, f"a text encoder of {base.label}", [*kind(config).encoders.values()])


def lacks(config: TrainingConfig) -> dict[str, str]:
    """Return the fields that OneTrainer lacks for this base model and network, and what is done instead."""
    step = kind(config).step
    found = {
        "seed": "its own starts each training alike; samples get yours.",
        "max_bucket_side": "its buckets go to four times as long as high.",
        "bucket_step": f"its buckets of {base_model(config.base_model).label} have steps of {step}.",
        "bucket_no_upscale": "it enlarges what is smaller than its bucket.",
        "rank_dropout": "it drops single values of the network alone (network dropout).",
        "module_dropout": "it drops single values of the network alone (network dropout).",
        "lora_plus_ratio": "it has one rate for both matrices; sd-scripts and musubi-tuner have two.",
        "tensorboard": "it always writes them, into the folder tensorboard of its output.",
    }
    label = base_model(config.base_model).label
    if not kind(config).offloads:
        stays = f"all of {label} stays in graphics memory."
        found |= dict.fromkeys(("blocks_to_swap", "layer_offload", "activation_offload"), stays)
    if not config.cache_to_disk:
        found["cache_to_disk"] = "it always caches on the disk."
    if not large_encoders(config):
        found["text_encoder_offload"] = f"the text encoders of {label} are small, and stay where they are."
        found["text_encoder_precision"] = f"the text encoders of {label} are small, and held as they are."
    if network(config.network).convolutions:
        instead = "convolutions get those of the network."
        found |= {key: instead for key in ("conv_dim", "conv_alpha") if _differs(config, key)}
    found |= {name: said for name, said in checks.of_base_model(config).items() if name not in _own(config)}
    found |= checks.lacks_model_files(config)
    if not kind(config).trained_encoders:
        found["text_encoder_learning_rate"] = "text encoders of this base model are left as they are."
    if _is_cut(config):
        found["max_token_length"] = f"it reads the first {kind(config).tokens} tokens of a caption."
    if config.cache_text_encoder_outputs is False and caches_text(config):
        found["cache_text_encoder_outputs"] = "it has no switch for it: without cached latents there is none."
    return found


def _own(config: TrainingConfig) -> tuple[str, ...]:
    """Return options of which others have none for the base model (``_get_timestep_discrete``, ``encode_text``)."""
    skip = ("clip_skip",) if base_model(config.base_model).family.takes_second_last else ()
    return (*skip, "timestep_sampling", "timestep_shift") if checks.is_diffusion(config) else skip


def _is_cut(config: TrainingConfig) -> bool:
    return 0 < kind(config).tokens < config.max_token_length


def _differs(config: TrainingConfig, key: str) -> bool:
    return getattr(config, key) != getattr(config, key.replace("conv", "network"))


def cuts(config: TrainingConfig) -> Iterator[Problem]:
    """Yield that long captions are cut, for a settled config that did not itself ask for long ones."""
    if _is_cut(config):
        tokens = kind(config).tokens
        yield _lacking(f"{LABEL} reads the first {tokens} tokens of a caption: keep captions short, the trigger first.")


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:
    """Yield what OneTrainer does another way than others, for a settled config without errors."""
    if not unsettled.max_token_length:
        yield from cuts(config)
    if NETWORKS[config.network] in LINEAR_ONLY and kind(config).convolutions:
        yield _lacking(
            f"{LABEL} saves LoHa's convolutions in a form that ComfyUI does not read: they are left out. Choose the"
            " network locon for convolutions."
        )
    if offloads_encoders(config) and (config.loader_workers or 1) > 1:
        yield _lacking(
            f"{LABEL} brings in layers of a text encoder by one thread alone, so that the {config.loader_workers}"
            " loader workers become one: leave the text encoder offload out for more."
        )
    if config.shuffle_caption or config.tag_dropout:
        yield _lacking(
            f"{LABEL} keeps as many tags in front as keep tokens says ({config.keep_tokens}), of every caption alike."
        )
    if any(image_variations(config, subset) == VARIATIONS for subset in subsets):
        yield _lacking(f"{LABEL} caches {VARIATIONS} forms of each image and shows them in turn.")
    if any(text_variations(config, subset) == VARIATIONS for subset in subsets):
        yield _lacking(f"{LABEL} caches {VARIATIONS} forms of each caption and shows them in turn.")


def _lacking(message: str) -> Problem:
    return Problem("info", "not-in-trainer", message)


# The images


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    counts = samples(config, subsets)
    batches = batches_of(config, counts)
    if batches < 1:
        yield Problem(
            "error",
            "no-batch",
            f"No bucket has enough samples for a batch of {full_batch(config)}, so that {LABEL} would drop all: use a"
            " smaller batch, or more repeats.",
        )
        return
    if batches * config.epochs < config.gradient_accumulation_steps:
        yield Problem(
            "error",
            "no-step",
            f"All epochs have {batches * config.epochs} batches, fewer than the {config.gradient_accumulation_steps}"
            f" that are accumulated, so that {LABEL} would never learn: accumulate fewer, or use more epochs.",
        )
        return
    yield from checks.size_problems(LABEL, placements(config, subsets), kind(config).step)
    yield from _dropped(config, subsets, counts)
    yield from _regularization(config, subsets)


def _dropped(config: TrainingConfig, subsets: Sequence[Subset], counts: Mapping[Size, int]) -> Iterator[Problem]:
    """Yield which images are never trained on, as their bucket has no full batch."""
    lost = [item for item in placements(config, subsets) if counts[item.bucket] < full_batch(config)]
    if lost:
        sizes = ", ".join(sorted({f"{item.bucket[0]}×{item.bucket[1]}" for item in lost}))
        yield Problem(
            "warning",
            "dropped",
            f"{LABEL} drops {counted(len(lost), 'image')} (in buckets of {sizes}), too few for a batch of"
            f" {full_batch(config)}: use a smaller batch, more repeats, or leave them out.",
        )


def _regularization(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    if config.regularization_method == "prior" and any(item.sizes for item in subsets if item.is_regularization):
        yield Problem(
            "info",
            "regularization",
            f"{LABEL} learns regularization images beside the others, and all of them; its own way is the method"
            " preservation, which learns from what the base model makes of them.",
        )
