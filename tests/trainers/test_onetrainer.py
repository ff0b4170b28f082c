"""OneTrainer: what we refuse, tell and write, each as its own code (23df383) was seen to do it."""

import dataclasses
import json
from pathlib import Path

import pytest

from lorads_core.base_models import BASE_MODELS
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Schedule, Subset, Tick, trainer, trainers
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.onetrainer import counting
from lorads_core.trainers.onetrainer.names import kind
from lorads_core.trainers.onetrainer.rules import version_in

CONFIG = TrainingConfig(checkpoint="/models/sdxl.safetensors")
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000)))
FOLDER = Path("/exports/cat")
OUTPUT = Path("/exports/cat-lora")
ONETRAINER = trainer("onetrainer")


def but(**changes):
    return dataclasses.replace(CONFIG, **changes)


def written(config=CONFIG, subsets=(TRAINING, OTHERS), home=None):
    texts = ONETRAINER.files(config, subsets, FOLDER, OUTPUT, "cat", home)
    return json.loads(texts["onetrainer_config.json"])


def problems(config=CONFIG, subsets=(TRAINING,), home=None):
    return ONETRAINER.problems(config, subsets, home)


def messages(severity, config=CONFIG, subsets=(TRAINING,), home=None):
    return " ".join(p.message for p in problems(config, subsets, home) if p.severity == severity)


@pytest.fixture
def home(tmp_path):
    """Return a function that makes a OneTrainer of a version of its config."""

    def made(version):
        file = tmp_path / "modules" / "util" / "config" / "TrainConfig.py"
        file.parent.mkdir(parents=True)
        file.write_text(f"        super().__init__(\n            data,\n            config_version={version},\n")
        return tmp_path

    return made


def test_the_scan_finds_it():
    assert trainers()["onetrainer"].label == "OneTrainer"


@pytest.mark.parametrize(
    "base_model",
    [each.name for each in BASE_MODELS if is_trained(each, ONETRAINER.families, ONETRAINER.adapters, ONETRAINER.edits)],
)
def test_defaults_are_neither_refused_nor_doubted(base_model):
    config = but(base_model=base_model)
    checkpoint = config.checkpoint if kind(config).file else "/models/base"
    config = but(base_model=base_model, checkpoint=checkpoint)
    assert messages("error", config) == ""
    assert messages("warning", config) == ""


# The config


def test_methods_and_models_are_named_so_that_nothing_falls_back_to_a_full_fine_tune():
    for base_model, model_type in [
        ("sd15", "STABLE_DIFFUSION_15"),
        ("illustrious", "STABLE_DIFFUSION_XL_10_BASE"),
        ("pony", "STABLE_DIFFUSION_XL_10_BASE"),
        ("flux", "FLUX_DEV_1"),
    ]:
        keys = written(but(base_model=base_model))
        assert (keys["__version"], keys["training_method"], keys["model_type"]) == (11, "LORA", model_type)
        assert all(concept["__version"] == 2 for concept in keys["concepts"])


@pytest.mark.parametrize(
    ("network", "peft", "decomposed", "layers"),
    [
        ("lora", "LORA", False, "attentions"),
        ("locon", "LORA", False, "attentions,resnets,downsamplers,upsamplers"),
        ("loha", "LOHA", False, "attentions"),
        ("dora", "LORA", True, "attentions"),
    ],
)
def test_networks_are_a_kind_and_a_filter_of_layers(network, peft, decomposed, layers):
    keys = written(but(network=network))
    assert (keys["peft_type"], keys["lora_decompose"], keys["layer_filter"]) == (peft, decomposed, layers)
    assert (keys["lora_rank"], keys["lora_alpha"]) == (16, 8.0)


def test_loha_keeps_off_convolutions_that_comfyui_could_not_load():
    assert written(but(network="loha", base_model="sd15"))["layer_filter"] == "transformer_blocks"
    assert "LoHa's convolutions" in messages("info", but(network="loha"))


def test_flux_has_no_locon():
    assert "choose the network lora" in messages("error", but(network="locon", base_model="flux"))


def test_text_encoders_are_left_alone_or_trained_to_the_end():
    alone = written()
    assert [alone[part]["train"] for part in ("unet", "text_encoder", "text_encoder_2")] == [True, False, False]
    both = written(but(text_encoder_learning_rate=5e-5))
    for part in ("text_encoder", "text_encoder_2"):
        assert (both[part]["train"], both[part]["learning_rate"]) == (True, 5e-5)
        assert both[part]["stop_training_after_unit"] == "NEVER"
    flux = written(but(base_model="flux", text_encoder_learning_rate=5e-5))
    assert [flux[part]["train"] for part in ("transformer", "text_encoder", "text_encoder_2")] == [True, True, False]


