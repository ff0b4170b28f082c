"""Tokens: counted as CLIP's own tokenizer counts them, and estimated for T5 within what is promised."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.tokens import CHUNK, _clip, chunks, counter, is_common, is_estimate

# What CLIPTokenizer of transformers 5.23 says, with the vocabulary of openai/clip-vit-large-patch14, without its marks.
CLIP = [
    ("", 0),
    ("   ", 0),
    ("1girl", 2),
    ("a cat", 2),
    ("A CAT", 2),
    ("1girl, solo, long hair, blue eyes, looking at viewer, school uniform", 17),
    ("hatsune miku (vocaloid), twintails, aqua hair", 12),
    ("^_^, >_<, 0_0, |_|, (o)_(o), :)", 21),
    ("ohwx", 1),
    ("sks", 1),
    ("ohwx man", 2),
    ("score_9, score_8_up, source_anime, rating_safe", 17),
    ("don't, it's, we're", 8),
    ("café, naïve, Ünïcödé", 13),
    ("cafe\u0301", 1),
    ("\u732b\u3068\u5c11\u5973\u3001\u685c", 12),
    ("\u043a\u043e\u0448\u043a\u0430 \u043d\u0430 \u043e\u043a\u043d\u0435", 13),
    ("\U0001f431 \U0001f389\U0001f469\u200d\U0001f680", 4),
    ("  1girl,  solo\n\tlong hair\u00a0x\u3000y ", 8),
    ("a,b,,c", 5),
    ("x" * 100, 25),
    ("1234567890", 10),
    ("\x1ca\x1cb", 4),
    ("<|endoftext|> a<|startoftext|>b", 4),
]
# What the tokenizer of T5 v1.1 XXL says, without its end mark.
T5 = [
    ("A woman with long red hair stands in a field of sunflowers at sunset, wearing a white dress and a hat.", 28),
    ("A vintage photograph of two children playing with a small brown dog in front of a wooden house.", 21),
    ("A painting of a knight in ornate silver armor kneeling before a stained glass window.", 21),
]
WORDS = st.text(st.sampled_from("ab é'1_,.!(\u732b\u0301\u00a0\n\x1c\U0001f431"), max_size=12)


@pytest.mark.parametrize(("text", "tokens"), CLIP)
def test_clip_is_counted_as_its_tokenizer_does(text, tokens):
    assert counter("clip")(text) == tokens


@pytest.mark.parametrize(("text", "tokens"), T5)
def test_t5_is_estimated_within_fifteen_percent(text, tokens):
    assert abs(counter("t5")(text) / tokens - 1) < 0.15


def test_only_t5_is_an_estimate():
    assert is_estimate("t5")
    assert not is_estimate("clip")
    assert counter("t5")("") == 0


@given(st.lists(WORDS, max_size=8))
def test_look_ups_count_what_the_tokenizer_counts_at_once(words):
    text = ", ".join(words)
    assert counter("clip")(text) == len(_clip().encode(text, add_special_tokens=False))


@given(st.lists(WORDS, max_size=8))
def test_parts_that_are_split_already_count_the_same(words):
    text = ", ".join(word.replace(",", "") for word in words)
    assert counter("clip").of_parts(text.split(",")) == counter("clip")(text)


def test_chunks():
    assert [chunks(tokens) for tokens in (0, 1, CHUNK, CHUNK + 1, 225)] == [1, 1, 1, 2, 3]


@pytest.mark.parametrize("word", ["tom", "cat", "Elsa", "tom hanks", "miku"])
def test_common_words_are_known(word):
    assert is_common(word)


@pytest.mark.parametrize("word", ["", " ", "ohwx", "sks", "ohwx man", "tom1", "a", "zwx", "\u732b"])
def test_rare_words_are_not(word):
    assert not is_common(word)


def test_counting_costs_microseconds():
    random.seed(1)
    tags = [f"{a} {b}" for a in ("long", "red", "blue", "open") for b in ("hair", "eyes", "mouth", "dress", "sky")]
    captions = [", ".join(random.choices(tags, k=60)) for _ in range(2000)]
    count = counter("clip")
    count(captions[0])
    started = time.process_time()
    for caption in captions:
        count(caption)
    assert time.process_time() - started < 1  # half a millisecond of the processor a caption; about 10 µs


def test_long_texts_take_linear_time():
    for text in ("x" * 100_000, "x, " * 50_000, " " * 100_000, "\u0301" * 10_000, "(" * 100_000):
        started = time.process_time()
        counter("clip")(text)
        assert time.process_time() - started < 3
