"""ai-toolkit: what we write is what it reads, and what it would stop at is refused before."""

import dataclasses
import json
from pathlib import Path

import pytest

from lorads_core.base_models import base_model
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, Tick, trainer

AI_TOOLKIT = trainer("ai-toolkit")
CONFIG = TrainingConfig(checkpoint="/models/sdxl.safetensors")
FLUX = TrainingConfig(base_model="flux", checkpoint="black-forest-labs/FLUX.1-dev")
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000)))
FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")


def changed(config=CONFIG, **changes):
    return dataclasses.replace(config, **changes)


def process(config=CONFIG, subsets=(TRAINING, OTHERS)):
    (text,) = AI_TOOLKIT.files(config, subsets, FOLDER, OUTPUT, "cat").values()
    return json.loads(text)["config"]["process"][0]


@pytest.mark.parametrize(("base", "trained"), [("wan22_high", "high"), ("wan22_low", "low")])
def test_of_the_two_denoisers_of_wan_22_one_is_trained_and_saved_as_a_lora_of_its_own(base, trained):
    found = process(TrainingConfig(base_model=base))
    halves = {f"train_{each}_noise": each == trained for each in ("high", "low")}
    assert (found["model"]["arch"], found["model"]["model_kwargs"]) == ("wan22_14b", halves)
    assert found["network"]["split_multistage_loras"] is False
    assert "model_kwargs" not in process(TrainingConfig(base_model="wan21_14b"))["model"]


def messages(config, subsets=(TRAINING,), severity="error", home=None):
    return " ".join(p.message for p in AI_TOOLKIT.problems(config, subsets, home) if p.severity == severity)


def test_regularization_is_declared_and_preserved_only_where_that_is_asked_for():
    training, others = process()["datasets"]
    assert "is_reg" not in training
    assert others["is_reg"] is True
    assert "prior_reg" not in others
    assert process(changed(regularization_method="preservation"))["datasets"][1]["prior_reg"] is True
    assert "Every other step" in messages(CONFIG, (TRAINING, OTHERS), "info")


def test_epochs_become_steps_and_every_save_is_kept():
    planned = AI_TOOLKIT.schedule(CONFIG, (TRAINING,))
    made = process(subsets=(TRAINING,))
    assert made["train"]["steps"] == planned.total_steps == 150
    assert made["save"]["save_every"] == planned.steps_per_epoch == 15
    assert made["save"]["max_step_saves_to_keep"] > 10
    assert AI_TOOLKIT.checkpoints(CONFIG, planned, "cat")[:2] == (
        "cat/cat_000000015.safetensors",
        "cat/cat_000000030.safetensors",
    )
    assert AI_TOOLKIT.checkpoints(CONFIG, planned, "cat")[-1] == "cat/cat.safetensors"


def test_a_step_of_regularization_images_is_made_up_for():
    alone = AI_TOOLKIT.schedule(CONFIG, (TRAINING,)).total_steps
    both = AI_TOOLKIT.schedule(CONFIG, (TRAINING, OTHERS))
    trained = sum(
        step % 2 or step % both.steps_per_epoch == 0 for step in range(both.total_steps)
    )  # BaseSDTrainProcess.run: even steps, but for those that save
    assert trained == alone


@pytest.mark.parametrize(
    ("save_every", "sample_every", "prompts"), [(1, 1, ()), (3, 2, ("a",)), (2, 3, ("a",)), (7, 1, ("a",))]
)
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_steps_are_as_many_as_its_loop_needs(save_every, sample_every, prompts, batch_size):
    config = changed(
        save_every_epochs=save_every, sample_every_epochs=sample_every, sample_prompts=prompts, batch_size=batch_size
    )
    wanted = AI_TOOLKIT.schedule(config, (TRAINING,)).total_steps
    planned = AI_TOOLKIT.schedule(config, (TRAINING, OTHERS))
    pauses = [save_every * planned.steps_per_epoch, *[sample_every * planned.steps_per_epoch for _ in prompts]]
    trained = [step % 2 == 1 or any(step % every == 0 for every in pauses) for step in range(planned.total_steps)]
    assert sum(trained) == wanted
    assert trained[-1]


def test_steps_of_a_very_long_training_are_counted_at_once():
    long = changed(epochs=100_000, repeats=100_000)
    others = dataclasses.replace(OTHERS, repeats=100_000)
    training = dataclasses.replace(TRAINING, repeats=100_000)
    assert AI_TOOLKIT.schedule(long, (training, others)).total_steps > 10**10


def test_the_text_encoders_learn_at_the_one_rate_that_there_is():
    trained = process(changed(text_encoder_learning_rate=CONFIG.learning_rate))["train"]
    assert trained["train_text_encoder"] is True
    assert "text_encoder_lr" not in trained  # it is read, and used nowhere
    assert process()["train"]["train_text_encoder"] is False


