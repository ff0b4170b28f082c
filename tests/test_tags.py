"""Spelling of tags: each rule that a tagger, a database or a person breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.tags import (
    KAOMOJI,
    LONGEST,
    canonical,
    is_tag_list,
    parse_tag_list,
    render_prompt,
    render_training,
    safe_text,
)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("long_hair", "long hair"),
        ("  Long   Hair ", "long hair"),
        ("hatsune_miku_(vocaloid)", "hatsune miku (vocaloid)"),
        ("hatsune miku \\(vocaloid\\)", "hatsune miku (vocaloid)"),
        ("score_9", "score_9"),
        ("score 8 up", "score_8_up"),
        ("source_anime", "source_anime"),
        ("rating safe", "rating_safe"),
        ("score_board", "score board"),
        ("a, b", "a b"),
        ("a|||b", "a b"),
        ("a;;;b", "a b"),
        ("a\nb\0c", "a bc"),
        ("\u202eevil\u202c", "evil"),
        ("cafe\u0301", "café"),
        ("\ud800", ""),
        ("", ""),
        ("___", ""),
        ("x" * (LONGEST + 1), ""),
        ("x" * 10_000, ""),
    ],
)
def test_one_spelling(written, tag):
    assert canonical(written) == tag


@pytest.mark.parametrize("face", sorted(KAOMOJI))
def test_faces_keep_their_underscores_and_broken_ones_are_repaired(face):
    assert canonical(face) == face
    assert canonical(face.replace("_", " ")) == face


def test_a_list():
    assert parse_tag_list("1girl, long_hair,\n^ ^ , , solo, 1girl, (o)_(o)") == [
        "1girl",
        "long hair",
        "^_^",
        "solo",
        "(o)_(o)",
    ]


def test_plain_for_training_and_escaped_for_prompts():
    tags = ["hatsune miku (vocaloid)", "^_^"]
    assert render_training(tags) == "hatsune miku (vocaloid), ^_^"
    assert render_prompt(tags) == r"hatsune miku \(vocaloid\), ^_^"


@pytest.mark.parametrize(
    ("text", "is_list"),
    [
        ("1girl, solo", True),
        ("photo (medium), day.", True),
        ("A cat sits on a wall, looking at the sea far away.", False),
        ("A lake. Trees, too.", False),
        ("cat", False),
        ("", False),
        ("one\ntwo", True),
    ],
)
def test_lists_are_told_from_prose(text, is_list):
    assert is_tag_list(text) is is_list


@given(st.text())
def test_canonical_is_stable_and_cannot_break_a_file(text):
    tag = canonical(text)
    assert canonical(tag) == tag
    assert not set(tag) & set(",\n\r\0\u2028\u202e")
    assert "|||" not in tag
    assert ";;;" not in tag
    assert len(tag) <= LONGEST


@given(st.lists(st.text(max_size=40), max_size=20))
def test_render_parse_render_is_stable(texts):
    tags = [tag for tag in dict.fromkeys(map(canonical, texts)) if tag]
    assert parse_tag_list(render_training(tags)) == tags
    assert parse_tag_list(render_prompt(tags)) == tags


@given(st.text())
def test_safe_text_is_one_printable_line(text):
    line = safe_text(text)
    assert line.isprintable()
    assert line == line.strip()
    assert safe_text(line) == line
