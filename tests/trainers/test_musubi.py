"""musubi-tuner: its files, its stages, what it refuses or lacks, and what a stopped training is resumed with."""

import dataclasses
import json
import struct
import sys
from pathlib import Path

import pytest

from lorads_core import base_models
from lorads_core.base_models import BaseModel, family
from lorads_core.errors import TrainerError
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.musubi.counting import bucket_sizes, place

from .cases_musubi import config_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MUSUBI = trainer("musubi-tuner")
FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)), trigger="tom")
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024),))
CONFIG = config_of("zimage")


def changed(**changes):
    return dataclasses.replace(CONFIG, **changes)


def files(config, subsets=(TRAINING,), folder=FOLDER):
    texts = MUSUBI.files(config, subsets, folder, OUTPUT, "cat")
    return {name: (json if name.endswith("json") else tomllib).loads(text) for name, text in texts.items()}


def messages(config, severity="error", subsets=(TRAINING,), home=None):
    return [each.message for each in MUSUBI.problems(config, subsets, home) if each.severity == severity]


# The files


def test_each_subset_is_a_dataset_with_a_cache_of_its_own_in_the_export():
    found = files(CONFIG, (TRAINING, OTHERS))["dataset_config.toml"]
    assert [(each["image_directory"], each["cache_directory"], each["num_repeats"]) for each in found["datasets"]] == [
        (str(FOLDER / "10_cat"), str(FOLDER / "cache" / "10_cat"), 10),
        (str(FOLDER / "1_regularization"), str(FOLDER / "cache" / "1_regularization"), 1),
    ]
    assert found["general"] == {
        "resolution": 1024, "batch_size": 2, "enable_bucket": True, "bucket_no_upscale": False,
        "caption_extension": ".txt",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("zimage", {"vae": "/models/ae.safetensors", "timestep_sampling": "shift", "discrete_flow_shift": 2.0}),
        ("zimage_deturbo", {"vae": "/models/ae.safetensors", "timestep_sampling": "shift"}),
        ("krea2", {"vae": "/models/vae.safetensors", "timestep_sampling": "krea2_shift", "fp8_scaled": True}),
        ("flux2_klein_4b", {"model_version": "klein-base-4b", "timestep_sampling": "flux2_shift"}),
        ("flux2_klein_9b", {"model_version": "klein-base-9b"}),
        ("flux2", {"model_version": "dev", "fp8_base": True, "fp8_scaled": True}),
        ("qwen_image", {"model_version": "original", "discrete_flow_shift": 2.2, "fp8_base": True}),
        ("qwen_image_2512", {"model_version": "original"}),
    ],
)
def test_a_base_model_has_the_options_of_its_page(base, expected):
    keys = files(config_of(base))["training_config.toml"]
    assert expected.items() <= keys.items()
    assert keys["text_encoder"] == "/models/text_encoder.safetensors"
    assert ("fp8_base" in keys) == ("fp8_scaled" in keys)


def test_wan_gets_its_task_and_half_of_it_its_timesteps():
    found = {name: files(config_of(name))["training_config.toml"] for name in ("wan21_1_3b", "wan21_14b")}
    assert [(each["task"], "fp8_base" in each, each["t5"], each["vae"]) for each in found.values()] == [
        ("t2v-1.3B", False, "/models/text_encoder.safetensors", "/models/vae.safetensors"),
        ("t2v-14B", True, "/models/text_encoder.safetensors", "/models/vae.safetensors"),
    ]
    assert not any("min_timestep" in each for each in found.values())
    halves = [files(config_of(name))["training_config.toml"] for name in ("wan22_high", "wan22_low")]
    assert [(each["task"], each["min_timestep"], each["max_timestep"]) for each in halves] == [
        ("t2v-A14B", 875, 1000),
        ("t2v-A14B", 0, 875),
    ]
    assert all(each["preserve_distribution_shape"] for each in halves)
    assert "dit_high_noise" not in halves[0]


