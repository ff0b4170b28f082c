"""sd-scripts: what we write is what it reads; the counts are those its own loader printed."""

import dataclasses
import math
from pathlib import Path

import pytest
import toml

from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer, trainers

if __import__("sys").version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = TrainingConfig(checkpoint="/models/sdxl.safetensors")
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000)))
FOLDER = Path("/exports/cat")
OUTPUT = Path("/exports/cat-lora")
SD_SCRIPTS = trainer("sd-scripts")


def files(config=CONFIG, subsets=(TRAINING, OTHERS)):
    texts = SD_SCRIPTS.files(config, subsets, FOLDER, OUTPUT, "cat")
    return tomllib.loads(texts["training_config.toml"]), tomllib.loads(texts["dataset_config.toml"])


def messages(config, subsets=(TRAINING,), severity="error"):
    return " ".join(p.message for p in SD_SCRIPTS.problems(config, subsets) if p.severity == severity)


def test_the_scan_finds_it():
    assert trainers()["sd-scripts"].label.startswith("sd-scripts")


def test_defaults_have_no_problem():
    assert SD_SCRIPTS.problems(CONFIG, [TRAINING]) == []


def test_captions_are_txt_and_regularization_is_declared():
    _, dataset = files()
    assert dataset["general"]["caption_extension"] == ".txt"
    (only,) = dataset["datasets"]
    assert [(s["image_dir"], s["num_repeats"], s["is_reg"]) for s in only["subsets"]] == [
        (str(FOLDER / "10_cat"), 10, False),
        (str(FOLDER / "1_regularization"), 1, True),
    ]
    assert only["enable_bucket"] is True
    assert only["max_bucket_reso"] == 2048


def test_an_empty_subset_is_not_written():
    _, dataset = files(subsets=(TRAINING, dataclasses.replace(OTHERS, sizes=())))
    assert len(dataset["datasets"][0]["subsets"]) == 1


def test_text_encoder_outputs_are_cached_only_where_sdxl_allows():
    training, _ = files()
    assert training["network_train_unet_only"] is True
    assert training["cache_text_encoder_outputs"] is True
    shuffled, dataset = files(dataclasses.replace(CONFIG, shuffle_caption=True))
    assert "cache_text_encoder_outputs" not in shuffled
    assert dataset["general"]["keep_tokens"] == 1
    both, _ = files(dataclasses.replace(CONFIG, text_encoder_learning_rate=5e-5))
    assert "network_train_unet_only" not in both
    assert "cache_text_encoder_outputs" not in both
    assert both["text_encoder_lr"] == [5e-5, 5e-5]


def test_output_lies_apart_from_the_images():
    training, _ = files()
    assert training["output_dir"] == str(OUTPUT)
    assert training["dataset_config"] == str(FOLDER / "dataset_config.toml")


def test_without_a_checkpoint_none_is_named():
    config = dataclasses.replace(CONFIG, checkpoint="")
    assert "pretrained_model_name_or_path" not in files(config)[0]
    assert "No base model" in messages(config, severity="warning")


@pytest.mark.parametrize("base", ["sdxl", "illustrious", "pony"])
def test_every_base_model_has_its_script(base):
    command = SD_SCRIPTS.command(dataclasses.replace(CONFIG, base_model=base), FOLDER)
    assert command == ["sdxl_train_network.py", "--config_file", str(FOLDER / "training_config.toml")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learning_rate": 0.0}, "learning rate is 0"),
        ({"learning_rate": math.nan}, "learning rate is nan"),
        ({"network_dim": 0}, "network dim is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch size"),
        ({"warmup": 100}, "warm-up is 100"),
        ({"scheduler": "constant"}, "takes no warm-up"),
        ({"scheduler": "rex"}, "no scheduler 'rex'"),
        ({"optimizer": "SGDNest"}, "no optimizer"),
        ({"network": "lohaa"}, "no network 'lohaa': did you mean loha?"),
        ({"max_bucket_side": 512}, "below the resolution"),
        ({"bucket_step": 8}, "multiple of 32"),
        ({"shuffle_caption": True, "keep_tokens": 0}, "keep at least 1"),
    ],
)
def test_what_sd_scripts_would_stop_at_is_refused(change, says):
    assert says in messages(dataclasses.replace(CONFIG, **change))


def test_doubts_are_warnings():
    assert "alpha 32" in messages(dataclasses.replace(CONFIG, network_alpha=32), severity="warning")
    small = dataclasses.replace(TRAINING, sizes=((300, 300),) * 3)
    assert "enlarged" in messages(CONFIG, [small], severity="warning")
    long = dataclasses.replace(TRAINING, sizes=((8000, 900),))
    assert "crop" in messages(CONFIG, [long], severity="warning")


def test_no_training_image_is_an_error():
    assert "no training image" in messages(CONFIG, [OTHERS])


def test_a_picture_below_one_step_is_an_error_where_nothing_is_enlarged():
    tiny = dataclasses.replace(TRAINING, sizes=((63, 63),))
    assert "smaller than a bucket step" in messages(dataclasses.replace(CONFIG, bucket_no_upscale=True), [tiny])


def test_surplus_regularization_is_said():
    many = dataclasses.replace(OTHERS, sizes=((1024, 1024),) * 50)
    assert "20 regularization images will never be used" in messages(CONFIG, [TRAINING, many], severity="warning")


def test_steps_without_regularization():
    schedule = SD_SCRIPTS.schedule(CONFIG, [TRAINING])
    assert schedule.buckets == (((832, 1216), 10), ((1024, 1024), 10), ((1216, 832), 10))
    assert schedule.steps_per_epoch == 15
    assert schedule.total_steps == 150


def test_regularization_doubles_the_steps():
    schedule = SD_SCRIPTS.schedule(CONFIG, [TRAINING, OTHERS])
    # 30 training samples, so 2 regularization pictures are shown 15 times each.
    assert schedule.buckets == (((832, 1216), 10), ((1024, 1024), 25), ((1216, 832), 25))
    assert schedule.steps_per_epoch == 5 + 13 + 13
    assert schedule.regularization_used == 2


def test_the_last_batch_of_a_bucket_and_of_an_accumulation_is_not_full():
    config = dataclasses.replace(CONFIG, batch_size=4, gradient_accumulation_steps=2, epochs=3)
    schedule = SD_SCRIPTS.schedule(config, [TRAINING])
    assert schedule.steps_per_epoch == math.ceil(3 * math.ceil(10 / 4) / 2) == 5
    assert schedule.total_steps == 15


ODD = ['with "quotes"', "it's", "mit ümläut", "猫", "back\\slash", "new\nline", "a, b = {c} [d] # e", "C:\\new\\table"]


@pytest.mark.parametrize("parse", [tomllib.loads, toml.loads], ids=["TOML", "sd-scripts' own parser"])
@pytest.mark.parametrize("text", ODD)
def test_odd_paths_survive(text, parse):
    config = dataclasses.replace(CONFIG, checkpoint=f"/{text}.safetensors")
    texts = SD_SCRIPTS.files(config, [TRAINING, OTHERS], FOLDER / text, OUTPUT / text, "cat")
    training = parse(texts["training_config.toml"])
    assert training["pretrained_model_name_or_path"] == f"/{text}.safetensors"
    assert training["output_dir"] == str(OUTPUT / text)
    (dataset,) = parse(texts["dataset_config.toml"])["datasets"]
    assert [subset["image_dir"] for subset in dataset["subsets"]] == [
        str(FOLDER / text / "10_cat"),
        str(FOLDER / text / "1_regularization"),
    ]
    assert [subset["is_reg"] for subset in dataset["subsets"]] == [False, True]
