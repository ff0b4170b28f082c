"""The form of training options: its table, a dataset's values, their check, the summary with them, and an export."""

import json
import re
from dataclasses import replace

import pytest

from lorads_core.export.plan import ExportOptions
from lorads_core.model import TrainingConfig
from lorads_core.panel import options
from lorads_core.panel.options import read_config, used_text
from lorads_core.panel.params import Body
from lorads_core.panel.responses import RefusedError
from lorads_core.trainers.defaults import make_config
from lorads_core.training_fields import TRAINING_FIELDS, training_field
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build


def config_of(**given):
    """Return the config that a request makes of a new dataset's."""
    return read_config(make_config({}), Body(given, "config."))


def test_the_table_has_every_training_option_with_what_it_counts_for():
    table = options.table()
    assert [each["name"] for each in table["options"]] == [each.name for each in TRAINING_FIELDS]
    found = {each["name"]: each for each in table["options"]}
    assert found["conv_dim"]["values"] == {"network": ["locon", "loha", "lokr"]}
    assert "flux" not in found["min_snr_gamma"]["families"]
    assert {"name": "lokr", "label": "LoKr"} in found["network"]["choices"]
    assert table["families"]["pony"] == "sdxl"


def test_a_preset_sets_what_it_names_and_unsets_the_rest_but_for_a_users_own():
    found = next(each for each in options.table()["presets"] if each["name"] == "low VRAM")
    assert found["values"]["network_dim"] == 8
    assert found["values"]["learning_rate"] is None
    assert "seed" not in found["values"]
    assert "base_model" not in found["values"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("network_dim", 5000, "network dim is 5000: give a whole number from 1 to 1024"),
        ("network_dim", 8.5, "give a whole number"),
        ("epochs", "1o", "number of epochs is '1o': give a whole number from 1 to 100000"),
        ("epochs", True, "give a whole number"),
        ("learning_rate", "1e-4x", "learning rate is '1e-4x': give a number"),
        ("learning_rate", float("inf"), "learning rate is inf"),
        ("resolution", 32, "from 64 to 8192"),
        ("network", "lorra", "did you mean lora"),
        ("base_model", "sdx", "did you mean sdxl"),
        ("flip_aug", "yes", "flip_aug must be true or false"),
        ("extra", ["loss_type = huber"], "not valid TOML"),
        ("extra", ["loss_type = "], "'loss_type' has no value"),
        ("extra", [" = 5"], "The value '5' of the extra options has no name"),
        ("optimizer_args", ["betas = "], "The optimizer argument 'betas' has no value"),
        ("optimizer_args", ["d_coef = two"], "The optimizer arguments are not valid TOML"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_what_it_is(name, value, said):
    with pytest.raises(RefusedError, match=re.escape(said)):
        config_of(**{name: value})


def test_null_unsets_an_option_and_another_number_follows_what_is_left():
    known = make_config({"network_dim": 64, "epochs": 3, "weight_decay": 0.1, "extra": {"a": 1}})
    found = read_config(known, Body({"network_dim": None, "epochs": None, "weight_decay": None, "extra": None}))
    assert found == make_config({})
    assert read_config(known, Body({"network": "loha", "network_dim": None})).network_dim == 8


def test_a_number_without_a_fraction_makes_the_same_config_as_the_graphs():
    assert repr(config_of(network_alpha=8).network_alpha) == "8.0"


def test_zero_is_allowed_only_where_it_stands_for_a_default():
    assert config_of(resolution=0).resolution == 0
    with pytest.raises(RefusedError, match="batch size is 0"):
        config_of(batch_size=0)


def test_what_does_not_count_is_not_trained_with():
    assert config_of(network="locon", conv_dim=4).conv_dim == 4
    assert config_of(network="lora", conv_dim=4).conv_dim == 0


def test_a_base_model_of_another_family_needs_another_checkpoint():
    known = replace(make_config({}), checkpoint="/models/sdxl.safetensors")
    assert read_config(known, Body({"base_model": "pony"})).checkpoint == known.checkpoint
    assert read_config(known, Body({"base_model": "flux"})).checkpoint == ""


@pytest.mark.parametrize(
    ("name", "given", "used"),
    [
        ("network_dim", {"network_dim": 99}, "16"),
        ("network_dim", {"network": "dora"}, "8"),
        ("network_alpha", {"network_dim": 32}, "16"),
        ("learning_rate", {"optimizer": "Prodigy"}, "1"),
        ("learning_rate", {"network": "dora"}, "0.00008"),
        ("resolution", {"base_model": "sd15"}, "512"),
        ("max_bucket_side", {"resolution": 768}, "1536"),
        ("lokr_factor", {"network": "lokr"}, "chosen for each layer"),
        ("weight_decay", {}, "the optimizer's own"),
        ("cache_latents", {"cache_latents": False}, "on"),
        ("masked_loss", {}, "none"),
        ("sample_prompts", {}, "none"),
        ("extra", {"extra": {"a": 1}}, "none"),
    ],
)
def test_what_is_used_where_an_option_is_not_set_follows_the_others(name, given, used):
    assert used_text(training_field(name), make_config(given)) == used


def check(panel, dataset, config, trainer="sd-scripts"):
    return panel.post(f"datasets/{dataset}/training-options", {"trainer": trainer, "config": config})


def test_every_fault_is_named_at_its_option(panel, dataset):
    found = check(panel, dataset, {"network_dim": 5000, "epochs": "many", "batch_size": 4})
    assert {each["name"]: each["message"].split(":")[0] for each in found["faults"]} == {
        "network_dim": "The network dim is 5000",
        "epochs": "The number of epochs is 'many'",
    }
    assert found["used"]["network_dim"] == "16"


def test_what_the_trainer_refuses_is_named_at_the_option_that_it_goes_away_with(panel, dataset):
    (fault,) = check(panel, dataset, {"shuffle_caption": True, "keep_tokens": 0})["faults"]
    assert fault["name"] in {"shuffle_caption", "keep_tokens"}
    (fault,) = check(panel, dataset, {"extra": ['output_dir = "/etc"']})["faults"]
    assert fault["name"] == "extra"
    assert "names a file" in fault["message"]


def test_what_a_trainer_lacks_is_said_with_what_it_does_instead(panel, dataset):
    assert "flip_aug" not in check(panel, dataset, {})["lacks"]
    found = check(panel, dataset, {}, "simpletuner")
    assert "never mirrors" in found["lacks"]["flip_aug"]
    assert found["faults"] == []


def test_the_summary_follows_the_form_and_nothing_is_written(panel, dataset):
    before = panel.get(f"datasets/{dataset}")
    plain = panel.post(f"datasets/{dataset}/summary", {"trainer": "sd-scripts", "config": {}})
    once = panel.post(f"datasets/{dataset}/summary", {"config": {"epochs": 10, "repeats": 10}})
    thrice = panel.post(f"datasets/{dataset}/summary", {"config": {"epochs": 30, "repeats": 10, "resolution": 512}})
    assert plain == panel.get(f"datasets/{dataset}/summary")
    assert thrice["total_steps"] == 3 * once["total_steps"]
    assert max(each["width"] for each in thrice["buckets"]) < max(each["width"] for each in plain["buckets"])
    assert panel.get(f"datasets/{dataset}") == before
    refused = panel.post(f"datasets/{dataset}/summary", {"config": {"epochs": 0}}, 400)
    assert "number of epochs is 0" in refused["error"]["message"]


def test_extra_options_are_listed_as_not_checked(panel, dataset):
    found = panel.post(f"datasets/{dataset}/summary", {"config": {"extra": ['loss_type = "huber"']}})
    (extra,) = [each for each in found["problems"] if each["code"] == "extra"]
    assert "not checked by LoRADS: loss_type = 'huber'" in extra["message"]


def test_the_options_of_an_export_are_those_that_the_form_shows_next(panel, dataset):
    path = f"datasets/{dataset}/training-options"
    first = panel.get(path)
    assert {name for name, value in first["values"].items() if value is not None} == {"base_model"}
    config = {"network_dim": 16, "epochs": 3, "flip_aug": True, "extra": ["a.b = 1"], "sample_prompts": ["a cat"]}
    assert panel.ended(panel.post(f"datasets/{dataset}/export", {"config": config})["job"])["state"] == "done"
    then = panel.get(path)
    set_now = {name: value for name, value in then["values"].items() if value is not None}
    assert set_now == {"base_model": "sdxl", **config}, "a rank that was set is not one that was chosen"
    assert then["config"] == panel.get(f"datasets/{dataset}")["config"] != first["config"]


def test_the_options_of_an_export_elsewhere_are_shown(panel, dataset, store):
    found = captioning.draft(store, panel.settings, "towers")
    config = TrainingConfig(checkpoint="/models/secret/base.safetensors", epochs=4, automatic=("network_dim",))
    build.export(store, found.dataset, config, ExportOptions(), panel.exports, "elsewhere")
    values = panel.get(f"datasets/{dataset}/training-options")
    assert values["values"]["epochs"] == 4
    assert values["values"]["network_dim"] is None
    checked = check(panel, dataset, {})
    assert checked["used"]["checkpoint"] == "base.safetensors"
    assert "secret" not in json.dumps([values, checked])


def test_a_base_model_that_was_exported_is_the_datasets_from_then_on(panel, dataset):
    ended = panel.ended(panel.post(f"datasets/{dataset}/export", {"config": {"base_model": "pony"}})["job"])
    assert ended["state"] == "done"
    assert panel.get(f"datasets/{dataset}")["base_model"] == "pony"
    assert panel.get(f"datasets/{dataset}/training-options")["values"]["base_model"] == "pony"


def test_repeats_and_epochs_that_are_not_set_are_shown_as_the_number_of_images_makes_them(panel, dataset):
    used = check(panel, dataset, {})["used"]
    assert (used["repeats"], used["epochs"]) == ("25", "10")  # 8 images
    assert check(panel, dataset, {"epochs": 5})["used"]["repeats"] == "50"
