"""Extra options: passed through to the trainer, named as unchecked, refused where they could do harm."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import pytest

from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.extra import extra_lines, format_extra, merged, parse_extra, problems

from ..trained import trained_by
from .main_file import main_options

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1024, 1024),) * 4),)
# How each trainer declares its options in its own source, as in the versions that were read.
SOURCES = {
    "sd-scripts": ("library/train_util.py", 'parser.add_argument(\n    "--loss_type",\n)\nadd_argument("--huber-c")\n'),
    "onetrainer": ("modules/util/config/TrainConfig.py", 'data.append(("ema", "OFF", EMAMode, False))\n'),
    "ai-toolkit": ("toolkit/config_modules.py", "kwargs.get('train')\nkwargs.get('timestep_type', 'sigmoid')\n"),
    "musubi-tuner": (
        "src/musubi_tuner/training/parser_common.py",
        'parser.add_argument(\n    "--block_swap_h2d_only",\n)\n',
    ),
    "simpletuner": ("simpletuner/x/field_registry/sections/loss.py", 'ConfigField(arg_name="--loss_type")\n'),
}
KNOWN = {
    "sd-scripts": {"loss_type": "huber", "huber_c": 0.2},
    "onetrainer": {"ema": "GPU"},
    "ai-toolkit": {"train": {"timestep_type": "linear"}},
    "musubi-tuner": {"block_swap_h2d_only": True},
    "simpletuner": {"loss_type": "huber"},
}


def config(extra, name="sd-scripts"):
    return trained_by(name, TrainingConfig(checkpoint="/base.safetensors", extra=extra))


def messages(name, extra, severity):
    found = trainer(name).problems(config(extra, name), SUBSETS)
    return [each.message for each in found if each.code == "extra" and each.severity == severity]


def installed(name, extra, home):
    """Return the errors and notes of extra options with a trainer in ``home``."""
    folder = {"musubi-tuner": "musubi"}.get(name, name.replace("-", "_"))
    rules = importlib.import_module(f"lorads_core.trainers.{folder}.rules")
    found = [*problems(rules.LABEL, extra, {}, rules.OPTIONS, home)]
    return [[each.message for each in found if each.severity == severity] for severity in ("error", "info")]


def written(name, extra):
    """Return the table of a trainer's main config file that extra options go into."""
    files = trainer(name).files(config(extra, name), SUBSETS, Path("/exports/cat"), Path("/out"), "cat")
    return main_options(name, files)


@pytest.mark.parametrize("name", trainers())
def test_an_extra_option_reaches_the_trainers_file_and_is_named_as_unchecked(name):
    extra = {"loss_function": "Huber"}
    assert written(name, extra) == written(name, {}) | extra
    assert messages(name, extra, "error") == []
    (said,) = messages(name, extra, "info")
    assert "not checked by LoRADS" in said
    assert "loss_function = 'Huber'" in said


@pytest.mark.parametrize("name", SOURCES)
def test_names_are_compared_with_those_of_the_installed_trainer(name, tmp_path):
    file, text = SOURCES[name]
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    errors, notes = installed(name, KNOWN[name], tmp_path)
    assert errors == []
    assert "their names were compared" in notes[0]
    top = next(iter(KNOWN[name]))
    (said,) = installed(name, {f"{top}x": 1}, tmp_path)[0]
    assert f"has no option {top}x: did you mean {top}?" in said


def test_a_trainer_whose_source_is_not_there_is_not_compared_with(tmp_path):
    errors, notes = installed("sd-scripts", {"whatever_else": 1}, tmp_path)
    assert errors == []
    assert "compared" not in notes[0]


def test_ai_toolkits_free_form_tables_are_passed_through(tmp_path):
    (tmp_path / "toolkit").mkdir()
    (tmp_path / "toolkit" / "config_modules.py").write_text("kwargs.get('train')\nkwargs.get('optimizer_params')\n")
    assert installed("ai-toolkit", {"train": {"optimizer_params": {"d_coef": 2}}}, tmp_path)[0] == []
    assert len(installed("ai-toolkit", {"train": {"optimizer_parms": 1}}, tmp_path)[0]) == 1


def test_a_table_is_merged_with_what_lorads_writes():
    process = written("ai-toolkit", {"train": {"timestep_type": "linear"}})
    assert process["train"] == written("ai-toolkit", {})["train"] | {"timestep_type": "linear"}


