"""The trigger: once, where it is wanted, and never where it would break a caption."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.trigger import LONGEST, add_trigger, checked, mentions, remove_trigger
from lorads_core.errors import CaptionError
from lorads_core.model import Trigger

OHWX = Trigger("ohwx")
PARTS = st.lists(st.sampled_from(["ohwx", "OHWX", "1girl", "ohwx man", "red hair", "a.", "", "."]), max_size=5)
TRIGGERS = st.builds(
    Trigger, st.sampled_from(["ohwx", "ohwx_man", "red", ">_<", "é"]), st.sampled_from(["prepend", "append", "none"])
)


@pytest.mark.parametrize(
    "word",
    ["a,b", "a\nb", "a\r\nb", "a|||b", "a;;;b", "a\0b", "a\x07b", "a\u202eb", "a\u200bb", "a\u200db", "a\tb", " ohwx",
     "ohwx ", "a\u2028b", "\ud800", "x" * (LONGEST + 1), "x" * 1_000_000, ","],
)  # fmt: skip
def test_a_trigger_that_would_break_captions_is_refused(word):
    with pytest.raises(CaptionError, match="choose a"):
        checked(Trigger(word))


@pytest.mark.parametrize("word", ["", "ohwx", "ohwx man", "sks_person", 'o\'hara "x"', "x" * LONGEST, "\u732b", "a|b"])
def test_plain_triggers_pass(word):
    assert checked(Trigger(word)).word == word


def test_a_trigger_is_composed():
    assert checked(Trigger("cafe\u0301")).word == "café"


@pytest.mark.parametrize(
    ("position", "caption"),
    [("prepend", "ohwx, 1girl, solo"), ("append", "1girl, solo, ohwx"), ("none", "1girl, solo")],
)
def test_position(position, caption):
    assert add_trigger("1girl, solo", Trigger("ohwx", position)) == caption


def test_prose_gets_the_word_and_a_comma():
    assert add_trigger("A cat sits.", OHWX) == "ohwx, A cat sits."
    assert add_trigger("A cat sits.", Trigger("ohwx", "append")) == "A cat sits, ohwx"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("ohwx, 1girl", "ohwx, 1girl"),
        ("1girl, OHWX, solo", "ohwx, 1girl, solo"),
        ("ohwx", "ohwx"),
        ("ohwx, ohwx", "ohwx"),
        ("Ohwx sits on a mat.", "Ohwx sits on a mat."),
        ("ohwx, a man, sits on a mat.", "ohwx, a man, sits on a mat."),
        ("ohwxcat, tree", "ohwx, ohwxcat, tree"),
        ("ohwx girl, smile", "ohwx girl, smile"),
        ("ohwx anime girl, smile", "ohwx anime girl, smile"),
        ("ohwx is sitting", "ohwx is sitting"),
        ("ohwx girl is sitting, outdoors", "ohwx girl is sitting, outdoors"),
        ("Ohwx sitting, outdoors", "Ohwx sitting, outdoors"),
        ("ohwx in a garden", "ohwx in a garden"),
        ("ohwx red hair, 1girl", "ohwx red hair, 1girl"),
        ("ohwx zebra, 1girl", "ohwx zebra, 1girl"),
    ],
)
def test_it_is_never_doubled(caption, expected):
    assert add_trigger(caption, OHWX) == expected


def test_another_spelling_of_it_is_replaced():
    assert add_trigger("1girl, ohwx man", Trigger("ohwx_man")) == "ohwx_man, 1girl"


def test_it_moves_to_its_place():
    assert add_trigger("ohwx, cat", Trigger("ohwx", "append")) == "cat, ohwx"


def test_removing_touches_nothing_else():
    assert remove_trigger("cat,  tree", OHWX) == "cat,  tree"


def test_a_part_of_a_tag_is_not_the_trigger():
    assert add_trigger("red hair, 1girl", Trigger("red")) == "red, red hair, 1girl"
    assert remove_trigger("red hair, reddish", Trigger("red")) == "red hair, reddish"
    assert add_trigger("cat ears, 1girl", Trigger("cat")) == "cat, cat ears, 1girl"
    assert add_trigger("cat girl, smile", Trigger("cat")) == "cat, cat girl, smile"
    assert add_trigger("tom and jerry, 1girl", Trigger("tom")) == "tom, tom and jerry, 1girl"


@pytest.mark.parametrize("caption", ["tom sitting, outdoors", "tom in a garden", "tom cat, outdoors", "tom red hair"])
def test_a_trigger_of_every_day_stays_where_something_is_said_of_it(caption):
    assert add_trigger(caption, Trigger("tom")) == caption


def test_it_is_taken_out_as_a_whole_tag():
    assert remove_trigger("ohwx, 1girl, solo", OHWX) == "1girl, solo"
    assert remove_trigger("A cat, 1,000 mice, ohwx", OHWX) == "A cat, 1,000 mice"
    assert remove_trigger("ohwx", OHWX) == ""


def test_without_a_trigger_nothing_changes():
    for change in (add_trigger, remove_trigger):
        assert change("1girl,  solo", Trigger("")) == "1girl,  solo"
        assert change("", Trigger("")) == ""
        assert change("", OHWX) == ""


def test_it_is_found_as_a_word():
    assert mentions("A photo of OHWX.", OHWX)
    assert not mentions("ohwxx, xohwx", OHWX)
    assert not mentions("anything", Trigger(""))


@given(PARTS, TRIGGERS)
def test_adding_twice_is_adding_once_and_it_comes_out_again(parts, trigger):
    caption = ", ".join(part for part in parts if part).strip(" ,")
    once = add_trigger(caption, trigger)
    assert add_trigger(once, trigger) == once
    if caption and trigger.position != "none":
        assert mentions(once, trigger)
    assert trigger.word not in [part.strip() for part in remove_trigger(once, trigger).split(",")]
