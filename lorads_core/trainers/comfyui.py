"""ComfyUI's own trainer, the node Train LoRA: a folder that its dataset loader reads, and the values for its widgets.

Rules of 0.26.0 (``comfy_extras/nodes_train.py``, ``nodes_dataset.py``). It is not started from here: it trains in its
graph.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from ..base_models import base_model
from ..buckets import BucketRule, Placement, Size, place
from ..model import Problem
from ..networks import network
from . import Schedule, Subset, Tick, Trainer, checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ..model import TrainingConfig

LABEL = "ComfyUI's own trainer"
FILE = "train_lora_node.json"
_MOST_STEPS = 100_000
# field, what people call it, the lowest and the highest value that the node's widget takes
_RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("network_dim", "network dim", 1, 128),
    ("gradient_accumulation_steps", "gradient accumulation", 1, 1024),
    ("learning_rate", "learning rate", 1e-7, 1),
)
_STEP = 64
_SMALLEST_SIDE = 256
_ALGORITHMS = {"lora": "LoRA", "locon": "LoRA", "loha": "LoHa"}
OPTIMIZERS: Mapping[str, str] = {"AdamW": "AdamW", "AdamW8bit": "AdamW"}
_PRECISIONS = {"bf16": "bf16", "no": "fp32", "fp16": "none"}
# What the node has no widget for, and what becomes of it.
_LACKS = {
    "v_prediction": "it trains as the loaded model predicts.",
    "conv_dim": "convolutions get the network dim.",
    "conv_alpha": "its alpha is 1.",
    "network_alpha": "its alpha is 1, which makes a step smaller the higher the dim: raise the learning rate.",
    "network_dropout": "nothing is left out.",
    "max_bucket_side": "pictures are trained in the size that they have.",
    "bucket_step": "pictures are trained in the size that they have.",
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
    "cache_latents": "they are made once, by the graph.",
    "cache_text_encoder_outputs": "they are made once, by the graph.",
    "max_token_length": "the whole caption is encoded.",
    "shuffle_caption": "captions stay as they are.",
    "keep_tokens": "captions stay as they are.",
    "caption_dropout": "captions stay.",
    "caption_variants": "all lines are one caption.",
    "flip_aug": "pictures stay as they are.",
    "color_aug": "pictures stay as they are.",
    "random_crop": "pictures stay as they are.",
    "masked_loss": "all of a picture is trained on.",
    "min_snr_gamma": "it is left out.",
    "noise_offset": "it is left out.",
    "sample_prompts": "draw with the LoRA in the graph.",
    "sample_every_epochs": "draw with the LoRA in the graph.",
    "save_every_epochs": "it gives the LoRA at its end.",
}


class ComfyTrainer:
    """The node Train LoRA, fed by Dataset to Images, or by Load Image-Text (from Folder) below ComfyUI's input."""

    name = "comfyui"
    label = LABEL

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:  # noqa: ARG002 - it is ComfyUI's own
        """Return what the node cannot do, or does otherwise."""
        if senseless := list(checks.refusals(config)):
            return [Problem("error", "config", message) for message in senseless]
        found = [Problem("error", "config", message) for message in _refusals(config)]
        found += [Problem("warning", "config", message) for message in checks.doubts(config)]
        found += checks.not_in_trainer(LABEL, config, _LACKS)
        if all(problem.severity != "error" for problem in found):
            found += _notes(config)
            found += _subset_problems(checks.settled(config), subsets)
        return found

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return its steps: as many as show every picture once an epoch on average."""
        return _planned(checks.settled(config), subsets)

    def placements(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
        """Return the sizes that pictures are to have: the node takes them as they are, the policy bucket makes them."""
        return _placements(checks.settled(config), subsets)

    def files(
        self,
        config: TrainingConfig,
        subsets: Sequence[Subset],
        folder: Path,
        output: Path,
        name: str,
        home: Path | None = None,  # noqa: ARG002 - it is ComfyUI's own
    ) -> dict[str, str]:
        """Return the values of the node's widgets, and where the dataset lies, as JSON for people and programs."""
        planned = self.schedule(config, subsets)
        values = {
            "folder": str(folder),
            "output": str(output),
            "prefix": f"loras/{name}",
            "models": [file for file in (config.checkpoint, *config.model_files.values()) if file],
            "TrainLoraNode": {
                "batch_size": config.batch_size,
                "grad_accumulation_steps": config.gradient_accumulation_steps,
                "steps": planned.total_steps,
                "learning_rate": config.learning_rate,
                "rank": config.network_dim,
                "optimizer": OPTIMIZERS.get(config.optimizer, config.optimizer),
                "seed": config.seed,
                "lora_dtype": "fp32",
                "training_dtype": _PRECISIONS.get(config.mixed_precision, "bf16"),
                "algorithm": _ALGORITHMS.get(config.network, "LoRA"),
                "gradient_checkpointing": config.gradient_checkpointing,
                "bucket_mode": len(planned.buckets) > 1,
            },
        }
        return {FILE: json.dumps(values, ensure_ascii=False, indent=2) + "\n"}

    def command(self, config: TrainingConfig, folder: Path, accelerate: Sequence[str] = ()) -> list[str]:  # noqa: ARG002
        """Return nothing: it trains in ComfyUI's graph.

        Raises:
            TrainerError: there are options for accelerate.
        """
        checks.no_accelerate(LABEL, accelerate)
        return []

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - ComfyUI shows it
        """Return nothing: ComfyUI shows its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - nothing is shuffled
        """Return the caption as it is."""
        return text

    def mask(self, folder: str, stem: str) -> str:  # noqa: ARG002 - none are read
        """Return nothing: it reads no masks."""
        return ""

    def tick(self, line: str) -> Tick | None:  # noqa: ARG002 - ComfyUI shows it
        """Return nothing: ComfyUI shows its progress."""
        return None

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return what Save LoRA Weights calls its file with the prefix of `files` and the number of steps."""
        return (f"loras/{name}_{schedule.total_steps}_steps_*_.safetensors",)


