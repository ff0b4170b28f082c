"""A checkpoint is checked against its base model before anything is written, for every trainer alike."""

import json
import struct
from pathlib import Path

import pytest

from lorads_core.base_models import base_model
from lorads_core.trainers import trainers
from lorads_core.trainers.checkpoint_checks import checkpoint_problems
from lorads_core.trainers.defaults import make_config

FILE = Path(__file__).parents[1] / "checkpoints" / "golden" / "comfyui_models.json"
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))["models"]


@pytest.fixture
def make(tmp_path):
    """Write a model's header as a whole checkpoint, or as its denoiser alone."""

    def write(model, name="model.safetensors", marks=(), prefix="model.diffusion_model.", *, whole=True):
        shapes = {prefix + key: shape for key, shape in GOLDEN[model]["tensors"].items()}
        shapes |= {key: [0] for key in marks}
        if whole:
            shapes |= {"conditioner.x": [1], "first_stage_model.x": [1]}
        header = {key: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for key, shape in shapes.items()}
        text = json.dumps(header).encode()
        (tmp_path / name).write_bytes(struct.pack("<Q", len(text)) + text)
        return str(tmp_path / name)

    return write


def said(checkpoint, base="sdxl", **more):
    config = make_config({"base_model": base, "checkpoint": checkpoint, **more})
    return [(each.severity, each.message.removeprefix(f"{checkpoint} is ")) for each in checkpoint_problems(config)]


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("zimage", "illustrious"),
        ("flux2:klein", "illustrious"),
        ("zimage", "flux"),
        ("flux2:klein", "flux"),
        ("chroma", "flux"),
        ("sdxl", "sd15"),
        ("sd15", "sdxl"),
        ("sdxl_refiner", "sdxl"),
    ],
)
@pytest.mark.parametrize("trainer", trainers())
def test_a_file_of_another_architecture_is_an_error_of_each_trainer(trainer, model, base, make):
    each = trainers()[trainer]
    if base_model(base).family.name not in each.families:
        pytest.skip(f"{trainer} does not train {base}")
    config = make_config({"base_model": base, "checkpoint": make(model)})
    errors = [problem.message for problem in each.problems(config, ()) if problem.severity == "error"]
    assert any(f"and the base model is {base_model(base).label}" in error for error in errors)


@pytest.mark.parametrize(("model", "base"), [("sdxl", "illustrious"), ("sd15", "sd15"), ("flux", "flux")])
def test_a_file_of_the_base_models_own_architecture_is_no_problem(model, base, make):
    assert said(make(model), base) == []


def test_a_file_that_says_it_predicts_velocity_is_a_warning_where_that_is_off(make):
    ((severity, message),) = said(make("sdxl", marks=["v_pred", "ztsnr"]), "illustrious")
    assert severity == "warning"
    assert "predicts velocity, as it says itself" in message
    assert "turn v-prediction on" in message
    assert said(make("sdxl", marks=["v_pred", "ztsnr"]), "illustrious", v_prediction=True) == []


def test_a_name_that_says_so_is_called_a_guess(make):
    ((severity, message),) = said(make("sdxl", "NoobAI-XL-Vpred-v1.0.safetensors"), "illustrious")
    assert severity == "warning"
    assert "may predict velocity (a guess by its file name)" in message


def test_schnell_taken_for_dev_is_a_warning(make):
    ((severity, message),) = said(make("flux:schnell"), "flux")
    assert severity == "warning"
    assert "schnell: a distilled model" in message


def test_schnell_is_no_mistake_where_it_is_trained_with_its_adapter(make):
    assert said(make("flux:schnell"), "flux_schnell") == []


