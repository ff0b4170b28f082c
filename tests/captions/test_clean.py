"""Prompts as captions: captions.md names what goes; prompts of generators are anything."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lorads_core.captions.clean import balanced, clean_prompt, is_unbalanced, without_leftovers

PIECES = st.lists(
    st.one_of(
        st.sampled_from(list("()[]{}<>:|\\,\n .#_1")),
        st.sampled_from(["<lora:a:1>", ":1.2)", "BREAK", " AND ", "__x__", "embedding:", "1.2::", "negative prompt:"]),
        st.sampled_from(["long_hair", "1girl", "\\(", ":)", "^_^", "|||", ";;;", "score_9", "\ue000", "\0", "\u202e"]),
        st.text(max_size=3),
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("1girl, <lora:my style v2:0.8:lbw=1,0>, solo", "1girl, solo"),
        ("1girl, <LORA:x:1><lyco:y:.5>, <hypernet:z:1>, solo", "1girl, solo"),
        ("a cat on a mat <lora:cut off:0.8", "a cat on a mat"),
    ],
)
def test_loras_go(prompt, caption):
    assert clean_prompt(prompt) == caption


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("(red hair:1.2), [[dim]], ((soft)), {{bright}}", "red hair, dim, soft, bright"),
        ("(1girl, solo:1.1), (hat:.5), (shoe:1.), (coat: +2 )", "1girl, solo, hat, shoe, coat"),
        ("((a:1.2), [b:0.9]:1.3)", "a, b"),
        ("1.2::tag one::, 0.5::b, c::", "tag one, b, c"),
        ("ratio 16:9, at 10:30", "ratio 16:9, at 10:30"),
    ],
)
def test_weights_go(prompt, caption):
    assert clean_prompt(prompt) == caption


def test_keywords_go():
    assert clean_prompt("1girl BREAK red hair ADDCOMM solo") == "1girl, red hair, solo"
    assert clean_prompt("a cat :1.2 AND a dog:0.8") == "a cat, a dog"
    assert clean_prompt("BREAKFAST, black and white, SAND") == "breakfast, black and white, sand"


def test_a_schedule_ends_with_its_later_words():
    assert clean_prompt("[cat:dog:0.5], [tree:0.3], [sun::0.4]") == "dog, tree"


def test_one_of_several_is_in_no_caption():
    assert clean_prompt("1girl, {red hair|blue hair}, [a|b], smile") == "1girl, smile"


def test_embeddings_and_wildcards_go():
    assert clean_prompt("1girl, embedding:easy/negative.pt:1.2, (embedding:x:1.1), __color__ hat") == "1girl, hat"


def test_the_negative_prompt_and_parameters_go():
    assert clean_prompt("1girl, solo\nNegative prompt: ugly, bad hands\nSteps: 20, Sampler: Euler") == "1girl, solo"
    assert clean_prompt("1girl, solo\nSteps: 20, Sampler: Euler") == "1girl, solo"


def test_comments_go():
    assert clean_prompt("# my prompt\n1girl, #1 fan\n  # more\nsolo") == "1girl, #1 fan, solo"


def test_the_score_chain_is_off_in_training_captions():
    assert clean_prompt("score_9, score_8_up, (score_7_up:1.1), source_anime, 1girl") == "source_anime, 1girl"


def test_brackets_that_are_meant_stay():
    assert clean_prompt(r"ganyu \(genshin impact\), (o)_(o), :), ;), (smile:1.2)") == (
        "ganyu (genshin impact), (o)_(o), :), ;), smile"
    )


def test_kaomoji_stay():
    assert clean_prompt("1girl, |_|, ||_||, ^_^, (>_<:1.2), <|>_<|>") == "1girl, |_|, ||_||, ^_^, >_<, <|>_<|>"


def test_lists_of_tags_get_our_spelling_once():
    assert clean_prompt("1girl, Long_Hair, long hair, 1girl") == "1girl, long hair"


def test_sentences_keep_theirs():
    prompt = 'A photo of Tom "Cat" Miller, who is a man in Paris. He smiles'
    assert clean_prompt(prompt + ", long_hair") == prompt + ", long hair"


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("(masterpiece:1.2), 1girl, [cat], ((tree))", "masterpiece, 1girl, cat, tree"),
        ("1girl <lora:foo_v2:0.8>, smile", "1girl, smile"),
        ("a cat BREAK a dog AND a bird", "a cat, a dog, a bird"),
        ("miku \\(vocaloid\\), (hat:0.5)", "miku (vocaloid), hat"),
        ("embedding:easynegative, cat", "cat"),
        ("cat\nNegative prompt: bad, ugly\nSteps: 20", "cat"),
        ("__colors/warm__ cat", "cat"),
        ("cat, cat, dog", "cat, dog"),
        ("ratio 16:9, cat", "ratio 16:9, cat"),
        ("()[]{}<lora:x:1>", ""),
    ],
)
def test_all_of_it_together(prompt, caption):
    assert clean_prompt(prompt) == caption


@pytest.mark.parametrize("prompt", ["", " ", ",,,", "()", "<lora:a:1>", "BREAK", "score_9", "\0", "((:1.2))"])
def test_nothing_left_is_nothing(prompt):
    assert clean_prompt(prompt) == ""


@pytest.mark.parametrize(
    "piece",
    ["(", "[", "((a:1.2", "[a:", "<a:", "<lora:", "1", "1.", ":", ": ", "::", "\\(", " ", "\n", "\n#", "|", ", ", "__a",
     "embedding:", "a AND :", "(a:1.2)", "\u0316\u0301", "steps: 1", "[a:b:1"],
)  # fmt: skip
def test_long_prompts_take_linear_time(piece):
    started = time.process_time()
    clean_prompt(piece * 50_000)
    assert time.process_time() - started < 3


def test_fifty_thousand_nested_brackets():
    assert clean_prompt("(" * 50_000 + "red hair" + ":1.1)" * 50_000) == "red hair"


@given(PIECES)
def test_any_prompt_becomes_one_line(prompt):
    caption = clean_prompt(prompt)
    assert len(caption.splitlines()) <= 1
    assert caption == caption.strip()
    assert "<lora:a:1>" not in caption
    assert "|||" not in caption
    assert ";;;" not in caption
    caption.encode()


@pytest.mark.parametrize(
    ("caption", "cleaned"),
    [
        ("Red Hair,  (hat:1.2), a_b", "Red Hair, hat, a_b"),
        ("((a:1.2), [b:0.9]:1.3), c", "a, b, c"),
        ("1girl BREAK hat", "1girl, hat"),
        ("[cat:dog:0.5], {{x}}", "dog, x"),
        ("a dog (brown, small) sits", "a dog (brown, small) sits"),
        ("ganyu (genshin impact),  (o)_(o), :)", "ganyu (genshin impact),  (o)_(o), :)"),
        ("ratio 16:9, std::vector, BREAKFAST", "ratio 16:9, std::vector, BREAKFAST"),
        ("red coat++, (blue eyes)+++, C++, c++", "red coat, blue eyes, C++, c++"),
        ("a dog <break> snow, <fromto[0.5]:cat,dog>, <3", "a dog, snow, <3"),
        ("2$$wood, 1-2$$ and $$glass, costs 5$", "wood, glass, costs 5$"),
    ],
)
def test_a_caption_loses_what_is_left_of_a_prompt_and_nothing_else(caption, cleaned):
    assert without_leftovers(caption) == cleaned


@pytest.mark.parametrize(
    ("text", "paired"),
    [
        ("a (b, c", "a (b), c"),
        ("(a, b", "a, b"),
        ("a), b", "a, b"),
        ("a [b (c, d", "a [b (c)], d"),
        ("a (b], c", "a (b), c"),
    ],
)
def test_brackets_are_put_in_pairs(text, paired):
    assert is_unbalanced(text)
    assert balanced(text) == paired


@given(PIECES)
@example(":)(")
def test_what_was_balanced_is_balanced(text):
    assert not is_unbalanced(balanced(text))


@given(PIECES)
def test_nothing_of_a_caption_is_left_to_take_out_twice(text):
    once = without_leftovers(text)
    assert without_leftovers(once) == once
