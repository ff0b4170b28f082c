"""Lint: what is found, what would mend it, and that nothing else is touched; any text is looked at without fault."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorads_core.captions.lint import CAPTION_RULES, TRIGGER_RULES, LintRules, lint
from lorads_core.captions.profiles import PROFILES, profile
from lorads_core.captions.vocabulary import SHIPPED, Vocabulary
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.tags import canonical, is_score

TAGS = LintRules(profile("illustrious"))
PROSE = LintRules(profile("flux"))
OF_DATASET = {"no-regularization"}


def image(number, text, concept="", *, edited=False):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 8, 8, 1, 1, "", "png")
    caption = None if text is None else Caption(text, "sidecar", edited=edited)
    return DatasetImage(record, caption, concept=concept)


def dataset(*texts, regularization=(), trigger="ohwx", position="prepend", **more):
    training = tuple(image(number, text) for number, text in enumerate(texts, 1))
    others = tuple(image(number, text) for number, text in enumerate(regularization, 1001))
    return Dataset(uuid4(), "d", "pictures", training, others, Trigger(trigger, position), **more)


def found(texts, rules=TAGS, **more):
    """Return the problems of a dataset by code, but for what datasets as small as these always have."""
    texts = (texts,) if isinstance(texts, str) else texts
    problems = lint(dataset(*texts, **more), rules)
    return {problem.code: problem for problem in problems if problem.code not in OF_DATASET}


def applied(of, problem):
    """Return the dataset after a problem's fix."""
    changes = {change.image: change for change in problem.fix.changes}

    def fixed(each):
        if each.key not in changes:
            return each
        assert changes[each.key].before == each.caption
        return replace(each, caption=changes[each.key].after)

    return replace(of, training=tuple(map(fixed, of.training)), regularization=tuple(map(fixed, of.regularization)))


CLEAN = "ohwx, 1girl, long skirt, smile, outdoors"


def test_a_clean_caption_has_no_findings():
    assert found(CLEAN) == {}


@pytest.mark.parametrize(
    ("code", "text", "mended"),
    [
        ("unsafe-text", "ohwx, 1girl\nsolo, smile", "ohwx, 1girl solo, smile"),
        ("unsafe-text", "ohwx, 1girl|||solo, smile", "ohwx, 1girl, solo, smile"),
        ("unsafe-text", "ohwx, 1girl\0, so\u202elo, smile", "ohwx, 1girl, solo, smile"),
        ("prompt-leftovers", "ohwx, <lora:my style:0.8:lbw=1,0>, 1girl, hat", "ohwx, 1girl, hat"),
        ("prompt-leftovers", "ohwx, (1girl, hat:1.2), ((soft)), [dim]", "ohwx, 1girl, hat, soft, dim"),
        ("prompt-leftovers", r"ohwx, miku \(vocaloid\), hat", "ohwx, miku (vocaloid), hat"),
        ("prompt-leftovers", "ohwx, 1girl, embedding:easy:1.2, 1.3::hat::, __color__", "ohwx, 1girl, hat"),
        ("unbalanced-brackets", "ohwx, ganyu (genshin impact, hat", "ohwx, ganyu (genshin impact), hat"),
        ("unbalanced-brackets", "ohwx, 1girl), hat", "ohwx, 1girl, hat"),
        ("other-separators", "1girl; hat; smile", "1girl, hat, smile"),
        ("other-separators", "ohwx, 1girl, hat\uff0csmile", "ohwx, 1girl, hat, smile"),
        ("duplicate-tags", "ohwx, 1girl, Hat, smile, hat", "ohwx, 1girl, Hat, smile"),
        ("duplicate-tags", "ohwx, 1girl,  gray background, grey_background", "ohwx, 1girl,  gray background"),
        ("trigger-missing", "1girl, hat, smile", "ohwx, 1girl, hat, smile"),
        ("trigger-twice", "ohwx, 1girl, hat, OHWX", "ohwx, 1girl, hat"),
        ("trigger-twice", "ohwx, Ohwx stands there in the cold rain.", "Ohwx stands there in the cold rain."),
        ("trigger-twice", "ohwx, a photo of ohwx in the cold rain.", "a photo of ohwx in the cold rain."),
        ("trigger-place", "1girl, hat, ohwx, smile", "ohwx, 1girl, hat, smile"),
        ("trigger-alone", "ohwx", None),
        ("score-words", "ohwx, score_9, score 8 up, 1girl", "ohwx, 1girl"),
        ("control-words", "ohwx, source_anime, 1girl, rating_safe", "ohwx, 1girl"),
        ("underscores", "ohwx, long_hair, ^_^, hat", "ohwx, long hair, ^_^, hat"),
        ("too-many-tokens", "ohwx, " + ", ".join(f"strange thing{n}" for n in range(100)), None),
        ("empty-caption", " , ,", None),
        ("html-entities", "ohwx, another&#039;s arm, salt &amp; pepper", "ohwx, another's arm, salt & pepper"),
        ("html-entities", "ohwx, 1girl, :&lt;, hat", "ohwx, 1girl, :<, hat"),
        ("trigger-placeholder", "a photo of [trigger] in snow, winter", "a photo of ohwx in snow, winter"),
        ("trigger-placeholder", "[name], 1girl, hat", "ohwx, 1girl, hat"),
        ("infotext", "ohwx, 1girl, hat, negative prompt: ugly, bad, steps: 20, sampler: euler", "ohwx, 1girl, hat"),
        ("infotext", "ohwx, 1girl, hat, Steps: 20, Sampler: Euler a, Seed: 1", "ohwx, 1girl, hat"),
        ("space-separated", "ohwx, 1girl long_hair solo", "ohwx, 1girl, long_hair, solo"),
        (
            "space-separated",
            "1girl long_hair red_coat smile looking_at_viewer solo hat day",
            "1girl, long_hair, red_coat, smile, looking_at_viewer, solo, hat, day",
        ),
        ("quality-words", "ohwx, masterpiece, Best_Quality, 1girl, hat", "ohwx, 1girl, hat"),
        ("long-text", "ohwx, 1girl, hat, smile, " + "x" * 201, None),
    ],
)  # fmt: skip
def test_each_fault_is_found_and_mended(code, text, mended):
    problem = found(text)[code]
    assert problem.image == ("pictures", 1)
    assert problem.subject == "/p/1.png"
    if mended is None:
        assert problem.fix is None
        return
    (change,) = problem.fix.changes
    assert change.after.text == mended
    assert change.after.fixed
    assert code not in found(mended)


