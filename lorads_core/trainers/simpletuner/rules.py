"""What SimpleTuner would stop at, ignore or do badly (4.8)."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from ...base_models import base_model
from ...model import Problem
from ...networks import network
from ...problems import counted
from ...system.files import read_text
from .. import checks
from ..memory import precision_refusals, swap_refusals
from .counting import full_step, images_by_bucket, placements
from .names import (
    ADAPTERS,
    FAMILIES,
    LABEL,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    OPTIONS,
    PRECISIONS,
    REASONS,
    SCHEDULERS,
    encoder_weights,
    in_8_bits,
    kind,
    undropped,
    weights,
)
from .rendering import VARIATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...buckets import Size
    from ...model import TrainingConfig
    from .. import Subset

OLDEST = (4, 7)
"""The oldest version whose configs we know: before, regularization was LyCORIS' alone, and epochs had no strict end."""
METRICS = (4, 8)
"""From this version on it writes its progress to a file."""

__all__ = ["ADAPTERS", "FAMILIES", "NETWORKS", "OPTIONS", "REASONS"]
EDITS = checks.NO_EDITS
_VERSION = re.compile(r"""^__version__ = ["'](\d+)\.(\d+)""", re.MULTILINE)
_PLACES = ("simpletuner", "*/lib/python3*/site-packages/simpletuner", "*/Lib/site-packages/simpletuner")


def version_in(home: Path) -> tuple[int, int] | None:
    """Return the version of the SimpleTuner in ``home`` (its sources, or a folder with its venv), None without one."""
    for place in _PLACES:
        for found in sorted(home.glob(f"{place}/__init__.py")):
            try:
                version = _VERSION.search(read_text(found, errors="replace"))
            except OSError:
                continue
            if version:
                return int(version[1]), int(version[2])
    return None


