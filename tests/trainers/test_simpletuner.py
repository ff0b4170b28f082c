"""SimpleTuner: what we write is what it reads, and what it would stop at is refused before."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lorads_core.base_models import base_model
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, Tick, trainer

SIMPLETUNER = trainer("simpletuner")
CONFIG = TrainingConfig(checkpoint="/models/sdxl.safetensors")
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000)))
FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")


def changed(**changes):
    return dataclasses.replace(CONFIG, **changes)


def files(config=CONFIG, subsets=(TRAINING, OTHERS), home=None):
    texts = SIMPLETUNER.files(config, subsets, FOLDER, OUTPUT, "cat", home)
    return {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}


def messages(config, subsets=(TRAINING,), severity="error", home=None):
    return " ".join(p.message for p in SIMPLETUNER.problems(config, subsets, home) if p.severity == severity)


def test_repeats_are_counted_besides_the_first_time():
    training, others, _ = files()["multidatabackend.json"]
    assert (training["repeats"], others["repeats"]) == (9, 0)
    assert training["instance_data_dir"] == str(FOLDER / "10_cat")
    assert training["caption_strategy"] == "textfile"
    assert training["crop"] is False


def test_an_empty_folder_is_no_backend():
    written = files(subsets=(TRAINING, dataclasses.replace(OTHERS, sizes=())))["multidatabackend.json"]
    assert [each["id"] for each in written] == ["10_cat", "text-embeds"]


def test_nothing_lets_it_delete_pictures():
    everything = json.dumps(files(changed(sample_prompts=("a",), shuffle_caption=True)))
    assert "delete" not in everything


def test_a_reused_folder_is_not_taken_up():
    assert files()["config.json"]["resume_from_checkpoint"] == ""


def test_regularization_is_preserved_only_where_that_is_asked_for():
    assert "is_regularisation_data" not in files()["multidatabackend.json"][1]
    training, others, _ = files(changed(regularization_method="preservation"))["multidatabackend.json"]
    assert others["is_regularisation_data"] is True
    assert "is_regularisation_data" not in training
    assert "beside the others" in messages(CONFIG, (TRAINING, OTHERS), "info")


def test_lines_are_variants_only_where_that_is_asked_for():
    assert files()["multidatabackend.json"][0]["disable_multiline_split"] is True
    assert files(changed(caption_variants=True))["multidatabackend.json"][0]["disable_multiline_split"] is False


def test_the_head_of_a_caption_is_not_shuffled():
    shuffle = files(changed(shuffle_caption=True, keep_tokens=3))["multidatabackend.json"][0]["caption_shuffle"]
    assert (shuffle["position_start"], shuffle["include_original"], shuffle["count"]) == (3, False, 10)


def test_a_cosine_is_as_long_as_the_training():
    planned = SIMPLETUNER.schedule(CONFIG, (TRAINING, OTHERS))
    assert files()["config.json"]["lr_warmup_steps"] == planned.total_steps
    assert files()["config.json"]["lr_end"] == 0.0
    assert "no warm-up: that of 0.05 is left out" in messages(CONFIG, severity="info")
    assert files(changed(scheduler="linear", warmup=0.1))["config.json"]["lr_warmup_steps"] == round(
        0.1 * planned.total_steps
    )


def test_constant_with_a_warm_up_is_the_scheduler_that_has_one():
    assert files(changed(scheduler="constant"))["config.json"]["lr_scheduler"] == "constant_with_warmup"
    assert files(changed(scheduler="constant", warmup=0.0))["config.json"]["lr_scheduler"] == "constant"


@pytest.mark.parametrize(
    ("decay", "text"), [(0.01, "weight_decay=0.010"), (0.0, "weight_decay=0.0"), (2.0, "weight_decay=2.0")]
)
def test_weight_decay_is_written_with_a_point(decay, text):
    assert files(changed(weight_decay=decay))["config.json"]["optimizer_config"] == text


@pytest.mark.parametrize(
    ("network", "keys"),
    [
        ("lora", {"algo": "lora"}),
        ("locon", {"algo": "lora", "conv_dim": 16, "conv_alpha": 8.0}),
        ("loha", {"algo": "loha", "conv_dim": 16, "conv_alpha": 8.0}),
        ("dora", {"algo": "lora", "dora_wd": True}),
    ],
)
def test_every_network_has_its_module(network, keys):
    written = files(changed(network=network))["lycoris_config.json"]
    assert {key: written[key] for key in keys} == keys
    assert ("dora_wd" in written) is (network == "dora")
    assert ("ResnetBlock2D" in written["apply_preset"]["target_module"]) is (network in {"locon", "loha"})
    assert (written["linear_dim"], written["linear_alpha"]) == (16, 8)


# Models since 2024: what SimpleTuner's guides and examples have


def of(base, **changes):
    return changed(base_model=base, **{"checkpoint": base_model(base).usual_checkpoint, **changes})


@pytest.mark.parametrize(
    ("base", "named", "step", "held"),
    [
        ("flux", ("flux", None), 64, "int8-quanto"),
        ("flux_krea", ("flux", "krea"), 64, "int8-quanto"),
        ("sd35", ("sd3", None), 64, None),
        ("chroma", ("chroma", "hd"), 64, "int8-quanto"),
        ("zimage", ("z_image", "base"), 64, "int8-torchao"),
        ("zimage_turbo", ("z_image", "turbo-ostris-v2"), 64, "int8-torchao"),
        ("krea2", ("krea2", "raw"), 64, "int8-torchao"),
        ("flux2", ("flux2", "dev"), 16, "int8-torchao"),
        ("flux2_klein_4b", ("flux2", "klein-4b"), 16, "int8-torchao"),
        ("qwen_image", ("qwen_image", "v1.0"), 32, "int8-quanto"),
        ("qwen_image_2512", ("qwen_image", "v2.0"), 32, "int8-quanto"),
        ("wan21_14b", ("wan", "t2v-480p-14b-2.1"), 32, "int8-quanto"),
        ("wan21_1_3b", ("wan", "t2v-480p-1.3b-2.1"), 32, None),
        ("ltx2", ("ltxvideo2", "dev"), 64, "int8-torchao"),
        ("ltx23", ("ltxvideo2", "2.3-dev"), 64, "int8-torchao"),
    ],
)
def test_each_model_has_its_flavour_step_of_buckets_and_bits(base, named, step, held):
    config = of(base)
    written = files(config)["config.json"]
    assert (written["model_family"], written.get("model_flavour")) == named
    assert written["pretrained_model_name_or_path"] == base_model(base).repository
    assert written["aspect_bucket_alignment"] == step
    assert written.get("base_model_precision") == held
    placed = SIMPLETUNER.placements(config, (TRAINING,))
    assert all(side % step == 0 for item in placed for side in item.bucket)


def test_samples_of_a_video_model_are_single_images():
    assert files(of("wan21_14b", sample_prompts=("a cat",)))["config.json"]["validation_num_video_frames"] == 1
    assert "validation_num_video_frames" not in files(of("zimage"))["config.json"]


@pytest.mark.parametrize(
    ("base", "why", "trainers"),
    [
        ("wan22_high", "it has image to video of it alone", "ai-toolkit, musubi-tuner"),
        ("wan22_5b", "would take an image for one", "ai-toolkit"),
        ("hunyuan_video", "it trains HunyuanVideo 1.5", "musubi-tuner (kohya-ss), OneTrainer"),
    ],
)
def test_a_video_model_that_it_cannot_train_on_images_is_refused_with_who_does(base, why, trainers):
    said = messages(of(base))
    assert why in said
    assert trainers in said


def test_the_first_bucket_of_an_aspect_is_that_of_all_subsets():
    # StateTracker.get_resolution_by_aspect: both are 0.56
    training = dataclasses.replace(TRAINING, sizes=((680, 1216),))
    others = dataclasses.replace(OTHERS, sizes=((688, 1216),))
    assert SIMPLETUNER.schedule(of("flux2", batch_size=1), (others,)).buckets == (((768, 1360), 1),)
    assert SIMPLETUNER.schedule(of("flux2", batch_size=1), (training, others)).buckets == (((768, 1376), 11),)


def test_a_folder_of_all_parts_is_taken_as_it_is():
    whole = files(of("flux", checkpoint="/models/flux"))["config.json"]
    assert whole["pretrained_model_name_or_path"] == "/models/flux"
    assert "pretrained_transformer_model_name_or_path" not in whole


@pytest.mark.parametrize("base", ["flux", "sd35", "chroma", "zimage", "krea2", "flux2", "qwen_image"])
def test_a_single_file_is_refused_as_its_own_transformers_read_none(base):
    said = messages(of(base, checkpoint="/models/base.safetensors"))
    assert f"no single file: choose {base_model(base).repository} as the checkpoint" in said


def test_de_turbo_has_its_own_transformer_and_the_other_parts_of_turbo():
    written = files(of("zimage_deturbo"))["config.json"]
    assert written["pretrained_model_name_or_path"] == "Tongyi-MAI/Z-Image-Turbo"
    assert written["pretrained_transformer_model_name_or_path"] == "ostris/Z-Image-De-Turbo"
    mine = files(of("zimage_deturbo", checkpoint="/models/deturbo"))["config.json"]
    assert mine["pretrained_model_name_or_path"] == mine["pretrained_transformer_model_name_or_path"]


@pytest.mark.parametrize(("base", "licence"), [("flux2", True), ("flux2_klein_4b", False), ("zimage", False)])
def test_a_licence_is_asked_for_only_where_there_is_one(base, licence):
    said = messages(of(base), severity="info")
    assert f"from {base_model(base).repository} at Hugging Face" in said
    assert ("accept the licence" in said) is licence


@pytest.mark.parametrize("network", ["loha", "lokr", "dora"])
def test_a_network_that_cannot_be_merged_for_comfyui_is_refused_with_what_to_use(network):
    config = of("lumina2", checkpoint="/models/base", network=network, fp8_base=False)
    assert "cannot be merged exactly: choose the network lora, or train it with sd-scripts" in messages(config)
    assert messages(of("lumina2", checkpoint="/models/base")) == ""


def test_images_of_hidream_are_no_larger_than_its_canvas():
    sizes = Subset("1_cat", 1, is_regularization=False, sizes=((1600, 900), (1280, 832), (2048, 2048)))
    placed = SIMPLETUNER.placements(of("hidream", resolution=1408), (sizes,))
    assert all(item.bucket[0] * item.bucket[1] <= 1024**2 for item in placed[:2])
    assert any(
        item.bucket[0] * item.bucket[1] > 1024**2
        for item in SIMPLETUNER.placements(of("chroma", resolution=1408), (sizes,))
    )


def test_only_distilled_models_with_an_assistant_lora_are_trained():
    assert messages(of("zimage_turbo")) == ""
    assert "a training adapter is needed): choose the trainer ai-toolkit," in messages(of("krea2_turbo"))


def test_schnell_has_the_schedule_without_which_it_stops():
    assert files(of("flux_schnell"))["config.json"]["flux_fast_schedule"] is True


def test_anima_of_one_file_takes_the_rest_from_its_repository():
    config = of("anima", checkpoint="/models/anima-base-v1.0.safetensors")
    assert messages(config) == ""
    written = files(config)["config.json"]
    assert written["pretrained_transformer_model_name_or_path"] == "/models/anima-base-v1.0.safetensors"
    assert written["pretrained_model_name_or_path"] == "circlestone-labs/Anima-Base-v1.0-Diffusers"
    assert "text encoders and VAE from circlestone-labs/Anima" in messages(config, severity="info")


def test_the_usual_repository_is_taken_where_no_checkpoint_is_chosen():
    written = files(of("flux", checkpoint=""))["config.json"]
    assert written["pretrained_model_name_or_path"] == "black-forest-labs/FLUX.1-dev"
    assert messages(of("flux", checkpoint=""), severity="warning") == ""
    assert "No checkpoint is chosen" in messages(changed(checkpoint=""), severity="warning")


def test_timesteps_are_shifted_as_its_guide_has_it_or_as_an_extra_option_says():
    assert files(of("qwen_image"))["config.json"]["flow_schedule_shift"] == 1.73
    assert files(of("qwen_image", extra={"flow_schedule_shift": 3.0}))["config.json"]["flow_schedule_shift"] == 3.0
    assert "flow_schedule_shift" not in files(of("flux"))["config.json"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scheduler": "cosine_with_restarts"}, "constant under cosine_with_restarts: choose cosine"),
        ({"scheduler": "rex"}, "no scheduler 'rex'"),
        ({"optimizer": "DAdaptAdam"}, "no optimizer 'DAdaptAdam'"),
        ({"network_alpha": 8.5}, "8.5 is none: use 8"),
        ({"network_alpha": 0.5}, "0.5 is none: use 1"),
        ({"min_snr_gamma": 2.5}, "2.5 is none: use 2"),
        ({"masked_loss": "alpha"}, "train masks with sd-scripts"),
        ({"masked_loss": "sidecar"}, "train masks with sd-scripts"),
        ({"random_crop": True}, "Random cropping cannot be learned from cached latents"),
        ({"fp8_base": True, "mixed_precision": "no"}, "needs mixed precision"),
        ({"fp8_base": True, "network": "dora"}, "DoRA cannot be trained on a base model in 8 bits"),
        ({"base_model": "flux", "network": "locon"}, "choose the network lora"),
    ],
)
def test_what_it_would_stop_at_is_refused(change, says):
    assert says in messages(changed(**change))


def test_a_bucket_with_fewer_samples_than_a_step_is_refused():
    config = changed(batch_size=4, gradient_accumulation_steps=3)
    assert "fewer samples than the 12 of a step, which stops SimpleTuner: use at least 12 repeats" in messages(config)
    assert messages(changed(batch_size=4)) == ""


def test_a_bucket_without_repeats_is_filled_up():
    assert "over and over" in messages(CONFIG, (TRAINING, OTHERS), "warning")
    planned = SIMPLETUNER.schedule(CONFIG, (TRAINING, OTHERS))
    assert dict(planned.buckets)[1024, 1024] == 10 + 2
    three = dataclasses.replace(OTHERS, sizes=((1024, 1024),) * 2)
    assert dict(SIMPLETUNER.schedule(changed(batch_size=3), (three,)).buckets) == {(1024, 1024): 6}


def test_steps_are_those_of_the_batches_that_samples_fill():
    alone = dataclasses.replace(TRAINING, sizes=((1024, 1024),))
    assert SIMPLETUNER.schedule(changed(epochs=3), (alone,)).total_steps == 3 * 5
    assert SIMPLETUNER.schedule(changed(epochs=3, gradient_accumulation_steps=2), (alone,)).total_steps == 9
    one_epoch = changed(epochs=1, batch_size=5, gradient_accumulation_steps=3, repeats=5)
    five = dataclasses.replace(TRAINING, sizes=((1024, 1024),) * 5, repeats=5)
    assert SIMPLETUNER.schedule(one_epoch, (five,)).total_steps == 1  # 5 batches: what is left is never applied


def test_a_picture_too_long_for_any_bucket_is_refused():
    assert "a side smaller than a bucket step" in messages(
        CONFIG, (dataclasses.replace(TRAINING, sizes=((10, 3000),)),)
    )


def test_saves_are_counted_in_steps():
    planned = SIMPLETUNER.schedule(changed(epochs=3), (TRAINING,))
    assert SIMPLETUNER.checkpoints(changed(epochs=3, save_every_epochs=2), planned, "cat") == (
        "checkpoint-30/pytorch_lora_weights.safetensors",
        "pytorch_lora_weights.safetensors",
    )
    written = files(changed(epochs=3, save_every_epochs=2), (TRAINING,))["config.json"]
    assert (written["checkpoint_step_interval"], written["checkpoints_total_limit"]) == (30, 0)


def command_of(config, folder):
    (stage,) = SIMPLETUNER.stages(config, folder)
    return list(stage.arguments)


def test_it_is_started_by_accelerate_with_the_folder_of_its_config():
    command = command_of(changed(processes=2), FOLDER)
    assert command[0] == str(FOLDER / "start_simpletuner.py")
    assert command[-2:] == ["--module", "simpletuner.train"]
    assert "--multi_gpu" in command
    assert "--multi_gpu" not in command_of(CONFIG, FOLDER)
    assert max(map(len, command)) < 80


def test_its_start_file_runs_accelerate_of_the_trainer_and_no_module_of_the_export(tmp_path):
    export, home = tmp_path / "Jim's export", tmp_path / "trainer"
    export.mkdir()
    (home / "accelerate" / "commands").mkdir(parents=True)
    for name in ("runpy.py", "accelerate.py", "json.py"):
        (export / name).write_text("raise SystemExit(9)")
    texts = SIMPLETUNER.files(CONFIG, (TRAINING,), export, tmp_path / "out", "cat")
    (export / "start_simpletuner.py").write_text(texts["start_simpletuner.py"], encoding="utf-8")
    for package in ("accelerate", "accelerate/commands"):
        (home / package / "__init__.py").touch()
    (home / "accelerate/commands/launch.py").write_text(
        "import json, os, sys\n"
        "names = ('SIMPLETUNER_ENVIRONMENT', 'CONFIG_BACKEND', 'CONFIG_PATH')\n"
        "print(json.dumps([[os.environ.get(name) for name in names], sys.argv[1:]]))\n"
    )
    command = [sys.executable, *command_of(CONFIG, export)]
    environment = {**os.environ, "CONFIG_PATH": "/elsewhere"}
    ran = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [[str(export), "json", None], command[2:]]


# As 4.8 wrote them in a training of a small model on a processor.
METRICS = (
    '{"metrics":{"epoch":3.0,"grad_absmax":0.007,"learning_rate":1e-05,"optimization_loss":1.14,"train_loss":1.13},'
    '"schema_version":1,"step":15,"timestamp":"2026-11-23T10:28:48.714783+00:00"}'
)


@pytest.mark.parametrize(
    ("line", "tick"),
    [
        ("Epoch 1/3 Steps:   0%|          | 0/15 [00:00<?, ?it/s]", Tick(step=0, total_steps=15, epoch=1)),
        (
            "Epoch 3/3, Steps: 100%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588| 15/15 [00:19<00:00,  1.25it/s, lr=1.09e-6, step_loss=1.12]",  # noqa: E501
            Tick(step=15, total_steps=15, epoch=3, loss=1.12, learning_rate=1.09e-6, rate=1.25),
        ),
        (
            "Epoch 2/3, Steps:  60%|\u2588\u2588\u2588\u2588\u2588\u2588    | 9/15 [00:19<00:00,  2.00s/it, lr=0, step_loss=nan]",  # noqa: E501
            Tick(step=9, total_steps=15, epoch=2, loss=float("nan"), learning_rate=0.0, rate=0.5),
        ),
        (METRICS, Tick(step=15, epoch=3, loss=1.13, learning_rate=1e-5)),
        ('{"metrics": {"train_lo', None),
        ('{"step": 3}', None),
        ("Generating aspect bucket cache: 100%|\u2588\u2588| 5/5 [00:00<00:00, 49.91it/s]", None),
    ],
)
def test_progress_is_read(line, tick):
    assert repr(SIMPLETUNER.tick(line)) == repr(tick)


@pytest.mark.parametrize("place", ["simpletuner", ".venv/lib/python3.12/site-packages/simpletuner"])
def test_the_installed_version_is_looked_at(tmp_path, place):
    package = tmp_path / place
    package.mkdir(parents=True)
    assert "There is no SimpleTuner in" in messages(CONFIG, home=tmp_path)
    (package / "__init__.py").write_text('__version__ = "4.8.0"\n')
    assert messages(CONFIG, home=tmp_path) == ""
    assert files(home=tmp_path)["config.json"]["report_to"] == "simpletuner"
    (package / "__init__.py").write_text('__version__ = "4.7.1"\n')
    assert messages(CONFIG, home=tmp_path) == ""
    assert files(home=tmp_path)["config.json"]["report_to"] == "none"
    (package / "__init__.py").write_text("__version__ = '4.6.0'\n")
    assert "is version 4.6, and 4.7 is the oldest" in messages(CONFIG, home=tmp_path)


def test_a_training_that_was_seen_to_stop_is_a_warning():
    said = "was seen to stop at Stable Diffusion 1.5 when captions are encoded"
    assert said in messages(of("sd15"), severity="warning")
    assert said not in messages(of("sdxl"), severity="warning")