def test_hunyuan_video_has_scripts_and_files_by_names_of_their_own():
    config = config_of("hunyuan_video")
    keys = files(config)["training_config.toml"]
    assert (keys["text_encoder1"], keys["text_encoder2"]) == (
        "/models/text_encoder.safetensors",
        "/models/clip_l.safetensors",
    )
    assert ("fp8_base" in keys, "fp8_scaled" in keys) == (True, False)
    latents, texts, training = (stage.arguments for stage in MUSUBI.stages(config, FOLDER))
    assert (latents[0], texts[0], training[0]) == (
        "cache_latents.py",
        "cache_text_encoder_outputs.py",
        "hv_train_network.py",
    )
    assert texts[-4:] == (
        "--text_encoder1", "/models/text_encoder.safetensors", "--text_encoder2", "/models/clip_l.safetensors",
    )  # fmt: skip
    # A file that is there may have what one encoder made alone.
    assert ("--skip_existing" in latents, "--skip_existing" in texts) == (True, False)


def model_file(path, dtype, names=("blocks.0.cross_attn.k.weight", "head.modulation")):
    """Write the header of a file of these tensors, in one type."""
    shapes = {"head.modulation": [1, 2, 5120]}
    header = {name: {"dtype": dtype, "shape": shapes.get(name, [8, 8]), "data_offsets": [0, 0]} for name in names}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return str(path)


@pytest.mark.parametrize(
    ("dtype", "precision", "said"),
    [
        ("BF16", "bf16", ""),
        ("F16", "fp16", ""),
        ("F16", "no", ""),
        ("F16", "bf16", "is in fp16, in which alone musubi-tuner trains it: choose the mixed precision fp16"),
        ("BF16", "fp16", "choose the mixed precision bf16"),
        ("F8_E4M3", "bf16", "is in 8 bits, which musubi-tuner makes of Wan 2.1 14B itself: choose a file in 16 bits"),
    ],
)
def test_wan_is_trained_in_the_precision_of_its_file(dtype, precision, said, tmp_path):
    config = config_of("wan21_14b", checkpoint=model_file(tmp_path / "a.safetensors", dtype), fp8_base=False)
    found = messages(dataclasses.replace(config, mixed_precision=precision))
    assert len(found) == bool(said)
    assert said in " ".join(found)


def test_the_umt5_of_comfyui_is_refused_for_wan_with_the_one_to_choose(tmp_path):
    names = ("encoder.block.23.layer.1.DenseReluDense.wi_1.weight",
             "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight")  # fmt: skip
    file = tmp_path / "umt5_xxl_fp16.safetensors"
    text = json.dumps({
        name: {"dtype": "F16", "shape": [10240, 4096], "data_offsets": [0, 0]} for name in names
    }).encode()  # fmt: skip
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    config = config_of("wan21_14b")
    (found,) = messages(dataclasses.replace(config, model_files=config.model_files | {"text_encoder": str(file)}))
    assert found.startswith(f"musubi-tuner cannot read {file} for Wan 2.1 14B: choose models_t5_umt5-xxl-enc-bf16")


@pytest.mark.parametrize(
    ("changes", "module", "dim"),
    [
        ({}, "networks.lora_zimage", 16),
        ({"network": "loha", "network_dim": 8}, "networks.loha", 8),
        ({"network": "lokr"}, "networks.lokr", 16),
        ({"network": "lokr", "lokr_full_rank": True}, "networks.lokr", 100_000),
    ],
)
def test_a_network_has_its_module(changes, module, dim):
    keys = files(changed(**changes))["training_config.toml"]
    assert (keys["network_module"], keys["network_dim"]) == (module, dim)
    assert keys.get("network_args") == (["factor=-1"] if changes.get("network") == "lokr" else None)


def test_samples_have_a_negative_prompt_as_some_models_are_drawn_without_guidance_else():
    (sample,) = files(changed(sample_prompts=("a cat -- no option",)))["sample_prompts.json"]
    assert sample["prompt"] == "a cat -- no option"
    assert sample["negative_prompt"] == ""
    assert (sample["cfg_scale"], sample["width"], sample["seed"]) == (4.0, 1024, 42)


@pytest.mark.parametrize("name", ["[set] a", "what?", "a*b"])
def test_a_folder_that_it_would_take_for_a_pattern_is_refused(name):
    with pytest.raises(TrainerError, match="would find no image that it has cached"):
        files(CONFIG, folder=Path("/exports") / name)


# The stages


