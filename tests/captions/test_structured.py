"""Structured captions: JSON of a caption that is plain text, and JSON that stays as it is."""

import json

import pytest

from lorads_core.captions.profiles import profile, trial_prompt
from lorads_core.captions.structured import structured


def test_a_plain_caption_becomes_a_description_with_nothing_made_up():
    assert json.loads(structured('tom, a cat says "hi" (softly)')) == {
        "high_level_description": 'tom, a cat says "hi" (softly)',
        "compositional_deconstruction": {"background": "", "elements": []},
    }


def test_it_is_one_line_of_literal_letters():
    text = structured("a café, 猫\nsecond line")
    assert "\n" not in text
    assert "café, 猫" in text


def test_json_of_this_form_stays_as_it_is_but_for_spaces():
    given = {
        "high_level_description": "a cat",
        "style_description": {"aesthetics": "soft", "lighting": "dim", "photo": "35mm", "medium": "photograph"},
        "compositional_deconstruction": {"background": "wall", "elements": [{"type": "obj", "desc": "cat"}]},
    }
    assert structured(json.dumps(given, indent=1)) == json.dumps(given, separators=(",", ":"))


def test_a_trigger_in_front_of_json_begins_its_description():
    given = '{"high_level_description": "a cat", "compositional_deconstruction": {"background": "", "elements": []}}'
    assert json.loads(structured(f"tom, {given}"))["high_level_description"] == "tom, a cat"
    assert structured(f"a cat, {given}") == structured(given), "said already"
    without = '{"compositional_deconstruction": {"background": "", "elements": []}}'
    found = json.loads(structured(f"tom, {without}"))
    assert list(found) == ["high_level_description", "compositional_deconstruction"], "in the order of the verifier"
    assert found["high_level_description"] == "tom"


@pytest.mark.parametrize(
    "caption", ["{hat}, a cat", '{"tags": ["cat"]}', "{", "", '{"compositional_deconstruction": 1}']
)
def test_what_only_looks_like_it_is_text(caption):
    assert json.loads(structured(caption))["high_level_description"] == caption


def test_a_trial_prompt_has_the_form_of_a_caption():
    assert trial_prompt("tom (cat)", profile("ideogram4")) == structured("tom (cat)")
