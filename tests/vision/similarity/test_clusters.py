"""Proposed clusters: those that are there, the largest first, nothing forced into one."""

import numpy as np
import pytest

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.vision.similarity.clusters import MAX_IMAGES, propose


def mixture(sizes, noise=10, dimensions=64):
    random = np.random.default_rng(4)
    middles = random.standard_normal((len(sizes), dimensions))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = middles[labels] + 0.25 * random.standard_normal((len(labels), dimensions))
    vectors = np.vstack([vectors, random.standard_normal((noise, dimensions))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.concatenate([labels, [-1] * noise])


@pytest.mark.slow
def test_the_groups_that_are_there_are_proposed():
    vectors, labels = mixture([30, 80, 12])
    found = propose(np.arange(len(vectors)) * 10, vectors)
    assert [group.name for group in found] == ["group 1", "group 2", "group 3"]
    assert [len(group.ids) for group in found] == pytest.approx([80, 30, 12], abs=3)
    for group, label in zip(found, (1, 0, 2), strict=True):
        assert {labels[image_id // 10] for image_id in group.ids} == {label}
        assert group.cohesion > 0.8


@pytest.mark.slow
def test_the_most_typical_comes_first():
    vectors, _ = mixture([40, 30], noise=20)
    group = propose(np.arange(len(vectors)), vectors, 10)[0]
    centre = vectors[list(group.ids)].mean(axis=0)
    near = vectors[list(group.ids)] @ centre
    assert (np.diff(near) <= 1e-6).all()


def test_it_proposes_the_same_again():
    vectors, _ = mixture([30, 30])
    assert propose(np.arange(70), vectors) == propose(np.arange(70), vectors)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_make_no_group(count):
    assert propose(np.arange(count), mixture([5])[0][:count]) == []


def test_images_that_are_unlike_all_others_are_no_group():
    vectors, labels = mixture([60, 40], noise=200, dimensions=512)
    found = propose(np.arange(len(vectors)), vectors)
    grouped = [image_id for group in found for image_id in group.ids]
    assert [len(group.ids) for group in found] == pytest.approx([60, 40], abs=3)
    assert (labels[grouped] >= 0).mean() > 0.95


def test_equal_vectors_are_one_group_or_none():
    found = propose(np.arange(20), np.repeat(mixture([1], 0)[0], 20, axis=0))
    assert [len(group.ids) for group in found] in ([], [20])


def test_nonsense_is_refused():
    with pytest.raises(SettingsError, match="2 or more"):
        propose(np.arange(20), mixture([20])[0][:20], 1)
    with pytest.raises(LibraryError, match=r"20,001 images are too many .* choose some by folder"):
        propose(np.arange(MAX_IMAGES + 1), np.zeros((1, 8), np.float32))
