"""What every trainer asks of a config: figures in range, words that exist, nothing that contradicts itself."""

import json
from dataclasses import asdict, replace

import pytest

from lorads_core.base_models import base_model_names
from lorads_core.model import TrainingConfig
from lorads_core.trainers import checks, trainers
from lorads_core.training_fields import TRAINING_FIELDS

CONFIG = TrainingConfig()


def refused(**change):
    return " ".join(checks.refusals(replace(CONFIG, **change)))


@pytest.mark.parametrize("base", base_model_names())
def test_the_usual_config_is_refused_for_no_base_model(base):
    config = replace(CONFIG, base_model=base)
    assert list(checks.refusals(config)) == []
    assert list(checks.doubts(config)) == []


def test_what_stands_for_the_usual_is_settled_once():
    settled = checks.settled(replace(CONFIG, base_model="sd15", conv_alpha=2.0))
    assert (settled.resolution, settled.max_bucket_side, settled.max_token_length) == (512, 1024, 225)
    assert (settled.conv_dim, settled.conv_alpha) == (16, 2.0)
    assert checks.settled(replace(CONFIG, base_model="flux")).max_token_length == 512
    assert checks.settled(settled) == settled


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base_model": "sdxI"}, "no base model 'sdxI': did you mean sdxl?"),
        ({"base_model": "zzz"}, "no base model 'zzz': choose one of sdxl"),
        ({"network": "LOCON"}, "no network 'LOCON': did you mean locon?"),
        ({"masked_loss": "alhpa"}, "did you mean alpha?"),
        ({"regularization_method": "priors"}, "did you mean prior?"),
        ({"warmup": 1.5}, "warm-up is 1.5: give a number from 0 to 0.99"),
        ({"weight_decay": -1}, "weight decay is -1"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
        ({"caption_dropout": 1}, "caption dropout is 1"),
        ({"processes": 0}, "number of processes is 0"),
        ({"max_bucket_side": 64}, "below the resolution 1024"),
        (
            {"base_model": "zimage_deturbo", "checkpoint": "Tongyi-MAI/Z-Image-Turbo"},
            "another denoiser than that of Z-Image De-Turbo: choose ostris/Z-Image-De-Turbo as the checkpoint",
        ),
        ({"max_token_length": 77}, "choose one of 75, 150, 225"),
        ({"max_token_length": 225, "base_model": "flux"}, "choose one of 512"),
        ({"shuffle_caption": True, "keep_tokens": 0}, "keep at least 1"),
        ({"sample_prompts": ("a cat", " ")}, "sample prompt is empty"),
        ({"base_model": "flux", "v_prediction": True}, "turn v-prediction off"),
    ],
)
def test_what_makes_no_sense_is_refused(change, says):
    assert says in refused(**change)


def test_all_that_is_wrong_is_said_at_once():
    text = refused(network_dim=0, epochs=0, seed=-1)
    assert all(what in text for what in ("network dim", "number of epochs", "seed"))


def test_every_number_has_a_range():
    for each in TRAINING_FIELDS:
        if each.kind in ("whole", "number"):
            assert each.low < each.high, each.name
            assert each.step, each.name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"network_alpha": 32}, "alpha 32 is above the dim 16"),
        ({"network": "locon", "conv_dim": 4, "conv_alpha": 8}, "convolution alpha 8 is above"),
        ({"conv_dim": 4}, "changes no convolutions: choose locon"),
        ({"base_model": "flux", "network": "loha", "conv_dim": 4}, "changes no convolutions"),
        ({"optimizer": "Prodigy"}, "Prodigy finds its rate itself"),
        ({"network": "loha", "network_dim": 128}, "128 is high for LoHa, whose rank is up to its square (16,384)"),
    ],
)
def test_what_trains_badly_is_said(change, says):
    assert says in " ".join(checks.doubts(replace(CONFIG, **change)))


def test_only_what_was_set_is_reported_as_lacking():
    config = replace(CONFIG, flip_aug=True)
    lacks = {"flip_aug": "mirror the images yourself.", "color_aug": "it is left out."}
    (problem,) = checks.not_in_trainer("X", config, lacks)
    assert (problem.severity, problem.code) == ("warning", "not-in-trainer")
    assert problem.message == "X has no flip aug: mirror the images yourself."


def test_a_file_that_the_family_has_no_use_for_is_reported():
    config = TrainingConfig(base_model="pony", model_files={"ae": "/models/ae.safetensors"})
    for each in trainers().values():
        messages = [problem.message for problem in checks.not_in_trainer(each.label, config, {})]
        assert "Pony Diffusion V6 XL needs no ae: /models/ae.safetensors is left out." in messages, each.name


def test_a_config_of_an_older_version_keeps_its_model_files():
    stored = {"base_model": "flux", "clip_l": "/clip_l", "t5xxl": "", "ae": "/ae", "gone": 1, "sample_prompts": ["a"]}
    config = TrainingConfig.from_json(stored)
    assert config.model_files == {"clip_l": "/clip_l", "ae": "/ae"}
    assert config.sample_prompts == ("a",)
    assert TrainingConfig.from_json(json.loads(json.dumps(asdict(config)))) == config


def test_sample_prompts_have_the_form_of_the_captions():
    config = replace(CONFIG, base_model="ideogram4", sample_prompts=("a cat",))
    (prompt,) = checks.settled(config).sample_prompts
    assert json.loads(prompt)["high_level_description"] == "a cat"
    assert checks.settled(checks.settled(config)) == checks.settled(config)
    assert checks.settled(replace(config, base_model="ernie_image")).sample_prompts == ("a cat",)


def test_tags_of_a_caption_that_is_json_are_not_shuffled():
    assert "Ideogram 4 reads captions as JSON" in refused(base_model="ideogram4", shuffle_caption=True)