@pytest.mark.parametrize(
    "text",
    [
        "ohwx, ganyu (genshin impact), (o)_(o), :), ;), ^_^, |_|, <o>_<o>",
        "ohwx, upright, bright, leftovers, copyright",
        "ohwx, 1girl, red hair, red hairband, hair ribbon",
        "ohwx, ratio 16:9, at 10:30, 3:1",
        "A man (old, bald) waits for ohwx; she is late, as always, and it rains on both of them.",
        "ohwx, \N{WOMAN}\u200d\N{ROCKET}, \u732b, café, 1girl",
        "ohwx, BREAKFAST, additional hands, std, underscore",
        "ohwx,, ",
        "ohwx, a photo of my_cat at night, R&B, AT&T; it rains, it snows.",
        "ohwx, climbing steps: many, steps: 3 of them",
        "ohwx, [triggered] sign, masterpiece of a cake",
        "ohwx," + "x" * 300,
    ],
)
def test_what_only_looks_like_a_fault_passes(text):
    assert set(found(text, replace(TAGS, flip_aug=True))) <= {"other-kind", "trigger-alone"}


def test_an_image_without_a_caption_is_named():
    problem = found((None, CLEAN))["no-caption"]
    assert problem.image == ("pictures", 1)
    assert problem.fix is None


def test_a_caption_of_which_a_fix_would_leave_nothing_has_none():
    assert found("score_9, score_8_up", position="none")["score-words"].fix is None


def test_a_caption_by_hand_is_looked_at_like_others_and_only_offered_a_fix():
    ours = dataset()
    ours = replace(ours, training=(image(1, "1girl, hat, smile", edited=True),))
    (problem,) = (each for each in lint(ours, TAGS) if each.code == "trigger-missing")
    assert problem.fix.changes[0].after.edited
    assert ours.training[0].caption.text == "1girl, hat, smile"


# Trigger


def test_a_trigger_within_prose_is_there():
    assert found("A photo of ohwx in a garden, where the sun sets behind the trees.", PROSE) == {}


def test_a_trigger_in_a_tag_counts_and_cannot_be_mended():
    problem = found("red, red skirt, smile, hat", trigger="red")["trigger-twice"]
    assert "2 times" in problem.message
    assert problem.fix is None


def test_a_trigger_at_the_end():
    assert found("1girl, hat, smile, ohwx", position="append") == {}
    assert found(CLEAN, position="append")["trigger-place"].fix.changes[0].after.text.endswith(", ohwx")


def test_a_trigger_spelt_otherwise_counts():
    assert found("my_word, 1girl, hat, smile", trigger="my_word") == {}
    assert "trigger-missing" not in found("my word, 1girl, hat, smile", trigger="my_word")


