"""Buckets are those that sd-scripts v0.10.1 makes; the numbers were seen in its own loader at resolution 1024."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.buckets import BucketRule, assign_bucket, bucket_sizes

RULE = BucketRule(resolution=1024, max_side=2048)
NO_UPSCALE = BucketRule(resolution=1024, max_side=2048, no_upscale=True)
sides = st.integers(min_value=64, max_value=12_000)


@pytest.mark.parametrize(
    ("picture", "bucket"),
    [
        ((1216, 832), (1216, 832)),
        ((832, 1216), (832, 1216)),
        ((3000, 2000), (1216, 832)),
        ((1920, 1080), (1344, 768)),
        ((700, 500), (1216, 832)),
        ((63, 63), (1024, 1024)),
        ((60, 600), (256, 2048)),
        ((10_000, 1000), (2048, 256)),
    ],
)
def test_nearest_bucket(picture, bucket):
    assert assign_bucket(picture, RULE).bucket == bucket


@pytest.mark.parametrize(
    ("picture", "bucket"),
    [((1216, 832), (1216, 832)), ((700, 500), (640, 448)), ((10_000, 1000), (3200, 320)), ((60, 600), (0, 576))],
)
def test_no_upscale_crops_instead(picture, bucket):
    assert assign_bucket(picture, NO_UPSCALE).bucket == bucket


def test_the_default_limit_of_1024_would_waste_a_portrait():
    small = BucketRule(resolution=1024, max_side=1024)
    assert assign_bucket((832, 1216), small).bucket == (704, 1024)
    assert assign_bucket((832, 1216), RULE).bucket == (832, 1216)


def test_shares():
    placed = assign_bucket((700, 500), RULE)
    assert placed.scale == pytest.approx(1.74, abs=0.01)
    assert assign_bucket((60, 600), NO_UPSCALE).usable is False
    assert assign_bucket((10_000, 1000), RULE).cropped == pytest.approx(0.2, abs=0.01)


@given(sides, sides)
def test_a_picture_always_covers_its_bucket(width, height):
    for rule in (RULE, NO_UPSCALE):
        placed = assign_bucket((width, height), rule)
        assert placed.resized[0] >= placed.bucket[0]
        assert placed.resized[1] >= placed.bucket[1]
        assert placed.bucket[0] % 64 == 0
        assert placed.bucket[1] % 64 == 0


def test_no_bucket_is_larger_than_the_resolution():
    sizes = bucket_sizes(RULE)
    assert len(sizes) == len(set(sizes))
    assert all(width * height <= 1024 * 1024 and min(width, height) >= 256 for width, height in sizes)


@pytest.mark.parametrize("picture", [(60, 600), (12_000, 30), (30, 40_000), (4000, 63)])
def test_what_has_no_step_to_a_side_is_unusable(picture):
    # At the larger ones sd-scripts itself divides by zero.
    placed = assign_bucket(picture, NO_UPSCALE)
    assert not placed.usable
    assert placed.cropped == 1


@pytest.mark.parametrize(
    ("picture", "rule", "bucket", "resized"),
    [
        ((3461, 1033), BucketRule(800, 128, 1536, 128), (1280, 384), (1287, 384)),
        ((801, 799), BucketRule(800, 128, 1536, 128, no_upscale=True), (768, 768), (801, 799)),
        ((999, 1001), BucketRule(512, 256, 1024, 64), (512, 512), (512, 513)),
        ((2000, 1333), BucketRule(1536, 256, 3072, 64, no_upscale=True), (1856, 1216), (1856, 1237)),
    ],
)
def test_other_resolutions_and_steps(picture, rule, bucket, resized):
    placed = assign_bucket(picture, rule)
    assert (placed.bucket, placed.resized) == (bucket, resized)
