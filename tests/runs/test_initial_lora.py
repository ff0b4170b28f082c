"""The LoRA that a training starts from: it fits the config, or is refused with what to change."""

import json
import struct
from dataclasses import replace

import pytest

from lorads_core.base_models import base_model, recognised_lora
from lorads_core.errors import TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.networks import recognised_network
from lorads_core.runs.initial_lora import check_initial_lora
from lorads_core.runs.launch import launch
from lorads_core.runs.lora_file import read_alphas, read_lora
from lorads_core.trainers import trainers
from lorads_core.workflow.dataset import check_config

SD15 = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
SDXL = "input_blocks_4_1_transformer_blocks_1_attn1_to_q"
FLUX = "double_blocks_0_img_attn_proj"
TEXT = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
RANK = 8
SHAPES = {"F16": "<e", "F32": "<f", "F64": "<d"}


def write(path, tensors):
    """Write a safetensors file; ``tensors`` are type, shape and a value of which each is full."""
    header, data = {}, b""
    for name, (dtype, shape, value) in tensors.items():
        one = struct.pack("<f", value)[2:] if dtype == "BF16" else struct.pack(SHAPES[dtype], value)
        count = 1
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(one) * count]}
        data += one * count
    words = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(words)) + words + data)
    return path


def layer(name, rank=RANK, alpha=4.0, kernel=(), dtype="F16", **parts):
    """Return the tensors of one layer in kohya's form; ``parts`` are more of them."""
    found = {f"{name}.lora_down.weight": (dtype, [rank, 16, *kernel], 0.5)}
    found[f"{name}.lora_up.weight"] = (dtype, [16, rank, *(1 for _ in kernel)], 0.5)
    if alpha:
        found[f"{name}.alpha"] = (dtype, [], alpha)
    return found | {f"{name}.{part}": (dtype, shape, 0.5) for part, shape in parts.items()}


def config(path, **values):
    usual = {"base_model": "sd15", "network_dim": RANK, "network_alpha": 4.0, "initial_lora": str(path)}
    return TrainingConfig(**{**usual, **values})


def said(path, name="sd-scripts", **values):
    """Return what is wrong with starting from a LoRA, empty where nothing is."""
    try:
        check_initial_lora(config(path, **values), name)
    except TrainerError as error:
        return str(error)
    return ""


@pytest.fixture
def lora(tmp_path):
    """Return a function that writes a LoRA of one layer, by default one of SD 1.5 by sd-scripts."""

    def make(name=f"lora_unet_{SD15}", more=(), **how):
        return write(tmp_path / "old.safetensors", layer(name, **how) | dict(more))

    return make


@pytest.mark.parametrize(
    ("base", "key", "able"),
    [
        ("sd15", f"lora_unet_{SD15}", {"sd-scripts", "onetrainer", "ai-toolkit"}),
        ("sdxl", f"lora_unet_{SDXL}", {"sd-scripts", "onetrainer", "ai-toolkit"}),
        ("flux", f"lora_unet_{FLUX}", {"sd-scripts", "onetrainer"}),
        ("flux", "transformer.single_transformer_blocks.3.attn.to_q", {"onetrainer", "ai-toolkit"}),
        ("sdxl", "lycoris_down_blocks_1_attentions_0_transformer_blocks_1_attn1_to_q", {"onetrainer", "simpletuner"}),
        ("sdxl", "diffusion_model.input_blocks.4.1.transformer_blocks.1.attn1.to_q", {"onetrainer", "comfyui"}),
        ("zimage", "lora_unet_layers_0_attention_to_q", {"musubi-tuner", "onetrainer"}),
        ("zimage", "diffusion_model.layers.0.attention.to_q", {"ai-toolkit", "onetrainer"}),
        ("qwen_image", "lora_unet_transformer_blocks_0_attn_to_q", {"musubi-tuner", "onetrainer"}),
        ("krea2", "lora_unet_blocks_0_attn_wq", {"musubi-tuner", "onetrainer"}),
        ("flux2", "lora_unet_double_blocks_0_img_attn_proj", {"musubi-tuner", "onetrainer"}),
        # Diffusers' layers in kohya's form, which sd-scripts' SDXL has not
        ("sdxl", "lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_attn1_to_q", {"onetrainer", "ai-toolkit"}),
    ],
)
def test_each_trainer_starts_from_loras_in_forms_that_it_loads_and_refuses_others(lora, base, key, able):
    for name in (name for name in trainers() if base_model(base).family.name in trainers()[name].families):
        message = said(lora(key), name, base_model=base)
        assert ("begin with none of" in message) == (name not in able), (name, message)
        assert message == "" or name not in able


@pytest.mark.parametrize(
    ("how", "values", "expected"),
    [
        ({"name": f"lora_unet_{SDXL}"}, {}, "looks like a LoRA of SDXL, and the base model is Stable Diffusion 1.5"),
        ({"name": f"lora_unet_{FLUX}"}, {}, "looks like a LoRA of Flux"),
        ({}, {"base_model": "sdxl"}, "looks like a LoRA of SD 1.5"),
        ({}, {"network": "loha"}, "is a LoRA, and the network is LoHa: set the network to lora"),
        ({"dora_scale": [1, 16]}, {}, "is a DoRA, and the network is LoRA: set the network to dora"),
        ({"kernel": (3, 3)}, {}, "changes convolutions, and the network is LoRA: set the network to locon"),
        ({"kernel": (1, 1)}, {}, ""),
        ({}, {"network": "locon"}, "changes no convolutions, and the network is LoCon: set the network to lora"),
        ({}, {"network_dim": 16}, "Its rank is 8, and the network dim 16: set the dim to its rank"),
        ({}, {"network_alpha": 8.0}, "Its alpha is 4, and the network alpha 8: set the alpha to its own"),
        ({"alpha": 0.0}, {}, "Its alpha is 8, and the network alpha 4"),
        ({"alpha": 0.0}, {"network_alpha": 8.0}, ""),
    ],
)
def test_what_does_not_fit_the_config_is_refused_with_what_to_set(lora, how, values, expected):
    message = said(lora(**how), **values)
    assert expected in message if expected else not message


