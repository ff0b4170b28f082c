"""The buckets and steps that OneTrainer makes of a dataset; pure geometry and counting, after its data loader (mgds).

Terms as in `lorads_core.buckets`. A bucket's images that fill no batch are dropped, others in each epoch.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from ...buckets import Placement, Size
from .. import Schedule, Subset
from .names import kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...model import TrainingConfig

ASPECTS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0)
"""Long side over short side of each bucket before rounding (``AspectBucketing.py``, mgds 3a6994a)."""


@lru_cache(maxsize=64)
def bucket_sizes(resolution: int, step: int) -> tuple[Size, ...]:
    """Return all buckets, in pixels.

    Each has the area of the resolution before its sides are rounded to the nearest multiple of ``step`` (so that it
    may be larger than the resolution). The order is that of Python's sets of (height, width), as it is OneTrainer's:
    the first of two buckets that are equally near wins.
    """
    roots = [(aspect, math.sqrt(aspect)) for aspect in ASPECTS]
    upright = [(1 / root * resolution, aspect / root * resolution) for aspect, root in roots]
    across = [(width, height) for height, width in upright]
    rounded = [(round(height / step) * step, round(width / step) * step) for height, width in upright + across]
    return tuple((width, height) for height, width in set(rounded))


@lru_cache(maxsize=65536)
def place(picture: Size, resolution: int, step: int) -> Placement:
    """Return the bucket of an image of the given upright size: the nearest by height over width, small or not."""
    width, height = picture
    aspect = height / width
    bucket = min(bucket_sizes(resolution, step), key=lambda size: abs(size[1] / size[0] - aspect))
    if aspect > bucket[1] / bucket[0]:
        return Placement(picture, bucket, (bucket[0], round(height * (bucket[0] / width))))
    return Placement(picture, bucket, (round(width * (bucket[1] / height)), bucket[1]))


def placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each image goes, in the order of subsets and files, for a settled config."""
    step = kind(config).step
    return [place(size, config.resolution, step) for subset in subsets for size in subset.sizes]


def samples(config: TrainingConfig, subsets: Sequence[Subset]) -> Mapping[Size, int]:
    """Return the samples (images with their repeats) of an epoch in each bucket."""
    counts: Counter[Size] = Counter()
    for subset in subsets:
        for item in placements(config, [subset]):
            counts[item.bucket] += subset.repeats
    return counts


def full_batch(config: TrainingConfig) -> int:
    """Return the samples of one step of all processes."""
    return config.batch_size * config.processes


def schedule(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config.

    All regularization images are used, with their repeats. An epoch is the full batches of all buckets
    (``AspectBatchSorting.py``); batches are accumulated across epochs, and what is left at the end is never applied
    (``GenericTrainer.py``, ``__is_update_step``). ``steps_per_epoch`` is rounded down, ``total_steps`` is exact.
    """
    counts = samples(config, subsets)
    batches = batches_of(config, counts)
    return Schedule(
        buckets=tuple(sorted(counts.items())),
        epochs=config.epochs,
        steps_per_epoch=batches // config.gradient_accumulation_steps,
        total_steps=batches * config.epochs // config.gradient_accumulation_steps,
        regularization_used=sum(len(subset.sizes) for subset in subsets if subset.is_regularization),
        dropped=sum(count % full_batch(config) for count in counts.values()),
        unused=tuple(
            place for place, item in enumerate(placements(config, subsets)) if counts[item.bucket] < full_batch(config)
        ),
        full_batch=full_batch(config),
        rest="dropped",
    )


def batches_of(config: TrainingConfig, counts: Mapping[Size, int]) -> int:
    """Return the batches of an epoch, which are what OneTrainer's bar of steps counts."""
    return sum(count // full_batch(config) for count in counts.values())


def saves(config: TrainingConfig, batches: int) -> Iterator[tuple[int, int, int]]:
    """Yield (batches since the start, whole epochs, batches since these) of each LoRA saved on the way.

    It is saved as an epoch begins, but not amid an accumulation: then as that has ended (``GenericTrainer.train``).
    """
    every, accumulated = config.save_every_epochs, config.gradient_accumulation_steps
    told = 0
    for epoch in range(every, config.epochs, every):
        done = math.ceil(epoch * batches / accumulated) * accumulated
        if told < done < config.epochs * batches:
            told = done
            yield done, done // batches, done % batches
