"""What differs between sd-scripts' scripts of SD 3.5, Chroma, Anima, Lumina 2 and HunyuanImage 2.1."""

import json
import sys
from pathlib import Path

import pytest

from lorads_core.base_models import BASE_MODELS, base_model
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.sd_scripts.scripts import FAMILIES

from .cases import FILES, first_of, is_another

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SD_SCRIPTS = trainer("sd-scripts")
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024))),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024),)),
)
EVERY = [base.name for base in BASE_MODELS if base.family.name in FAMILIES and not base.adapter and not base.edits]


def config_of(family, **changes):
    base = base_model(first_of(family))
    files = {part: f"/models/{part}.safetensors" for part in base.family.parts}
    return TrainingConfig(**{"base_model": base.name, **FILES, "model_files": files, **changes})


def written(config):
    return tomllib.loads(SD_SCRIPTS.files(config, SUBSETS, Path("/x"), Path("/o"), "cat")["training_config.toml"])


def said(config, severity="warning"):
    return [p.message for p in SD_SCRIPTS.problems(config, SUBSETS) if p.severity == severity]


@pytest.mark.parametrize("base", EVERY)
@pytest.mark.parametrize("network", network_names())
def test_every_network_is_trained_for_every_base_model_that_can_have_it(base, network):
    errors = said(TrainingConfig(base_model=base, network=network, **FILES), "error")
    assert bool(errors) == is_another(base, network), errors


@pytest.mark.parametrize("base", EVERY)
def test_every_file_of_a_family_is_given_to_its_script(base):
    keys = written(TrainingConfig(base_model=base, **FILES))
    parts = base_model(base).family.parts
    assert {f"/models/{part}.safetensors" for part in parts} <= set(map(str, keys.values()))


@pytest.mark.parametrize("family", ["chroma", "hunyuan_image"])
def test_text_encoders_that_are_not_trained_are_said_and_left_out(family):
    config = config_of(family, text_encoder_learning_rate=5e-5)
    keys = written(config)
    assert "text_encoder_lr" not in keys
    assert keys["network_train_unet_only"] is True
    assert keys["cache_text_encoder_outputs"] is True
    assert any("has no text encoder learning rate" in message for message in said(config))


@pytest.mark.parametrize(("family", "rates", "cached"), [("sd35", 2, True), ("anima", 1, False), ("lumina2", 1, False)])
def test_trained_text_encoders_are_cached_only_where_the_script_takes_both(family, rates, cached):
    keys = written(config_of(family, text_encoder_learning_rate=5e-5))
    assert keys["text_encoder_lr"] == [5e-5] * rates
    assert ("cache_text_encoder_outputs" in keys) == cached


def test_dropped_captions_are_cached_by_anima_alone():
    cached = [
        f
        for f in ("sd35", "chroma", "anima", "lumina2", "hunyuan_image")
        if "cache_text_encoder_outputs" in written(config_of(f, caption_dropout=0.1))
    ]
    assert cached == ["anima"]


@pytest.mark.parametrize(
    ("family", "usual"),
    [("sd35", None), ("chroma", "fp8_base"), ("anima", None), ("lumina2", None), ("hunyuan_image", "fp8_scaled")],
)
def test_only_the_largest_are_held_in_8_bits_by_themselves(family, usual):
    assert {"fp8_base", "fp8_scaled"} & set(written(config_of(family))) == ({usual} if usual else set())
    assert not {"fp8_base", "fp8_scaled"} & set(written(config_of(family, network="dora")))


def test_8_bits_that_a_script_has_not_are_said_and_left_out():
    config = config_of("anima", fp8_base=True)
    assert "fp8_base" not in written(config)
    assert any("has no fp8 base" in message for message in said(config))
    assert not any("fp8" in message for message in said(config_of("anima", fp8_base=False)))


@pytest.mark.parametrize("family", ["anima", "hunyuan_image"])
def test_preservation_that_a_script_would_train_as_usual_images_is_refused(family):
    (message,) = said(config_of(family, regularization_method="preservation", batch_size=1), "error")
    assert "has no differential output preservation" in message
    assert "use regularization images as prior" in message


def test_sd35_finds_its_text_encoders_in_the_checkpoint():
    assert "needs more files" not in " ".join(said(config_of("sd35", model_files={})))
    assert "needs more files" in " ".join(said(config_of("anima", model_files={})))


def test_a_lora_that_comfyui_does_not_load_as_it_is_comes_with_its_converter():
    assert "networks/convert_hunyuan_image_lora_to_comfy.py" in " ".join(said(config_of("hunyuan_image")))


def test_the_length_of_a_caption_is_set_for_each_tokenizer():
    assert {"qwen3_max_token_length", "t5_max_token_length"} <= set(written(config_of("anima")))
    assert "gemma2_max_token_length" in written(config_of("lumina2"))
    assert not [key for key in written(config_of("hunyuan_image")) if key.endswith("max_token_length")]


def test_chroma_draws_its_samples_with_guidance():
    config = config_of("chroma", sample_prompts=("a cat",))
    (prompt,) = json.loads(SD_SCRIPTS.files(config, SUBSETS, Path("/x"), Path("/o"), "cat")["sample_prompts.json"])
    assert (prompt["guidance_scale"], prompt["scale"]) == (0.0, 4.0)


def test_the_loss_of_predicted_velocity_is_scaled_once():
    assert written(TrainingConfig(v_prediction=True))["scale_v_pred_loss_like_noise_pred"] is True
    assert "scale_v_pred_loss_like_noise_pred" not in written(TrainingConfig(v_prediction=True, min_snr_gamma=5.0))
    assert "scale_v_pred_loss_like_noise_pred" not in written(TrainingConfig())
