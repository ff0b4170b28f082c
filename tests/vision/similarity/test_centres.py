"""Centres: one for a tight set, several for a mixed one; likeness without oneself is honest."""

import numpy as np
import pytest

from lorads_core.vision.similarity.centres import centres, own_similarity, similarity


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def mixture(groups, count=200, dimensions=64, spread=0.3, seed=0):
    random = np.random.default_rng(seed)
    middles = unit(random.standard_normal((groups, dimensions)))
    labels = np.arange(count) % groups
    return unit(middles[labels] + spread * unit(random.standard_normal((count, dimensions)))), labels


def test_a_tight_set_has_one_centre():
    vectors, _ = mixture(1)
    found = centres(vectors)
    assert found.shape == (1, 64)
    assert np.allclose(found[0], unit(vectors.mean(axis=0)), atol=1e-5)


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_a_mixed_set_has_a_centre_for_each_of_its_groups(groups):
    vectors, labels = mixture(groups)
    found = centres(vectors)
    assert len(found) == groups
    home = (vectors @ found.T).argmax(axis=1)
    assert len({(a, b) for a, b in zip(labels, home, strict=True)}) == groups
    assert similarity(vectors, found).mean() > 0.9 > (vectors @ unit(vectors.mean(axis=0))).mean()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_have_one_centre(count):
    assert centres(mixture(4, count)[0]).shape == (1, 64)


def test_equal_vectors_are_no_trouble():
    vectors = np.repeat(mixture(1, 1)[0], 100, axis=0)
    found = centres(vectors)
    assert found.shape == (1, 64)
    assert own_similarity(vectors, found) == pytest.approx(1, abs=1e-5)


def test_centres_are_the_same_each_time():
    vectors, _ = mixture(3, 5000)
    assert np.array_equal(centres(vectors), centres(vectors))


def test_similarity_is_to_the_nearest_anchor():
    vectors, _ = mixture(3, 30)
    anchors = vectors[:4]
    assert np.allclose(similarity(vectors, anchors, block=7), (vectors @ anchors.T).max(axis=1), atol=1e-6)
    assert similarity(vectors, anchors[:0]).tolist() == [-1] * 30


def test_own_similarity_leaves_the_image_itself_out():
    vectors, _ = mixture(1, 50)
    found = own_similarity(vectors, centres(vectors))
    by_hand = [unit(np.delete(vectors, n, axis=0).mean(axis=0)) @ vectors[n] for n in range(50)]
    assert np.allclose(found, by_hand, atol=1e-5)
    assert found.mean() < similarity(vectors, centres(vectors)).mean()


def test_the_only_image_is_like_itself():
    vectors, _ = mixture(1, 1)
    assert own_similarity(vectors, centres(vectors)) == pytest.approx([1.0])