def test_no_u_net_is_held_in_8_bits():
    assert "quantize" not in process(changed(fp8_base=True))["model"]
    assert "it holds no U-Net in 8 bits" in messages(changed(fp8_base=True), severity="warning")
    assert process(FLUX)["model"]["quantize"] is True
    assert "quantize" not in process(changed(FLUX, fp8_base=False))["model"]


# Models since 2025: what its own window sets for each (ui/src/app/jobs/new/options.tsx)


def of(base, **changes):
    return TrainingConfig(base_model=base, checkpoint=base_model(base).usual_checkpoint, **changes)


@pytest.mark.parametrize(
    ("base", "arch", "timesteps", "sampled"),
    [
        ("sd35", "sd3", "linear", (4.0, 25)),
        ("chroma", "chroma", None, (4.0, 25)),
        ("anima", "anima", "weighted", (4.0, 25)),
        ("zimage", "zimage", "weighted", (4.0, 30)),
        ("zimage_deturbo", "zimage", "weighted", (3.0, 25)),
        ("zimage_turbo", "zimage", "weighted", (1.0, 9)),
        ("krea2", "krea2", "linear", (4.0, 25)),
        ("krea2_turbo", "krea2", "linear", (1.0, 9)),
        ("flux2", "flux2", "weighted", (4.0, 25)),
        ("flux2_klein_4b", "flux2_klein_4b", "weighted", (4.0, 25)),
        ("flux2_klein_9b", "flux2_klein_9b", "weighted", (4.0, 25)),
        ("qwen_image_2512", "qwen_image", "weighted", (4.0, 25)),
    ],
)
def test_each_model_has_its_architecture_timesteps_and_way_of_sampling(base, arch, timesteps, sampled):
    made = process(of(base))
    assert made["model"]["arch"] == arch
    assert made["train"].get("timestep_type") == timesteps
    assert (made["sample"]["guidance_scale"], made["sample"]["sample_steps"]) == sampled
    assert made["train"]["noise_scheduler"] == made["sample"]["sampler"] == "flowmatch"


@pytest.mark.parametrize(
    ("base", "config", "held"),
    [
        ("zimage", {}, (True, True)),
        ("sd35", {}, (True, None)),
        ("anima", {}, (None, None)),
        ("anima", {"fp8_base": True}, (True, None)),
        ("qwen_image", {"fp8_base": False}, (None, None)),
        ("krea2", {"mixed_precision": "no"}, (None, None)),
    ],
)
def test_it_is_held_in_8_bits_as_its_own_window_has_it(base, config, held):
    made = process(of(base, **config))["model"]
    assert (made.get("quantize"), made.get("low_vram")) == held


def test_an_extra_option_goes_over_what_is_only_usual():
    extra = {"train": {"timestep_type": "sigmoid"}, "model": {"low_vram": False}}
    config = of("zimage", extra=extra)
    assert messages(config) == ""
    made = process(config)
    assert (made["train"]["timestep_type"], made["model"]["low_vram"]) == ("sigmoid", False)


def test_a_distilled_model_is_trained_with_its_adapter():
    adapter = process(of("zimage_turbo"))["model"]["assistant_lora_path"]
    assert adapter == "ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v2.safetensors"
    assert "assistant_lora_path" not in process(of("zimage"))["model"]
    said = messages(of("zimage_turbo"), severity="info")
    assert "takes the training adapter from ostris/zimage_turbo_training_adapter at Hugging Face" in said


def test_other_parts_are_those_of_the_base_model_where_its_checkpoint_has_none():
    alone = dataclasses.replace(of("qwen_image_2512"), checkpoint="/models/qwen_image_2512_bf16.safetensors")
    assert process(alone)["model"]["extras_name_or_path"] == "Qwen/Qwen-Image-2512"
    assert "what Qwen-Image 2512's checkpoint lacks from Qwen/Qwen-Image-2512" in messages(alone, severity="info")
    assert "extras_name_or_path" not in process(of("qwen_image_2512"))["model"]
    assert process(of("zimage_deturbo"))["model"]["name_or_path"] == "ostris/Z-Image-De-Turbo"
    assert process(of("zimage_deturbo"))["model"]["extras_name_or_path"] == "Tongyi-MAI/Z-Image-Turbo"
    assert process(of("flux2"))["model"]["vae_path"] == "black-forest-labs/FLUX.2-dev"