def test_without_a_trigger():
    assert set(found("1girl, hat, smile", trigger="")) == {"no-trigger"}
    assert found("1girl, hat, smile", trigger="", position="none") == {}


def test_regularization_images_must_not_say_any_trigger():
    concepts = (Concept("a", Trigger("ohwx")), Concept("b", Trigger("zwx")))
    ours = replace(dataset(regularization=("1girl, zwx, hat", "a dog with zwx on it", "1girl, hat")), concepts=concepts)
    problems = [each for each in lint(ours, TAGS) if each.code == "trigger-in-regularization"]
    assert [each.image[1] for each in problems] == [1001, 1002]
    assert problems[0].fix.changes[0].after.text == "1girl, hat"
    assert problems[1].fix is None


def test_each_concept_has_its_own_trigger():
    concepts = (Concept("a", Trigger("ohwx")), Concept("b", Trigger("zwx")))
    training = (image(1, "ohwx, hat, cup", "a"), image(2, "ohwx, hat, cup", "b"), image(3, "hat, cup, sky", "c"))
    ours = replace(dataset(trigger=""), training=training, concepts=concepts)
    problems = {(each.code, each.image and each.image[1]) for each in lint(ours, TAGS)}
    assert ("trigger-missing", 2) in problems
    assert ("trigger-missing", 1) not in problems
    assert ("no-concept", 3) in problems


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("1girl", "trigger-known"),
        ("blonde hair", "trigger-known"),
        ("masterpiece", "trigger-known"),
        ("tom", "trigger-common"),
        ("supercalifragilisticexpialidocious", "trigger-long"),
        ("con", "trigger-file-name"),
        ("a:b", "trigger-file-name"),
        ("ohwx.", "trigger-file-name"),
        ("a,b", "trigger-unsafe"),
    ],
)
def test_triggers_that_are_a_bad_choice(word, code):
    assert code in found(f"{word}, hat", trigger=word)


@pytest.mark.parametrize("word", ["ohwx", "sks", "ohwx man", "zwx_style"])
def test_triggers_that_are_a_good_choice(word):
    assert not any(code.startswith("trigger") for code in found(f"{word}, hat, cup, sky", trigger=word))


def test_a_users_own_vocabulary_knows_its_tags():
    rules = replace(TAGS, vocabulary=Vocabulary(categories={"ganyu (genshin impact)": "character"}))
    assert "trigger-known" in found("ganyu (genshin impact), hat", rules, trigger="ganyu_(genshin_impact)")


def test_triggers_that_hold_one_another():
    ours = replace(dataset(), concepts=(Concept("a", Trigger("ohwx")), Concept("b", Trigger("ohwx man"))))
    assert "triggers-alike" in {each.code for each in lint(ours, TAGS)}


# Training config


def test_left_and_right_stop_flipping():
    assert "left-right" not in found("ohwx, scar on left cheek, hat")
    flipped = replace(TAGS, flip_aug=True)
    problem = found("ohwx, Asymmetrical legwear, hat", flipped)["left-right"]
    assert problem.severity == "error"
    assert "'Asymmetrical'" in problem.message
    assert "left-right" in found("ohwx, scar on left cheek, hat", flipped)
    assert "one-sided" in found("ohwx, heterochromia, hat", flipped)


def test_prose_is_not_to_be_shuffled():
    prose = "ohwx, A woman walks in the rain, her coat is open, and the street is empty."
    assert "shuffled-prose" in found(prose, replace(PROSE, shuffle=True))
    assert "shuffled-prose" not in found(prose, PROSE)
    assert "shuffled-prose" not in found(CLEAN, replace(TAGS, shuffle=True))


def test_each_base_model_has_its_kind_of_caption():
    prose = "A photo of ohwx, who walks in the rain without a coat, all alone."
    assert "sentences" in found(CLEAN, PROSE)["other-kind"].message
    assert "list of tags" in found(prose, LintRules(profile("pony")))["other-kind"].message
    assert "other-kind" not in found(f"{prose} 1girl, rain, coat, street", LintRules(profile("pony")))
    assert "other-kind" not in found(prose, PROSE)


def test_ponys_words_are_right_for_pony():
    pony = LintRules(profile("pony"))
    assert "control-words" not in found("ohwx, source_anime, rating_safe, hat, cup, sky", pony)
    assert "score-words" in found("ohwx, score_9, hat, cup, sky", pony)


def test_a_rating_means_something_to_illustrious_alone():
    text = "ohwx, 1girl, sensitive, hat"
    assert "rating-words" not in found(text)
    assert found(text, LintRules(profile("sd15")))["rating-words"].fix.changes[0].after.text == "ohwx, 1girl, hat"


