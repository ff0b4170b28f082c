"""The buckets and steps that musubi-tuner makes of a dataset; pure geometry and counting, after its code (0.3.4).

Terms as in `lorads_core.buckets`. Every subset is a dataset of its own: a batch has images of one bucket of one subset.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from ...buckets import Placement, Size
from .. import Schedule, Subset
from .scripts import STEP, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model import TrainingConfig


@lru_cache(maxsize=64)
def bucket_sizes(resolution: int, step: int = STEP) -> tuple[Size, ...]:
    """Return all buckets of a resolution, sorted (``BucketSelector.__init__``).

    The shorter side is at least half the resolution; the step is taken off each side.
    """
    area = resolution * resolution
    found: set[Size] = set()
    for width in range(_floor(resolution // 2, step), resolution + step, step):
        height = _floor(area // width, step)
        found |= {(width, height), (height, width)}
    return tuple(sorted(found))


@lru_cache(maxsize=65536)
def place(picture: Size, resolution: int, *, no_upscale: bool = False, step: int = STEP) -> Placement:
    """Return the bucket of an image of the given upright size; a zero side means that nothing is left of it.

    It is the bucket of the nearest aspect, among equals the first. Where nothing is enlarged, an image within the area
    keeps its size (``get_bucket_resolution``). The image is resized until it covers the bucket, then cropped about its
    centre (``resize_image_to_bucket``).
    """
    width, height = picture
    if no_upscale and width * height <= resolution * resolution:
        bucket = _floor(width, step), _floor(height, step)
    else:
        aspect = width / height
        bucket = min(bucket_sizes(resolution, step), key=lambda size: abs(size[0] / size[1] - aspect))
    scale = max(bucket[0] / width, bucket[1] / height)
    return Placement(picture, bucket, (int(width * scale + 0.5), int(height * scale + 0.5)))


def _floor(side: int, step: int) -> int:
    return side - side % step


def placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each image goes, in the order of subsets and files, for a settled config."""
    sides = step(config)
    return [
        place(size, config.resolution, no_upscale=config.bucket_no_upscale, step=sides)
        for subset in subsets
        for size in subset.sizes
    ]


def schedule(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config; no image is dropped, and regularization images count as others.

    An epoch is the batches of all buckets of all datasets, each bucket's last one partly filled
    (``BucketBatchManager``); they are shared out among the processes, and steps are what is left over the accumulation,
    both rounded up (``trainer_base.py``).
    """
    counts: Counter[Size] = Counter()
    batches = 0
    for subset in subsets:
        own: Counter[Size] = Counter()
        for item in placements(config, [subset]):
            own[item.bucket] += subset.repeats
        batches += sum(math.ceil(count / config.batch_size) for count in own.values())
        counts += own
    steps = math.ceil(batches / config.processes / config.gradient_accumulation_steps)
    return Schedule(
        buckets=tuple(sorted(counts.items())),
        epochs=config.epochs,
        steps_per_epoch=steps,
        total_steps=steps * config.epochs,
        regularization_used=sum(len(subset.sizes) for subset in subsets if subset.is_regularization),
        full_batch=config.batch_size,
        apart=True,
    )