@pytest.mark.parametrize(
    ("base", "name", "version", "architecture"),
    [
        ("zimage", "zimage", [], "zi"),
        ("krea2", "krea2", [], "kr2"),
        ("flux2_klein_4b", "flux_2", ["--model_version", "klein-base-4b"], "f2k4b"),
        ("flux2_klein_9b", "flux_2", ["--model_version", "klein-base-9b"], "f2k9b"),
        ("flux2", "flux_2", ["--model_version", "dev"], "f2d"),
        ("qwen_image", "qwen_image", ["--model_version", "original"], "qi"),
    ],
)
def test_latents_and_texts_are_cached_before_the_training(base, name, version, architecture):
    config = config_of(base)
    latents, texts, training = MUSUBI.stages(config, FOLDER)
    assert [each.name for each in (latents, texts, training)] == [
        "cache latents",
        "cache text encoder outputs",
        "train",
    ]
    usual = ["--dataset_config", str(FOLDER / "dataset_config.toml"), "--batch_size", "1", "--skip_existing", *version]
    vae = config.model_files["ae" if base == "zimage" else "vae"]
    assert list(latents.arguments) == [f"{name}_cache_latents.py", *usual, "--vae", vae]
    text_encoder = config.model_files["text_encoder"]
    assert list(texts.arguments) == [
        f"{name}_cache_text_encoder_outputs.py", *usual, "--text_encoder", text_encoder,
    ]  # fmt: skip
    config_file = str(FOLDER / "training_config.toml")
    assert training.arguments == (f"{name}_train_network.py", "--config_file", config_file)
    assert (latents.suffix, texts.suffix) == (f"_{architecture}.safetensors", f"_{architecture}_te.safetensors")


def test_several_processes_train_and_one_caches():
    *caching, training = MUSUBI.stages(changed(processes=2), FOLDER)
    assert training.arguments[:4] == ("-m", "accelerate.commands.launch", "--num_processes", "2")
    assert not [stage for stage in caching if "--num_processes" in stage.arguments]


# Buckets


def test_a_bucket_is_at_least_half_the_resolution_wide():
    sizes = bucket_sizes(1024)
    assert (min(min(size) for size in sizes), max(max(size) for size in sizes)) == (512, 2048)
    assert all(side % 16 == 0 for size in sizes for side in size)
    assert place((4000, 400), 1024).bucket == (2048, 512)


def test_what_is_not_enlarged_keeps_its_size_up_to_a_step():
    placed = place((700, 500), 1024, no_upscale=True)
    assert (placed.bucket, placed.resized) == ((688, 496), (694, 496))
    assert place((15, 500), 1024, no_upscale=True).usable is False
    assert "a bucket step of 16 pixels" in " ".join(
        messages(changed(bucket_no_upscale=True), subsets=(dataclasses.replace(TRAINING, sizes=((15, 500),)),))
    )


# What it does not do


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_model": "krea2", "network": "loha"}, "makes no LoHa of Krea 2: choose the network lora"),
        ({"network": "dora"}, "does not train DoRA (it has no such network): choose one of the trainers OneTrainer"),
        ({"base_model": "sdxl"}, "does not train SDXL 1.0: choose one of the trainers ai-toolkit"),
        ({"base_model": "zimage_turbo"}, "(it is distilled, and a training adapter is needed): choose one of the"),
        ({"base_model": "flux"}, "does not train FLUX.1 dev: choose one of the trainers"),
        ({"masked_loss": "alpha"}, "train masks with sd-scripts, OneTrainer or ai-toolkit"),
        ({"regularization_method": "preservation"}, "no differential output preservation"),
        ({"caption_variants": True}, "would take all of its variants for one"),
        ({"scheduler": "constant"}, "The scheduler constant takes no warm-up"),
        ({"base_model": "qwen_image", "mixed_precision": "fp16"}, "trains Qwen-Image in bf16, and not in fp16"),
        ({"base_model": "flux2", "mixed_precision": "no"}, "trains FLUX.2 dev in bf16, and not in no"),
        ({"fp8_base": True, "mixed_precision": "no"}, "needs mixed precision: choose bf16"),
        ({"optimizer": "Adam"}, "has no optimizer 'Adam': did you mean AdamW?"),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_choose(changes, said):
    (message,) = messages(changed(**changes))
    assert said in message


def test_a_variant_of_flux_2_that_its_scripts_have_no_version_for_is_refused(monkeypatch):
    for variant in ("klein_4b", "other"):
        row = BaseModel(variant, "My FLUX.2", family("flux2"), captions="flux", variant=variant)
        monkeypatch.setattr(base_models, "BASE_MODELS", (*base_models.BASE_MODELS, row))
    assert messages(config_of("klein_4b")) == []
    (message,) = messages(config_of("other"))
    assert message == "musubi-tuner has no version of its scripts for My FLUX.2: choose another base model."


