"""Sources, and the one way from them to captions."""

import importlib.util
import subprocess
import sys
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.caption import CaptionSettings, caption_dataset, coverage
from lorads_core.captions.merge import MergeRules
from lorads_core.captions.sources import CaptionMaterial, source, source_names, sources
from lorads_core.captions.subject import folder_words
from lorads_core.errors import CaptionError, SettingsError
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Position, Tag, Trigger

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
    assert set(source_names()) == {
        "wd",
        "joytag",
        "joycaption",
        "prompt",
        "combined",
        "custom",
        "sidecar",
        "mixed",
        "trigger",
    }
    with pytest.raises(SettingsError, match="known are"):
        source("psychic")


@pytest.mark.parametrize("name", source_names())
def test_every_source_keeps_the_promises(name):
    each = sources()[name]
    assert each.name == name
    assert each.label
    assert each.kind in {"tags", "prose", "mixed"}
    assert each.text(material(), RULES) == ""


def test_the_scan_works_under_any_package_name():
    package = Path(importlib.util.find_spec("lorads_core").origin)
    script = """
import importlib, importlib.util, sys
name = "/some where/custom_nodes/LoRADS-main"
spec = importlib.util.spec_from_file_location(name, sys.argv[1], submodule_search_locations=[sys.argv[2]])
sys.modules[name] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sources = importlib.import_module(name + ".captions.sources")
assert not any(each.startswith(name + ".captions.sources.") for each in sys.modules)
print(*sources.source_names())
assert not any(each == "lorads_core" or each.startswith("lorads_core.") for each in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, package, package.parent], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == list(source_names())


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
    manual = Caption("by hand", "manual", updated_at=NOW.replace(tzinfo=None))
    assert source("joycaption").text(material([old, new, manual]), RULES) == "by hand"
    undated = Caption("undated", "joycaption")
    assert source("joycaption").text(material([undated, Caption(" ", "openai", updated_at=NOW)]), RULES) == "undated"
    assert source("joycaption").text(material([Caption("x", "sidecar")]), RULES) == ""


def test_custom_is_what_a_person_wrote():
    corrected = Caption("A cat,\nasleep.", "joycaption", edited=True)
    assert source("custom").text(material([Caption("A dog.", "joycaption"), corrected]), RULES) == "A cat, asleep."
    assert source("custom").text(material([Caption("typed", "manual")]), RULES) == "typed"
    assert source("custom").text(material([Caption("A dog.", "joycaption")]), RULES) == ""


def test_the_prompt_is_cleaned():
    assert source("prompt").text(material(prompt="(1girl:1.2), <lora:x:1>, solo"), RULES) == "1girl, solo"


def test_a_sidecar_keeps_its_order_and_loses_its_underscores():
    assert source("sidecar").text(material([Caption("z_tag, 1girl, z tag", "sidecar")]), RULES) == "z tag, 1girl"
    assert source("sidecar").text(material([Caption("One line.\nAnd more_of it.", "sidecar")]), RULES) == (
        "One line. And more_of it."
    )


def test_mixed_is_prose_then_tags_and_nothing_where_one_of_them_is_missing():
    prose, tags = [Caption("A cat sleeps.", "joycaption")], [("tree", "wd", 0.8), ("cat", "wd", 0.9)]
    assert source("mixed").text(material(prose, tags=tags), RULES) == "A cat sleeps. cat, tree"
    open_ended = [Caption("a cat, asleep", "joycaption")]
    assert source("mixed").text(material(open_ended, tags=tags), RULES) == "a cat, asleep. cat, tree"
    assert source("mixed").text(material(prose), RULES) == ""
    assert source("mixed").text(material(tags=tags), RULES) == ""


# The one way


def test_what_other_sources_have_for_images_without_a_caption_is_said():
    images = [material([Caption("A dog.", "joycaption")]), material(tags=[("cat", "wd", 0.9)], number=2)]
    _, report = captioned(images, source="joytag")
    (told,) = report.problems
    assert told.message == (
        "2 images have no caption (tried: joytag) and will be left out of an export. Sources that have something:"
        " combined for 1, joycaption for 1, wd for 1. Choose one (--caption combined),"
        " or add it as a fallback (--fallback combined)."
    )


def test_coverage_counts_every_source():
    materials = [material([Caption("A dog.", "joycaption")], tags=[("cat", "wd", 0.9)]), material(number=2)]
    found = {each.source: (each.images, each.without) for each in coverage(materials, RULES)}
    assert set(found) == set(source_names())
    assert found["mixed"] == found["wd"] == found["joycaption"] == (1, 1)
    assert found["custom"] == (0, 2)


def test_bound_traits_go_from_training_captions_and_stay_in_regularization():
    tags = [("cat", "wd", 0.9), ("blue eyes", "wd", 0.8), ("tree", "wd", 0.7)]
    bound = {"": frozenset({"blue eyes", "cat"})}
    texts, _ = captioned([material(tags=tags)], [material(tags=tags, number=2)], source="wd", bound=bound)
    assert texts == ["tom, tree", "cat, blue eyes, tree"]
    prose = [Caption("It has blue eyes.", "joycaption")]
    texts, _ = captioned([material(prose, tags=tags)], source="mixed", bound=bound)
    assert texts == ["tom, It has blue eyes., tree"]  # sentences are left alone


def test_what_is_left_out_goes_from_all_captions_of_all_sources():
    sidecar, gone = [Caption("z, Red_Dress, 1girl", "sidecar")], frozenset({"red dress"})
    texts, _ = captioned([material(sidecar)], [material(sidecar, number=2)], left_out=gone)
    assert texts == ["tom, z, 1girl", "z, 1girl"]


def test_a_combined_dataset_takes_each_concepts_trigger():
    dataset = Dataset(
        uuid4(),
        "d",
        "pictures",
        (DatasetImage(record(1), concept="a"), DatasetImage(record(2), concept="b")),
        (DatasetImage(record(3)),),
        concepts=(Concept("a", Trigger("tom")), Concept("b", Trigger("jerry", "append"))),
    )
    materials = [material([Caption("tom, jerry, x", "sidecar")], number=number) for number in (1, 2, 3)]
    result, _ = caption_dataset(dataset, materials, CaptionSettings())
    assert [image.caption.text for image in result.images] == ["tom, jerry, x", "tom, x, jerry", "x"]
    result, _ = caption_dataset(dataset, materials, CaptionSettings(bound={"a": frozenset({"x"})}))
    assert [image.caption.text for image in result.images] == ["tom, jerry", "tom, x, jerry", "x"]
    with pytest.raises(CaptionError, match="triggers of their own"):
        caption_dataset(dataset, materials, CaptionSettings(trigger=Trigger("spike")))


def test_prompts_with_words_that_may_not_be_in_the_image_are_counted_once():
    images = [
        material(prompt="1girl, {red coat|blue coat}"),
        material(prompt="{day|night}", number=2),
        material(prompt="a cat", number=3),
        material([Caption("a dog", "sidecar")], "__pose__, 1girl", number=4),
        CaptionMaterial(replace(record(5, prompt="a fox"), prompt_uncertain="possible: a hat"), []),
    ]
    texts, report = captioned(images, source="sidecar", fallback=("prompt",))
    assert texts == ["tom, 1girl", None, "tom, a cat", "tom, a dog", "tom, a fox"]
    (problem,) = [each for each in report.problems if each.code == "uncertain-prompts"]
    assert problem.message.startswith("3 prompts hold words that may not be in the image")
    assert "\u201cred coat, blue coat\u201d (possible)" in problem.message
    assert problem.subject == "/p/1.png"
    _, report = captioned(images, source="sidecar")
    assert [each.code for each in report.problems] == ["fallbacks"]


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
    assert problem.code == "fallbacks"
    assert (
        "1 image has no caption (tried: sidecar, joycaption) and will be left out of an export. No other source has"
        in problem.message
    )


def test_images_that_nothing_is_known_of_get_the_trigger_alone():
    images = [material([Caption("cat, tree", "sidecar")]), material(number=2, prompt="a dog"), material(number=3)]
    texts, report = captioned(images, uncaptioned="trigger")
    assert texts == ["tom, cat, tree", "tom", "tom"]
    assert report.counts == (("trigger", 2), ("sidecar", 1))
    assert [(each.source, each.images) for each in report.better] == [("prompt", 1)]
    (problem,) = report.problems
    assert problem.message == (
        "2 images have no caption (tried: sidecar): the trigger, class or folder name alone is used ('tom'). Sources"
        " that have something: prompt for 1. Choose one (--caption prompt), or add it as a fallback (--fallback"
        " prompt)."
    )


def test_a_chosen_trigger_source_is_no_problem():
    texts, report = captioned([material(prompt="a dog")], source="trigger")
    assert (texts, report.problems) == (["tom"], ())


def test_without_a_trigger_it_is_the_class_or_the_folder():
    images, others = [material()], [material(number=2)]
    assert captioned(images, others, trigger=Trigger(), uncaptioned="trigger")[0] == ["p", "p"]
    of_class = captioned(images, others, trigger=Trigger(), uncaptioned="trigger", class_name="cat")[0]
    assert of_class == ["cat", "cat"]


def test_an_emptied_caption_does_not_become_the_trigger():
    edited = Caption(" ", "custom", edited=True)
    texts, report = captioned([material(edited=edited), material(number=2)], uncaptioned="trigger")
    assert texts == [None, "tom"]
    assert [problem.code for problem in report.problems] == ["fallbacks", "trigger-alone"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/data/10_tom_cat/a.png", "tom cat"),
        (r"D:\sets\1_dog\a.png", "dog"),
        ("/data/Ünï côde, x/a.png", "Ünï côde x"),
        ("/data/train/a.png", ""),
        ("/data/10_img/a.png", ""),
        ("/data/2024/a.png", ""),
        ("/data/New folder/a.png", ""),
        ("a.png", ""),
        ("/a.png", ""),
    ],
)
def test_a_folders_name_as_words(path, words):
    assert folder_words(path) == words


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


def test_what_a_person_wrote_is_one_line_and_keeps_every_character():
    edited = Caption(
        "Mine ||| as it is;;; long_hair, \U0001f469\u200d\U0001f469\u200d\U0001f467\n\nsecond\0 line",
        "custom",
        edited=True,
    )
    texts, _ = captioned([material([Caption("cat, x", "sidecar")], edited=edited)])
    assert texts == ["Mine ||| as it is;;; long_hair, \U0001f469\u200d\U0001f469\u200d\U0001f467 second line"]


def test_an_emptied_caption_is_never_regenerated():
    edited = Caption(" \n\u200e", "custom", edited=True)
    texts, report = captioned([material([Caption("cat, x", "sidecar")], edited=edited)])
    assert texts == [None]
    assert [problem.code for problem in report.problems] == ["fallbacks"]


def test_a_regularization_caption_that_was_only_the_trigger_falls_back():
    others = [material([Caption("tom", "sidecar"), Caption("A dog.", "joycaption")], number=2)]
    texts, _ = captioned([material([Caption("x", "sidecar")])], others, fallback=("joycaption",))
    assert texts == ["tom, x", "A dog."]


def test_the_position_none_leaves_the_trigger_out():
    texts, report = captioned([material([Caption("cat, x", "sidecar")])], trigger=Trigger("tom", "none"))
    assert texts == ["cat, x"]
    assert report.problems == ()


def test_separators_of_trainers_do_not_pass():
    for name in ("sidecar", "joycaption"):
        texts, _ = captioned([material([Caption("1girl ||| a lake;;;x", name)])], source=name)
        assert texts == ["tom, 1girl, a lake, x"]


def test_the_trigger_is_the_datasets_from_then_on():
    image = material([Caption("cat, x", "sidecar")])
    dataset = Dataset(uuid4(), "d", "pictures", (DatasetImage(image.record),))
    result, _ = caption_dataset(dataset, [image], CaptionSettings(trigger=Trigger("cafe\u0301")))
    assert result.trigger == Trigger("café")
    assert dataset.trigger == Trigger()
    assert dataset.training[0].caption is None


def test_materials_of_other_images_are_our_mistake():
    image = DatasetImage(record(1))
    dataset = Dataset(uuid4(), "d", "pictures", (image,))
    for materials in ([], [material(number=2)], [material(number=1), material(number=1)]):
        with pytest.raises(ValueError, match="materials"):
            caption_dataset(dataset, materials, CaptionSettings())


def test_progress_may_cancel():
    def cancel(_step, _done, _total):
        raise KeyboardInterrupt

    dataset = Dataset(uuid4(), "d", "pictures", (DatasetImage(record(1)),))
    with pytest.raises(KeyboardInterrupt):
        caption_dataset(dataset, [material()], CaptionSettings(), cancel)


@pytest.mark.parametrize("name", source_names())
@given(text=st.text(), word=st.sampled_from(["tom", "a", "1girl", ""]), position=st.sampled_from(get_args(Position)))
def test_every_caption_is_one_line_that_says_something(name, text, word, position):
    tags = [(text, "wd", 0.9), (text, "joytag", None), ("1girl", "", 0.5)]
    captions = [Caption(text, source) for source in ("sidecar", "joycaption", "manual")]
    texts, report = captioned(
        [material(captions, text, tags)],
        [material(captions, text, tags, number=2)],
        source=name,
        trigger=Trigger(word, position),
    )
    for caption in texts:
        if caption is not None:
            assert caption == caption.strip() != ""
            assert len(caption.splitlines()) == 1
            assert unicodedata.is_normalized("NFC", caption)
            assert not set(caption) & set("\0\u202e\u200f\ufeff")
            assert "|||" not in caption
            caption.encode()
    assert sum(count for _, count in report.counts) + texts.count(None) == 2
