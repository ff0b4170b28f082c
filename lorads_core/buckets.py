"""Sizes and aspect buckets as sd-scripts makes them; pure geometry, no files.

Terms: a *bucket* is a size in pixels (width, height) at which a batch is trained. An image is *resized* (same aspect)
until it covers its bucket, then *cropped* to it about the centre. The *area* of every bucket is at most the
resolution's. Rules: sd-scripts v0.10.1, ``library/model_util.py`` ``make_bucket_resolutions`` and
``library/train_util.py`` ``BucketManager``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class BucketRule:
    """What decides the buckets: all in pixels. With ``no_upscale`` the sides' limits do not count."""

    resolution: int = 1024
    min_side: int = 256
    max_side: int = 2048
    step: int = 64
    no_upscale: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image goes: its bucket, the size it is resized to before the crop; a zero side means: unusable."""

    source: Size
    bucket: Size
    resized: Size

    @property
    def scale(self) -> float:
        """How much the image is enlarged (over 1) or reduced."""
        return self.resized[0] / self.source[0]

    @property
    def upscaled(self) -> bool:
        """Whether the image is enlarged at all."""
        return self.resized[0] > self.source[0] or self.resized[1] > self.source[1]

    @property
    def cut(self) -> Size:
        """The pixels of the resized image that the crop cuts off its width and its height, both sides together."""
        return self.resized[0] - self.bucket[0], self.resized[1] - self.bucket[1]

    @property
    def cropped(self) -> float:
        """The share of the resized image that the crop cuts away, 0–1."""
        return 1.0 if not self.usable else 1 - (self.bucket[0] * self.bucket[1]) / (self.resized[0] * self.resized[1])

    @property
    def usable(self) -> bool:
        """Whether there is anything left to train on."""
        return min(self.bucket) > 0


@lru_cache(maxsize=64)
def bucket_sizes(rule: BucketRule) -> tuple[Size, ...]:
    """Return all buckets of ``rule``, sorted; those of ``no_upscale`` come from the images and are not listed."""
    area = rule.resolution * rule.resolution
    side = int(math.sqrt(area) // rule.step) * rule.step
    sizes = {(side, side)}
    for width in range(rule.min_side, rule.max_side + 1, rule.step):
        height = min(rule.max_side, (area // width) // rule.step * rule.step)
        if height >= rule.min_side:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


@lru_cache(maxsize=65536)
def assign_bucket(picture: Size, rule: BucketRule) -> Placement:
    """Return the bucket of an image of the given upright size (both sides at least 1)."""
    return _assign_shrinking(picture, rule) if rule.no_upscale else _assign_nearest(picture, rule)


def _assign_nearest(picture: Size, rule: BucketRule) -> Placement:
    width, height = picture
    aspect = width / height
    sizes = bucket_sizes(rule)
    # The very size wins over a bucket of nearly its aspect; among equals the first, as numpy's argmin has it.
    bucket = picture if picture in sizes else min(sizes, key=lambda size: abs(size[0] / size[1] - aspect))
    scale = bucket[1] / height if aspect > bucket[0] / bucket[1] else bucket[0] / width
    return Placement(picture, bucket, (int(width * scale + 0.5), int(height * scale + 0.5)))


def _assign_shrinking(picture: Size, rule: BucketRule) -> Placement:
    resized = picture
    if picture[0] * picture[1] > rule.resolution * rule.resolution:
        resized = _shrunk(picture[0] / picture[1], rule)
    return Placement(picture, (resized[0] - resized[0] % rule.step, resized[1] - resized[1] % rule.step), resized)


def _shrunk(aspect: float, rule: BucketRule) -> Size:
    """Return the size within the area whose one side is a multiple of the step, with the smaller error in aspect.

    It is (0, 0) where a side would have no step at all: there, sd-scripts divides by zero.
    """
    area = rule.resolution * rule.resolution
    wide = math.sqrt(area * aspect)
    width = _floor(wide, rule.step)
    height = _floor(area / wide, rule.step)
    height_of_width = _floor(width / aspect, rule.step)
    if not height or not height_of_width:
        return 0, 0
    by_width = width / height_of_width
    by_height = _floor(height * aspect, rule.step) / height
    if abs(by_width - aspect) < abs(by_height - aspect):
        return width, int(width / aspect + 0.5)
    return int(height * aspect + 0.5), height


def _floor(value: float, step: int) -> int:
    rounded = int(value + 0.5)
    return rounded - rounded % step
