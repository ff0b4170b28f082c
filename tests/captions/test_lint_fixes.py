"""Fixes of lint make no caption worse: nothing goes that the problem does not name, and no other problem comes."""

import random
import re
from uuid import uuid4

import pytest

from lorads_core.captions.features import BEHIND_PROMPT
from lorads_core.captions.lint import CAPTION_RULES, LintRules, lint
from lorads_core.captions.profiles import profile
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.tags import unescape_entities

RULES = LintRules(profile("illustrious"), flip_aug=True)
PARTS = (
    *("1girl", "long_hair", "long hair", "Hat", "hat", "ohwx", "red coat", "miku (vocaloid)", "ganyu (genshin impact"),
    *("(smile:1.2)", "((soft))", "[dim]", "{day}", "<lora:x:0.8>", "__color__", "embedding:easy", "BREAK", ":)", "^_^"),
    *(
        "another&#039;s arm",
        "salt &amp; pepper",
        ":&lt;",
        "cat; dog",
        "a|b",
        "fox\uff0csnow",
        "AT&T",
        "[trigger]",
        "[name]",
    ),
    *("a photo of [trigger] in snow", "score_9", "source_anime", "general", "masterpiece", "best quality", "x" * 210),
    *(
        "1girl long_hair solo",
        "Negative prompt: ugly",
        "steps: 20",
        "sampler: euler",
        "on her left side",
        "side ponytail",
    ),
    *("A man sits in the cold rain. He waits.", "grey hair", "gray hair", "1.2::hat::", "\\(o\\)", ")", "("),
    *("a ||| b", "clock (12:30)", "caf\u00e9", "\u72d0", "c\u200bat", "", " "),
)
SIGNS = "ab_ ,()[]{}:;|<>&#.1\\"
WORD = re.compile(r"[^\W_]+")
# What a rule's fix takes out or puts in by its nature, as words of the caption before.
MARKUP = re.compile(r"<[^<>]*>|<[a-z]+:[^,]*|embedding:\S+|__\w+__|\b(?:BREAK|ADD\w+)\b|[\d.]+", re.IGNORECASE)
GOING = {
    "prompt-leftovers": lambda text: "".join(MARKUP.findall(text)) + " " + " ".join(MARKUP.findall(text)),
    "unbalanced-brackets": lambda text: " ".join(re.findall(r":\s*([\d.]+)", text)),  # a weight cut off
    "score-words": lambda text: " ".join(re.findall(r"score.\d(?:.up)?", text, re.IGNORECASE)),
    "control-words": lambda text: " ".join(re.findall(r"(?:source|rating)_[a-z]+", text)),
    "rating-words": lambda _: "general sensitive questionable explicit rating safe",
    "trigger-placeholder": lambda _: "trigger name",
    "infotext": lambda text: text[BEHIND_PROMPT.search(text).start() :],
    "trigger-missing": lambda _: "trigger name",  # its placeholder
    "duplicate-tags": lambda _: "gray grey",  # one name of the same tag
}
# Problems that a fix brings to light: what was one part is several after it, or what hid another is gone.
PARTED = frozenset({"duplicate-tags", "underscores", "quality-words", "rating-words", "score-words", "long-text"})
UNCOVERED = {
    "unsafe-text": PARTED,
    "html-entities": {"other-separators", "unbalanced-brackets", "prompt-leftovers", "underscores", "unsafe-text"},
    "other-separators": PARTED | {"unbalanced-brackets", "prompt-leftovers"},
    "space-separated": PARTED | {"prompt-leftovers"},
    "prompt-leftovers": PARTED | {"space-separated", "trigger-twice", "other-separators"},
    "unbalanced-brackets": PARTED | {"space-separated", "other-separators", "trigger-place"},
    "trigger-placeholder": {"prompt-leftovers", "trigger-twice", "space-separated"},
    "infotext": {"trigger-missing", "prompt-leftovers"},
    "trigger-missing": {"other-separators", "prompt-leftovers", "trigger-twice"},
    "trigger-twice": {"trigger-place"},
    "underscores": {"other-separators", "prompt-leftovers"},
}


def dataset(text):
    record = ImageRecord("pictures", 1, "/p/1.png", 8, 8, 1, 1, "", "png")
    return Dataset(
        uuid4(), "d", "pictures", (DatasetImage(record, Caption(text, "sidecar")),), (), Trigger("ohwx", "prepend")
    )


def problems(text):
    return {each.code: each for each in lint(dataset(text), RULES) if each.image}


def words(text):
    return set(WORD.findall(unescape_entities(text).casefold()))


def letters(text):
    """Return a text's letters and digits without what lies between: what was parted may have come together."""
    return "".join(WORD.findall(unescape_entities(text).casefold()))


def check(text):
    found = problems(text)
    for code, problem in found.items():
        if problem.fix is None:
            continue
        (change,) = problem.fix.changes
        after = change.after.text
        named = words(problem.message) | words(GOING[code](text) if code in GOING else "")
        assert {word for word in words(text) - named if word not in letters(after)} == set(), (code, text, after)
        assert {word for word in words(after) - {"ohwx"} if word not in letters(text)} == set(), (code, text, after)
        left = set(problems(after)) - set(found) - {"trigger-alone"}
        assert left <= UNCOVERED.get(code, set()), (code, text, after, left)


def captions(count, seed):
    """Yield captions of known parts and of signs thrown together; the same ones on every machine."""
    chance = random.Random(seed)
    for _ in range(count):
        each = (
            chance.choice(PARTS) if chance.random() < 0.5 else "".join(chance.choices(SIGNS, k=chance.randrange(9)))
            for _ in range(chance.randrange(8))
        )
        yield ", ".join(each)


def test_a_fix_loses_nothing_that_is_not_named_and_brings_no_other_problem():
    for text in captions(150, seed=1):
        check(text)


@pytest.mark.slow
def test_a_fix_loses_nothing_in_many_captions():
    for text in captions(2_000, seed=2):
        check(text)


def test_every_rule_with_a_fix_is_reached_by_the_captions_above():
    found = {code for part in (*PARTS, "rating_safe") for code in problems(f"{part}, smile, outdoors, {part}, sky")}
    found |= set(problems("1girl, hat, ohwx")) | set(problems("ohwx, 1girl, hat, OHWX")) | set(problems("1girl\nhat"))
    elsewhere = {"trigger-in-regularization", "rating-words"}  # in regularization images, for other base models
    assert {rule.code for rule in CAPTION_RULES if rule.label} <= found | elsewhere


@pytest.mark.parametrize(
    ("code", "text", "after"),
    [
        ("duplicate-tags", "{, }, 1{, }", "{, }, 1{}"),
        ("infotext", "hat, [dim, Negative prompt: ugly]", "hat, dim"),
    ],
)
def test_a_bracket_whose_other_half_goes_goes_too(code, text, after):
    assert problems(text)[code].fix.changes[0].after.text == after