def test_what_does_not_fit_is_refused_before_it_is_exported_and_what_is_elsewhere_is_not(lora, tmp_path):
    with pytest.raises(TrainerError, match="Its rank is 4"):
        check_config(config(lora(rank=4)), "sd-scripts")
    check_config(config(tmp_path / "elsewhere.safetensors"), "sd-scripts")


def test_all_that_does_not_fit_is_said_at_once(lora):
    message = said(lora("unet.mid_block.attentions.0.proj_in"), network_dim=16)
    assert "begin with none of" in message
    assert "Its rank is 8" in message


def test_what_is_no_lora_is_refused(tmp_path):
    assert "cannot be read" in said(tmp_path / "nowhere.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    assert "is not a safetensors file" in said(tmp_path / "text.safetensors")
    assert "holds no LoRA" in said(write(tmp_path / "model.safetensors", {"weight": ("F16", [2, 2], 0.5)}))
    assert "no whole path" in said("old.safetensors")


@pytest.mark.parametrize("name", trainers())
@pytest.mark.parametrize("file", ["/loras/cat_500_steps_1.pt", "/loras/cat_500_steps_1.CKPT", "/loras/cat_500_steps_1"])
def test_a_format_that_can_hold_programs_is_refused_before_anything_is_written(name, file):
    problems = trainers()[name].problems(config(file, network_alpha=8.0), ())
    assert any("choose a .safetensors file" in each.message for each in problems if each.severity == "error")


def test_text_encoders_that_are_left_out_are_named(lora):
    file = lora(more=layer(TEXT))
    assert "leaves out where they are not trained" in check_initial_lora(config(file), "sd-scripts")
    assert check_initial_lora(config(file, text_encoder_learning_rate=1e-5), "sd-scripts") == ""
    assert check_initial_lora(config(file), "onetrainer") == ""


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_alphas_are_read_in_every_precision(tmp_path, dtype):
    tensors = {"a.lora_down.weight": ("F16", [2, 2], 0.5), "a.alpha": (dtype, [], 4.0), "b.alpha": (dtype, [1], 0.5)}
    assert read_alphas(read_lora(write(tmp_path / "x.safetensors", tensors))) == {4.0, 0.5}


@pytest.mark.parametrize(
    ("names", "network"),
    [
        (["a.lora_down.weight"], "lora"),
        (["a.lora_A.weight"], "lora"),
        (["a.lora_down.weight", "a.dora_scale"], "dora"),
        (["a.lora_A.weight", "a.lora_magnitude_vector.weight"], "dora"),
        (["a.hada_w1_a"], "loha"),
        (["a.lokr_w1", "a.lokr_w2_a"], "lokr"),
    ],
)
def test_a_network_is_recognised_by_its_tensors(names, network):
    assert recognised_network(names).name == network


@pytest.mark.parametrize(
    ("name", "family"),
    [
        (f"lora_unet_{SD15}.alpha", "sd15"),
        ("unet.up_blocks.3.attentions.2.proj_in.lora_A.weight", "sd15"),
        ("diffusion_model.output_blocks.11.1.proj_in.weight", "sd15"),
        (f"lora_unet_{SDXL}.alpha", "sdxl"),
        ("unet.mid_block.attentions.0.transformer_blocks.9.ff.net.2.lora_A.weight", "sdxl"),
        ("lora_unet_middle_block_1_transformer_blocks_7_attn1_to_k.alpha", "sdxl"),
        (f"lora_unet_{FLUX}.alpha", "flux"),
        ("transformer.single_transformer_blocks.1.attn.to_q.lora_A.weight", "flux"),
        ("lora_unet_joint_blocks_3_x_block_attn_qkv.alpha", "sd35"),
        ("lora_unet_blocks_0_cross_attn_q_proj.alpha", "anima"),
        ("lora_unet_layers_3_adaLN_modulation_1.alpha", "lumina2"),
        ("lora_unet_single_blocks_0_modulation_linear.alpha", "hunyuan_image"),
    ],
)
def test_a_family_is_recognised_by_layers_that_only_it_has(name, family):
    assert recognised_lora([TEXT, name]).name == family


def test_a_lora_of_chroma_has_the_names_of_flux_and_starts_a_training_of_either():
    names = ["lora_unet_double_blocks_3_img_attn_qkv.alpha"]
    assert recognised_lora(names).name == "flux"
    assert base_model("chroma").family.lora_as == "flux"


def test_layers_that_several_families_have_tell_none():
    assert recognised_lora(["lora_unet_mid_block_attentions_0_proj_in.alpha", TEXT]) is None
    assert recognised_network(["a.oft_blocks"]) is None


def test_a_training_starts_from_a_lora_that_fits_and_from_no_other(store, make_profile, make_export, lora, until):
    export = make_export(base_model="sd15", network_dim=RANK, network_alpha=4.0, initial_lora=str(lora()))
    assert until(launch(store, make_profile(), export)).state == "completed"
    other = replace(export, config=replace(export.config, network_alpha=1.0), manifest_hash="0" * 64)
    with pytest.raises(TrainerError, match=r"cannot start from .*Its alpha is 4"):
        launch(store, make_profile(), other)