def test_tokens_are_counted_against_what_is_trained():
    text = ", ".join(["ohwx", *(f"strange thing{n}" for n in range(25))])
    assert "too-many-tokens" not in found(text)
    assert "(2 chunks)" in found(text, replace(TAGS, token_limit=75))["too-many-tokens"].message
    assert "about" in found(text, replace(PROSE, token_limit=75))["too-many-tokens"].message


# Several captions


TEN = [f"thing{n}" for n in range(10)]


def test_captions_that_are_the_same_are_told_once_each():
    texts = [", ".join(["ohwx", *TEN]), ", ".join(["ohwx", *reversed(TEN)]), ", ".join(["ohwx", *TEN[:9], "cup"])]
    problems = [each for each in lint(dataset(*texts), TAGS) if each.code.endswith("-captions")]
    assert [(each.code, each.image[1]) for each in problems] == [("identical-captions", 2), ("similar-captions", 3)]
    assert all("/p/1.png" in each.message for each in problems)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (TEN[:9], "similar-captions"),
        ([*TEN, "cup"], "similar-captions"),
        ([*TEN[:9], "cup"], "similar-captions"),
        ([*TEN[:8], "cup", "sky"], None),
        ([*TEN[:8]], None),
    ],
)
def test_one_tag_more_or_less_or_another_is_nearly_the_same(other, code):
    codes = found((", ".join(["ohwx", *TEN]), ", ".join(["ohwx", *other])))
    assert [each for each in codes if each.endswith("-captions")] == [code] * bool(code)


def test_prose_is_compared_by_its_words():
    prose = "A photo of ohwx, who walks alone in the rain along an empty street."
    other = prose.replace("rain", "snow")
    assert "similar-captions" in found((prose, other), PROSE)
    assert "identical-captions" in found((prose, prose.upper()), PROSE)


@given(st.lists(st.frozensets(st.sampled_from(TEN), min_size=1), min_size=1, max_size=6))
def test_likeness_is_what_comparing_all_with_all_would_find(sets):
    sets = [frozenset(each | {f"always{n}" for n in range(8)}) for each in sets]
    problems = lint(dataset(*(", ".join(["ohwx", *sorted(each)]) for each in sets)), TAGS)
    same = {n for n, each in enumerate(sets) if each in sets[:n]}
    lone = [(n, each) for n, each in enumerate(sets) if n not in same]
    near = {n for n, each in lone for m, other in lone if m < n and len(each - other) <= 1 and len(other - each) <= 1}
    assert {each.image[1] - 1 for each in problems if each.code == "identical-captions"} == same
    assert {each.image[1] - 1 for each in problems if each.code == "similar-captions"} == near


def test_captions_of_an_unusual_length_are_pointed_at():
    usual = [", ".join(["ohwx", *(f"thing{n}{m}" for m in range(10))]) for n in range(12)]
    short, long = "ohwx, cup", ", ".join(["ohwx", *(f"thing{n}" for n in range(90))])
    problems = [each for each in lint(dataset(*usual, short, long), TAGS) if each.code == "unusual-length"]
    assert [each.image[1] for each in problems] == [13, 14]


def test_traits_that_leak_are_told_unless_kept():
    texts = [f"ohwx, blonde hair, smile, thing{n}" for n in range(8)] + ["ohwx, cup, sky", "ohwx, cup, dog"]
    ours = dataset(*texts)
    (leak,) = (each for each in lint(ours, TAGS) if each.code == "identity-leak")
    assert "8 of 10 captions say 'blonde hair'" in leak.message
    kept = replace(TAGS, flexible={"": frozenset({"blonde hair"})})
    assert not [each for each in lint(ours, kept) if each.code == "identity-leak"]
    assert not [each for each in lint(dataset(*texts, "ohwx, hat, pen"), TAGS) if each.code == "identity-leak"]
    assert not [each for each in lint(dataset(*texts, position="none"), TAGS) if each.code == "identity-leak"]


def test_regularization_captions_are_of_the_same_kind_prose_stays_prose():
    prose = ("A cat sits on the wall and looks at the moon.", "A dog is asleep under the old table.")
    assert "regularization-kind" in found([CLEAN, "ohwx, 1girl, hat, tree"], regularization=prose)
    told = found([f"ohwx, {each}" for each in prose], PROSE, regularization=("1girl, hat, tree", "1boy, coat, sea"))
    assert "build both from the same source" in told["regularization-kind"].message
    assert "regularization-kind" not in found([CLEAN], regularization=("1girl, hat, tree",))
    assert "regularization-kind" not in found([f"ohwx, {each}" for each in prose], PROSE, regularization=prose)