@pytest.mark.parametrize(
    ("base", "said", "unsaid"),
    [
        ("flux2", "accept the licence of black-forest-labs/FLUX.2-dev there", "Instruct-2503 there"),
        ("flux2_klein_4b", "Qwen/Qwen3-4B and ai-toolkit/flux2_vae at Hugging Face, which it downloads", "licence"),
        ("chroma", "ostris/Flex.1-alpha at Hugging Face, which it downloads", "licence"),
    ],
)
def test_a_licence_is_asked_for_only_where_there_is_one(base, said, unsaid):
    found = messages(of(base), severity="info")
    assert said in found
    assert unsaid not in found


@pytest.mark.parametrize("base", ["chroma", "zimage", "krea2", "flux2", "flux2_klein_9b", "qwen_image"])
def test_newer_models_are_taken_as_a_single_file(base):
    assert messages(dataclasses.replace(of(base), checkpoint="/models/base.safetensors")) == ""


@pytest.mark.parametrize(("base", "refused"), [("chroma", True), ("krea2", True), ("flux2", True), ("zimage", False)])
def test_a_folder_of_diffusers_is_refused_where_it_reads_one_file_alone(base, refused, tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    said = messages(dataclasses.replace(of(base), checkpoint=str(tmp_path)))
    assert ("is a folder in Diffusers' form: choose a file, or choose" in said) is refused


@pytest.mark.parametrize("base", ["anima", "sd35"])
def test_a_single_file_is_refused_where_it_reads_all_parts_from_one_place(base):
    said = messages(dataclasses.replace(of(base), checkpoint="/models/base.safetensors"))
    assert f"no single file: choose {base_model(base).repository} as the checkpoint" in said


@pytest.mark.parametrize("base", ["lumina2", "netayume"])
def test_a_network_that_cannot_be_merged_for_comfyui_is_refused_with_what_to_use(base):
    config = TrainingConfig(base_model=base, checkpoint="/models/base")
    said = messages(dataclasses.replace(config, network="lokr"))
    assert (
        "those of ai-toolkit's LoKr cannot be merged exactly: choose the network lora, or train it with sd-scripts"
        in said
    )
    assert messages(config) == ""
    assert "a system prompt of its own" in messages(config, severity="info")


def test_a_single_file_of_a_model_without_a_usual_repository_asks_for_a_folder():
    said = messages(TrainingConfig(base_model="netayume", checkpoint="/models/base.safetensors"))
    assert said.endswith("and no single file: choose such a folder as the checkpoint.")


def test_the_usual_repository_is_taken_where_no_checkpoint_is_chosen():
    none = dataclasses.replace(of("zimage_deturbo"), checkpoint="")
    assert process(none)["model"]["name_or_path"] == "ostris/Z-Image-De-Turbo"
    assert process(none)["model"]["extras_name_or_path"] == "Tongyi-MAI/Z-Image-Turbo"
    assert "takes FLUX.1 dev from black-forest-labs/FLUX.1-dev" in messages(
        changed(FLUX, checkpoint=""), severity="info"
    )
    assert "No checkpoint" not in messages(none, severity="warning")
    assert "No checkpoint is chosen" in messages(changed(checkpoint=""), severity="warning")


def test_a_lora_of_a_newer_model_goes_on_from_its_own_names():
    assert AI_TOOLKIT.initial_lora(of("krea2")).keys == ("diffusion_model.",)
    assert AI_TOOLKIT.initial_lora(of("sd35")).keys == ("transformer.",)


def test_the_adapting_adam_is_no_lion():
    # toolkit/optimizer.py makes a DAdaptLion of both dadaptationlion and dadaptationadam
    assert process(changed(optimizer="DAdaptAdam"))["train"]["optimizer"] == "dadaptation"
    assert "has no optimizer 'DAdaptLion'" in messages(changed(optimizer="DAdaptLion"))  # and stops at that


def test_nothing_is_put_in_the_place_of_a_variable():
    (text,) = AI_TOOLKIT.files(changed(sample_prompts=("${HOME}",)), (TRAINING,), FOLDER, OUTPUT, "cat").values()
    assert "${" not in text
    assert json.loads(text)["config"]["process"][0]["sample"]["prompts"] == ["${HOME}"]


def test_sampling_is_off_without_prompts():
    assert process()["train"]["disable_sampling"] is True
    assert process(changed(sample_prompts=("a",)))["train"]["disable_sampling"] is False


def test_an_empty_folder_is_no_dataset():
    assert len(process(subsets=(TRAINING, dataclasses.replace(OTHERS, sizes=())))["datasets"]) == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (changed(network="loha"), "does not train LoHa"),
        (changed(FLUX, network="loha"), "networks lora, locon, lokr"),
        (changed(FLUX, network="locon"), "choose the network lora"),
        (changed(network="dora"), "a form that ComfyUI does not read"),
        (changed(shuffle_caption=True), "turn shuffling off"),
        (changed(caption_variants=True), "turn variants off"),
        (changed(processes=2), "set the number of processes to 1"),
        (changed(FLUX, checkpoint="/models/flux.safetensors"), "choose black-forest-labs/FLUX.1-dev"),
        (changed(scheduler="polynomial"), "choose linear"),
        (changed(optimizer="Prodigyy"), "did you mean Prodigy"),
        (changed(FLUX, fp8_base=True, mixed_precision="no"), "choose bf16"),
        (changed(text_encoder_learning_rate=5e-5), "set that of the text encoders to 0.0001 too, or to 0"),
        (changed(cache_text_encoder_outputs=True, caption_dropout=0.1), "leave that caching to us"),
        (changed(network_dim=0), "network dim"),
    ],
)  # fmt: skip
def test_what_it_stops_at_is_refused_with_what_to_use(config, said):
    assert said in messages(config)