def test_all_that_is_written_lies_in_the_output_folder():
    keys = written()
    assert keys["output_model_destination"] == str(OUTPUT / "cat.safetensors")
    assert (keys["workspace_dir"], keys["cache_dir"]) == (str(OUTPUT), str(OUTPUT / "cache"))
    assert keys["clear_cache_before_training"] is True
    assert [concept["path"] for concept in keys["concepts"]] == [
        str(FOLDER / "10_cat"),
        str(FOLDER / "1_regularization"),
    ]


def test_no_web_server_is_started_and_no_other_file_is_looked_for():
    keys = written()
    assert keys["tensorboard"] is False
    assert keys["samples"] == []
    assert (keys["concept_file_name"], keys["sample_definition_file_name"]) == ("", "")
    assert keys["sample_after_unit"] == "NEVER"


def test_samples_are_whole_as_their_defaults_are_those_of_sd15():
    keys = written(but(base_model="pony", sample_prompts=("a cat",), sample_every_epochs=2))
    (sample,) = keys["samples"]
    assert (sample["prompt"], sample["width"], sample["height"], sample["seed"]) == ("a cat", 1024, 1024, 42)
    assert sample["negative_prompt"].startswith("score_4")
    assert (keys["sample_after"], keys["sample_after_unit"], keys["sample_skip_first"]) == (2, "EPOCH", 1)


def test_lora_dropout_and_caption_dropout_are_two_things():
    keys = written(but(network_dropout=0.2, caption_dropout=0.1))
    assert keys["dropout_probability"] == 0.2
    assert [keys[part]["dropout_probability"] for part in ("text_encoder", "text_encoder_2")] == [0.1, 0.1]
    assert "dropout_probability" not in keys["unet"]


def test_velocity_models_get_the_one_key_that_a_lora_reads():
    assert written(but(v_prediction=True))["rescale_noise_scheduler_to_zero_terminal_snr"] is True
    assert "force_v_prediction" not in written(but(v_prediction=True))


def test_a_flux_file_is_the_transformer_and_the_rest_comes_from_a_repository():
    config = but(base_model="flux", checkpoint="/models/flux1-dev.safetensors")
    keys = written(config)
    assert keys["base_model_name"] == "black-forest-labs/FLUX.1-dev"
    assert keys["transformer"]["model_name"] == "/models/flux1-dev.safetensors"
    assert keys["text_encoder_2_sequence_length"] == 512
    assert "licence" in messages("info", config)
    folder = written(but(base_model="flux", checkpoint="/models/flux-dev"))
    assert folder["base_model_name"] == "/models/flux-dev"
    assert "model_name" not in folder["transformer"]


@pytest.mark.parametrize(
    ("base_model", "model_type", "lora_format", "bits", "repository"),
    [
        ("zimage", "Z_IMAGE", "DIFFUSERS_LORA", "FLOAT_8", "Tongyi-MAI/Z-Image"),
        ("krea2", "KREA_2", "DIFFUSERS_LORA", "INT_W8A8", "krea/Krea-2-Raw"),
        ("flux2_klein_4b", "FLUX_2", "DIFFUSERS_LORA", "INT_W8A8", "black-forest-labs/FLUX.2-klein-base-4B"),
        ("anima", "ANIMA", "KOHYA_LORA", "INT_W8A8", "circlestone-labs/Anima-Base-v1.0-Diffusers"),
    ],
)
def test_newer_models_are_trained_as_its_own_presets_have_it(base_model, model_type, lora_format, bits, repository):
    config = but(base_model=base_model, checkpoint="/models/transformer.safetensors", text_encoder_learning_rate=1e-5)
    keys = written(config)
    assert (keys["model_type"], keys["output_model_format"]) == (model_type, lora_format)
    assert keys["base_model_name"] == repository
    assert keys["transformer"]["model_name"] == "/models/transformer.safetensors"
    assert (keys["transformer"]["weight_dtype"], keys["text_encoder"]["weight_dtype"]) == (bits, "FLOAT_8")
    assert keys["text_encoder"]["train"] is False
    assert "text encoders of this base model are left as they are" in messages("warning", config)


