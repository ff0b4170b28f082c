"""kohya-ss' sd-scripts: its two config files, its buckets and its steps; rules of v0.10.1 unless said otherwise."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import tomli_w

from ..bases import base_model
from ..buckets import BucketRule, Size, place
from ..model import Problem, TrainingConfig
from . import Schedule, Subset, Tick, Trainer, checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SCRIPTS = {"sdxl": "sdxl_train_network.py"}
NETWORKS = {"lora": "networks.lora"}
# library/train_util.py get_scheduler_fix and get_optimizer: what they know by name.
SCHEDULERS = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")
OPTIMIZERS = ("AdamW8bit", "AdamW", "AdaFactor", "Prodigy", "Lion", "Lion8bit", "PagedAdamW8bit", "DAdaptAdam")
PRECISIONS = ("no", "fp16", "bf16")
_BAR = re.compile(
    r"^steps: .*?\| (?P<step>\d+)/(?P<total>\d+) \[[^,\]]*(?:, +(?P<rate>[\d.]+)(?P<unit>it/s|s/it))?"
    r"(?:.*?avr_loss=(?P<loss>[\d.]+))?"
)
# SDXL's U-Net halves its latents twice: BaseDataset.verify_bucket_reso_steps(32).
_STEP_DIVISOR = 32


class SdScripts:
    """sd-scripts, started as ``<script> --config_file training_config.toml`` in its own folder."""

    name = "sd-scripts"
    label = "sd-scripts (kohya-ss)"

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Problem]:
        """Return what sd-scripts would stop at, ignore or do badly."""
        found = [Problem("error", "config", message) for message in checks.refusals(config)]
        if found:
            return found
        config = checks.settled(config)
        found = [Problem("error", "config", message) for message in _refusals(config)]
        found += [Problem("warning", "config", message) for message in (*checks.doubts(config), *_doubts(config))]
        if not found or all(problem.severity != "error" for problem in found):
            found += _subset_problems(config, subsets)
        return found

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return buckets and steps as sd-scripts makes them on one process.

        Regularization pictures are cycled, or cut, to the number of training samples
        (``DreamBoothDataset.__init__``); an epoch is the batches of all buckets, each bucket's last one partly filled
        (``BaseDataset.make_buckets``); steps are batches over the accumulation, rounded up (``train_network.py``).
        """
        config = checks.settled(config)
        rule = _bucket_rule(config)
        counts: Counter[Size] = Counter()
        used = 0
        for subset in _training(subsets):
            for size in subset.sizes:
                counts[place(size, rule).bucket] += subset.repeats
        for size, repeats in _regularization_repeats(subsets):
            counts[place(size, rule).bucket] += repeats
            used += 1
        batches = sum(math.ceil(count / config.batch_size) for count in counts.values())
        steps = math.ceil(batches / config.gradient_accumulation_steps)
        return Schedule(
            buckets=tuple(sorted(counts.items())),
            epochs=config.epochs,
            steps_per_epoch=steps,
            total_steps=steps * config.epochs,
            regularization_used=used,
        )

    def files(
        self, config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str
    ) -> dict[str, str]:
        """Return ``training_config.toml`` and ``dataset_config.toml``, with absolute paths.

        sd-scripts runs in its own folder, so that a relative path would be looked for there.
        """
        config = checks.settled(config)
        dataset = folder / "dataset_config.toml"
        return {
            "training_config.toml": tomli_w.dumps(dict(_training_keys(config, dataset, output, name))),
            "dataset_config.toml": _dataset_toml(config, subsets, folder),
        }

    def command(self, config: TrainingConfig, folder: Path) -> list[str]:
        """Return the script of the base model's family and its config file."""
        script = SCRIPTS[base_model(config.base_model).family]
        return [script, "--config_file", str(folder / "training_config.toml")]

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - keep_tokens does it
        """Return the caption as it is."""
        return text

    def tick(self, line: str) -> Tick | None:
        """Read tqdm's bar: ``steps:   3%|▎ | 1/32 [00:00<00:04,  7.29it/s, avr_loss=1.28]`` (to standard error)."""
        found = _BAR.search(line)
        if not found:
            return None
        rate = float(found["rate"]) if found["rate"] else None
        return Tick(
            step=int(found["step"]),
            total_steps=int(found["total"]),
            rate=1 / rate if rate and found["unit"] == "s/it" else rate,
            loss=float(found["loss"]) if found["loss"] else None,
        )

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return ``NAME-000001.safetensors`` of each saved epoch but the last, which is ``NAME.safetensors``."""
        saved = range(config.save_every_epochs, schedule.epochs, config.save_every_epochs)
        return (*(f"{name}-{epoch:06d}.safetensors" for epoch in saved), f"{name}.safetensors")


TRAINER: Trainer = SdScripts()


# Checks


def _refusals(config: TrainingConfig) -> Iterator[str]:
    """What sd-scripts stops at, or would train nonsense with: its config file is read without any check of its own."""
    if base_model(config.base_model).family not in SCRIPTS:
        yield f"No config of sd-scripts is written for {base_model(config.base_model).label} yet: choose an SDXL model."
    yield from _unknown(config)
    if config.scheduler == "constant" and config.warmup:
        yield "The scheduler constant takes no warm-up: choose constant_with_warmup, or set the warm-up to 0."
    if config.bucket_step % _STEP_DIVISOR or config.bucket_step < 1:
        yield f"The bucket step {config.bucket_step} is no multiple of {_STEP_DIVISOR}: use 64."


def _unknown(config: TrainingConfig) -> Iterator[str]:
    choices = (
        ("network", config.network, tuple(NETWORKS)),
        ("scheduler", config.scheduler, SCHEDULERS),
        ("optimizer", config.optimizer, OPTIMIZERS),
        ("mixed precision", config.mixed_precision, PRECISIONS),
    )
    for what, value, known in choices:
        yield from checks.unknown("sd-scripts", what, value, known)


def _doubts(config: TrainingConfig) -> Iterator[str]:
    if not config.checkpoint:
        yield (
            "No base model is chosen, so training_config.toml names none: start the trainer with"
            " --pretrained_model_name_or_path and its file."
        )


def _subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    training = sum(len(subset.sizes) * subset.repeats for subset in _training(subsets))
    if not training:
        yield Problem("error", "no-images", "There is no training image: widen the query, or mend the captions.")
        return
    surplus = sum(len(subset.sizes) for subset in _regularization(subsets)) - len(
        list(_regularization_repeats(subsets))
    )
    if surplus > 0:
        yield Problem(
            "warning",
            "regularization-surplus",
            f"{surplus} regularization images will never be used: sd-scripts takes as many samples of them as there are"
            f" training samples ({training}). Use fewer, or more repeats.",
        )
    yield from _size_problems(config, [size for subset in subsets for size in subset.sizes])


def _size_problems(config: TrainingConfig, sizes: Iterable[Size]) -> Iterator[Problem]:
    rule = _bucket_rule(config)
    return checks.size_problems("sd-scripts", [place(size, rule) for size in sizes], rule.step)


# Geometry and counting


def _bucket_rule(config: TrainingConfig) -> BucketRule:
    return BucketRule(
        resolution=config.resolution,
        min_side=min(256, config.resolution),
        max_side=config.max_bucket_side,
        step=config.bucket_step,
        no_upscale=config.bucket_no_upscale,
    )


def _training(subsets: Iterable[Subset]) -> list[Subset]:
    return [subset for subset in subsets if not subset.is_regularization]


def _regularization(subsets: Iterable[Subset]) -> list[Subset]:
    return [subset for subset in subsets if subset.is_regularization]


def _regularization_repeats(subsets: Sequence[Subset]) -> Iterator[tuple[Size, int]]:
    """Yield each regularization picture that is used, with how often an epoch shows it.

    The loop is sd-scripts': pictures are registered in order until the training samples are matched, then shown once
    more each, in order again, until they are.
    """
    wanted = sum(len(subset.sizes) * subset.repeats for subset in _training(subsets))
    offered = [(size, subset.repeats) for subset in _regularization(subsets) for size in subset.sizes]
    taken: list[tuple[Size, int]] = []
    samples = 0
    for size, repeats in offered:
        if samples >= wanted:
            break
        taken.append((size, repeats))
        samples += repeats
    if not taken:
        return
    rounds, rest = divmod(max(0, wanted - samples), len(taken))
    for position, (size, repeats) in enumerate(taken):
        yield size, repeats + rounds + (position < rest)


# Rendering


def _training_keys(config: TrainingConfig, dataset: Path, output: Path, name: str) -> Iterator[tuple[str, object]]:
    """Yield the keys of ``training_config.toml``: each is an option of the script, spelt as in its ``--help``."""
    if config.checkpoint:
        yield "pretrained_model_name_or_path", config.checkpoint
    yield "dataset_config", str(dataset)
    yield "output_dir", str(output)
    yield "output_name", name
    yield "save_model_as", "safetensors"
    yield "save_precision", "fp16"
    yield "save_every_n_epochs", config.save_every_epochs
    yield "max_train_epochs", config.epochs
    yield "gradient_accumulation_steps", config.gradient_accumulation_steps
    yield "network_module", NETWORKS[config.network]
    yield "network_dim", config.network_dim
    yield "network_alpha", float(config.network_alpha)
    yield from _learning_keys(config)
    yield from _text_encoder_keys(config)
    yield "mixed_precision", config.mixed_precision
    yield "gradient_checkpointing", config.gradient_checkpointing
    yield "sdpa", True
    yield "no_half_vae", True  # SDXL's own VAE overflows in half precision
    yield "cache_latents", config.cache_latents
    yield "max_token_length", 225
    yield "prior_loss_weight", float(config.prior_loss_weight)
    yield "seed", config.seed


def _learning_keys(config: TrainingConfig) -> Iterator[tuple[str, object]]:
    yield "optimizer_type", config.optimizer
    yield "learning_rate", float(config.learning_rate)
    yield "unet_lr", float(config.learning_rate)
    yield "lr_scheduler", config.scheduler
    if config.warmup:
        yield "lr_warmup_steps", float(config.warmup)  # below 1: a share of all steps
    if config.min_snr_gamma:
        yield "min_snr_gamma", float(config.min_snr_gamma)


def _text_encoder_keys(config: TrainingConfig) -> Iterator[tuple[str, object]]:
    """SDXL stops where text-encoder outputs are cached and a text encoder is trained, or captions change by chance."""
    if config.text_encoder_learning_rate:
        yield "text_encoder_lr", [float(config.text_encoder_learning_rate)] * 2
        return
    yield "network_train_unet_only", True
    if not config.shuffle_caption:
        yield "cache_text_encoder_outputs", True


def _dataset_toml(config: TrainingConfig, subsets: Sequence[Subset], folder: Path) -> str:
    """Return ``dataset_config.toml``: one dataset, as regularization subsets count only beside their training ones.

    Every table has its own heading: sd-scripts' parser (toml 0.10.2) misreads an apostrophe within an inline table.
    """
    rule = _bucket_rule(config)
    general = {
        "caption_extension": ".txt",
        "shuffle_caption": config.shuffle_caption,
        "keep_tokens": config.keep_tokens if config.shuffle_caption else 0,
        "flip_aug": config.flip_aug,
    }
    dataset = {
        "resolution": config.resolution,
        "batch_size": config.batch_size,
        "enable_bucket": True,
        "bucket_no_upscale": config.bucket_no_upscale,
        "bucket_reso_steps": rule.step,
        "min_bucket_reso": rule.min_side,
        "max_bucket_reso": rule.max_side,
    }
    tables: list[tuple[str, Mapping[str, object]]] = [("[general]", general), ("[[datasets]]", dataset)]
    for subset in subsets:
        if subset.sizes:
            image_dir = str(folder / subset.folder)
            keys = {"image_dir": image_dir, "num_repeats": subset.repeats, "is_reg": subset.is_regularization}
            tables.append(("[[datasets.subsets]]", keys))
    return "\n".join(f"{heading}\n{tomli_w.dumps(table)}" for heading, table in tables)