@pytest.mark.parametrize(
    ("field", "value"),
    [("random_crop", True), ("color_aug", True), ("max_bucket_side", 1536), ("bucket_step", 32), ("keep_tokens", 3)],
)
def test_what_it_lacks_is_told(field, value):
    assert f"no {field.replace('_', ' ')}" in messages(changed(**{field: value}), severity="warning")


def test_a_folder_without_it_is_refused(tmp_path):
    assert f"There is no ai-toolkit in {tmp_path}" in messages(CONFIG, home=tmp_path)
    (tmp_path / "toolkit").mkdir()
    (tmp_path / "run.py").touch()
    (tmp_path / "toolkit" / "config_modules.py").write_text("nothing new")
    assert "update it" in messages(CONFIG, home=tmp_path)


# What its ToolkitProgressBar (toolkit/progress_bar.py) wrote, with postfix and pauses of BaseSDTrainProcess.run.
BARS = (
    ("tom:   0%|          | 0/60 [00:00<?, ?it/s]", None),
    (
        "tom:   0%|          | 0/60 [00:00<?, ?it/s, lr: 1.0e-04 loss: 3.210e-01]",
        Tick(step=0, total_steps=60, loss=0.321, learning_rate=1e-4),
    ),
    (
        "tom:   8%|5         | 5/60 [00:00<00:02, 19.83it/s, lr: 1.0e-04 loss: 3.210e-01]",
        Tick(step=5, total_steps=60, loss=0.321, learning_rate=1e-4, rate=19.83),
    ),
    (
        "two cats:   3%|\u258e         | 2/60 [00:03<01:15,  2.00s/it, lr: 1.0e-04 loss: nan]",
        Tick(step=2, total_steps=60, loss=float("nan"), learning_rate=1e-4, rate=0.5),
    ),
    (
        "cat: 100%|\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588| 60/60 [01:02:03<00:00,  1.10it/s, lr: 0.0e+00 loss: 3.210e-01 prior: 1.000e-02]",  # noqa: E501
        Tick(step=60, total_steps=60, loss=0.321, learning_rate=0.0, rate=1.1),
    ),
    ("Caching latents to disk:  10%|\u2588         | 1/10 [00:00<00:04,  2.00it/s]", None),
    ("Saving at step 15", None),
    ("Saved checkpoint to /exports/cat-lora/cat/cat_000000015.safetensors", None),
    ("", None),
)


@pytest.mark.parametrize(("line", "tick"), BARS)
def test_progress_is_read_from_its_bar(line, tick):
    assert repr(AI_TOOLKIT.tick(line)) == repr(tick)


def test_masks_lie_beside_the_pictures_folder():
    assert AI_TOOLKIT.mask("10_cat", "000001-cat") == "10_cat_masks/000001-cat.png"
    assert process(changed(masked_loss="sidecar"))["datasets"][0]["mask_path"] == str(FOLDER / "10_cat_masks")
    assert process(changed(masked_loss="alpha"))["datasets"][0]["alpha_mask"] is True


def test_samples_of_kontext_are_refused_as_they_are_drawn_from_a_control_image():
    config = TrainingConfig(base_model="flux_kontext", sample_prompts=("a cat",))
    refused = [p.message for p in AI_TOOLKIT.problems(config, (TRAINING,)) if p.severity == "error"]
    assert refused == [
        "ai-toolkit stops at a sample of FLUX.1 Kontext dev without a control image: leave the sample prompts out."
    ]
    without = TrainingConfig(base_model="flux_kontext")
    assert "edit-model" in {p.code for p in AI_TOOLKIT.problems(without, (TRAINING,))}


def test_an_edit_model_that_needs_control_images_is_refused_with_who_trains_it():
    (message,) = (p.message for p in AI_TOOLKIT.problems(TrainingConfig(base_model="qwen_image_edit"), (TRAINING,)))
    assert message == (
        "ai-toolkit does not train Qwen-Image-Edit (it needs a control image with each image): choose the"
        " trainer musubi-tuner (kohya-ss), or choose another base model."
    )