def test_only_flux_is_shifted_by_the_size_of_images():
    shifted = {
        base: written(but(base_model=base)).get("dynamic_timestep_shifting") for base in ("flux", "flux2", "zimage")
    }
    assert shifted == {"flux": True, "flux2": True, "zimage": None}


def test_precision_of_weights():
    assert written()["unet"]["weight_dtype"] == "BFLOAT_16"
    assert written(but(fp8_base=True))["unet"]["weight_dtype"] == "FLOAT_8"
    assert written()["vae"]["weight_dtype"] == "FLOAT_32"
    flux = written(but(base_model="flux"))
    assert (flux["transformer"]["weight_dtype"], flux["text_encoder_2"]["weight_dtype"]) == ("NFLOAT_4", "NFLOAT_4")
    assert flux["text_encoder"]["weight_dtype"] == "BFLOAT_16"


def test_optimizers_get_what_its_window_would_set():
    assert written(but(optimizer="AdamW8bit"))["optimizer"] == {"optimizer": "ADAMW_8BIT", "block_wise": True}
    prodigy = written(but(optimizer="Prodigy", weight_decay=0.01))["optimizer"]
    assert (prodigy["decouple"], prodigy["weight_decay"]) == (True, 0.01)


def test_regularization_images_are_learnt_or_preserved():
    config = but(prior_loss_weight=0.5)
    learnt = written(config)["concepts"]
    assert [(c["type"], c["loss_weight"], c["balancing"]) for c in learnt] == [
        ("STANDARD", 1.0, 10.0),
        ("STANDARD", 0.5, 1.0),
    ]
    preserved = written(dataclasses.replace(config, regularization_method="preservation"))["concepts"]
    assert [c["type"] for c in preserved] == ["STANDARD", "PRIOR_PREDICTION"]
    assert "preservation" in messages("info", CONFIG, (TRAINING, OTHERS))


def test_an_empty_folder_is_no_concept():
    assert len(written(subsets=(TRAINING, dataclasses.replace(OTHERS, sizes=())))["concepts"]) == 1


def test_cropping_is_central_unless_asked_for():
    assert written()["concepts"][0]["image"]["enable_crop_jitter"] is False
    assert written(but(random_crop=True))["concepts"][0]["image"]["enable_crop_jitter"] is True


def test_what_changes_by_chance_is_cached_in_several_forms():
    plain = written()["concepts"][0]
    assert (plain["image_variations"], plain["text_variations"]) == (1, 1)
    mixed = written(but(flip_aug=True, shuffle_caption=True))["concepts"]
    assert [(c["image_variations"], c["text_variations"]) for c in mixed] == [(10, 10), (10, 10)]
    short = written(but(flip_aug=True, epochs=3))["concepts"][1]
    assert short["image_variations"] == 3
    uncached = written(but(flip_aug=True, shuffle_caption=True, cache_latents=False))["concepts"][0]
    assert (uncached["image_variations"], uncached["text_variations"]) == (1, 1)
    trained = written(but(shuffle_caption=True, text_encoder_learning_rate=1e-5))["concepts"][0]
    assert trained["text_variations"] == 1
    assert "10 forms of each image" in messages("info", but(flip_aug=True))


def test_shuffling_keeps_a_fixed_count_of_tags():
    text = written(but(shuffle_caption=True, keep_tokens=3))["concepts"][0]["text"]
    assert (text["enable_tag_shuffling"], text["keep_tags_count"], text["tag_delimiter"]) == (True, 3, ",")
    assert "of every caption alike" in messages("info", but(shuffle_caption=True))


def test_captions_are_files_beside_the_pictures_a_variant_a_line():
    assert written()["concepts"][0]["text"]["prompt_source"] == "sample"
    assert ONETRAINER.caption("ohwx, cat\nohwx, a cat", 1, CONFIG) == "ohwx, cat\nohwx, a cat"


def test_masks_lie_beside_the_pictures_and_leave_nothing_else_to_learn():
    assert ONETRAINER.mask("10_cat", "000001-tom") == "10_cat/000001-tom-masklabel.png"
    keys = written(but(masked_loss="sidecar"))
    assert (keys["masked_training"], keys["unmasked_probability"], keys["unmasked_weight"]) == (True, 0.0, 0.0)
    assert "choose sidecar" in messages("error", but(masked_loss="alpha"))


def test_several_processes_are_as_many_devices():
    keys = written(but(processes=2))
    assert (keys["multi_gpu"], keys["device_indexes"]) == (True, "0,1")
    assert written()["multi_gpu"] is False


