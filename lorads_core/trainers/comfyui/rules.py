"""What ComfyUI's own trainer cannot do, or does otherwise; its steps and the sizes of its images (0.26.0)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...buckets import BucketRule, Placement, Size, assign_bucket
from ...model import Problem
from ...networks import network
from ...problems import counted
from .. import Schedule, Subset, checks
from ..extra import OptionSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...base_models import Family
    from ...model import TrainingConfig
    from ...networks import Network

LABEL = "ComfyUI's own trainer"
_MOST_STEPS = 100_000
# field, what people call it, the lowest and the highest value that the node's widget takes
_RANK = (1, 128)
_RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("gradient_accumulation_steps", "gradient accumulation", 1, 1024),
    ("learning_rate", "learning rate", 1e-7, 1),
)
_STEP = 64
_SMALLEST_SIDE = 256
FAMILIES: Mapping[str, str] = {"sd15": "unet", "sdxl": "unet", "flux": "transformer"}
"""The families that were trained with it, and what of them it trains."""
ADAPTERS = checks.NO_ADAPTERS
EDITS = checks.NO_EDITS
NETWORKS: Mapping[str, str] = {"lora": "LoRA", "locon": "LoRA", "loha": "LoHa", "lokr": "LoKr"}
"""The widget ``algorithm`` of each network (``adapter_maps`` in ``comfy/weight_adapter``, which has OFT besides)."""
SAME: Mapping[str, str] = {"locon": "lora"}
"""Its LoRA changes convolutions too, so that LoCon is no other network."""
REASONS: Mapping[str, str] = {"dora": "the node has no such algorithm"}
# The node's widgets that LoRADS does not write (``comfy_extras/nodes_train.py``).
OPTIONS = OptionSource(
    names=frozenset(("loss_function", "quantized_backward", "checkpoint_depth", "offloading", "bypass_mode"))
)
USUAL_FACTOR = 8
"""The factor of LoKr where none is set: the default of the widget rank, which takes no -1."""
LOSSES: Mapping[str, str] = {"mse": "MSE", "l1": "L1", "huber": "Huber", "smooth_l1": "SmoothL1"}
OPTIMIZERS: Mapping[str, str] = {"AdamW": "AdamW", "AdamW8bit": "AdamW"}
PRECISIONS = {"bf16": "bf16", "no": "fp32", "fp16": "none"}
# What the node has no widget for, and what becomes of it.
_LACKS = {
    "save_state": "the node saves no state.",
    "v_prediction": "it trains as the loaded model predicts.",
    "conv_dim": "convolutions get the network dim.",
    "conv_alpha": "its alpha is 1.",
    "network_alpha": "its alpha is 1, which makes a step smaller the higher the dim: raise the learning rate.",
    "network_dropout": "nothing is left out.",
    "max_bucket_side": "images are trained in the size that they have.",
    "bucket_step": "images are trained in the size that they have.",
    "bucket_no_upscale": "it enlarges nothing.",
    "processes": "it trains in ComfyUI's own process.",
    "regularization_repeats": "it has no regularization images.",
    "regularization_method": "it has no regularization images.",
    "prior_loss_weight": "it has no regularization images.",
    "text_encoder_learning_rate": "it trains no text encoder.",
    "scheduler": "its rate is constant.",
    "warmup": "its rate is constant.",
    "weight_decay": "it is PyTorch's own.",
    "fp8_base": "the model is as it was loaded.",
    "blocks_to_swap": "ComfyUI decides itself what waits in the computer's memory.",
    "layer_offload": "ComfyUI decides itself what waits in the computer's memory.",
    "text_encoder_offload": "ComfyUI decides itself what waits in the computer's memory.",
    "activation_offload": "the node's widget offloading says so.",
    "base_precision": "the model is as it was loaded.",
    "text_encoder_precision": "the text encoder is as it was loaded.",
    "fused_backward": "all gradients of a step are held.",
    "compile": "the model is as it was loaded.",
    "cache_to_disk": "all stays in memory.",
    "loader_workers": "images come from the graph.",
    "cache_latents": "they are made once, by the graph.",
    "cache_text_encoder_outputs": "they are made once, by the graph.",
    "max_token_length": "the whole caption is encoded.",
    "shuffle_caption": "captions stay as they are.",
    "keep_tokens": "captions stay as they are.",
    "caption_dropout": "captions stay.",
    "caption_variants": "all lines are one caption.",
    "flip_aug": "images stay as they are.",
    "color_aug": "images stay as they are.",
    "random_crop": "images stay as they are.",
    "masked_loss": "all of an image is trained on.",
    "min_snr_gamma": "it is left out.",
    "noise_offset": "it is left out.",
    "huber_delta": "its losses are linear from 1 on.",
    "ema_decay": "it averages no weights; OneTrainer and ai-toolkit do.",
    "timestep_sampling": "it draws all timesteps of the loaded model's schedule alike.",
    "timestep_shift": "it draws all timesteps of the loaded model's schedule alike.",
    "debiased_estimation": "it is left out.",
    "rank_dropout": "nothing is left out.",
    "module_dropout": "nothing is left out.",
    "lora_plus_ratio": "it has one rate for both matrices.",
    "layer_filter": "it trains all layers.",
    "optimizer_args": "they are PyTorch's own.",
    "tag_dropout": "captions stay.",
    "clip_skip": "put CLIP Set Last Layer into the graph.",
    "sample_steps": "draw with the LoRA in the graph.",
    "sample_guidance": "draw with the LoRA in the graph.",
    "tensorboard": "its loss is an output of the node.",
    "sample_prompts": "draw with the LoRA in the graph.",
    "sample_every_epochs": "draw with the LoRA in the graph.",
    "save_every_epochs": "it gives the LoRA at its end.",
}
# What of it is otherwise with LoKr.
_LACKS_OF_LOKR = {
    "network_dim": "its LoKr has full rank, and the widget rank is its factor.",
    "network_alpha": "its LoKr has full rank, and so no alpha.",
    "conv_dim": "its LoKr has full rank in convolutions too.",
    "conv_alpha": "its LoKr has full rank, and so no alpha.",
    "lokr_full_rank": "its LoKr has full rank always.",
}


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what the node's widgets do not take."""
    of_rank = "LoKr factor" if network(config.network).kronecker else "network dim"
    ranges = ((what, getattr(config, field), lowest, highest) for field, what, lowest, highest in _RANGES)
    for what, value, lowest, highest in ((of_rank, rank(config), *_RANK), *ranges):
        if not lowest <= value <= highest:
            yield f"{LABEL} takes a {what} from {lowest:g} to {highest:g}, and {value:g} is none: choose another."
    if config.initial_lora and lora_steps(config.initial_lora) is None:
        yield (
            f"{LABEL} reads how many steps a LoRA was trained from its name, and {lora_name(config.initial_lora)} has"
            " none: choose one as Save LoRA Weights names it (cat_500_steps_00001_.safetensors), or another trainer."
        )
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    yield from checks.unknown(LABEL, "mixed precision", config.mixed_precision, tuple(PRECISIONS))


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:  # noqa: ARG001 - it is ComfyUI's own
    """Yield nothing: it is part of ComfyUI."""
    yield from ()


