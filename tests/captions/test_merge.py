"""Merging two taggers: one test per rule."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.merge import MergeRules, merge
from lorads_core.captions.vocabulary import ALIASES, BLACKLIST, Vocabulary
from lorads_core.model import Tag
from lorads_core.tags import canonical, parse_tag_list, render_training

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


def merged(*tags, blacklist=BLACKLIST, **rules):
    rules.setdefault("vocabulary", Vocabulary(blacklist=blacklist))
    return merge([Tag(*tag) for tag in tags], MergeRules(**rules))


def test_thresholds_are_per_source():
    assert merged(("a", "wd", 0.34), ("b", "wd", 0.36), ("c", "joytag", 0.39), ("d", "joytag", 0.41)) == ["d", "b"]
    assert merged(("x", "wd:character", 0.84), ("y", "wd:character", 0.86)) == ["y"]


def test_unknown_confidence_always_counts():
    assert merged(("a", "wd", None), ("b", "manual", None)) == ["a", "b"]
    assert merged(("c", "joytag", float("nan"))) == []  # a fault, no unknown


def test_thresholds_are_the_users():
    assert merged(("a", "wd", 0.3), ("b", "joytag", 0.1), wd_general=0.2, joytag=0.05) == ["a", "b"]
    assert merged(("a", "wd", 0.9), wd_general=1.0) == []


def test_what_both_taggers_saw_may_be_weaker():
    assert merged(("a", "wd", 0.3), ("a", "joytag", 0.3)) == ["a"]
    assert merged(("a", "wd", 0.3)) == []
    assert merged(("a", "wd", 0.3), ("a", "wd14", 0.3)) == []  # the same kind of tagger twice is no agreement


def test_one_source_for_both_taggers_takes_the_lower_threshold_and_is_no_agreement():
    assert merged(("a", "joytag+wdv3large", 0.36)) == ["a"]
    assert merged(("a", "joytag+wdv3large", 0.34)) == []  # which of them spoke is lost: perhaps one alone
    assert merged(("a", "joytag+wdv3large", 0.34), ("a", "wd", 0.3)) == []


def test_a_tagger_that_hardly_saw_it_does_not_agree():
    assert merged(("a", "wd", 0.3), ("a", "joytag", 0.01)) == []


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


def test_of_two_equal_ratings_the_more_explicit_counts():
    assert merged(("explicit", "wd", 0.5), ("sensitive", "joytag", 0.5), ratings="plain") == ["explicit"]


def test_ratings_of_boorus_and_pony_are_ratings():
    assert merged(("rating:explicit", "manual", None), ("general", "wd", 0.9), ratings="plain") == ["explicit"]
    assert merged(("rating_explicit", "manual", None), ratings="pony") == ["rating_explicit"]


def test_the_blacklist_is_the_users():
    assert merged(("watermark", "wd", 0.9), blacklist=frozenset()) == ["watermark"]
    assert merged(("bad_hands", "wd", 0.9), blacklist=frozenset({"watermark"})) == ["bad hands"]
    found = (("long_hair", "wd", 0.9), ("longcat", "wd", 0.9), ("short hair", "wd", 0.9))
    assert merged(*found, blacklist=frozenset({"Long_*"})) == ["longcat", "short hair"]
    assert merged(*found, blacklist=frozenset({"long*", "SHORT_HAIR"})) == []
    assert merged(("badge", "wd", 0.9)) == ["badge"]


def test_every_alias_is_canonical_and_final():
    for alias, tag in ALIASES.items():
        assert canonical(alias) == alias
        assert canonical(tag) == tag
        assert tag not in ALIASES


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
    assert merged(("1girl", "wd", 0.6), ("2girls", "wd", 0.5), ("multiple girls", "joytag", 0.9)) == ["2girls"]
    assert merged(("1girl", "wd", 0.6), ("multiple girls", "joytag", 0.9)) == ["multiple girls"]
    assert merged(("1girl", "wd", 0.9), ("multiple girls", "joytag", 0.6)) == ["1girl"]
    assert merged(("2girls", "wd", 0.6), ("3girls", "wd", 0.7), ("multiple girls", "wd", 0.9)) == ["3girls"]


def test_solo_speaks_for_one():
    assert merged(("1girl", "wd", 0.5), ("solo", "wd", 0.9), ("2girls", "wd", 0.6)) == ["1girl", "solo"]
    assert merged(("2girls", "wd", 0.9), ("solo", "wd", 0.6)) == ["2girls"]


def test_no_humans_excludes_people_by_score():
    assert merged(("no humans", "wd", 0.9), ("1girl", "wd", 0.4), ("solo", "wd", 0.5)) == ["no humans"]
    assert merged(("no humans", "wd", 0.5), ("1girl", "wd", 0.9)) == ["1girl"]
    assert merged(("no humans", "wd", 0.5), ("tree", "wd", 0.9)) == ["no humans", "tree"]


def test_shades_are_colours_and_two_people_have_two():
    assert merged(("light brown hair", "wd", 0.9), ("black hair", "wd", 0.8)) == ["light brown hair"]
    assert merged(("red eyes", "wd", 0.9), ("blue eyes", "joytag", 0.8)) == ["red eyes"]
    pair = (("1girl", "wd", 0.9), ("1boy", "wd", 0.9), ("red hair", "wd", 0.8), ("black hair", "wd", 0.7))
    assert len(merged(*pair)) == 4
    assert len(merged(("red dress", "wd", 0.8), ("blue dress", "wd", 0.7))) == 2


def test_implied_tags_go_by_whole_words_never_by_substring():
    assert merged(("long hair", "wd", 0.9), ("hair", "wd", 0.99)) == ["long hair"]
    assert merged(("what", "wd", 0.9), ("hat", "wd", 0.9)) == ["hat", "what"]
    assert merged(("no shirt", "wd", 0.9), ("shirt", "wd", 0.5)) == ["no shirt", "shirt"]
    assert merged(("cat ears", "wd", 0.9), ("animal ears", "wd", 0.95)) == ["cat ears"]
    assert merged(("holding katana", "wd", 0.9), ("sword", "wd", 0.95), ("katana", "wd", 0.95)) == ["holding katana"]
    assert merged(("looking back", "wd", 0.9), ("back", "wd", 0.8)) == ["looking back", "back"]
    assert merged(("covered nipples", "wd", 0.9), ("nipples", "wd", 0.8)) == ["covered nipples", "nipples"]


def test_counts_come_first_then_the_strongest():
    found = merged(("tree", "wd", 0.95), ("solo", "wd", 0.9), ("1girl", "wd", 0.7), ("sky", "wd", 0.96))
    assert found == ["1girl", "solo", "sky", "tree"]


def test_characters_and_the_rating_stand_between_counts_and_the_rest():
    found = merged(
        ("tree", "wd", 0.95),
        ("ganyu (genshin impact)", "wd:character", 0.9),
        ("1boy", "wd", 0.7),
        ("1girl", "wd", 0.6),
        ("sensitive", "wd", 0.4),
        ratings="plain",
    )
    assert found == ["1girl", "1boy", "ganyu (genshin impact)", "sensitive", "tree"]


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


@pytest.mark.slow
def test_a_million_tags():
    many = [Tag(f"tag {random.Random(n).randrange(5000)}", "wd", 0.9) for n in range(1000)] * 1000
    assert len(merge(many, RULES)) <= 5000


@given(st.lists(st.builds(Tag, st.text(max_size=20), st.text(max_size=8), st.none() | st.floats()), max_size=20))
def test_any_tags_become_canonical_ones_that_are_read_back(found):
    merged_tags = merge(found, RULES)
    assert all(tag and canonical(tag) == tag for tag in merged_tags)
    assert parse_tag_list(render_training(merged_tags)) == merged_tags