# Versions


def test_an_older_one_gets_the_config_that_it_reads(home):
    place = home(10)
    assert version_in(place) == 10
    keys = written(but(gradient_checkpointing=False), home=place)
    assert (keys["__version"], keys["output_model_format"], keys["gradient_checkpointing"]) == (
        10,
        "SAFETENSORS",
        "OFF",
    )
    assert "gradient_checkpointing" not in keys["unet"]
    assert messages("error", home=place) == ""


def test_a_newer_one_gets_the_newest_that_we_know(home):
    keys = written(home=home(14))
    assert (keys["__version"], keys["output_model_format"]) == (11, "KOHYA_LORA")
    assert keys["unet"]["gradient_checkpointing"] is True


def test_one_that_is_too_old_or_missing_is_refused(home, tmp_path):
    assert "fix the folder" in messages("error", home=tmp_path)
    assert "update it" in messages("error", home=home(7))


def test_one_that_is_older_than_the_model_is_refused(home):
    place = home(10)
    assert "Z-Image needs 11, which came in 2026-07: update it" in messages(
        "error", but(base_model="zimage"), home=place
    )
    assert messages("error", but(base_model="flux"), home=place) == ""


# Refusals and what it lacks


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"scheduler": "polynomial"}, "choose linear"),
        ({"scheduler": "cosinus"}, "did you mean cosine"),
        ({"optimizer": "PagedAdamW"}, "did you mean PagedAdamW8bit"),
        ({"mixed_precision": "bf61"}, "did you mean bf16"),
        ({"resolution": 64}, "without height"),
        ({"optimizer": "Prodigy", "learning_rate": 1.0, "text_encoder_learning_rate": 0.5}, "two learning rates"),
        ({"cache_text_encoder_outputs": True, "text_encoder_learning_rate": 1e-5}, "leave that caching to us"),
        ({"cache_text_encoder_outputs": True, "cache_latents": False}, "turn the caching of latents on"),
        ({"batch_size": 64}, "smaller batch"),
        ({"gradient_accumulation_steps": 4000}, "accumulate fewer"),
        ({"network": "lokra"}, "LoRADS has no network"),
    ],
)
def test_what_it_would_stop_at_is_refused(changes, hint):
    assert hint in messages("error", but(**changes))


def test_a_resolution_of_64_is_refused_as_it_divides_by_a_side_of_zero():
    assert 0 in {side for size in counting.bucket_sizes(64, 64) for side in size}
    assert messages("error", but(base_model="sd15", resolution=64)) == ""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 7}, "seed"),
        ({"max_bucket_side": 4096}, "max bucket side"),
        ({"bucket_step": 32}, "bucket step"),
        ({"bucket_no_upscale": True}, "bucket no upscale"),
        ({"network": "locon", "conv_dim": 4}, "conv dim"),
        ({"base_model": "flux", "model_files": {"t5xxl": "/models/t5.safetensors"}}, "model files"),
        ({"base_model": "flux", "min_snr_gamma": 5.0}, "min SNR gamma"),
        ({"max_token_length": 225}, "max token length"),
        ({"cache_text_encoder_outputs": False}, "cache text encoder outputs"),
    ],
)
def test_what_it_lacks_is_told(changes, what):
    told = [p for p in problems(but(**changes)) if p.code == "not-in-trainer" and p.severity == "warning"]
    assert [p.message.startswith(f"OneTrainer has no {what}:") for p in told] == [True]


def test_a_convolution_dim_like_the_networks_own_is_no_lack():
    assert messages("warning", but(network="locon", conv_dim=16)) == ""


