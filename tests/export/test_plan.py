"""What an export would be: a folder a concept, each with its repeats."""

import json
from dataclasses import replace

import pytest

from lorads_core.captions.concepts import balance, combine
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Concept, Trigger

from .conftest import CONFIG, export, files


@pytest.fixture
def both(dataset):
    one, two, three = dataset.training
    tom = replace(dataset, name="tom", training=(one, two), trigger=Trigger("tom"))
    jerry = replace(dataset, name="jerry", training=(three,), regularization=(), trigger=Trigger("jerry mouse"))
    return balance(combine([tom, jerry], dataset.id, "Both").dataset, 5)


def test_every_concept_has_its_folder_with_its_repeats(both, root):
    plan = plan_export(both, CONFIG)
    assert [(each.name, each.trigger, each.repeats) for each in plan.folders] == [
        ("5_tom", "tom", 5),
        ("10_jerry-mouse", "jerry mouse", 10),
        ("1_regularization", "", 1),
    ]
    result = export(both, root)
    assert [file for file in files(root / "Both") if file.startswith("10_")] == [
        "10_jerry-mouse/000003-3.png",
        "10_jerry-mouse/000003-3.txt",
    ]
    # 2 × 5 + 1 × 10 samples, and as many of regularization images.
    assert sum(count for _, count in result.schedule.buckets) == 40
    config = (root / "Both" / "dataset_config.toml").read_text(encoding="utf-8")
    assert config.count("num_repeats = 10") == 1
    assert config.count("num_repeats = 5") == 1


def test_an_image_of_another_concept_lies_in_another_folder(both):
    plan = plan_export(both, CONFIG)
    assert [item.folder for item in plan.images] == [
        "5_tom",
        "5_tom",
        "10_jerry-mouse",
        "1_regularization",
        "1_regularization",
    ]


@pytest.mark.parametrize("words", [("tom!", "tom?"), ("regularization", "Regularization!")])
def test_folders_that_would_be_called_alike_are_told_apart(both, words):
    concepts = tuple(Concept(each.name, Trigger(word), 1) for each, word in zip(both.concepts, words, strict=True))
    names = [folder.name.casefold() for folder in plan_export(replace(both, concepts=concepts), CONFIG).folders]
    assert len(set(names)) == 3


def test_a_concept_without_repeats_takes_the_configs(both):
    concepts = tuple(replace(each, repeats=0) for each in both.concepts)
    assert [folder.repeats for folder in plan_export(replace(both, concepts=concepts), CONFIG).folders] == [10, 10, 1]


def test_a_caption_that_names_a_side_stops_flipping(dataset):
    first, *rest = dataset.training
    sided = replace(first, caption=replace(first.caption, text="tom, scar on the left cheek"))
    sided = replace(dataset, training=(sided, *rest))
    plan = plan_export(sided, replace(CONFIG, flip_aug=True))
    (problem,) = (each for each in plan.problems if each.code == "left-right")
    assert (problem.severity, problem.image) == ("error", first.key)
    assert plan.schedule is None
    assert all(each.code != "left-right" for each in plan_export(sided, CONFIG).problems)


def test_a_caption_that_is_cut_off_is_told(dataset):
    first, *rest = dataset.training
    long = replace(first, caption=replace(first.caption, text=", ".join(["tom", *("zebra crossing",) * 60])))
    for length, count in ((75, 1), (225, 0)):
        plan = plan_export(replace(dataset, training=(long, *rest)), replace(CONFIG, max_token_length=length))
        assert [each.code for each in plan.problems].count("too-many-tokens") == count


@pytest.mark.parametrize("name", ["a-masklabel.png", "b_MaskLabel.png", "c-condlabel.jpg"])
@pytest.mark.parametrize("trainer", ["onetrainer", "sd-scripts"])
def test_no_training_image_has_a_name_that_onetrainer_takes_for_a_mask(dataset, name, trainer):
    record = replace(dataset.training[0].record, path=f"/pictures/{name}")
    renamed = replace(dataset, training=(replace(dataset.training[0], record=record),), regularization=())
    plan = plan_export(renamed, CONFIG, ExportOptions(trainer=trainer))
    assert not plan.images[0].stem.lower().endswith(("-masklabel", "-condlabel"))


@pytest.mark.parametrize(
    ("policy", "why"),
    [(ImagePolicy(strip=True), "without their metadata"), (ImagePolicy("normalised"), "'normalised' encodes")],
)
def test_a_link_that_cannot_be_made_is_said(dataset, policy, why):
    (problem,) = (
        each
        for each in plan_export(dataset, CONFIG, ExportOptions(policy=policy, link=True)).problems
        if each.code == "not-linked"
    )
    assert why in problem.message
    for options in (ExportOptions(policy=policy), ExportOptions(link=True)):
        assert "not-linked" not in {each.code for each in plan_export(dataset, CONFIG, options).problems}


def test_captions_of_a_model_that_was_trained_on_json_are_written_as_json(dataset):
    config = replace(CONFIG, base_model="ideogram4", checkpoint="", model_files={}, mixed_precision="bf16")
    plan = plan_export(dataset, config, ExportOptions(trainer="ai-toolkit"))
    for item in plan.images:
        assert json.loads(item.text)["high_level_description"] == item.caption
    assert json.loads(plan.images[0].text)["compositional_deconstruction"] == {"background": "", "elements": []}
