"""The words for a training config: each makes its field, and none is mistaken for a word of the choosing."""

from dataclasses import fields, replace

import pytest

from lorads_core.cli.parser import parser
from lorads_core.cli.training_options import chosen_training, training_config
from lorads_core.errors import SettingsError, TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import trainer
from lorads_core.trainers.checks import refusals
from lorads_core.training_fields import TRAINING_FIELDS


def option(each):
    values = {"whole": str(int(each.low)), "number": "0.5", "choice": (*each.choices(), "")[0]}
    return (each.flag,) if each.kind in ("flag", "switch") else (each.flag, values.get(each.kind, "x = 1"))


EVERY = [word for each in TRAINING_FIELDS for word in option(each)]


def config(*words):
    return training_config(parser(None, None).parse_args(["build", "folder", "--trigger", "x", *words]))


def test_without_options_it_is_the_default_config():
    assert replace(config(), automatic=()) == TrainingConfig()
    assert config().automatic == ("network_dim", "network_alpha", "epochs", "repeats", "learning_rate", "warmup")


def test_the_scheduler_constant_alone_is_trained_without_a_warm_up():
    made = config("--scheduler", "constant", "--checkpoint", "/sdxl.safetensors")
    assert made.warmup == 0
    assert [p.message for p in trainer("sd-scripts").problems(made, ()) if p.code == "config"] == []


def test_every_field_of_a_config_has_an_option():
    made = vars(parser(None, None).parse_args(["build", "folder", "--trigger", "x", *EVERY]))
    given = {name.removeprefix("training_") for name in made if name.startswith("training_")}
    assert given == {each.name for each in TRAINING_FIELDS}


def test_a_flag_can_be_turned_off():
    assert config("--no-cache-latents").cache_latents is False
    assert config("--no-fp8-base").fp8_base is False
    assert config().fp8_base is None


def test_options_override_a_preset():
    made = config("--preset", "anime character or style (Prodigy)", "--network-dim", "24")
    assert (made.optimizer, made.learning_rate, made.network_dim, made.network_alpha) == ("Prodigy", 1.0, 24, 16.0)


def test_a_preset_of_another_base_model_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"for FLUX.1 dev: choose one of .*ai-toolkit's example"):
        config("--base-model", "flux", "--preset", "subject with text encoder")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("--network", "loha"), "network", "loha"),
        (("--conv-dim", "4"), "conv_dim", 4),
        (("--weight-decay", "0.1"), "weight_decay", 0.1),
        (("--sample-prompt", "a", "--sample-prompt", "b"), "sample_prompts", ("a", "b")),
        (("--shuffle-caption",), "shuffle_caption", True),
        (("--training-seed", "7"), "seed", 7),
        (("--masked-loss", "alpha"), "masked_loss", "alpha"),
        (("--t5xxl", "/models/t5.safetensors"), "model_files", {"t5xxl": "/models/t5.safetensors"}),
    ],
)
def test_a_word_makes_its_field(words, field, value):
    made = config(*words)
    assert getattr(made, field) == value
    followers = set(config().automatic)
    others = {each.name for each in fields(made)} - {field} - followers
    assert all(getattr(made, other) == getattr(TrainingConfig(), other) for other in others - {"automatic"})


def test_the_seed_of_a_random_order_is_another():
    assert config("--seed", "5").seed == TrainingConfig().seed


def test_options_are_found_by_the_names_that_other_tools_give_them():
    made = parser(None, None).parse_args(["build", "folder", "--output", "exports", "--captions", "wd"])
    assert (str(made.out), made.caption) == ("exports", "wd")
    assert str(parser(None, None).parse_args(["train", "tom", "--output", "exports"]).out) == "exports"


@pytest.mark.parametrize("flag", ["--training-seed", "--epochs"])
def test_a_number_out_of_range_is_said_as_it_was_given(flag):
    (message,) = [text for text in refusals(config(flag, str(10**14))) if "100000000000000" in text]
    assert "give a whole number from" in message


def chosen(*words):
    return chosen_training(parser(None, None).parse_args(["build", "folder", "--trigger", "x", *words]))


@pytest.mark.parametrize(("text", "batch"), [("12", 1), ("12GB", 1), ("24 gb", 2), ("16.5", 1)])
def test_the_memory_of_a_card_is_read_with_or_without_its_unit(text, batch):
    made = chosen("--base-model", "flux", "--vram", text)
    assert (made.config.batch_size, made.config.fp8_base) == (batch, True)
    ((title, said),) = made.steps
    assert title == "Card"
    assert "blocks to swap" in said
    assert "docs/flux_train_network.md" in said
    assert config("--base-model", "flux", "--vram", text, "--batch-size", "4").batch_size == 4


def test_a_card_gets_the_setting_of_the_trainer_that_is_written_for():
    made = chosen("--base-model", "zimage", "--vram", "12", "--trainer", "onetrainer")
    assert (made.config.layer_offload, made.config.resolution, made.card) == (0.6, 512, 12)
    assert "training_presets/Z-Image" in made.steps[0][1]
    unfit = str(chosen("--base-model", "qwen_image", "--vram", "24").unfit)
    assert unfit.startswith("sd-scripts (kohya-ss) does not train Qwen-Image;")
    assert "there is a setting for musubi-tuner" in unfit


def after(last, *words, trainer="sd-scripts", before="sd-scripts"):
    """What an export makes of options over the config of the last one."""
    given = parser(None, None).parse_args(["export", "tom", *words])
    return chosen_training(given, last, trainer, before)