def test_every_field_of_the_config_is_written_or_told():
    """A field that changes neither the file nor what is said would be dropped in silence."""
    changed = {
        "base_model": "sd15", "checkpoint": "/b.safetensors", "model_files": {"clip_l": "/c"},
        "v_prediction": True, "network": "dora", "network_dim": 8, "network_alpha": 4.0, "conv_dim": 4,
        "conv_alpha": 2.0, "network_dropout": 0.1, "lokr_factor": 4,
        "lokr_full_rank": True, "resolution": 768, "batch_size": 3,
        "gradient_accumulation_steps": 2, "processes": 2, "epochs": 3, "repeats": 2, "regularization_repeats": 2,
        "steps": 500, "regularization_method": "preservation", "prior_loss_weight": 0.5, "learning_rate": 1e-5,
        "text_encoder_learning_rate": 1e-5, "scheduler": "linear", "warmup": 0.1, "optimizer": "Lion",
        "weight_decay": 0.1, "mixed_precision": "fp16", "fp8_base": True, "gradient_checkpointing": False,
        "blocks_to_swap": 4, "cache_latents": False, "cache_text_encoder_outputs": False, "max_token_length": 75,
        "shuffle_caption": True, "keep_tokens": 2, "caption_dropout": 0.1, "caption_variants": True,
        "flip_aug": True, "color_aug": True, "random_crop": True, "masked_loss": "sidecar", "min_snr_gamma": 5.0,
        "noise_offset": 0.1, "max_bucket_side": 4096, "bucket_step": 32, "bucket_no_upscale": True,
        "sample_prompts": ("a",), "sample_every_epochs": 2, "save_every_epochs": 2, "save_state": False, "seed": 1,
        "initial_lora": "/l.safetensors", "extra": {"ema": "GPU"}, "layer_offload": 0.5, "text_encoder_offload": 0.5,
        "activation_offload": True, "base_precision": "nf4", "text_encoder_precision": "fp8", "fused_backward": True,
        "compile": True, "cache_to_disk": False, "loader_workers": 4,
        "loss_type": "l1", "huber_delta": 0.2, "ema_decay": 0.99, "timestep_sampling": "uniform", "timestep_shift": 2.0,
        "debiased_estimation": True, "rank_dropout": 0.1, "module_dropout": 0.1, "lora_plus_ratio": 16.0,
        "layer_filter": "attn", "optimizer_args": {"eps": 1e-7}, "tag_dropout": 0.1, "clip_skip": 2, "sample_steps": 9,
        "sample_guidance": 3.0, "tensorboard": True,
    }  # fmt: skip
    assert set(changed) == {field.name for field in dataclasses.fields(TrainingConfig)} - {"automatic"}
    # An export puts them into its folders; of steps it makes repeats and epochs.
    elsewhere = {"repeats", "regularization_repeats", "steps"}
    among = {
        "huber_delta": {"loss_type": "huber"},
        "sample_steps": {"sample_prompts": ("a",)},
        "sample_guidance": {"sample_prompts": ("a",)},
    }
    for name, value in changed.items():
        base = but(network="locon" if name.startswith("conv") else "lokr" if name.startswith("lokr") else "lora")
        base = dataclasses.replace(base, **among.get(name, {}))
        config = dataclasses.replace(base, **{name: value})
        file = written(config) != written(base)
        told = problems(config) != problems(base)
        assert file or told or name in elsewhere, name


def test_captions_longer_than_75_tokens_are_told():
    assert "first 75 tokens" in messages("info")
    assert "75 tokens" not in messages("info", but(max_token_length=75))
    assert "75 tokens" not in messages("info", but(base_model="flux"))


def test_a_wrong_number_is_refused_before_anything_else():
    assert [p.severity for p in problems(but(epochs=0))] == ["error"]


def test_without_a_checkpoint_none_is_named():
    assert written(but(checkpoint=""))["base_model_name"] == ""
    assert "--config-value base_model_name=FILE" in messages("warning", but(checkpoint=""))


# Buckets and steps


@pytest.mark.parametrize(
    ("picture", "bucket", "scale", "cropped"),
    [
        ((1216, 832), (1280, 832), 1.05, 0.05),
        ((3000, 2000), (1280, 832), 0.43, 0.02),
        ((1920, 1080), (1344, 768), 0.71, 0.02),
        ((700, 500), (1152, 896), 1.79, 0.08),
        ((63, 63), (1024, 1024), 16.25, 0.0),
        ((60, 600), (512, 2048), 8.53, 0.60),
        ((10000, 1000), (2048, 512), 0.51, 0.60),
    ],
)
def test_buckets_at_1024(picture, bucket, scale, cropped):
    found = counting.place(picture, 1024, 64)
    assert found.bucket == bucket
    assert found.scale == pytest.approx(scale, abs=0.01)
    assert found.cropped == pytest.approx(cropped, abs=0.01)


def test_sd15_has_buckets_in_steps_of_8():
    assert counting.place((3000, 2000), 512, 8).bucket == (624, 416)