@pytest.mark.parametrize(
    ("model", "name", "base", "meant"),
    [
        ("flux", "flux1-dev-kontext_fp8_scaled.safetensors", "flux", "FLUX.1 Kontext dev"),
        ("qwen_image", "qwen_image_edit_2509_bf16.safetensors", "qwen_image_2512", "Qwen-Image-Edit 2509"),
    ],
)
def test_an_edit_model_is_guessed_by_its_name_where_another_model_of_its_family_is_trained(
    model, name, base, meant, make
):
    ((severity, message),) = said(make(model, name), base)
    assert severity == "warning"
    assert "may be an edit model (a guess by its file name)" in message
    assert meant in message


def test_a_file_that_nothing_calls_an_edit_model_is_a_warning_where_one_is_trained(make):
    ((severity, message),) = said(make("flux", "flux1-dev.safetensors"), "flux_kontext")
    assert severity == "warning"
    assert "check that it is FLUX.1 Kontext dev" in message
    assert said(make("flux", "flux1-dev-kontext.safetensors"), "flux_kontext") == []


@pytest.mark.parametrize(
    ("name", "base", "named"),
    [
        ("qwen_image_edit_2509.safetensors", "qwen_image_edit_2511", "Qwen-Image-Edit 2509"),
        ("Qwen-Image-Edit-2511-bf16.safetensors", "qwen_image_edit", "Qwen-Image-Edit 2511"),
        ("qwen_image_edit_2509.safetensors", "qwen_image_edit_2509", ""),
        ("qwen_image_edit_bf16.safetensors", "qwen_image_edit", ""),
    ],
)
def test_another_version_of_an_edit_model_is_guessed_by_its_name(name, base, named, make):
    found = [message for _, message in said(make("qwen_image", name), base)]
    assert [f"may be {named} (a guess by its file name)" in each for each in found] == [True] * bool(named)


def test_a_file_that_is_no_model_is_advised_on_once(tmp_path):
    page = tmp_path / "a.safetensors"
    page.write_bytes(b"<!DOCTYPE html>")
    ((severity, message),) = said(page, "sdxl")
    assert severity == "error"
    assert message.endswith("signed in where the site asks for it. Choose another checkpoint.")


def test_the_tensor_that_comfyui_marks_edit_2511_with_is_no_guess(make):
    marked = make("qwen_image", marks=["model.diffusion_model.__index_timestep_zero__"])
    assert said(marked, "qwen_image_edit_2511") == []
    ((severity, message),) = said(marked, "qwen_image_edit")
    assert (severity, "the base model Qwen-Image-Edit 2511" in message) == ("error", True)


