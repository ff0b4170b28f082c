"""Sources, cleaning, trigger and the one way through them."""

from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.caption import CaptionSettings, caption_dataset
from lorads_core.captions.clean import clean_prompt
from lorads_core.captions.merge import MergeRules
from lorads_core.captions.sources import CaptionMaterial, source, source_names, sources
from lorads_core.captions.trigger import add_trigger, checked, remove_trigger
from lorads_core.errors import CaptionError, SettingsError
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, Tag, Trigger

RULES = MergeRules()
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)


def record(number=1, captions=(), prompt=""):
    return ImageRecord(
        "pictures", number, f"/p/{number}.png", 1, 1, 1, 1, "", "png", captions=tuple(captions), prompt=prompt
    )


def material(captions=(), prompt="", tags=(), edited=None, number=1):
    return CaptionMaterial(record(number, captions, prompt), [Tag(*tag) for tag in tags], edited)


def captioned(materials, others=(), **settings):
    settings.setdefault("trigger", Trigger("tom"))
    dataset = Dataset(
        uuid4(),
        "d",
        "pictures",
        tuple(DatasetImage(item.record) for item in materials),
        tuple(DatasetImage(item.record) for item in others),
    )
    result, report = caption_dataset(dataset, [*materials, *others], CaptionSettings(**settings))
    texts = [image.caption.text if image.caption else None for image in (*result.training, *result.regularization)]
    return texts, report


# Sources


def test_the_scan_finds_every_source():
    assert set(source_names()) == {"wd", "joytag", "joycaption", "prompt", "combined", "custom", "sidecar"}
    with pytest.raises(SettingsError, match="known are"):
        source("psychic")


@pytest.mark.parametrize("name", source_names())
def test_every_source_keeps_the_promises(name):
    each = sources()[name]
    assert each.name == name
    assert each.label
    assert each.kind in {"tags", "prose"}
    assert each.text(material(), RULES) == ""


def test_each_tagger_alone_and_both_together():
    tags = [("cat", "wd", 0.9), ("tree", "joytag", 0.8), ("lake", "joytag+wdv3large", 0.7), ("mine", "manual", None)]
    assert source("wd").text(material(tags=tags), RULES) == "cat, lake"
    assert source("joytag").text(material(tags=tags), RULES) == "tree, lake"
    assert source("combined").text(material(tags=tags), RULES) == "mine, cat, tree, lake"


def test_of_several_prose_captions_an_edited_one_then_the_newest():
    old = Caption("old", "joycaption", updated_at=NOW)
    new = Caption("new", "openai", updated_at=NOW + timedelta(days=1))
    edited = Caption("edited", "joycaption", edited=True, updated_at=NOW - timedelta(days=1))
    assert source("joycaption").text(material([old, new]), RULES) == "new"
    assert source("joycaption").text(material([old, new, edited]), RULES) == "edited"
    assert source("joycaption").text(material([Caption("x", "sidecar")]), RULES) == ""


def test_a_sidecar_keeps_its_order_and_loses_its_underscores():
    assert source("sidecar").text(material([Caption("z_tag, 1girl, z tag", "sidecar")]), RULES) == "z tag, 1girl"
    assert source("sidecar").text(material([Caption("One line.\nAnd more_of it.", "sidecar")]), RULES) == (
        "One line. And more_of it."
    )


# Cleaning


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("(masterpiece:1.2), 1girl, [cat], ((tree))", "masterpiece, 1girl, cat, tree"),
        ("1girl <lora:foo_v2:0.8>, smile", "1girl, smile"),
        ("a cat BREAK a dog AND a bird", "a cat, a dog, a bird"),
        ("miku \\(vocaloid\\), (hat:0.5)", "miku (vocaloid), hat"),
        ("embedding:easynegative, cat", "cat"),
        ("cat\nNegative prompt: bad, ugly\nSteps: 20", "cat"),
        ("score_9, score_8_up, cat", "cat"),
        ("__colors/warm__ cat", "cat"),
        ("cat, cat, dog", "cat, dog"),
        ("ratio 16:9, cat", "ratio 16:9, cat"),
        ("", ""),
        ("()[]{}<lora:x:1>", ""),
    ],
)
def test_prompts_are_cleaned(prompt, caption):
    assert clean_prompt(prompt) == caption


