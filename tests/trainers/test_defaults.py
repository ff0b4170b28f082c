"""Rank, alpha, learning rate and warm-up follow other options while they are not set."""

import json
from dataclasses import asdict, replace

import pytest

from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import checks
from lorads_core.trainers.defaults import change_config, make_config
from lorads_core.training_fields import training_field


def values(config):
    return config.network_dim, config.network_alpha, config.learning_rate, config.warmup


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (16, 8.0, 1e-4, 0.05)),
        ({"scheduler": "constant"}, (16, 8.0, 1e-4, 0.0)),
        ({"scheduler": "constant_with_warmup"}, (16, 8.0, 1e-4, 0.05)),
        ({"optimizer": "Prodigy"}, (16, 8.0, 1.0, 0.0)),
        ({"optimizer": "DAdaptAdam"}, (16, 8.0, 1.0, 0.0)),
        ({"optimizer": "PagedLion8bit"}, (16, 8.0, 3e-5, 0.05)),
        ({"network": "loha"}, (8, 4.0, 1e-4, 0.05)),
        ({"network": "dora"}, (8, 4.0, 8e-5, 0.05)),
        ({"network": "dora", "optimizer": "Lion"}, (8, 4.0, 3e-5, 0.05)),
        ({"base_model": "flux"}, (16, 16.0, 1e-4, 0.05)),
        ({"network_dim": 32}, (32, 16.0, 1e-4, 0.05)),
        ({"network": "loha", "network_dim": 4, "network_alpha": 1.0}, (4, 1.0, 1e-4, 0.05)),
        ({"optimizer": "Prodigy", "learning_rate": 1e-4, "warmup": 0.1}, (16, 8.0, 1e-4, 0.1)),
    ],
)
def test_what_is_not_set_follows_what_is(given, expected):
    assert values(make_config(given)) == expected


def test_the_help_of_an_option_names_the_defaults_that_the_tables_have():
    assert training_field("network_dim").unset == "16; 8 for loha and dora"
    assert training_field("network_alpha").unset == "half of network_dim; for Flux, all of it"
    assert training_field("learning_rate").unset.startswith("1e-4; 8e-5 for dora, a third of that with Lion")


@pytest.mark.parametrize("network", ["lora", "locon", "loha", "dora"])
@pytest.mark.parametrize("optimizer", ["AdamW8bit", "Prodigy", "Lion", "DAdaptLion"])
@pytest.mark.parametrize("scheduler", ["cosine", "constant"])
def test_defaults_are_refused_and_doubted_by_no_check(network, optimizer, scheduler):
    config = make_config({"network": network, "optimizer": optimizer, "scheduler": scheduler})
    assert [*checks.refusals(config), *checks.doubts(config)] == []


def test_a_later_change_moves_only_what_is_still_automatic():
    config = make_config({"network_dim": 32})
    assert values(change_config(config, {"optimizer": "Prodigy"})) == (32, 16.0, 1.0, 0.0)
    fixed = change_config(config, {"learning_rate": 2e-4})
    assert values(change_config(fixed, {"optimizer": "Prodigy"})) == (32, 16.0, 2e-4, 0.0)
    assert values(change_config(fixed, {"learning_rate": None, "network_dim": None})) == (16, 8.0, 1e-4, 0.05)


def test_a_stored_config_is_read_back_as_it_was():
    config = make_config({"sample_prompts": ("a cat",), "optimizer": "Prodigy", "t5xxl": "/t5", "ae": ""})
    assert config.model_files == {"t5xxl": "/t5"}
    assert TrainingConfig.from_json(json.loads(json.dumps(asdict(config)))) == config


def test_a_config_that_an_earlier_version_stored_keeps_its_values():
    old = asdict(replace(TrainingConfig(), optimizer="Prodigy", learning_rate=1e-4)) | {"gone_since": 1}
    del old["automatic"]
    config = TrainingConfig.from_json(old)
    assert (config.learning_rate, config.automatic) == (1e-4, ())
    assert change_config(config, {"optimizer": "Lion"}).learning_rate == 1e-4


def test_none_unsets_an_option_whether_its_default_is_fixed_or_chosen():
    config = make_config({"epochs": 3, "network_dim": 64, "weight_decay": 0.1, "sample_prompts": ("a cat",)})
    unset = dict.fromkeys(("epochs", "network_dim", "weight_decay", "sample_prompts"))
    assert change_config(config, unset) == make_config({})


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"], ids=ascii)
@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_prompts", ("a cat", "{}")), ("extra", {"x": {"y": ["{}"]}}), ("extra", {"{}": 1}), ("checkpoint", "{}")],
)
def test_a_text_that_cannot_be_stored_is_refused_with_the_name_of_its_option(name, value, text):
    given = json.loads(json.dumps(value).replace("{}", json.dumps(text)[1:-1]))
    with pytest.raises(SettingsError, match=r"^[A-Z].* has a NUL character or half of a character"):
        make_config({name: given})


def test_a_v_prediction_base_model_turns_v_prediction_on_by_itself():
    assert make_config({"base_model": "noobai_v"}).v_prediction
    assert not make_config({"base_model": "noobai"}).v_prediction