def doubts(config: TrainingConfig) -> Iterator[str]:  # noqa: ARG001
    """Yield nothing: the base model is what the graph loads."""
    yield from ()


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield where the node looks for the LoRA that it starts from: all else comes with ComfyUI."""
    if config.initial_lora:
        yield f"{LABEL} looks for {lora_name(config.initial_lora)} in ComfyUI's folder models/loras."


def lora_name(file: str) -> str:
    """Return what ComfyUI calls a LoRA's file: its path below the folder loras, else its name."""
    below = re.fullmatch(r".*[\\/]loras[\\/](.+)", file)
    return below[1] if below else re.split(r"[\\/]", file)[-1]


def lora_steps(file: str) -> int | None:
    """Return the steps in a LoRA's name, as ``_load_existing_lora`` reads them; None where it would stop."""
    steps = lora_name(file).split("_steps_")[0].split("_")[-1]
    return int(steps) if re.fullmatch(r"[0-9]{1,9}", steps) else None


def lacks(config: TrainingConfig) -> Mapping[str, str]:
    """Return the fields that the node has no widget for, and what is done instead."""
    found = _LACKS | _LACKS_OF_LOKR if network(config.network).kronecker else _LACKS
    met = ("cache_to_disk",) if config.cache_to_disk is False else ()
    return {name: instead for name, instead in found.items() if name not in met}