@pytest.mark.parametrize(
    "text", ["(" * 50_000, "<lora:" * 20_000, "__" * 50_000, "(a:1." * 20_000, ":" + " " * 100_000]
)
def test_no_prompt_takes_quadratic_time(text):
    clean_prompt(text * 20)  # a million characters: quadratic work would not end


@given(st.text())
def test_any_prompt_becomes_one_line(text):
    cleaned = clean_prompt(text)
    assert cleaned.isprintable()
    assert clean_prompt("x, " + cleaned).startswith("x")


# Trigger


@pytest.mark.parametrize(
    ("position", "caption", "result"),
    [
        ("prepend", "cat, tree", "tom, cat, tree"),
        ("append", "cat, tree", "cat, tree, tom"),
        ("none", "cat, tree", "cat, tree"),
        ("prepend", "cat, Tom, tree", "tom, cat, tree"),
        ("append", "tom, cat", "cat, tom"),
        ("prepend", "tomcat, tree", "tom, tomcat, tree"),
        ("prepend", "A cat sits here.", "tom, A cat sits here."),
        ("prepend", "tom", "tom"),
        ("prepend", "", ""),
    ],
)
def test_the_trigger_stands_once(position, caption, result):
    assert add_trigger(caption, Trigger("tom", position)) == result


def test_removing_touches_nothing_else():
    assert remove_trigger("cat,  tree", Trigger("tom")) == "cat,  tree"
    assert remove_trigger("tom, cat", Trigger("tom")) == "cat"
    assert remove_trigger("tom", Trigger("tom")) == ""


@pytest.mark.parametrize("word", ["a,b", "a\nb", "a|||b", "a;;;b", "a\0b", "\u202ea", "x" * 76, " a"])
def test_a_trigger_that_would_break_captions_is_refused(word):
    with pytest.raises(CaptionError, match="trigger"):
        checked(Trigger(word))


# The one way


def test_the_fallback_is_explicit_and_counted():
    images = [
        material([Caption("cat, tree", "sidecar")]),
        material([Caption("A dog.", "joycaption")], number=2),
        material(number=3),
    ]
    texts, report = captioned(images, source="sidecar")
    assert texts == ["tom, cat, tree", None, None]
    assert report.counts == (("sidecar", 1),)
    texts, report = captioned(images, source="sidecar", fallback=("joycaption",))
    assert texts == ["tom, cat, tree", "tom, A dog.", None]
    assert report.counts == (("sidecar", 1), ("joycaption", 1))
    (problem,) = report.problems
    assert (problem.code, problem.subject) == ("no-caption", "/p/3.png")
    assert "tried: sidecar, joycaption" in problem.message


def test_regularization_captions_never_have_the_trigger():
    texts, _ = captioned(
        [material([Caption("cat, x", "sidecar")])], others=[material([Caption("tom, dog", "sidecar")], number=2)]
    )
    assert texts == ["tom, cat, x", "dog"]


def test_what_a_person_wrote_for_the_dataset_stays_as_it_is():
    edited = Caption("my own words, Tom", "custom", edited=True)
    texts, report = captioned([material([Caption("cat, x", "sidecar")], edited=edited)])
    assert texts == ["my own words, Tom"]
    assert report.counts == (("custom", 1),)


def test_without_a_trigger_a_warning_unless_asked_for():
    images = [material([Caption("cat, x", "sidecar")])]
    assert captioned(images, trigger=Trigger(""))[1].problems[0].code == "no-trigger"
    assert captioned(images, trigger=Trigger("", "none"))[1].problems == ()


@given(st.text(), st.sampled_from(["sidecar", "joycaption"]))
def test_no_caption_can_break_its_file(text, name):
    (caption,), _ = captioned([material([Caption(text, name)])], source=name)
    assert caption is None or (caption.isprintable() and caption.strip() == caption and caption)
