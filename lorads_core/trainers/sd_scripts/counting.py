"""The buckets and steps that sd-scripts makes of a dataset; pure counting, after its dataset classes (v0.10.1)."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from ...buckets import BucketRule, Placement, Size, assign_bucket
from .. import Schedule, Subset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model import TrainingConfig

_SMALLEST_SIDE = 256


def bucket_rule(config: TrainingConfig) -> BucketRule:
    """Return the rule of a settled config.

    sd-scripts rounds the limits of the sides to the step itself, the lower one down, the upper one up
    (``adjust_min_max_bucket_reso_by_steps``).
    """
    step = config.bucket_step
    return BucketRule(
        resolution=config.resolution,
        min_side=min(_SMALLEST_SIDE, config.resolution) // step * step or step,
        max_side=math.ceil(config.max_bucket_side / step) * step,
        step=step,
        no_upscale=config.bucket_no_upscale,
    )


def schedule(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config.

    Regularization images are cycled, or cut, to the number of training samples (``DreamBoothDataset.__init__``); an
    epoch is the batches of all buckets, each bucket's last one partly filled (``BaseDataset.make_buckets``); they are
    shared out among the processes, and steps are what is left over the accumulation, both rounded up
    (``train_network.py``).
    """
    rule = bucket_rule(config)
    counts: Counter[Size] = Counter()
    used = 0
    for subset in training(subsets):
        for size in subset.sizes:
            counts[assign_bucket(size, rule).bucket] += subset.repeats
    for size, repeats in regularization_repeats(subsets):
        counts[assign_bucket(size, rule).bucket] += repeats
        used += 1
    batches = sum(math.ceil(count / config.batch_size) for count in counts.values())
    steps = math.ceil(batches / config.processes / config.gradient_accumulation_steps)
    return Schedule(
        buckets=tuple(sorted(counts.items())),
        epochs=config.epochs,
        steps_per_epoch=steps,
        total_steps=steps * config.epochs,
        regularization_used=used,
        unused=tuple(_unused(subsets, used)),
        full_batch=config.batch_size,
    )


def _unused(subsets: Iterable[Subset], used: int) -> Iterator[int]:
    """Yield the places of regularization images behind the first ``used`` ones, which are registered in order."""
    place = seen = 0
    for subset in subsets:
        for _ in subset.sizes:
            seen += subset.is_regularization
            if subset.is_regularization and seen > used:
                yield place
            place += 1


def placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each image goes, in the order of subsets and files, for a settled config."""
    rule = bucket_rule(config)
    return [assign_bucket(size, rule) for subset in subsets for size in subset.sizes]


def training(subsets: Iterable[Subset]) -> list[Subset]:
    """Return the subsets to train on."""
    return [subset for subset in subsets if not subset.is_regularization]


def regularization(subsets: Iterable[Subset]) -> list[Subset]:
    """Return the subsets of regularization images."""
    return [subset for subset in subsets if subset.is_regularization]


def regularization_repeats(subsets: Sequence[Subset]) -> Iterator[tuple[Size, int]]:
    """Yield each regularization image that is used, with how often an epoch shows it.

    The loop is sd-scripts': images are registered in order until the training samples are matched, then shown once
    more each, in order again, until they are.
    """
    wanted = sum(len(subset.sizes) * subset.repeats for subset in training(subsets))
    offered = [(size, subset.repeats) for subset in regularization(subsets) for size in subset.sizes]
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