def test_a_dataset_without_regularization_is_told_so_once():
    codes = Counter(each.code for each in lint(dataset(CLEAN, "ohwx, cup"), TAGS))
    assert codes["no-regularization"] == 1
    assert "no-regularization" not in {each.code for each in lint(dataset(CLEAN, regularization=("1girl",)), TAGS)}


# Any text


PIECES = st.one_of(
    st.sampled_from(
        ["ohwx", "OHWX", "1girl", "long_hair", "long hair", "score_9", "rating_safe", "general", "(hat:1.2)", "((a))",
         "<lora:x:1>", "BREAK", "a|||b", "cup; sky", "^_^", "(o)_(o)", ":)", "left", "A dog. It sits", "\\(x\\)", "(",
         ")", "", " ", "\n", "\0", "\u202e", "\ue000", "x" * 3_000, "1.2::a::", "[a:b:0.5]", "gray eyes", "grey eyes",
         "a dog that walks on the street for a while"]
    ),
    st.text(max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=7).map(", ".join)
ALL_RULES = st.builds(
    LintRules, st.sampled_from(PROFILES), flip_aug=st.booleans(), shuffle=st.booleans(), token_limit=st.just(0)
)
TRIGGERS = st.builds(
    Trigger,
    st.one_of(st.sampled_from(["ohwx", "", "long_hair", "a,b", "red", "^_^", "con"]), st.text(max_size=5)),
    st.sampled_from(["prepend", "append", "none"]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=2), TRIGGERS, ALL_RULES)
@pytest.mark.slow
def test_no_text_raises_and_each_fix_mends_what_it_is_for(training, others, trigger, rules):
    ours = replace(dataset(*training, regularization=others), trigger=trigger)
    for problem in lint(ours, rules):
        assert problem.message
        assert (problem.image is None) or any(each.key == problem.image for each in ours.images)
        if not problem.fix:
            continue
        mended = applied(ours, problem)
        again = [each for each in lint(mended, rules) if (each.code, each.image) == (problem.code, problem.image)]
        assert not [each for each in again if each.fix], (problem, again)
        untouched = {each.key: each for each in ours.images if each.key != problem.image}
        assert untouched == {each.key: each for each in mended.images if each.key != problem.image}


REMOVES = {
    "duplicate-tags": lambda tag, kept: (
        SHIPPED.aliases.get(tag, tag) in {SHIPPED.aliases.get(key, key) for key in kept}
    ),
    "trigger-twice": lambda tag, _kept: tag == "ohwx",
    "trigger-in-regularization": lambda tag, _kept: tag == "ohwx",
    "score-words": lambda tag, _kept: is_score(tag),
    "control-words": lambda tag, _kept: tag.startswith(("rating_", "source_")),
    "rating-words": lambda tag, _kept: tag == "general",
}


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=2), ALL_RULES)
def test_a_fix_takes_out_what_it_names_and_leaves_the_rest_in_its_order(training, others, rules):
    for problem in lint(dataset(*training, regularization=others), rules):
        if not problem.fix or problem.code not in REMOVES:
            continue
        (change,) = problem.fix.changes
        before, after = ([canonical(part) for part in each.text.split(",")] for each in (change.before, change.after))
        left = iter(before)
        assert all(tag in left for tag in after if tag), (before, after)
        gone = Counter(filter(None, before)) - Counter(after)
        assert gone
        assert all(REMOVES[problem.code](tag, after) for tag in gone), (problem.code, gone)


def test_every_rule_has_a_code_of_its_own():
    codes = [rule.code for rule in (*CAPTION_RULES, *TRIGGER_RULES)]
    assert len(set(codes)) == len(codes)


def test_linting_takes_linear_time():
    words = [f"{a} {b}" for a in ("long", "red", "blue", "open") for b in ("skirt", "mouth", "dress", "sky", "door")]
    texts = [", ".join(["ohwx", *words, *(f"thing{(n * m) % 997}" for m in range(1, 40))]) for n in range(3000)]
    ours = dataset(*texts)
    lint(ours, TAGS)
    started = time.process_time()
    lint(ours, TAGS)
    assert time.process_time() - started < 5  # so that nothing grows beyond measure; it takes about 0.15


@pytest.mark.parametrize("piece", ["(", "((a:1.2), ", "x", "a, ", "<lora:", "ohwx, ", "\u0301", "; a", "[a:b:", "_a_"])
def test_long_captions_take_linear_time(piece):
    started = time.process_time()
    lint(dataset(piece * 20_000), TAGS)
    assert time.process_time() - started < 5