@pytest.mark.parametrize(
    ("trainer_name", "words", "values", "gone"),
    [
        (
            "sd-scripts", ("--base-model", "flux", "--vram", "12", "--base-precision", "16-bit"),
            {"base_precision": "16-bit", "blocks_to_swap": 16, "fp8_base": None}, "fp8_base",
        ),
        (
            "musubi-tuner", ("--base-model", "qwen_image", "--vram", "24", "--layer-offload", "0.5"),
            {"layer_offload": 0.5, "blocks_to_swap": 0, "fp8_base": True}, "blocks to swap",
        ),
        (
            "sd-scripts", ("--base-model", "hunyuan_image", "--vram", "12", "--activation-offload"),
            {"activation_offload": True, "blocks_to_swap": 0, "fp8_base": True}, "blocks to swap",
        ),
        (
            "onetrainer", ("--base-model", "qwen_image", "--vram", "16", "--blocks-to-swap", "40"),
            {"blocks_to_swap": 40, "layer_offload": 0.0, "base_precision": "fp8"}, "layer offload",
        ),
        (
            "simpletuner", ("--base-model", "flux", "--vram", "12", "--no-fp8-base"),
            {"fp8_base": False, "base_precision": "usual"}, "base precision",
        ),
        (
            "onetrainer", ("--base-model", "zimage", "--vram", "8", "--activation-offload"),
            {"activation_offload": True, "layer_offload": 0.6}, "",
        ),
    ],
)  # fmt: skip
def test_what_is_given_takes_the_place_of_what_the_card_would_say_of_the_same(trainer_name, words, values, gone):
    fresh = chosen(*words, "--trainer", trainer_name)
    again = after(config("--base-model", words[1]), *words, trainer=trainer_name, before=trainer_name)
    for made in (fresh, again):
        assert {name: getattr(made.config, name) for name in values} == values
        assert list(refusals(made.config)) == []
        said = dict(made.steps)["Card"]
        assert not gone or f"{gone} " not in said.partition("(")[0]


def test_what_is_given_later_takes_the_place_of_what_was_said_before():
    last = config("--base-model", "flux", "--vram", "12")
    assert (last.fp8_base, last.blocks_to_swap) == (True, 16)
    made = after(last, "--base-precision", "16-bit").config
    assert (made.fp8_base, made.base_precision, made.blocks_to_swap) == (None, "16-bit", 16)
    assert list(refusals(made)) == []


def test_another_card_takes_back_what_the_former_has_set():
    small = chosen("--base-model", "flux", "--trainer", "simpletuner", "--vram", "10").config
    assert (small.resolution, small.base_precision) == (512, "nf4")
    large = after(small, "--vram", "32", trainer="simpletuner", before="simpletuner")
    assert (large.config.resolution, large.config.base_precision) == (0, "16-bit")
    assert dict(large.steps)["Former card"] == "no longer resolution 512, which its setting had"
    kept = after(small, "--vram", "32", "--resolution", "512", trainer="simpletuner", before="simpletuner")
    assert kept.config.resolution == 512
    assert "Former card" not in dict(kept.steps)
    moved = after(small, "--vram", "12", before="simpletuner").config
    assert (moved.resolution, moved.base_precision, moved.fp8_base, moved.blocks_to_swap) == (0, "usual", True, 16)
    assert list(refusals(moved)) == []


def test_another_trainer_takes_back_what_the_former_ones_card_has_set():
    last = config("--base-model", "flux", "--vram", "12", "--batch-size", "1")
    made = after(last, trainer="ai-toolkit")
    assert (made.config.fp8_base, made.config.blocks_to_swap) == (None, 0)
    assert "no longer batch size 1, fp8 base on, blocks to swap 16, which" in dict(made.steps)["Former card"]
    assert after(last).config == last
    own = replace(last, blocks_to_swap=17)  # no row's
    assert after(own, trainer="simpletuner").config.blocks_to_swap == 17


def test_a_preset_of_a_card_is_for_its_trainer():
    words = ("--base-model", "flux", "--preset", "card of 12 GB (sd-scripts)")
    assert config(*words).blocks_to_swap == 16
    with pytest.raises(SettingsError, match="use --vram 12, which takes what onetrainer itself says"):
        config(*words, "--trainer", "onetrainer")


@pytest.mark.posix
def test_the_card_of_this_machine_is_found(nvidia_smi):
    nvidia_smi(cards=[("GPU-a", "NVIDIA GeForce RTX 4090", 24564, 900), ("GPU-b", "NVIDIA RTX 3060", 12288, 1)])
    made = chosen("--base-model", "flux", "--vram", "auto")
    assert (made.config.blocks_to_swap, made.card) == (16, 12)
    assert made.steps[0][1].startswith("NVIDIA RTX 3060, 12 GB; setting for 12 GB or more: batch size 1")


@pytest.mark.usefixtures("no_card")
def test_where_no_card_is_found_its_memory_is_asked_for():
    with pytest.raises(SettingsError, match=r"No NVIDIA card answers here .* --vram 12"):
        chosen("--base-model", "flux", "--vram", "auto")


def test_a_checkpoint_is_looked_into_once_for_one_command(tmp_path, monkeypatch):
    from lorads_core.cli import training_options  # noqa: PLC0415 - what it calls is counted

    seen = []

    def read(file):
        seen.append(file)
        raise TrainerError("no model")

    monkeypatch.setattr(training_options, "read_checkpoint", read)
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"")
    chosen("--checkpoint", str(file))
    assert seen == [file]


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "0", "1e400", "abc", ""])
def test_what_is_no_memory_of_a_card_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        config("--base-model", "flux", f"--vram={text}")
    assert "give it in GB, e.g. 12" in capsys.readouterr().err