def test_an_installation_without_the_script_is_refused(tmp_path):
    messages_ = messages(CONFIG, home=tmp_path)
    assert "There is no src/musubi_tuner/zimage_train_network.py" in messages_[0]
    for name in ("zimage_train_network.py", "networks/lora_zimage.py"):
        (tmp_path / "src" / "musubi_tuner" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / "musubi_tuner" / name).touch()
    assert messages(CONFIG, home=tmp_path) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"shuffle_caption": True}, {"caption_dropout": 0.1}, {"flip_aug": True}, {"cache_latents": False},
        {"text_encoder_learning_rate": 1e-5}, {"prior_loss_weight": 0.5}, {"max_bucket_side": 1536},
        {"cache_text_encoder_outputs": False}, {"bucket_step": 32},
        {"network": "loha", "network_dim": 8, "network_dropout": 0.1},
    ],
)  # fmt: skip
def test_what_it_lacks_is_said(changes):
    assert messages(changed(**changes)) == []
    name = [*changes][-1].replace("_", " ")
    switch = "switch for " if name.startswith("cache") else ""
    assert any(f"musubi-tuner has no {switch}{name}" in said for said in messages(changed(**changes), "warning"))


def test_files_that_it_needs_are_named():
    assert "needs more files of Z-Image" in " ".join(messages(changed(model_files={}), "warning"))
    assert "reads a base model from one .safetensors file" in " ".join(messages(changed(checkpoint="/m/z"), "warning"))
    assert "the first of its split files" in " ".join(messages(config_of("flux2"), "info"))
    assert "pip install prodigyopt" in " ".join(messages(changed(optimizer="Prodigy", learning_rate=1.0), "info"))


# Resuming


def save(output, *names):
    for name in names:
        path = output / name
        if path.suffix:
            path.touch()
        else:
            path.mkdir()
            (path / "random_states_0.pkl").touch()


def test_what_is_left_is_trained_under_another_name_with_the_steps_of_the_whole(tmp_path):
    save(tmp_path, "cat-000001.safetensors", "cat-000002.safetensors", "cat-000002-state")
    (tmp_path / "cat-000003-state").mkdir()  # cut off while it was saved
    state = MUSUBI.saved_state(changed(epochs=5, warmup=0.1), tmp_path, "cat", 10)
    assert (state.steps, state.epochs, state.uncounted_steps, state.uncounted_epochs) == (20, 2, 20, 2)
    assert state.arguments == (
        "--resume", str(tmp_path / "cat-000002-state"), "--max_train_epochs", "3", "--output_name", "cat-after-000002",
        "--lr_scheduler_type", "transformers.optimization.get_cosine_schedule_with_warmup",
        "--lr_scheduler_args", "num_warmup_steps=5", "num_training_steps=50",
    )  # fmt: skip
    assert state.checkpoints == (
        "cat-000001.safetensors", "cat-000002.safetensors",
        "cat-after-000002-000001.safetensors", "cat-after-000002-000002.safetensors", "cat-after-000002.safetensors",
    )  # fmt: skip


def test_a_training_that_was_resumed_is_resumed_again_from_its_newest_epoch(tmp_path):
    save(
        tmp_path, "cat-000001.safetensors", "cat-000002.safetensors", "cat-000001-state",
        "cat-after-000001-000001.safetensors", "cat-after-000001-000002.safetensors", "cat-after-000001-000002-state",
    )  # fmt: skip
    state = MUSUBI.saved_state(changed(epochs=4), tmp_path, "cat", 10)
    assert state.epochs == 3
    assert state.arguments[3:6] == ("1", "--output_name", "cat-after-000003")
    assert state.checkpoints == (
        "cat-000001.safetensors",
        "cat-after-000001-000001.safetensors",  # the second epoch was trained once more
        "cat-after-000001-000002.safetensors",
        "cat-after-000003.safetensors",
    )


def test_a_bar_says_no_total_as_it_counts_what_is_left():
    tick = MUSUBI.tick("steps:  12%|#2        | 3/25 [00:04<00:30,  1.39s/it, avr_loss=0.0931]")
    assert (tick.step, tick.total_steps, tick.loss) == (3, None, 0.0931)
    assert MUSUBI.tick("epoch 2/5").epoch == 2
    assert MUSUBI.tick("12it [00:03,  3.95it/s]") is None