@pytest.mark.parametrize(
    ("pipeline", "base", "other"),
    [
        ("FluxKontextPipeline", "flux_kontext", "flux"),
        ("QwenImageEditPipeline", "qwen_image_edit", "qwen_image"),
        ("QwenImageEditPlusPipeline", "qwen_image_edit_2509", "qwen_image_edit"),
    ],
)
def test_a_folder_of_an_edit_pipeline_is_of_no_other_model(pipeline, base, other, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    assert said(str(tmp_path), base) == []
    ((severity, message),) = said(str(tmp_path), other)
    assert (severity, base_model(base).label in message) == ("error", True)


def test_a_denoiser_alone_is_a_warning_where_the_checkpoint_holds_all_parts(make):
    ((severity, message),) = said(make("sdxl", whole=False), "sdxl")
    assert (severity, "choose a whole checkpoint" in message) == ("warning", True)
    assert said(make("flux", whole=False), "flux") == []


def test_a_lora_is_no_checkpoint(tmp_path):
    text = json.dumps({"a.lora_down.weight": {"dtype": "F16", "shape": [4, 4], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    assert said(str(tmp_path / "a.safetensors"))[0] == (
        "error",
        "a LoRA, not a checkpoint: choose a checkpoint of SDXL 1.0 in the training config, and export again.",
    )


@pytest.mark.parametrize("left", [-1, 40, 4, 0])
def test_a_file_that_is_cut_off_is_an_error_and_says_what_to_do(left, tmp_path):
    text = json.dumps({"a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}}).encode()
    whole = struct.pack("<Q", len(text)) + text + bytes(8)
    (tmp_path / "a.safetensors").write_bytes(whole[:left])
    ((severity, message),) = said(str(tmp_path / "a.safetensors"))
    assert severity == "error"
    assert "cut off" in message
    assert message.endswith("Download or copy it again, or choose another checkpoint.")


def test_a_model_of_another_size_of_the_family_is_an_error(make):
    ((severity, message),) = said(make("flux2:klein"), "flux2")
    assert severity == "error"
    assert "klein 4B, and the base model is FLUX.2 dev" in message
    assert said(make("flux2:klein"), "flux2_klein_4b") == []
    assert said(make("flux2"), "flux2") == []


@pytest.mark.parametrize(
    ("model", "base", "wrong"),
    [
        ("wan:1.3B", "wan21_14b", "1.3B, and the base model is Wan 2.1 14B"),
        ("wan", "wan21_1_3b", "14B, and the base model is Wan 2.1 1.3B"),
        ("wan:1.3B", "wan22_high", "1.3B, and the base model is Wan 2.2 14B (high noise)"),
        ("wan", "wan22_5b", "and the base model is Wan 2.2 5B"),
        ("wan22_5b", "wan21_14b", "and the base model is Wan 2.1 14B"),
        ("wan21_i2v", "wan21_14b", "image to video alone, 14B, which needs more than images and captions"),
        ("wan22_i2v", "wan22_high", "image to video alone, which needs more than images and captions"),
        ("hunyuan_image", "hunyuan_video", "and the base model is HunyuanVideo"),
        ("ltx2:2.3", "ltx2", "2.3, and the base model is LTX-2"),
        ("ltx2", "ltx23", "2.0, and the base model is LTX-2.3"),
        ("ltx_video", "ltx2", "and the base model is LTX-2"),
    ],
)
def test_another_video_model_is_an_error(model, base, wrong, make):
    ((severity, message),) = said(make(model, whole=False), base)
    assert severity == "error"
    assert wrong in message


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("wan", "wan21_14b"),
        ("wan", "wan22_low"),
        ("wan:1.3B", "wan21_1_3b"),
        ("wan22_5b", "wan22_5b"),
        ("hunyuan_video", "hunyuan_video"),
        ("ltx2", "ltx2"),
        ("ltx2:2.3", "ltx23"),
    ],
)
def test_a_video_model_of_the_base_model_is_no_problem(model, base, make):
    assert said(make(model, whole=False), base) == []


@pytest.mark.parametrize(
    ("name", "base", "suspected"),
    [
        ("wan2.2_t2v_high_noise_14B_fp16.safetensors", "wan22_low", "high noise"),
        ("wan2.2_t2v_low_noise_14B_fp16.safetensors", "wan22_high", "low noise"),
        ("wan2.2_t2v_low_noise_14B_fp16.safetensors", "wan21_14b", "low noise"),
        ("wan2.1_i2v_14B.safetensors", "wan21_14b", "image to video"),
    ],
)
def test_a_name_that_says_another_half_is_a_guess_and_a_warning(name, base, suspected, make):
    ((severity, message),) = said(make("wan", name, whole=False), base)
    assert severity == "warning"
    assert f"may be a model for {suspected} (a guess by its file name)" in message
    assert said(make("wan", "wan2.2_t2v_high_noise_14B_fp16.safetensors", whole=False), "wan22_high") == []


def test_schnell_is_named_with_what_it_was_distilled_from_whatever_the_base_model(make):
    ((_, message),) = said(make("flux:schnell"), "flux_krea")
    assert "Train on FLUX.1 dev instead" in message


def test_what_cannot_be_looked_into_is_said_once_and_stops_nothing(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    assert [severity for severity, _ in said(str(tmp_path / "a.ckpt"))] == ["info"]
    assert said("black-forest-labs/FLUX.1-dev", "flux") == []
    assert said(str(tmp_path / "nowhere.safetensors")) == []