def rank(config: TrainingConfig) -> int:
    """Return the value of the widget rank.

    LoKr takes it for its factor, and makes both of its matrices whole: it has neither dim nor alpha
    (``LoKrAdapter.create_train``, ``LokrDiff`` in ``comfy/weight_adapter/lokr.py``).
    """
    return (config.lokr_factor or USUAL_FACTOR) if network(config.network).kronecker else config.network_dim


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:  # noqa: ARG001
    """Yield what the node does another way than others, for a settled config without errors."""
    for what in _of_network(network(config.network), base_model(config.base_model).family):
        yield Problem("info", "not-in-trainer", what)
    if network(config.network).kronecker:
        yield Problem("info", "not-in-trainer", f"{LABEL} makes LoKr with the factor {rank(config)}.")
    if config.loss_type in ("huber", "smooth_l1"):
        yield Problem("info", "not-in-trainer", f"{LABEL}'s losses Huber and SmoothL1 are linear from 1 on.")
    if config.optimizer == "AdamW8bit":
        yield Problem("info", "not-in-trainer", f"{LABEL} has no optimizer in 8 bits: it takes AdamW.")
    if config.mixed_precision == "fp16":
        told = f"{LABEL} trains in the type that the model is loaded in: load it in fp16."
        yield Problem("info", "not-in-trainer", told)


def _of_network(chosen: Network, family: Family) -> Iterator[str]:
    """Yield what the node makes of a network, and what it trains besides (``_setup_lora_adapters``)."""
    how = "with full rank and without an alpha" if chosen.kronecker else "with its alpha 1"
    yield f"The {chosen.label} is trained by ComfyUI {how}, at a constant rate: no scheduler, no warm-up."
    more = "norms and biases"
    if family.convolutions and not chosen.convolutions:
        more = f"convolutions, {more}"
    yield f"{LABEL} trains {more} too, beyond what a {chosen.label} elsewhere does."


def planned(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config.

    The node draws for each batch a bucket, the more likely the more images it has, and of that a batch, or all of it
    where that is less (``TrainSampler._train_step_bucket_mode``): of N images, N² over the sum of images × batch of
    all buckets are the batches that show N. It makes steps × accumulation batches (``TrainLoraNode.execute``).
    """
    counts: Counter[Size] = Counter()
    for subset in subsets:
        for item in placements(config, [subset]):
            counts[item.bucket] += subset.repeats
    wanted = sum(counts.values()) ** 2
    shown = sum(count * min(count, config.batch_size) for count in counts.values())
    shown = max(1, shown * config.gradient_accumulation_steps)
    return Schedule(
        tuple(sorted(counts.items())),
        config.epochs,
        -(-wanted // shown),
        -(-wanted * config.epochs // shown),
        regularization_used=0,
        full_batch=config.batch_size,
    )


def placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each image goes: what has a shape of its own within the area stays, the rest is for a bucket."""
    rule = BucketRule(config.resolution, min(_SMALLEST_SIDE, config.resolution), config.max_bucket_side, _STEP)
    return [_placement(size, rule) for subset in subsets for size in subset.sizes]


def _placement(size: Size, rule: BucketRule) -> Placement:
    fits = size[0] * size[1] <= rule.resolution**2
    cut = size[0] // 8 * 8, size[1] // 8 * 8  # by the VAE
    return Placement(size, cut, size) if fits and min(cut) else assign_bucket(size, rule)


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    if any(subset.sizes for subset in subsets if subset.is_regularization):
        yield Problem(
            "error",
            "regularization",
            f"{LABEL} would learn regularization images like all others: leave them out, or choose the trainer"
            " sd-scripts.",
        )
    steps = planned(config, subsets).total_steps
    if steps > _MOST_STEPS:
        told = f"{LABEL} takes at most {_MOST_STEPS} steps, and these are {steps}: lower epochs or repeats."
        yield Problem("error", "config", told)
    yield from _unlike(config, subsets)


def _unlike(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what comes of images' sizes: they are too large, or too few are alike for a batch."""
    sizes = [size for subset in subsets for size in subset.sizes]
    if large := sum(width * height > config.resolution**2 for width, height in sizes):
        what = base_model(config.base_model).label
        yield Problem(
            "warning",
            "large",
            f"{LABEL} trains images in the size that they have, and {counted(large, 'image is', 'images are')} larger"
            f" than {what} wants: export with the image policy bucket.",
        )
    few = sum(count for _, count in planned(config, subsets).buckets if count < config.batch_size)
    if few:
        yield Problem(
            "info",
            "small-bucket",
            f"Batches of {config.batch_size} are smaller for {counted(few, 'sample')}, as fewer than that"
            " have their size.",
        )
