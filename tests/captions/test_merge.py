"""Merging two taggers: one test per rule."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.merge import BLACKLIST, MergeRules, merge
from lorads_core.model import Tag

RULES = MergeRules()
VOCABULARY = [
    "1girl", "2girls", "multiple girls", "1boy", "solo", "long hair", "hair", "blonde hair", "black hair", "blue eyes",
    "red eyes", "hat", "what", "white shirt", "shirt", "no shirt", "^ ^", "^_^", "watermark", "general", "explicit",
    "gray hair", "grey hair", "cat ears", "animal ears", "score_9", "bad_hands", "hatsune miku (vocaloid)",
]  # fmt: skip
SOURCES = ["wd", "wdv3large", "joytag", "joytag+wdv3large", "manual", "wd:character"]
tags = st.builds(
    Tag, st.sampled_from(VOCABULARY), st.sampled_from(SOURCES), st.none() | st.floats(0, 1, allow_nan=False)
)


def merged(*tags, **rules):
    return merge([Tag(*tag) for tag in tags], MergeRules(**rules))


def test_thresholds_are_per_source():
    assert merged(("a", "wd", 0.34), ("b", "wd", 0.36), ("c", "joytag", 0.39), ("d", "joytag", 0.41)) == ["d", "b"]
    assert merged(("x", "wd:character", 0.84), ("y", "wd:character", 0.86)) == ["y"]


def test_unknown_confidence_always_counts():
    assert merged(("a", "wd", None), ("b", "manual", None)) == ["a", "b"]


def test_what_both_taggers_saw_may_be_weaker():
    assert merged(("a", "wd", 0.3), ("a", "joytag", 0.3)) == ["a"]
    assert merged(("a", "wd", 0.3)) == []
    assert merged(("a", "wd", 0.3), ("a", "wd14", 0.3)) == []  # the same kind of tagger twice is no agreement


def test_one_source_for_both_taggers_takes_the_lower_threshold_and_agrees():
    assert merged(("a", "joytag+wdv3large", 0.36)) == ["a"]


def test_of_two_scores_the_larger_counts():
    assert merged(("a", "wd", 0.9), ("a", "joytag", 0.5), ("b", "wd", 0.8)) == ["a", "b"]


def test_spelling_is_repaired_before_anything_else():
    assert merged(
        ("^ ^", "wd", 0.9), ("^_^", "joytag", 0.9), ("long_hair", "wd", 0.8), ("Long Hair", "joytag", 0.8)
    ) == [
        "^_^",
        "long hair",
    ]


def test_aliases_come_before_the_blacklist():
    assert merged(("gray_hair", "wd", 0.9), ("grey hair", "joytag", 0.5)) == ["grey hair"]
    assert merged(("gray hair", "wd", 0.9), blacklist=frozenset({"grey hair"})) == []


@pytest.mark.parametrize("tag", [*sorted(BLACKLIST), "bad_anatomy", "bad id", "score_9", "score_7_up"])
def test_the_blacklist(tag):
    assert merged((tag, "wd", 1.0)) == []


def test_the_strongest_rating_counts_never_a_threshold():
    ratings = (("general", "wd", 0.1), ("sensitive", "wd", 0.2), ("explicit", "wd", 0.05))
    assert merged(*ratings, ("1girl", "wd", 0.9), ratings="plain") == ["1girl", "sensitive"]
    assert merged(*ratings, ("1girl", "wd", 0.9), ratings="pony") == ["1girl", "rating_safe"]
    assert merged(*ratings, ("1girl", "wd", 0.9)) == ["1girl"]


def test_hair_colours_exclude_each_other_by_score():
    assert merged(("blonde hair", "wd", 0.6), ("black hair", "joytag", 0.8)) == ["black hair"]
    assert set(merged(("blonde hair", "wd", 0.6), ("black hair", "wd", 0.8), ("2girls", "wd", 0.9))) == {
        "2girls",
        "blonde hair",
        "black hair",
    }
    assert len(merged(("blonde hair", "wd", 0.6), ("black hair", "wd", 0.8), ("two-tone hair", "wd", 0.9))) == 3
    assert len(merged(("blue eyes", "wd", 0.6), ("red eyes", "wd", 0.8), ("heterochromia", "wd", 0.9))) == 3


def test_counts_exclude_each_other_by_score():
    assert merged(("1girl", "wd", 0.9), ("2girls", "joytag", 0.6)) == ["1girl"]
    assert merged(("1girl", "wd", 0.9), ("1boy", "wd", 0.8)) == ["1girl", "1boy"]


def test_implied_tags_go_by_whole_words_never_by_substring():
    assert merged(("long hair", "wd", 0.9), ("hair", "wd", 0.99)) == ["long hair"]
    assert merged(("what", "wd", 0.9), ("hat", "wd", 0.9)) == ["hat", "what"]
    assert merged(("no shirt", "wd", 0.9), ("shirt", "wd", 0.5)) == ["no shirt", "shirt"]
    assert merged(("cat ears", "wd", 0.9), ("animal ears", "wd", 0.95)) == ["cat ears"]


def test_counts_come_first_then_the_strongest():
    found = merged(("tree", "wd", 0.95), ("solo", "wd", 0.9), ("1girl", "wd", 0.7), ("sky", "wd", 0.96))
    assert found == ["solo", "1girl", "sky", "tree"]


def test_nothing_of_nothing():
    assert merge([], RULES) == []
    assert merged(("", "wd", 1.0), (",", "wd", 1.0), ("x" * 10_000, "wd", 1.0)) == []


@given(st.lists(tags, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_tags_does_not_matter(found, shuffler):
    expected = merge(found, RULES)
    shuffled = list(found)
    shuffler.shuffle(shuffled)
    assert merge(shuffled, RULES) == expected
    assert len(set(expected)) == len(expected)


@given(st.lists(tags, max_size=30))
def test_merging_what_was_merged_changes_nothing(found):
    once = merge(found, RULES)
    again = merge([Tag(tag, "manual", 1 - n / 100) for n, tag in enumerate(once)], RULES)
    assert sorted(again) == sorted(once)


def test_a_million_tags():
    many = [Tag(f"tag {random.Random(n).randrange(5000)}", "wd", 0.9) for n in range(1000)] * 1000
    assert len(merge(many, RULES)) <= 5000
