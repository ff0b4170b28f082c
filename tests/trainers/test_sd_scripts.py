"""sd-scripts: what we write is what it reads; the counts are those its own loader printed."""

import dataclasses
import math
from pathlib import Path

import pytest
import toml

from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, Tick, trainer, trainers

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
    assert "No checkpoint is chosen" in messages(config, severity="warning")


@pytest.mark.parametrize(
    ("base", "script"),
    [
        ("sd15", "train_network.py"),
        ("sdxl", "sdxl_train_network.py"),
        ("illustrious", "sdxl_train_network.py"),
        ("pony", "sdxl_train_network.py"),
        ("flux", "flux_train_network.py"),
    ],
)
def test_every_base_model_has_its_script(base, script):
    (stage,) = SD_SCRIPTS.stages(dataclasses.replace(CONFIG, base_model=base), FOLDER)
    assert stage.arguments == (script, "--config_file", str(FOLDER / "training_config.toml"))


def test_several_processes_are_started_by_accelerate():
    (stage,) = SD_SCRIPTS.stages(dataclasses.replace(CONFIG, processes=2), FOLDER)
    command = stage.arguments
    assert command[:2] == ("-m", "accelerate.commands.launch")
    assert command[command.index("--num_processes") + 1] == "2"
    assert command[-3:] == ("sdxl_train_network.py", "--config_file", str(FOLDER / "training_config.toml"))


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
        ({"bucket_step": 32, "base_model": "sd15"}, "multiple of 64"),
        ({"bucket_step": 32, "base_model": "flux"}, "multiple of 64"),
        ({"bucket_step": 128, "resolution": 64}, "bucket step 128"),
        ({"color_aug": True}, "Colour augmentation cannot be learned from cached latents"),
        ({"random_crop": True}, "Random cropping cannot be learned from cached latents"),
        ({"cache_text_encoder_outputs": True, "shuffle_caption": True}, "Shuffled captions cannot be learned"),
        ({"cache_text_encoder_outputs": True, "caption_dropout": 0.1}, "dropped by chance cannot be learned"),
        ({"cache_text_encoder_outputs": True, "caption_variants": True}, "variants cannot be learned"),
        ({"cache_text_encoder_outputs": True, "text_encoder_learning_rate": 1e-5}, "Trained text encoders cannot"),
        ({"base_model": "flux", "network": "locon"}, "no convolutions, so that a LoCon of it is a LoRA"),
        ({"base_model": "flux", "v_prediction": True}, "turn v-prediction off"),
        ({"fp8_base": True, "mixed_precision": "no"}, "needs mixed precision"),
        ({"fp8_base": True, "network": "dora"}, "DoRA cannot be trained on a base model in 8 bits"),
        ({"regularization_method": "preservation", "processes": 2}, "stops with several processes"),
        ({"regularization_method": "preservation", "base_model": "sd15"}, "set the batch size to 1"),
        ({"regularization_method": "preservation", "network": "dora"}, "would preserve DoRA's own output"),
        ({"optimizer": "Prodigy", "text_encoder_learning_rate": 1e-5}, "Prodigy stops at two learning rates"),
        ({"masked_loss": "sidecar", "random_crop": True, "cache_latents": False}, "cropped about the centre"),
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


def test_nothing_is_refused_that_is_allowed():
    for change in (
        {"regularization_method": "preservation", "base_model": "sd15", "batch_size": 1},
        {"color_aug": True, "random_crop": True, "cache_latents": False},
        {"base_model": "flux", "cache_text_encoder_outputs": True, "text_encoder_learning_rate": 1e-5},
        {"optimizer": "Prodigy", "learning_rate": 1.0, "text_encoder_learning_rate": 1.0},
        {"bucket_step": 32},
        {"base_model": "sd15", "cache_text_encoder_outputs": True, "shuffle_caption": True},
    ):
        assert messages(dataclasses.replace(CONFIG, **change)) == "", change


def test_masks_in_files_go_without_regularization_images():
    config = dataclasses.replace(CONFIG, masked_loss="sidecar")
    assert "put the masks into the images' alpha channel" in messages(config, [TRAINING, OTHERS])
    assert messages(config, [TRAINING]) == ""