def test_what_fills_no_batch_is_dropped_and_told():
    subset = Subset("1_cat", 1, is_regularization=False, sizes=((1024, 1024),) * 5 + ((1920, 1080),))
    config = but(batch_size=2)
    found = ONETRAINER.schedule(config, [subset])
    assert found.buckets == (((1024, 1024), 5), ((1344, 768), 1))
    assert (found.steps_per_epoch, found.total_steps, found.dropped) == (2, 20, 2)
    (told,) = [p for p in problems(config, [subset]) if p.code == "dropped"]
    assert "1 image (in buckets of 1344×768)" in told.message
    assert [p.code for p in problems(but(batch_size=1), [subset])] == ["not-in-trainer"]


def test_batches_are_accumulated_across_epochs_and_the_rest_is_lost():
    subset = Subset("1_cat", 1, is_regularization=False, sizes=((1024, 1024),) * 5)
    found = ONETRAINER.schedule(but(batch_size=1, gradient_accumulation_steps=3, epochs=4), [subset])
    assert (found.steps_per_epoch, found.total_steps) == (1, 6)


def test_processes_share_a_batch():
    subset = Subset("1_cat", 1, is_regularization=False, sizes=((1024, 1024),) * 9)
    found = ONETRAINER.schedule(but(batch_size=2, processes=2, epochs=1), [subset])
    assert (found.total_steps, found.dropped) == (2, 1)


def test_all_regularization_images_are_used():
    assert ONETRAINER.schedule(CONFIG, (TRAINING, OTHERS)).regularization_used == 2


def test_no_training_image_is_an_error():
    assert [p.code for p in problems(CONFIG, [OTHERS]) if p.severity == "error"] == ["no-images"]


def test_enlarged_and_cropped_pictures_are_told():
    subset = Subset("2_cat", 2, is_regularization=False, sizes=((60, 600),))
    assert {p.code for p in problems(CONFIG, [subset])} >= {"upscaled", "cropped"}


# The run


def test_the_command_runs_its_script():
    (stage,) = ONETRAINER.stages(CONFIG, FOLDER)
    assert stage.arguments == ("scripts/train.py", "--config-path", str(FOLDER / "onetrainer_config.json"))


def test_loras_are_saved_as_an_epoch_begins_and_never_in_its_backups():
    subset = Subset("1_cat", 1, is_regularization=False, sizes=((1024, 1024),) * 5)
    config = but(batch_size=1, epochs=5, save_every_epochs=2)
    names = ONETRAINER.checkpoints(config, ONETRAINER.schedule(config, [subset]), "cat")
    assert names == ("save/cat-*-save-10-2-0.safetensors", "save/cat-*-save-20-4-0.safetensors", "cat.safetensors")
    keys = written(config)
    assert (keys["save_every"], keys["save_every_unit"], keys["save_filename_prefix"]) == (2, "EPOCH", "cat-")


def test_a_save_waits_for_the_end_of_an_accumulation():
    schedule = Schedule((((1024, 1024), 5),), 3, 2, 5, 0)
    config = but(batch_size=1, epochs=3, gradient_accumulation_steps=4)
    assert ONETRAINER.checkpoints(config, schedule, "cat") == (
        "save/cat-*-save-8-1-3.safetensors",
        "save/cat-*-save-12-2-2.safetensors",
        "cat.safetensors",
    )


@pytest.mark.parametrize(
    ("line", "tick"),
    [
        ("epoch:  33%|\u2588\u2588\u2588\u258e      | 1/3 [00:04<00:08,  4.41s/it]", Tick(epoch=2)),
        (
            "\repoch: 100%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588| 3/3 [00:04<00:00,  1.60s/it]",
            Tick(epoch=3),
        ),
        ("step:   0%|          | 0/4 [00:00<?, ?it/s]", Tick(batch=0, batches=4)),
        (
            "\n\rstep:  25%|\u2588\u2588\u258c       | 1/4 [00:01<00:03,  1.25s/it, loss=0.123, smooth loss=0.1]",
            Tick(batch=1, batches=4, rate=0.8, loss=0.1),
        ),
        (
            "step:  75%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u258c  | 3/4 [00:00<00:00,  8.31it/s, loss=0.0309, smooth loss=9.5e-05]\x1b[A",  # noqa: E501
            Tick(batch=3, batches=4, rate=8.31, loss=9.5e-05),
        ),
        (
            "validation_step:  75%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u258c  | 3/4 [00:00<00:00,  8.31it/s]",
            None,
        ),
        ("caching:  75%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u258c  | 3/4 [00:00<00:00,  8.31it/s]", None),
        ("Saving /exports/cat-lora/cat.safetensors", None),
    ],
)
def test_its_bars_are_read(line, tick):
    assert ONETRAINER.tick(line) == tick
