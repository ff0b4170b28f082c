"""The buckets and steps that SimpleTuner makes of a dataset; pure geometry and counting, after its code (4.8).

Terms as in `lorads_core.buckets`. Every subset is a backend of its own: its buckets are never shared with another's.
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

_MEGAPIXEL = 1_000_000
# TrainingSample._set_resolution: near these areas (megapixels) a square image gets this side, whatever others get.
_SQUARES = {0.25: 512, 0.5: 768, 1.0: 1024, 2.0: 1536, 4.0: 2048}
_NEAR = 0.05


@lru_cache(maxsize=65536)
def place(picture: Size, resolution: int, step: int, canvas: int = 0) -> Placement:
    """Return the bucket of an image of the given upright size; a zero side means that SimpleTuner would stop at it.

    Each aspect, rounded to two digits, has its bucket: the area of the resolution before both sides are rounded to the
    nearest multiple of ``step``, so that it may be larger. What is smaller is enlarged, and all is cropped about the
    centre (``TrainingSample.calculate_target_size``, ``calculate_new_size_by_pixel_area``). A bucket of more than
    ``canvas`` pixels, if that is not 0, is made smaller.
    """
    width, height = picture
    area = resolution * resolution / _MEGAPIXEL
    edge = _rounded(int(math.sqrt(area * _MEGAPIXEL)), step)
    aspect = round(width / height, 2)
    if not aspect:
        return Placement(picture, (0, 0), (0, 0))
    bucket = (edge, edge) if width == height else _bucket(edge, aspect, step)
    resized = bucket if width == height else _covering(picture, bucket)
    if canvas:
        bucket = _limited(bucket, canvas, step)
    if aspect_of(bucket) == 1:
        side = _square(area, step)
        bucket = (side, side)
        if resized[0] < side:
            resized = bucket
    return Placement(picture, bucket, resized)


def _rounded(value: float, step: int) -> int:
    return max(round(value / step) * step, step)


def _bucket(edge: int, aspect: float, step: int) -> Size:
    return _rounded(edge * math.sqrt(aspect), step), _rounded(edge / math.sqrt(aspect), step)


def _limited(bucket: Size, canvas: int, step: int) -> Size:
    """Return a bucket of at most about ``canvas`` pixels (``_limit_maximum_size``, ``limit_canvas_size``)."""
    width, height = bucket
    if width * height <= canvas:
        return bucket
    scale = math.sqrt(canvas / (width * height))
    width, height = _rounded(int(width * scale), step), _rounded(int(height * scale), step)
    longer_is_height = height > width
    for is_height in (longer_is_height, not longer_is_height):  # a step off the longer side, then off the other
        if width * height > canvas:
            width, height = (width, height - step) if is_height else (width - step, height)
    return width, height


def _covering(picture: Size, bucket: Size) -> Size:
    """Return the size of an image that covers the bucket, with the same aspect ratio."""
    aspect = picture[0] / picture[1]
    if bucket[0] < bucket[1]:
        width, height = bucket[0], int(bucket[0] / aspect)
    else:
        width, height = int(bucket[1] * aspect), bucket[1]
    if bucket[0] > width:
        return bucket[0], height + int((bucket[0] - width) / aspect)
    if bucket[1] > height:
        return width + int((bucket[1] - height) * aspect), bucket[1]
    return width, height


def _square(area: float, step: int) -> int:
    """Return the side of square buckets for an area in megapixels."""
    near = (side for megapixels, side in _SQUARES.items() if abs(area - megapixels) < _NEAR)
    return _rounded(math.sqrt(next((side * side for side in near), area * _MEGAPIXEL)), step)


def aspect_of(bucket: Size) -> float:
    """Return what SimpleTuner names a bucket by."""
    return round(bucket[0] / bucket[1], 2) if bucket[1] else 0.0


def placements(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
    """Return where each image goes, in the order of subsets and files, for a settled config."""
    of = kind(config)
    return [place(size, config.resolution, of.step, of.canvas) for subset in subsets for size in subset.sizes]


def full_step(config: TrainingConfig) -> int:
    """Return the samples of one step of all processes, which every bucket must have."""
    return config.batch_size * config.processes * config.gradient_accumulation_steps


def images_by_bucket(config: TrainingConfig, subsets: Sequence[Subset]) -> list[Mapping[Size, int]]:
    """Return how many images each bucket has, without repeats, for one subset after the other.

    Of two buckets of the same name the first one takes the images of both, also of different subsets
    (``StateTracker.get_resolution_by_aspect``).
    """
    named: dict[float, Size] = {}
    return [
        Counter(named.setdefault(aspect_of(item.bucket), item.bucket) for item in placements(config, [subset]))
        for subset in subsets
    ]


def padded(config: TrainingConfig, subset: Subset, count: int) -> int:
    """Return how many images a bucket of ``count`` has after too few for a step were shown over and over.

    That is done to subsets without repeats only (``allow_dataset_oversubscription`` in
    ``split_buckets_between_processes``); elsewhere too few stop the training.
    """
    wanted = full_step(config)
    if subset.repeats > 1 or count >= wanted:
        return count
    return math.ceil(count * math.ceil(wanted / count) / wanted) * wanted


def schedule(config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
    """Return buckets and steps of a settled config; all regularization images are used, with their repeats.

    SimpleTuner reckons with the batches that the samples of each bucket fill (``MetadataBackend.__len__``), rounded up
    over the accumulation, for all epochs (``_recalculate_training_steps``). It then goes through the images of each
    backend again for every repeat, the last batch of a bucket filled up with images already shown
    (``random_dataloader_iterator``): so it has at least as many batches, and stops at the steps it reckoned with.
    Accumulation goes on across epochs, and what is left at the end is never applied.
    """
    samples: Counter[Size] = Counter()
    reckoned = shown = 0
    for subset, counts in zip(subsets, images_by_bucket(config, subsets), strict=True):
        for bucket, count in counts.items():
            pictures = padded(config, subset, count)
            samples[bucket] += pictures * subset.repeats
            own = math.ceil(pictures / config.processes)
            reckoned += math.ceil(own * subset.repeats / config.batch_size)
            shown += subset.repeats * math.ceil(own / config.batch_size)
    steps = math.ceil(reckoned / config.gradient_accumulation_steps)
    return Schedule(
        buckets=tuple(sorted(samples.items())),
        epochs=config.epochs,
        steps_per_epoch=steps,
        total_steps=min(steps * config.epochs, shown * config.epochs // config.gradient_accumulation_steps),
        regularization_used=sum(len(subset.sizes) for subset in subsets if subset.is_regularization),
        full_batch=config.batch_size * config.processes,
        rest="repeated",
        apart=True,
    )


def steps_of(epochs: int, planned: Schedule) -> int:
    """Return epochs in steps, as SimpleTuner reckons them: its own epochs may be longer, and the last cut off."""
    return max(1, epochs * planned.steps_per_epoch)


def saves(config: TrainingConfig, planned: Schedule) -> Iterator[int]:
    """Yield the steps after which a LoRA is saved on the way."""
    every = steps_of(config.save_every_epochs, planned)
    yield from range(every, planned.total_steps + 1, every)