TRAINER: Trainer = ComfyTrainer()


def _refusals(config: TrainingConfig) -> Iterator[str]:
    if network(config.network).convolutions and not network(config.network).hadamard and _is_flux(config):
        yield "Flux has no convolutions, so that a LoCon of it is a LoRA: choose the network lora."
    if network(config.network).decomposed:
        yield f"{LABEL} has no DoRA: choose the network lora or loha."
    for field, what, lowest, highest in _RANGES:
        if not lowest <= (value := getattr(config, field)) <= highest:
            yield f"{LABEL} takes a {what} from {lowest:g} to {highest:g}, and {value:g} is none: choose another."
    yield from checks.unknown(LABEL, "optimizer", config.optimizer, tuple(OPTIMIZERS))
    yield from checks.unknown(LABEL, "mixed precision", config.mixed_precision, tuple(_PRECISIONS))


def _is_flux(config: TrainingConfig) -> bool:
    return base_model(config.base_model).family.name == "flux"


def _notes(config: TrainingConfig) -> Iterator[Problem]:
    told = "is trained by ComfyUI with its alpha 1, at a constant rate"
    yield Problem("info", "not-in-trainer", f"The {network(config.network).label} {told}: no scheduler, no warm-up.")
    if config.optimizer == "AdamW8bit":
        yield Problem("info", "not-in-trainer", f"{LABEL} has no optimizer in 8 bits: it takes AdamW.")
    if config.network == "lora":
        more = "biases" if _is_flux(config) else "convolutions and biases"
        yield Problem("info", "not-in-trainer", f"{LABEL} trains {more} too, beyond what a LoRA elsewhere does.")
    if config.mixed_precision == "fp16":
        told = f"{LABEL} trains in the type that the model is loaded in: load it in fp16."
        yield Problem("info", "not-in-trainer", told)


def _planned(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config.

    The node draws for each batch a bucket, the more likely the more pictures it has, and of that a batch, or all of it
    where that is less (``TrainSampler._train_step_bucket_mode``): of N pictures, N² over the sum of pictures × batch of
    all buckets are the batches that show N. It makes steps × accumulation batches (``TrainLoraNode.execute``).
    """
    counts: Counter[Size] = Counter()
    for subset in subsets:
        for item in _placements(config, [subset]):
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


def _placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each picture goes: what has a shape of its own within the area stays, the rest is for a bucket."""
    rule = BucketRule(config.resolution, min(_SMALLEST_SIDE, config.resolution), config.max_bucket_side, _STEP)
    return [_placement(size, rule) for subset in subsets for size in subset.sizes]


def _placement(size: Size, rule: BucketRule) -> Placement:
    fits = size[0] * size[1] <= rule.resolution**2
    cut = size[0] // 8 * 8, size[1] // 8 * 8  # by the VAE
    return Placement(size, cut, size) if fits and min(cut) else place(size, rule)


def _subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    if not any(subset.sizes for subset in subsets if not subset.is_regularization):
        yield Problem("error", "no-images", "There is no training image: widen the query, or mend the captions.")
        return
    if any(subset.sizes for subset in subsets if subset.is_regularization):
        yield Problem(
            "error",
            "regularization",
            f"{LABEL} would learn regularization images like all others: leave them out, or choose the trainer"
            " sd-scripts.",
        )
    steps = _planned(config, subsets).total_steps
    if steps > _MOST_STEPS:
        told = f"{LABEL} takes at most {_MOST_STEPS} steps, and these are {steps}: lower epochs or repeats."
        yield Problem("error", "config", told)
    yield from _unlike(config, subsets)


def _unlike(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what comes of pictures' sizes: they are too large, or too few are alike for a batch."""
    sizes = [size for subset in subsets for size in subset.sizes]
    if large := sum(width * height > config.resolution**2 for width, height in sizes):
        what = base_model(config.base_model).label
        yield Problem(
            "warning",
            "large",
            f"{LABEL} trains pictures in the size that they have, and {large} are larger than {what} wants: export"
            " them with the image policy bucket.",
        )
    few = sum(count for _, count in _planned(config, subsets).buckets if count < config.batch_size)
    if few:
        yield Problem(
            "info",
            "small-bucket",
            f"Batches of {config.batch_size} are smaller for {few} samples, as fewer than that have their size.",
        )
