"""What is asked of every trainer: above all, each field of a config reaches it or is reported."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from lorads_core.base_models import base_model_names, model_parts
from lorads_core.errors import TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.defaults import change_config
from lorads_core.training_fields import ANY, TRAINING_FIELDS

FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024), (640, 480))),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000))),
)
# What a trainer cannot take at all; a test of its own holds it to that.
WITHOUT_REGULARIZATION = {"comfyui"}
FILES = {"clip_l": "/clip_l", "t5xxl": "/t5xxl", "ae": "/ae"}
FLUX = {"base_model": "flux", "model_files": FILES, "checkpoint": "/flux"}

# What gives a field a meaning where its row's `when` does not say it, and a value where the rule below has none.
CONTEXTS = {
    "regularization_method": {"batch_size": 1},
    "color_aug": {"cache_latents": False},
    "random_crop": {"cache_latents": False},
}
VALUES = {
    "base_model": "sd15",
    "network": "locon",
    "network_dropout": 0.1,
    "scheduler": "linear",
    "optimizer": "AdamW",
    "max_token_length": 150,
    "max_bucket_side": 1536,
    "resolution": 768,
    "bucket_step": 128,
    "fp8_base": True,
    "cache_text_encoder_outputs": False,
}


def context(each):
    """Return the values of other fields with which a field counts."""
    found = dict(CONTEXTS.get(each.name, {}))
    if each.when.families == ("flux",):
        found |= FLUX
    for other, wanted in each.when.values.items():
        if getattr(TrainingConfig(), other) not in wanted:
            found[other] = {"true": True, ANY: ("a cat",)}.get(wanted[0], wanted[0])
    return found


def another(each):
    """Return a value of a field that is not its default."""
    if each.name in VALUES:
        return VALUES[each.name]
    if each.kind == "number":
        return (each.default or 0.01) / 2 if each.high > 1 else (each.default or 0.02) * 2
    if each.kind == "choice":
        return next(choice for choice in each.choices() if choice != each.default)
    values = {"flag": not each.default, "lines": ("a cat",), "file": "/other.safetensors"}
    return values[each.kind] if each.kind in values else (each.default or 3) + 1


@pytest.fixture(params=trainers())
def each(request):
    return trainer(request.param)


def of_config(each, config):
    repeats = (config.repeats, config.regularization_repeats)
    subsets = tuple(replace(subset, repeats=number) for subset, number in zip(SUBSETS, repeats, strict=True))
    return subsets[:1] if each.name in WITHOUT_REGULARIZATION else subsets


def made(each, config):
    """All that a trainer makes of a config."""
    subsets = of_config(each, config)
    texts = dict(each.files(config, subsets, FOLDER, OUTPUT, "cat"))
    caption = each.caption("cat, 1girl, {hat}, tree, sky", 2, config)
    return texts, caption, each.command(config, FOLDER), each.schedule(config, subsets)


def told(each, config):
    return {(p.code, p.message) for p in each.problems(config, of_config(each, config))}


def errors(each, config):
    return [p.message for p in each.problems(config, of_config(each, config)) if p.severity == "error"]


def test_every_field_of_a_config_has_a_row():
    rows = [each.name for each in TRAINING_FIELDS if not each.is_part]
    assert sorted(rows) == sorted({each.name for each in fields(TrainingConfig)} - {"automatic", "model_files"})
    assert {each.part for each in model_parts()} == {each.name for each in TRAINING_FIELDS if each.is_part}


@pytest.mark.parametrize("field", TRAINING_FIELDS, ids=lambda each: each.name)
def test_a_field_reaches_the_trainer_or_is_reported(each, field):
    before = replace(TrainingConfig(checkpoint="/base.safetensors"), **context(field))
    after = change_config(before, {field.name: another(field)})
    assert after != before
    new = told(each, after) ^ told(each, before)
    if errors(each, after):
        assert any(code for code, _ in new), field.name
        return
    reported = any(code == "not-in-trainer" for code, _ in new)
    assert reported or made(each, after) != made(each, before), f"{each.name} drops {field.name} in silence"


@pytest.mark.parametrize("base", base_model_names())
def test_the_usual_config_is_refused_for_no_base_model(each, base):
    config = replace(TrainingConfig(**{**FLUX, "base_model": base}))
    assert errors(each, config) == []


@pytest.mark.parametrize("network", network_names())
@pytest.mark.parametrize("base", base_model_names())
def test_a_network_is_trained_or_refused_with_another_to_use(each, base, network):
    config = TrainingConfig(**{**FLUX, "base_model": base, "network": network})
    found = errors(each, config)
    if found:
        assert all(any(name in message.lower() for name in network_names()) for message in found)
    else:
        made(each, config)


def test_what_it_saves_ends_with_the_final_file(each):
    config = TrainingConfig(epochs=4, save_every_epochs=2)
    names = each.checkpoints(config, each.schedule(config, SUBSETS), "cat")
    assert names
    assert len(set(names)) == len(names)
    assert all(name.endswith(".safetensors") for name in names)


def test_paths_in_its_files_are_absolute(each):
    config = TrainingConfig(checkpoint="/base.safetensors")
    text = "".join(each.files(config, SUBSETS, FOLDER, OUTPUT, "cat").values())
    assert str(FOLDER) in text
    assert str(OUTPUT) in text


def test_regularization_images_are_learnt_as_such_or_refused(each):
    refused = [p.code for p in each.problems(TrainingConfig(), SUBSETS) if p.severity == "error"]
    assert refused == (["regularization"] if each.name in WITHOUT_REGULARIZATION else [])


def test_pictures_are_placed_in_the_buckets_of_the_schedule(each):
    config = TrainingConfig()
    placed = each.placements(config, SUBSETS[:1])
    assert [item.picture for item in placed] == list(SUBSETS[0].sizes)
    assert {item.bucket for item in placed} == {size for size, _ in each.schedule(config, SUBSETS[:1]).buckets}


def test_a_mask_is_a_file_of_its_own(each):
    assert each.mask("10_cat", "000001-a") not in {"10_cat/000001-a.png", "10_cat/000001-a.txt"}


def test_a_line_that_says_nothing_is_no_progress(each):
    assert each.tick("") is None
    assert each.tick("loading the model") is None


def test_an_unknown_trainer_is_refused_with_those_there_are():
    with pytest.raises(TrainerError, match=r"known are: .*sd-scripts"):
        trainer("sdscripts")