def test_what_it_lacks_for_a_model_is_reported_and_left_out():
    flux = dataclasses.replace(CONFIG, base_model="flux", min_snr_gamma=5, noise_offset=0.1)
    found = [p.message for p in SD_SCRIPTS.problems(flux, [TRAINING]) if p.code == "not-in-trainer"]
    assert len(found) == 2
    assert not {"min_snr_gamma", "noise_offset"} & set(files(flux)[0])
    dora = dataclasses.replace(CONFIG, network="dora", network_dropout=0.1)
    assert "no network dropout" in messages(dora, severity="warning")
    assert "network_dropout" not in files(dora)[0]
    sd15 = dataclasses.replace(CONFIG, base_model="sd15", cache_text_encoder_outputs=True)
    assert "no cache text encoder outputs" in messages(sd15, severity="warning")
    assert "cache_text_encoder_outputs" not in files(sd15)[0]
    assert "clip_l" not in files(dataclasses.replace(CONFIG, model_files={"clip_l": "/clip"}))[0]


def test_flux_without_its_other_files_is_said():
    flux = dataclasses.replace(CONFIG, base_model="flux", model_files={"clip_l": "/models/clip_l.safetensors"})
    assert "--t5xxl FILE --ae FILE" in messages(flux, severity="warning")


def test_lycoris_is_asked_for_where_it_is_needed():
    assert "pip install lycoris-lora" in messages(dataclasses.replace(CONFIG, network="loha"), severity="info")
    assert messages(dataclasses.replace(CONFIG, network="locon"), severity="info") == ""


def test_preservation_is_an_attribute_of_regularization_images_alone():
    config = dataclasses.replace(CONFIG, regularization_method="preservation")
    text = SD_SCRIPTS.files(config, [TRAINING, OTHERS], FOLDER, OUTPUT, "cat")["dataset_config.toml"]
    for parse in (tomllib.loads, toml.loads):  # the second is what sd-scripts reads with
        training, others = parse(text)["datasets"][0]["subsets"]
        assert "custom_attributes" not in training
        assert others["custom_attributes"] == {"diff_output_preservation": True}
        assert others["is_reg"] is True


def test_preservation_of_nothing_is_said():
    config = dataclasses.replace(CONFIG, regularization_method="preservation")
    assert "no regularization images to work on" in messages(config, [TRAINING], severity="warning")
    assert messages(config, [TRAINING, OTHERS], severity="warning") == ""


def test_alpha_masks_count_for_training_images_alone():
    _, dataset = files(dataclasses.replace(CONFIG, masked_loss="alpha"))
    assert [subset.get("alpha_mask") for subset in dataset["datasets"][0]["subsets"]] == [True, None]


def test_masks_in_files_lie_in_a_folder_of_their_own():
    training, dataset = files(dataclasses.replace(CONFIG, masked_loss="sidecar"), [TRAINING])
    assert training["masked_loss"] is True
    (subset,) = dataset["datasets"][0]["subsets"]
    assert subset["conditioning_data_dir"] == str(FOLDER / "10_cat_masks")
    assert SD_SCRIPTS.mask("10_cat", "000001-a") == "10_cat_masks/000001-a.png"


def test_the_head_of_a_caption_stays_in_front_where_tags_are_shuffled():
    shuffled = dataclasses.replace(CONFIG, shuffle_caption=True)
    assert SD_SCRIPTS.caption("cat, 1girl, solo, hat", 3, shuffled) == "cat, 1girl, solo ||| hat"
    assert SD_SCRIPTS.caption("hat, tree", 0, shuffled) == "hat ||| tree", "keep_tokens is the least"
    assert SD_SCRIPTS.caption("cat", 1, shuffled) == "cat |||"
    assert SD_SCRIPTS.caption("cat, 1girl, hat", 2, CONFIG) == "cat, 1girl, hat"
    assert files(shuffled)[1]["general"]["keep_tokens_separator"] == "|||"
    assert "keep_tokens_separator" not in files()[1]["general"]


def test_braces_mean_themselves_where_lines_are_variants():
    variants = dataclasses.replace(CONFIG, caption_variants=True)
    assert SD_SCRIPTS.caption("a {b|c} d", 0, variants) == "a {{b|c}} d"
    assert SD_SCRIPTS.caption("a {b|c} d", 0, CONFIG) == "a {b|c} d"


