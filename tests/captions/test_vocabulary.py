"""The shipped tables: canonical, without circles, and no entry that the last words of a tag make superfluous."""

import pytest

from lorads_core.captions.tables import ALIASES, IMPLIED_BY
from lorads_core.captions.vocabulary import IMPLICATIONS, SHIPPED, Vocabulary, last_words
from lorads_core.tags import canonical


def test_every_alias_is_canonical_and_final():
    for alias, tag in ALIASES.items():
        assert canonical(alias) == alias != tag == canonical(tag)
        assert tag not in ALIASES


def test_every_implication_is_between_canonical_tags_that_are_no_aliases():
    for tag, sayers in IMPLIED_BY.items():
        for each in (tag, *sayers):
            assert canonical(each) == each
            assert each not in ALIASES, each
        assert len(set(sayers)) == len(sayers)


def test_no_implication_goes_in_a_circle():
    for tag in IMPLICATIONS:
        assert tag not in SHIPPED.implied(tag)


def test_no_implication_is_what_the_last_words_say_already():
    for tag, sayers in IMPLIED_BY.items():
        for each in sayers:
            assert tag not in last_words(each), each


@pytest.mark.parametrize(
    ("tag", "implied"),
    [
        ("very long hair", {"long hair", "hair"}),
        ("katana", {"sword", "weapon"}),
        ("furisode", {"kimono", "japanese clothes", "clothes"}),
        ("no shirt", set()),
        ("what", set()),
        ("hot dog", set()),
        ("holding sword", {"holding", "sword", "weapon"}),
    ],
)
def test_what_a_tag_says_along(tag, implied):
    assert SHIPPED.implied(tag) == implied


def test_circles_of_somebody_elses_tables_end():
    known = Vocabulary(implications={"a": frozenset({"b"}), "b": frozenset({"a"})})
    assert known.implied("a") == {"b"}