def writes_metrics(home: Path | None) -> bool:
    """Say whether the SimpleTuner in ``home`` can write its progress to a file."""
    version = version_in(home) if home else None
    return version is None or version >= METRICS


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:  # noqa: ARG001
    """Yield what speaks against the SimpleTuner in ``home``."""
    if home is None:
        return
    version = version_in(home)
    if version is None:
        yield f"There is no {LABEL} in {home}: fix the folder in lorads.toml."
    elif version < OLDEST:
        found, oldest = (".".join(map(str, each)) for each in (version, OLDEST))
        yield f"The {LABEL} in {home} is version {found}, and {oldest} is the oldest that is written for: update it."


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what SimpleTuner stops at, or would train something else with, in a settled config."""
    yield from _unknown(config)
    yield from _network(config)
    yield from _checkpoint(config)
    yield from checks.unmergeable(LABEL, config, kind(config).networks)
    if config.masked_loss != "none":
        yield (
            f"{LABEL} pairs a mask with its image by the whole file name, and reads none from alpha channels: train"
            " masks with sd-scripts, OneTrainer (sidecar) or ai-toolkit."
        )
    if config.cache_latents and config.random_crop:
        yield "Random cropping cannot be learned from cached latents: turn it off."
    gamma = config.min_snr_gamma
    if checks.is_diffusion(config) and gamma != int(gamma):
        yield f"{LABEL} takes whole numbers as min SNR gamma only, and {gamma:g} is none: use {round(gamma) or 1}."
    if config.initial_lora and in_8_bits(config):
        yield (
            f"{LABEL} cannot start from a LoRA on a base model in 8 bits, as LyCORIS would add to its weights: turn fp8"
            " off (fp8_base), or start a new LoRA."
        )
    yield from _memory(config)
    if in_8_bits(config) and config.mixed_precision == "no":
        yield "A base model in 8 bits needs mixed precision: choose bf16, or turn fp8 off."


def _memory(config: TrainingConfig) -> Iterator[str]:
    blocks = kind(config).blocks
    yield from swap_refusals(LABEL, config, max(blocks - 1, 0))
    yield from precision_refusals(LABEL, config, weights(config), encoder_weights(config))
    if config.compile and config.base_precision == "nf4":
        yield f"{LABEL} compiles no base model in nf4: choose int8, or turn compile off."


def _unknown(config: TrainingConfig) -> Iterator[str]:
    if config.scheduler == "cosine_with_restarts":
        yield f"{LABEL} keeps the learning rate constant under cosine_with_restarts: choose cosine."
    else:
        yield from checks.unknown(LABEL, "scheduler", config.scheduler, tuple(SCHEDULERS))
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    yield from checks.unknown(LABEL, "mixed precision", config.mixed_precision, PRECISIONS)
    yield from checks.unknown(LABEL, "loss", config.loss_type, tuple(LOSSES))
    if config.timestep_sampling != "default" and kind(config).keys:
        label = base_model(config.base_model).label
        yield f"{LABEL} draws the timesteps of {label} by a schedule of its own: leave timestep sampling at default."
    for name, value in config.optimizer_args.items():
        is_pair = isinstance(value, list | tuple) and len(cast("list[object]", value)) == 2  # noqa: PLR2004 - betas
        if is_pair != (name == "betas"):
            yield f"{LABEL} takes lists as betas alone, of two numbers: leave the optimizer argument {name} out."
        elif isinstance(value, int) and not isinstance(value, bool) and value < 0:
            yield f"{LABEL} reads {value} as text: give the optimizer argument {name} with a point ({value}.0)."


def _checkpoint(config: TrainingConfig) -> Iterator[str]:
    """Yield that a checkpoint is one file, and its model no class of Diffusers' that reads such.

    Those of transformers are SimpleTuner's own: ``from_single_file`` knows none of them, or a quantized form alone.
    """
    base = base_model(config.base_model)
    if not kind(config).file and PurePath(config.checkpoint).suffix == ".safetensors":
        yield (
            f"{LABEL} takes {base.label} as a folder of all parts, or as a repository, and no single file:"
            f" {checks.usual_checkpoint(base)}."
        )


def _network(config: TrainingConfig) -> Iterator[str]:
    kinds = network(config.network)
    if config.network_alpha != int(config.network_alpha) or config.network_alpha < 1:
        yield (
            f"{LABEL} reads the alpha as a whole number, and {config.network_alpha:g} is none: use"
            f" {max(1, round(config.network_alpha))}."
        )
    if in_8_bits(config) and kinds.decomposed:
        yield "DoRA cannot be trained on a base model in 8 bits: turn fp8 off, or choose the network lora."


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what SimpleTuner trains, though hardly as it is meant, or was seen to stop at."""
    if kind(config).stops:
        yield (
            f"{LABEL} 4.8.0 was seen to stop at {base_model(config.base_model).label} {kind(config).stops}: train it"
            " with sd-scripts, OneTrainer or ai-toolkit, or with a newer version."
        )
    if not config.checkpoint and not base_model(config.base_model).usual_checkpoint:
        yield f"No checkpoint is chosen, so that {LABEL} fetches its family's usual one: choose one to train another."
    if not config.seed:
        yield f"{LABEL} takes the time for a seed of 0, so that no training is like another: use any other number."


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield what is needed besides the files that are named."""
    base = base_model(config.base_model)
    if base.repository and (checks.is_denoiser_alone(config) or config.checkpoint == base.usual_checkpoint):
        what = f"{base.label}'s text encoders and VAE" if config.checkpoint.endswith(".safetensors") else base.label
        yield checks.downloads(LABEL, what, [base.repository, *filter(None, [base.denoiser])])
    elif config.checkpoint.lower().endswith(".safetensors"):
        yield (
            f"For a checkpoint of one file {LABEL} takes the layout of {base_model(config.base_model).label} from"
            " Hugging Face the first time."
        )
    if base.adapter:
        yield checks.downloads(LABEL, "the training adapter", ["/".join(base.adapter.split("/")[:2])])
    if "8bit" in OPTIMIZERS.get(config.optimizer, "") or "paged" in OPTIMIZERS.get(config.optimizer, ""):
        yield f"{config.optimizer} needs bitsandbytes, which {LABEL} has with its CUDA extra."


def lacks(config: TrainingConfig) -> dict[str, str]:
    """Return the fields that SimpleTuner lacks for this base model and network, and what is done instead."""
    found = {
        "prior_loss_weight": "regularization images count as much as others.",
        "flip_aug": "it never mirrors; flipped copies must be images of their own.",
        "color_aug": "it is left out.",
        "random_crop": "every image is cropped about its centre.",
        "max_bucket_side": "its buckets are as long as their images.",
        "bucket_step": f"it has steps of {kind(config).step} for {base_model(config.base_model).label}.",
        "bucket_no_upscale": "it enlarges what is smaller than its bucket.",
        "save_state": "its checkpoints always hold the state.",
        "text_encoder_offload": "captions are encoded before the training, and the text encoders then let go.",
        "fused_backward": "all gradients of a step are held; a LoRA has few.",
        "loader_workers": "its data backends load by threads of their own.",
        "ema_decay": "LyCORIS' files are saved without it; OneTrainer and ai-toolkit save the average.",
        "debiased_estimation": "it is left out; min-SNR is there.",
        "lora_plus_ratio": "it has one rate for both matrices; sd-scripts and musubi-tuner have two.",
        "layer_filter": "LyCORIS changes whole blocks; OneTrainer, ai-toolkit and musubi-tuner have such a filter.",
        "tag_dropout": "captions are encoded before the training, with all of their tags.",
        "clip_skip": "it takes the text encoder's last layer.",
        "tensorboard": "its one report is the progress that LoRADS reads.",
        "text_encoder_learning_rate": "LyCORIS leaves the text encoders as they are.",
    }
    if not config.cache_to_disk:
        found["cache_to_disk"] = "it always caches on the disk."
    label = base_model(config.base_model).label
    if not kind(config).blocks:
        # Its RamTorch has layers of its own, which LyCORIS does not know and would not train.
        stays = f"all of {label} stays in graphics memory."
        found |= dict.fromkeys(("blocks_to_swap", "layer_offload"), stays)
    if not kind(config).offloads:
        found["activation_offload"] = f"{label} keeps its activations in graphics memory."
    if config.bucket_step == kind(config).step:
        del found["bucket_step"]
    found |= _lacks_of_network(config) | checks.of_base_model(config)
    if not checks.is_diffusion(config):
        found["noise_offset"] = "flow matching is trained without one; it is left out."
    if config.max_token_length != kind(config).tokens:
        found["max_token_length"] = f"it reads the first {kind(config).tokens} tokens of a caption."
    found |= checks.lacks_model_files(config)
    return found


def _lacks_of_network(config: TrainingConfig) -> dict[str, str]:
    if config.initial_lora:
        without = "LyCORIS makes a network from a file without it; it is left out."
        return dict.fromkeys(("network_dropout", "rank_dropout", "module_dropout"), without)
    found = dict.fromkeys(undropped(config), "LyCORIS' LoKr has none in 8 bits; it is left out.")
    if network(config.network).kronecker:
        found["network_dropout"] = "LyCORIS' LoKr has none; it is left out."
    return found


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:
    """Yield what SimpleTuner does differently, for a settled config without errors; ``unsettled`` is as set."""
    if config.scheduler == "cosine" and config.warmup:
        yield _lacking(f"{LABEL}'s cosine has no warm-up: that of {config.warmup:g} is left out; linear has one.")
    if not unsettled.max_token_length and config.max_token_length > kind(config).tokens:
        tokens = kind(config).tokens
        yield _lacking(f"{LABEL} reads the first {tokens} tokens of a caption: keep captions short, the trigger first.")
    yield from checks.own_system_prompt(LABEL, config)
    if config.shuffle_caption:
        yield _lacking(
            f"{LABEL} keeps as many tags in front as keep tokens says ({config.keep_tokens}), of every caption alike,"
            f" and learns at most {VARIATIONS} orders of the others."
        )
    if config.regularization_method == "prior" and any(item.sizes for item in subsets if item.is_regularization):
        yield Problem(
            "info",
            "regularization",
            f"{LABEL} learns regularization images beside the others, and all of them; its own way is the method"
            " preservation, which learns from what the base model makes of them.",
        )


def _lacking(message: str) -> Problem:
    return Problem("info", "not-in-trainer", message)


# The images


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    yield from checks.size_problems(LABEL, placements(config, subsets), kind(config).step)
    for subset, counts in zip(subsets, images_by_bucket(config, subsets), strict=True):
        yield from _short_buckets(config, subset, counts)


def _short_buckets(config: TrainingConfig, subset: Subset, images: Mapping[Size, int]) -> Iterator[Problem]:
    """Yield that buckets have fewer samples than a step (``split_buckets_between_processes``)."""
    wanted = full_step(config)
    counts = {bucket: count for bucket, count in images.items() if all(bucket)}
    short = {bucket: count for bucket, count in counts.items() if count * subset.repeats < wanted}
    if not short:
        return
    (width, height), fewest = min(short.items(), key=lambda item: (item[1], item[0]))
    what = f"{counted(len(short), 'bucket')} of {subset.folder} (e.g. {width}×{height} with"
    what += f" {counted(fewest, 'image')}) with fewer samples than the {wanted} of a step"
    if subset.repeats == 1:
        message = f"{what}: {LABEL} shows the images over and over to fill a step, more often than others."
        yield Problem("warning", "small-bucket", message)
        return
    repeats = "regularization repeats" if subset.is_regularization else "repeats"
    yield Problem(
        "error",
        "small-bucket",
        f"{what}, which stops {LABEL}: use at least {-(-wanted // fewest)} {repeats} (or 1, to have them shown over and"
        " over), a smaller batch or less accumulation, or leave these images out.",
    )