def test_adafactor_keeps_the_learning_rate_that_was_asked_for():
    training, _ = files(dataclasses.replace(CONFIG, optimizer="AdaFactor", weight_decay=0.01))
    assert training["optimizer_args"] == [
        "scale_parameter=False",
        "relative_step=False",
        "warmup_init=False",
        "weight_decay=0.01",
    ]


@pytest.mark.parametrize(
    ("line", "tick"),
    [
        (
            "steps:   3%|\u258e         | 1/32 [00:00<00:04,  7.29it/s, avr_loss=1.28]",
            Tick(step=1, total_steps=32, loss=1.28, rate=7.29),
        ),
        (
            "steps:  50%|\u2588\u2588\u2588\u2588\u2588     | 16/32 [1:02:03<1:02:03,  4.00s/it, avr_loss=0.125]",
            Tick(step=16, total_steps=32, loss=0.125, rate=0.25),
        ),
        ("steps:   0%|          | 0/32 [00:00<?, ?it/s]", Tick(step=0, total_steps=32)),
        (
            "steps:   3%|\u258e | 1/32 [00:00<00:04,  7.29it/s, Average key norm=0.2, Keys Scaled=3, avr_loss=9e-05]",
            Tick(step=1, total_steps=32, loss=9e-05, rate=7.29),
        ),
        ("epoch 3/10", Tick(epoch=3)),
        ("epoch is incremented. current_epoch: 0, epoch: 1", None),
        ("validation steps:   3%|\u258e | 1/32 [00:00<00:04,  7.29it/s]", None),
        ("", None),
    ],
)
def test_progress_is_read_from_its_lines(line, tick):
    assert SD_SCRIPTS.tick(line) == tick


def test_a_loss_that_is_no_number_is_told():
    tick = SD_SCRIPTS.tick("steps:   3%|\u258e | 1/32 [00:00<00:04,  7.29it/s, avr_loss=nan]")
    assert math.isnan(tick.loss)


def test_saved_files_are_named_by_their_epoch():
    config = dataclasses.replace(CONFIG, epochs=5, save_every_epochs=2)
    schedule = SD_SCRIPTS.schedule(config, [TRAINING])
    assert SD_SCRIPTS.checkpoints(config, schedule, "cat") == (
        "cat-000002.safetensors",
        "cat-000004.safetensors",
        "cat.safetensors",
    )
    even = dataclasses.replace(config, epochs=4)
    schedule = SD_SCRIPTS.schedule(even, [TRAINING])
    assert SD_SCRIPTS.checkpoints(even, schedule, "cat") == ("cat-000002.safetensors", "cat.safetensors")


def test_an_older_sd_scripts_is_seen(tmp_path):
    def errors(config):
        return " ".join(p.message for p in SD_SCRIPTS.problems(config, [TRAINING], tmp_path) if p.severity == "error")

    flux = dataclasses.replace(CONFIG, base_model="flux")
    preserved = dataclasses.replace(CONFIG, regularization_method="preservation")
    assert "There is no sdxl_train_network.py" in errors(CONFIG)
    (tmp_path / "sdxl_train_network.py").touch()
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "config_util.py").write_text('"is_reg": bool', encoding="utf-8")
    assert errors(CONFIG) == ""
    assert "There is no flux_train_network.py" in errors(flux)
    assert "no differential output preservation" in errors(preserved)
    (tmp_path / "library" / "config_util.py").write_text('"custom_attributes": dict', encoding="utf-8")
    assert errors(preserved) == ""


def test_no_training_image_is_an_error():
    assert "no training image" in messages(CONFIG, [OTHERS])


def test_a_picture_below_one_step_is_an_error_where_nothing_is_enlarged():
    tiny = dataclasses.replace(TRAINING, sizes=((63, 63),))
    config = dataclasses.replace(CONFIG, bucket_no_upscale=True)
    assert "smaller than a bucket step" in messages(config, [tiny])
    assert messages(CONFIG, [tiny]) == ""


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


ODD = [
    'with "quotes"',
    "it's",
    "mit ümläut",
    "\u732b",
    "back\\slash",
    "new\nline",
    "a, b = {c} [d] # e",
    "C:\\new\\table",
]


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
