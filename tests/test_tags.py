"""Spelling of tags: each rule that a tagger, a database or a person breaks."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.tags import (
    KAOMOJI,
    LONGEST,
    canonical,
    escape_prompt,
    is_prose,
    is_score,
    is_tag_list,
    one_line,
    parse_tag_list,
    render_training,
    safe_text,
)


def prompt_of(tags):
    return escape_prompt(render_training(tags))


# Text of the kind that breaks things: separators, escapes, faces, marks that combine or turn the direction of writing.
NASTY = st.lists(
    st.one_of(
        st.sampled_from([*",;|\\()[]{}_ \n\r\t\0\"'.:<>/", *"\u2028\u202e\u200f\u200d\ufeff\u0301\u0316\ud800"]),
        st.sampled_from(
            [
                "|||",
                ";;;",
                "score_9",
                "rating safe",
                "long_hair",
                "É",
                "e\u0301",
                "\u0130",
                "\u0391\u03a3",
                "\u01f0",
                "K",
            ]
        ),
        st.sampled_from(sorted(KAOMOJI)),
        st.characters(),
    ),
    max_size=12,
).map("".join)
TAGS = st.lists(NASTY, max_size=6)


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
    assert prompt_of(tags) == r"hatsune miku \(vocaloid\), ^_^"


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
    assert parse_tag_list(prompt_of(tags)) == tags


def test_kaomoji_are_those_of_the_specification():
    faces = "^_^ >_< 0_0 +_+ @_@ =_= o_o u_u x_x |_| ||_|| ._. 3_3 6_9 (o)_(o) +_- <o>_<o> <|>_<|> >_o"
    assert set(faces.split()) == KAOMOJI


def test_escaped_kaomoji_is_a_kaomoji():
    assert canonical(r"\(o\)_\(o\)") == "(o)_(o)"


def test_only_the_score_chain_is_a_score():
    assert is_score("score_9")
    assert is_score("score_7_up")
    assert not is_score("source_anime")
    assert not is_score("high score")


def test_escapes_are_read():
    assert canonical(r"ganyu \(genshin impact\)") == "ganyu (genshin impact)"
    assert canonical("ganyu \\\\\\(x\\\\)") == "ganyu (x)"


@pytest.mark.parametrize("tag", ["\\m/", "\\||/", "/\\/\\/\\"])
def test_backslashes_that_are_meant_stay(tag):
    assert canonical(tag) == tag
    assert parse_tag_list(render_training([tag, "solo"])) == [tag, "solo"]


@pytest.mark.parametrize("breaker", [",", "\n", "\r\n", "\0", "|||", ";;;", "||||||", "\u2028", "\x0b", "\x85", "\t"])
def test_what_breaks_a_caption_file_is_gone(breaker):
    for tag in (f"a{breaker}b", f"{breaker}a b", f"a b{breaker}", f"a {breaker} {breaker}b"):
        assert canonical(tag) in {"a b", "ab"}  # a control character vanishes, the others leave a space
    assert canonical(breaker) == ""


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff"])
def test_marks_of_direction_are_gone(mark):
    assert canonical(f"long{mark} hair{mark}") == "long hair"
    assert safe_text(f"{mark}A cat.{mark}") == "A cat."


def test_mixed_unicode_forms_are_one_tag():
    assert canonical("cafe\u0301") == canonical("CAFÉ") == "café"
    assert canonical("J\u030c") == canonical("\u01f0")


def test_text_keeps_emoji_and_persian_spelling():
    for text in (
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 at home",
        "\u0645\u06cc\u200c\u06a9\u0646\u0645",
        "a \U0001fae0 face",
    ):
        assert safe_text(text) == text
    assert canonical("\u0645\u06cc\u200c\u06a9\u0646\u0645") == canonical("\u0645\u06cc\u06a9\u0646\u0645")


def test_quotes_stay():
    assert canonical("\"quoted\" 'tag'") == "\"quoted\" 'tag'"


def test_lists_are_read_with_commas_lines_and_escapes():
    text = "1girl,long_hair , solo\r\nsmile,,\n" + r"ganyu \(genshin impact\), hello\, world" + ", 1girl"
    assert parse_tag_list(text) == ["1girl", "long hair", "solo", "smile", "ganyu (genshin impact)", "hello world"]
    assert parse_tag_list("") == parse_tag_list(" , \n,") == []


def test_prompts_are_escaped():
    assert prompt_of(["ganyu (genshin impact)", "(o)_(o)", "\\m/"]) == (
        r"ganyu \(genshin impact\), \(o\)_\(o\), " + "\\m/"
    )


def test_one_line_has_no_separators():
    assert one_line("ohwx, 1girl ||| rest\nof it;;;x") == "ohwx, 1girl, rest of it, x"
    assert one_line("||| a ,||| |||, b |||") == "a, b"
    assert one_line(" ,, \u200d") == ""


def test_thousands_of_marks_on_a_letter_take_no_time():
    started = time.process_time()
    text = safe_text("a" + "\u0316\u0301" * 200_000)
    assert time.process_time() - started < 2  # sorting them takes minutes
    assert len(text) < 40


@given(NASTY)
def test_canonical_is_stable_and_safe(text):
    tag = canonical(text)
    assert canonical(tag) == tag
    assert canonical(text) == canonical(safe_text(text))
    assert tag == tag.strip() == unicodedata.normalize("NFC", tag)
    assert not set(tag) & set(",\n\r\0\u202e\u200f\u2028")
    assert "|||" not in tag
    assert ";;;" not in tag
    tag.encode()


@given(NASTY)
def test_text_becomes_one_stable_line(text):
    for clean in (safe_text, one_line):
        line = clean(text)
        assert clean(line) == line == line.strip()
        assert len(line.splitlines()) <= 1
        assert unicodedata.is_normalized("NFC", line)
        line.encode()


@given(TAGS)
def test_what_is_rendered_is_parsed_back(tags):
    wanted = parse_tag_list(render_training(tags))
    assert wanted == list(dict.fromkeys(filter(None, map(canonical, tags))))
    assert parse_tag_list(render_training(wanted)) == wanted
    assert parse_tag_list(prompt_of(wanted)) == wanted
    assert all(wanted)


def test_prose_is_told_by_a_sentence_or_a_long_part():
    assert is_prose("She walks, arms crossed, through a wood of very old and tall trees")
    assert is_prose("Tom sits.")
    assert not is_prose("red hair")
    assert not is_prose("")