def test_a_list_is_appended_to_what_lorads_writes():
    base = dataclasses.replace(config({"optimizer_args": ["d_coef=2"]}), weight_decay=0.1)
    files = trainer("sd-scripts").files(base, SUBSETS, Path("/exports/cat"), Path("/out"), "cat")
    assert tomllib.loads(files["training_config.toml"])["optimizer_args"] == ["weight_decay=0.1", "d_coef=2"]
    assert not [each for each in trainer("sd-scripts").problems(base, SUBSETS) if each.severity == "error"]


@pytest.mark.parametrize(
    ("name", "extra", "said"),
    [
        ("sd-scripts", {"network_dim": 64}, "LoRADS has the option network_dim itself"),
        ("sd-scripts", {"min_snr_gamma": 5}, "LoRADS has the option min_snr_gamma itself"),
        ("sd-scripts", {"lr_scheduler": "cosine"}, "writes sd-scripts's option lr_scheduler itself"),
        ("ai-toolkit", {"network": {"linear": 64}}, "writes ai-toolkit's option network.linear itself (16)"),
        ("ai-toolkit", {"network": 1}, "LoRADS has the option network itself"),
        ("ai-toolkit", {"datasets": 1}, "writes ai-toolkit's option datasets itself"),
        ("onetrainer", {"concepts": [{"name": "x"}]}, "writes OneTrainer's option concepts itself"),
        ("comfyui", {"loss_functoin": "MSE"}, "has no option loss_functoin: did you mean loss_function?"),
    ],
)
def test_what_lorads_writes_itself_is_refused(name, extra, said):
    found = messages(name, extra, "error")
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "extra",
    [
        {"network_module": "evil"},
        {"lr_scheduler_type": "evil.Scheduler"},
        {"output_dir": "somewhere"},
        {"sample_prompts_file": "x"},
        {"vae": "/etc/passwd"},
        {"vae": "C:\\x"},
        {"vae": "pickle.ckpt"},
        {"vae": "somebody/model"},
        {"huggingface_token": "abc"},
        {"wandb_api_key": "abc"},
        {"push_to_hub": True},
        {"trust_remote_code": True},
        {"webhook_config": "x"},
        {"train": {"post_upload_script": "x"}},
        {"adapters": [{"lora_path": "x"}]},
        {"network_args": ["preset=/tmp/x"]},
    ],
)
@pytest.mark.parametrize("name", trainers())
def test_what_names_files_code_or_accounts_is_refused(name, extra):
    assert any("names a file, code or an account" in said for said in messages(name, extra, "error"))


def test_ordinary_values_are_not_taken_for_files():
    extra = {
        "huber_c": 0.1,
        "optimizer_args2": ["betas=0.9,0.99", "d_coef=2"],
        "loss_type": "smooth_l1",
        "gradual": True,
    }
    assert messages("sd-scripts", extra, "error") == []


@pytest.mark.parametrize(
    "text", ["loss_type = huber", "= 1", "a = 1\na = 2", "when = 2026-01-01", "a = nan", "a = inf"]
)
def test_what_is_no_toml_or_no_value_of_a_config_file_is_refused(text):
    with pytest.raises(SettingsError, match="extra option"):
        parse_extra(text)


def test_extra_options_are_the_same_after_writing_and_reading_them():
    extra = {"loss_type": "huber", "n": 3, "x": 0.5, "train": {"a": [1, 2], "b": True}}
    assert parse_extra(format_extra(extra)) == extra
    assert parse_extra("") == {}
    assert TrainingConfig.from_json(json.loads(json.dumps(dataclasses.asdict(config(extra))))).extra == extra


def test_merging_changes_nothing_that_is_there():
    before = {"a": {"b": 1}, "c": [1], "d": 2}
    assert merged(before, {"a": {"x": 2}, "c": [3], "e": 4}) == {"a": {"b": 1, "x": 2}, "c": [1, 3], "d": 2, "e": 4}
    assert before == {"a": {"b": 1}, "c": [1], "d": 2}


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"loss_type": "huber", "huber_c": 0.1, "steps": 5, "debug": False},
        {"optimizer": {"betas": [0.9, 0.99], "nested": {"a b": 1}}, "empty": {}},
        {"quoted": 'a "word"\nand \\ more\x7f', "list": [{"x": 1}, {"x": [True, "y"]}], "small": 1e-7, "large": 1e20},
    ],
)
def test_extra_options_are_written_one_per_line_and_read_back(extra):
    lines = extra_lines(extra)
    assert all("\n" not in line for line in lines)
    assert parse_extra("\n".join(lines)) == extra
