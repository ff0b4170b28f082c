"""Picking: the best first, no twins, no more of a group than is allowed, as diverse as asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorads_core.vision.similarity.band import Band
from lorads_core.vision.similarity.picking import Candidates, DiversityRules, Picker, scores


def candidates(count=60, seed=0, groups=None):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Candidates(random.random(count).astype(np.float32), vectors, groups or [""] * count)


def all_picks(found, spread, most=1000):
    picker, picks = Picker(found, spread), []
    while len(picks) < most and (place := picker.best()) is not None:
        picks.append(place)
        picker.take(place)
    return picks, picker


def test_without_diversity_the_best_come_first():
    found = candidates()
    picks, _ = all_picks(found, DiversityRules(diversity=0, max_similarity=1.0))
    assert picks == np.argsort(-found.scores).tolist()


@given(seed=st.integers(0, 1000), twin=st.floats(0.3, 1.0), diversity=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_no_two_picks_are_twins_and_nothing_is_picked_twice(seed, twin, diversity):
    found = candidates(seed=seed)
    picks, picker = all_picks(found, DiversityRules(diversity, twin))
    near = found.vectors[picks] @ found.vectors[picks].T
    np.fill_diagonal(near, -1)
    assert near.max() < twin + 1e-6
    assert len(set(picks)) == len(picks)
    assert len(picks) + picker.twins == 60


def test_more_diversity_means_less_likeness_among_picks():
    found = candidates(400, seed=3)

    def likeness(diversity):
        picks, _ = all_picks(found, DiversityRules(diversity, 1.0), 20)
        near = found.vectors[picks] @ found.vectors[picks].T
        return near[~np.eye(20, dtype=bool)].max()

    assert likeness(0.9) < likeness(0.0)


def test_a_group_gives_no_more_than_it_may():
    groups = ["anna", "bert", ""] * 20
    picks, _ = all_picks(candidates(groups=groups), DiversityRules(0.3, 1.0, per_group=4))
    of_group = [groups[place] for place in picks]
    assert (of_group.count("anna"), of_group.count("bert"), of_group.count("")) == (4, 4, 20)


def test_what_is_refused_is_not_offered():
    found = candidates(3)
    picker = Picker(found, DiversityRules(0, 1.0))
    picker.refuse(int(np.argmax(found.scores)))
    assert picker.best() == int(np.argsort(-found.scores)[1])


def test_nothing_to_pick_from():
    empty = Candidates(np.zeros(0, np.float32), np.zeros((0, 8), np.float32), [])
    assert Picker(empty, DiversityRules()).best() is None


def test_scores_weigh_place_in_the_band_against_quality():
    near = np.array([0.5, 0.6, 0.7], np.float32)
    quality = np.array([1.0, np.nan, 0.0], np.float32)
    assert scores(Band(0.5, 0.7, 0.7), near, quality, 0.0) == pytest.approx([0, 0.5, 1])
    assert scores(Band(0.5, 0.7, 0.7), near, quality, 1.0) == pytest.approx([1, 0.5, 0])
    assert scores(Band(0.5, 0.7, 0.7), near, quality, 0.5) == pytest.approx([0.5, 0.5, 0.5])
