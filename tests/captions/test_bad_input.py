"""Words as they come from strangers: captions stay one line each, nothing is lost in silence, nothing breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions import merge as merging
from lorads_core.captions.merge import MergeRules, merge
from lorads_core.model import Tag
from lorads_core.tags import canonical, escape_prompt, parse_tag_list, render_training


def prompt_of(tags):
    return escape_prompt(render_training(tags))


RULES = MergeRules(ratings="plain")
ODD = [
    "a, b",
    "two\nlines",
    "quote\"s and 'more'",
    "keep ||| apart",
    "keep;;;apart",
    "nul\0l",
    "x" * 10_000,
    "e\u0301te\u0301",
    "\u202eright to left\u202c",
    "zero\u200bwidth",
    "",
    "   ",
    ",",
    "^ ^",
    "^_^",
    "||_||",
    "\\(escaped\\)",
    "\ud800",
    "\U0001f98a\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "<lora:x:1>",
    "(weighted:1.2)",
]


def said(*texts, source="wd", score=0.9):
    return [Tag(text, source, score) for text in texts]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_no_tag_can_break_a_caption_file(text):
    found = merge(said(text, "1girl"), RULES)
    assert "1girl" in found
    line = render_training(found)
    assert len(line.splitlines()) == 1
    assert not set(line) & set("\0\u202e\u200b\ud800")
    assert "|||" not in line.replace("|||", "", 0) or "||_||" in line
    assert parse_tag_list(line) == found


def test_mixed_unicode_forms_are_one_tag():
    assert merge(said("e\u0301te\u0301", "\u00e9t\u00e9", "E\u0301T\u00c9"), RULES) == ["\u00e9t\u00e9"]


@pytest.mark.parametrize("source", ["", None, "+", ":", ":::character", "x" * 5000])
def test_any_name_of_a_source_will_do(source):
    assert merge([Tag("1girl", source, 0.9), Tag("cat", source, None)], RULES) == ["1girl", "cat"]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), -1, 2, 10**30])
def test_a_score_that_is_none_is_no_reason_to_stop(score):
    found = merge([Tag("cat", "wd", score), Tag("general", "wd", score), Tag("dog", "joytag", 0.9)], RULES)
    assert "dog" in found


@pytest.mark.slow
def test_two_hundred_thousand_tags_on_one_image():
    tags = [Tag(f"tag {number}", "wd", 0.5) for number in range(200_000)]
    assert len(merge(tags, RULES)) == 200_000
    merge(said("1girl"), RULES)
    assert len(merging._table_of(RULES).places) < 1000, "what was known of them is let go"


@given(st.lists(st.builds(Tag, st.text(), st.text(), st.none() | st.floats())))
def test_merging_takes_anything(tags):
    found = merge(tags, RULES)
    assert all(canonical(tag) == tag != "" for tag in found)
    assert len(set(found)) == len(found)


@given(st.lists(st.text()))
def test_render_parse_render_is_stable(texts):
    line = render_training(texts)
    assert render_training(parse_tag_list(line)) == render_training(dict.fromkeys(parse_tag_list(line)))
    assert parse_tag_list(render_training(parse_tag_list(line))) == parse_tag_list(line)
    assert parse_tag_list(prompt_of(parse_tag_list(line))) == parse_tag_list(line)
