"""Which base models a checkpoint can be of, and which is taken where none is named."""

import json
from pathlib import Path

import pytest

from lorads_core.checkpoints import base_model_of, fitting_base_models, read_checkpoint

from .test_diffusers_names import saved

FILE = Path(__file__).parent / "golden" / "comfyui_models.json"
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))["models"]


def read(tmp_path, model, name="model.safetensors"):
    shapes = {f"model.diffusion_model.{key}": shape for key, shape in GOLDEN[model]["tensors"].items()}
    return read_checkpoint(saved(tmp_path / name, shapes))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("flux2", {"flux2"}),
        ("flux2:klein", {"flux2_klein_4b"}),
        ("flux", {"flux", "flux_krea", "flux_kontext"}),
        ("zimage", {"zimage", "zimage_deturbo", "zimage_turbo"}),
        ("anima", {"anima"}),
        ("wan", {"wan21_14b", "wan22_high", "wan22_low"}),
        ("wan:1.3B", {"wan21_1_3b"}),
        ("wan22_5b", {"wan22_5b"}),
        ("wan21_i2v", set()),
        ("ltx2", {"ltx2"}),
        ("ltx2:2.3", {"ltx23"}),
        ("sdxl_refiner", set()),
    ],
)
def test_the_base_models_of_a_family_and_variant_fit(model, names, tmp_path):
    assert {each.name for each in fitting_base_models(read(tmp_path, model))} == names


@pytest.mark.parametrize(
    ("model", "name", "chosen"),
    [
        ("anima", "x", "anima"),
        ("flux", "flux1-dev", "flux"),
        ("flux", "flux1-krea-dev", "flux_krea"),
        ("flux:schnell", "flux1-schnell", "flux_schnell"),
        ("sdxl", "waiIllustrious_v15", "illustrious"),
        ("flux2:klein", "x", "flux2_klein_4b"),
        ("zimage", "z_image_bf16", "zimage"),
        ("zimage", "z_image_turbo_bf16", "zimage_turbo"),
        ("krea2", "Krea2-Turbo-fp8", "krea2_turbo"),
        ("qwen_image", "qwen_image_2512_fp8", "qwen_image_2512"),
        ("flux", "flux1-dev-kontext_fp8_scaled", "flux_kontext"),
        ("qwen_image", "qwen_image_edit_fp8", "qwen_image_edit"),
        ("qwen_image", "Qwen-Image-Edit-2509_bf16", "qwen_image_edit_2509"),
        ("qwen_image", "qwen_edit_2511", "qwen_image_edit_2511"),
        ("wan", "wan2.1_t2v_14B_bf16", "wan21_14b"),
        ("wan", "wan2.2_t2v_low_noise_14B_fp16", "wan22_low"),
        ("wan:1.3B", "x", "wan21_1_3b"),
    ],
)
def test_the_base_model_is_that_of_the_tensors_and_then_of_the_name(model, name, chosen, tmp_path):
    assert base_model_of(read(tmp_path, model, f"{name}.safetensors")).base.name == chosen


def test_where_tensors_leave_two_families_and_the_name_points_to_none_nothing_is_taken(tmp_path):
    assert base_model_of(read(tmp_path, "wan", "x.safetensors")) is None


def test_of_a_model_that_is_none_of_ours_nothing_is_taken(tmp_path):
    assert base_model_of(read(tmp_path, "sdxl_refiner")) is None
