"""The buckets and steps that ai-toolkit makes of a dataset; pure geometry and counting, after its code (0.12.26).

Terms as in `lorads_core.buckets`. Every subset is a dataset of its own: its buckets are never shared with another's.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from ...buckets import Placement, Size
from .. import Schedule, Subset
from .names import kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model import TrainingConfig


@lru_cache(maxsize=65536)
def place(picture: Size, resolution: int, step: int) -> Placement:
    """Return the bucket of an image of the given upright size; nothing is ever enlarged by more than a step.

    The bucket is that of the nearest area to the image's, or the resolution's where that is smaller, of the four that
    come of rounding both sides of it up or down (``toolkit/buckets.py``, ``BucketsMixin.setup_buckets``).
    """
    width, height = picture
    most = resolution * resolution
    wanted = min(width * height, most)
    scale = (wanted / (width * height)) ** 0.5
    wide, high = (width * scale) / step, (height * scale) / step
    across, down = (math.floor(wide), math.ceil(wide)), (math.floor(high), math.ceil(high))
    rounded = [(one * step, other * step) for one in across for other in down]
    fitting = [size for size in rounded if all(size) and size[0] * size[1] <= most]
    smallest = max(step, across[0] * step), max(step, down[0] * step)
    bucket = min(fitting or [smallest], key=lambda size: abs(size[0] * size[1] - wanted))
    most_enlarged = max(bucket[0] / width, bucket[1] / height)
    return Placement(picture, bucket, (math.ceil(width * most_enlarged), math.ceil(height * most_enlarged)))


def placements(config: TrainingConfig, subsets: Iterable[Subset]) -> list[Placement]:
    """Return where each image goes, in the order of subsets and files, for a settled config."""
    step = kind(config).step
    return [place(size, config.resolution, step) for subset in subsets for size in subset.sizes]


def _samples(config: TrainingConfig, subset: Subset) -> Counter[Size]:
    """Return the samples of each bucket; mirror images are samples of their own."""
    times = subset.repeats * (2 if config.flip_aug else 1)
    counts: Counter[Size] = Counter()
    for item in placements(config, [subset]):
        counts[item.bucket] += times
    return counts


def batches(config: TrainingConfig, subsets: Iterable[Subset]) -> int:
    """Return the batches of an epoch, the last one of each bucket filled up with its own images."""
    counts = [count for subset in subsets for count in _samples(config, subset).values()]
    return sum(math.ceil(count / config.batch_size) for count in counts)


def schedule(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config.

    ai-toolkit takes a number of steps, and goes through its batches over and over. Where there are regularization
    images, every other step is one of them, but for those at which something is saved or sampled
    (``BaseSDTrainProcess.run``): it gets as many steps as the epochs of the training images need.
    """
    training = [subset for subset in subsets if not subset.is_regularization]
    others = [subset for subset in subsets if subset.is_regularization and subset.sizes]
    counts: Counter[Size] = Counter()
    for subset in subsets:
        counts += _samples(config, subset)
    of_epoch = math.ceil(batches(config, training) / config.gradient_accumulation_steps)
    needed = math.ceil(config.epochs * batches(config, training) / config.gradient_accumulation_steps)
    per_epoch = of_epoch * (2 if others else 1)
    return Schedule(
        buckets=tuple(sorted(counts.items())),
        epochs=config.epochs,
        steps_per_epoch=per_epoch,
        total_steps=_with_others(config, needed, per_epoch) if others else needed,
        regularization_used=sum(len(subset.sizes) for subset in others),
        full_batch=config.batch_size,
        rest="repeated",
        apart=True,
    )


def _with_others(config: TrainingConfig, needed: int, per_epoch: int) -> int:
    """Return how many steps hold ``needed`` steps of training images.

    Those are the odd ones, counted from 0, and of the even ones those at which something is saved or sampled.
    """
    pauses = [math.lcm(2, every) for every in _pauses(config, per_epoch)]

    def trained(steps: int) -> int:
        even = sum(-(-steps // every) for every in pauses)
        both = -(-steps // math.lcm(*pauses)) if len(pauses) > 1 else 0
        return steps // 2 + even - both

    return bisect_left(range(2 * needed + 1), needed, key=trained)


def _pauses(config: TrainingConfig, per_epoch: int) -> Iterator[int]:
    yield max(1, config.save_every_epochs * per_epoch)
    if config.sample_prompts:
        yield max(1, config.sample_every_epochs * per_epoch)


def saves(config: TrainingConfig, planned: Schedule) -> Iterator[int]:
    """Yield the steps at which a LoRA is saved on the way; at the first step and at the end that is not done."""
    every = max(1, config.save_every_epochs * planned.steps_per_epoch)
    yield from range(every, planned.total_steps, every)
