"""What is asked of every trainer: above all, each field of a config reaches it or is reported."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from lorads_core.base_models import base_model_names
from lorads_core.errors import TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset, trainer, trainers

FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024), (640, 480))),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000))),
)
# What a trainer cannot take at all; a test of its own holds it to that.
WITHOUT_REGULARIZATION = {"comfyui"}
FILES = {"clip_l": "/clip_l", "t5xxl": "/t5xxl", "ae": "/ae"}
FLUX = {"base_model": "flux", "model_files": FILES, "checkpoint": "/flux"}

# Every field with another value than its usual one, and with what gives it a meaning.
CHANGES = {
    "base_model": ({}, "sd15"),
    "checkpoint": ({}, "/other.safetensors"),
    "model_files": (FLUX, FILES | {"t5xxl": "/other"}),
    "v_prediction": ({}, True),
    "network": ({}, "locon"),
    "network_dim": ({}, 24),
    "network_alpha": ({}, 4.0),
    "conv_dim": ({"network": "locon"}, 4),
    "conv_alpha": ({"network": "locon"}, 2.0),
    "network_dropout": ({}, 0.1),
    "resolution": ({}, 768),
    "batch_size": ({}, 4),
    "gradient_accumulation_steps": ({}, 2),
    "processes": ({}, 2),
    "epochs": ({}, 7),
    "repeats": ({}, 3),
    "regularization_repeats": ({}, 3),
    "regularization_method": ({"batch_size": 1}, "preservation"),
    "prior_loss_weight": ({}, 0.5),
    "learning_rate": ({}, 2e-4),
    "text_encoder_learning_rate": ({}, 5e-5),
    "scheduler": ({}, "linear"),
    "warmup": ({}, 0.1),
    "optimizer": ({}, "AdamW"),
    "weight_decay": ({}, 0.02),
    "mixed_precision": ({}, "fp16"),
    "fp8_base": ({}, True),
    "gradient_checkpointing": ({}, False),
    "cache_latents": ({}, False),
    "cache_text_encoder_outputs": ({}, False),
    "max_token_length": ({}, 150),
    "shuffle_caption": ({}, True),
    "keep_tokens": ({"shuffle_caption": True}, 3),
    "caption_dropout": ({}, 0.1),
    "caption_variants": ({}, True),
    "flip_aug": ({}, True),
    "color_aug": ({"cache_latents": False}, True),
    "random_crop": ({"cache_latents": False}, True),
    "masked_loss": ({}, "alpha"),
    "min_snr_gamma": ({}, 5.0),
    "noise_offset": ({}, 0.05),
    "max_bucket_side": ({}, 1536),
    "bucket_step": ({}, 128),
    "bucket_no_upscale": ({}, True),
    "sample_prompts": ({}, ("a cat",)),
    "sample_every_epochs": ({"sample_prompts": ("a cat",)}, 2),
    "save_every_epochs": ({}, 2),
    "seed": ({}, 7),
}


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


def test_every_field_is_looked_at():
    assert list(CHANGES) == [field.name for field in fields(TrainingConfig)]


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_reaches_the_trainer_or_is_reported(each, field):
    context, value = CHANGES[field]
    before = replace(TrainingConfig(checkpoint="/base.safetensors"), **context)
    after = replace(before, **{field: value})
    new = told(each, after) ^ told(each, before)
    if errors(each, after):
        assert any(code for code, _ in new), field
        return
    reported = any(code == "not-in-trainer" for code, _ in new)
    assert reported or made(each, after) != made(each, before), f"{each.name} drops {field} in silence"


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
