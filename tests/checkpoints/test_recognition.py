"""Checkpoints by their headers: each architecture is known as ComfyUI knows it, and what is a guess is called one."""

import json
import struct
from pathlib import Path

import pytest

from lorads_core.base_models import FAMILIES
from lorads_core.checkpoints import read_checkpoint
from lorads_core.checkpoints.architectures import ARCHITECTURES, PREFIXES, architecture_of
from lorads_core.checkpoints.header import Tensor
from lorads_core.errors import TrainerError

GOLDEN = json.loads((Path(__file__).parent / "golden" / "comfyui_models.json").read_text(encoding="utf-8"))["models"]
# What ComfyUI calls what a row of ours is, where it is not the same word.
SAID = {
    "flux": {"Flux"}, "flux:schnell": {"FluxSchnell"}, "flux2": {"Flux2"}, "flux2:klein": {"Flux2"}, "sd2": {"SD20"},
    "sd35": {"SD3"}, "koala": {"KOALA_700M"}, "ltx2": {"LTXAV"}, "ltx_video": {"LTXV"}, "wan": {"WAN21_T2V"},
    "wan22_i2v": {"WAN21_T2V"}, "wan22_5b": {"WAN22_T2V"}, "cosmos_predict2": {"CosmosT2IPredict2"},
    "hunyuan_image": {"HunyuanImage21"}, "ernie_image": {"ErnieImage"}, "wan:1.3B": {"WAN21_T2V"},
    "ltx2:2.3": {"LTXAV"},
}  # fmt: skip


def model(name):
    return {key: Tensor("BF16", tuple(shape)) for key, shape in GOLDEN[name]["tensors"].items()}


def saved(file, tensors, metadata=None):
    """Write the header of a safetensors file, with tensors of no bytes."""
    header = {
        name: {"dtype": each.dtype, "shape": each.shape, "data_offsets": [0, 0]} for name, each in tensors.items()
    }
    text = json.dumps(header | ({"__metadata__": metadata} if metadata else {})).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    return file


def gguf(file, tensors, architecture="flux"):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    content = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 2)
    content += text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    content += text("some.list") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    for name, each in tensors.items():
        content += text(name) + struct.pack(f"<I{len(each.shape)}QIQ", len(each.shape), *reversed(each.shape), 12, 0)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", GOLDEN)
def test_each_architecture_that_comfyui_builds_is_recognised_by_its_tensors_and_as_no_other(name, prefix):
    found, own = architecture_of({prefix + key: each for key, each in model(name).items()})
    assert found.name == name.partition(":")[0]
    assert set(own) == set(model(name))


@pytest.mark.parametrize("name", GOLDEN)
def test_comfyui_itself_takes_each_for_what_our_row_says(name):
    said = GOLDEN[name]["comfyui"].replace("_", "").lower()
    assert GOLDEN[name]["comfyui"] in SAID.get(name, ()) or said.startswith(name.replace("_", ""))


@pytest.mark.parametrize("name", GOLDEN)
def test_rows_that_fit_the_same_model_stand_in_the_order_that_tells_them_apart(name):
    fitting = [each.name for each in ARCHITECTURES if each.fits(model(name))]
    assert fitting[0] == name.partition(":")[0]


def test_each_family_has_an_architecture():
    known = {family for each in ARCHITECTURES for family in each.families}
    assert {each.name for each in FAMILIES} <= known


def test_names_of_rows_are_different():
    names = [each.name for each in ARCHITECTURES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "variant", "distilled"),
    [
        ("flux", "dev, Krea dev or Kontext", False),
        ("flux:schnell", "schnell", True),
        ("flux2", "dev", False),
        ("flux2:klein", "klein 4B", False),
        ("sd35", "3.5 large", False),
    ],
)
def test_variants_that_tensors_tell_apart_are_named(name, variant, distilled, tmp_path):
    found = read_checkpoint(saved(tmp_path / "a.safetensors", model(name)))
    assert (found.variant, bool(found.distilled_from)) == (variant, distilled)


def test_a_denoiser_alone_is_told_from_a_whole_checkpoint(tmp_path):
    denoiser = {f"model.diffusion_model.{key}": each for key, each in model("sdxl").items()}
    alone = read_checkpoint(saved(tmp_path / "a.safetensors", denoiser))
    assert (alone.kind, alone.parts) == ("denoiser", ())
    others = {
        "conditioner.embedders.0.a": Tensor("F16", (2,)),
        "first_stage_model.decoder.conv_in.weight": Tensor("F16", (2,)),
    }
    whole = read_checkpoint(saved(tmp_path / "b.safetensors", denoiser | others))
    assert (whole.kind, whole.parts, whole.architecture.name) == ("checkpoint", ("text encoder", "VAE"), "sdxl")


def test_the_depth_of_anima_is_counted(tmp_path):
    deeper = model("anima") | {f"blocks.{place}.mlp.layer1.weight": Tensor("BF16", (2, 2)) for place in range(40)}
    assert read_checkpoint(saved(tmp_path / "a.safetensors", deeper)).depth == 40


def test_v_prediction_is_certain_by_its_tensor_and_a_guess_by_name_or_metadata(tmp_path):
    tensors = model("sdxl")
    marked = read_checkpoint(saved(tmp_path / "a.safetensors", tensors | {"v_pred": Tensor("F32", (0,))}))
    assert (marked.v_prediction, marked.guess("v-prediction")) == (True, None)
    named = read_checkpoint(saved(tmp_path / "Noob_vPred_1.safetensors", tensors))
    assert (named.v_prediction, named.guess("v-prediction").source) == (False, "file name")
    said = read_checkpoint(saved(tmp_path / "b.safetensors", tensors, {"modelspec.prediction_type": "v"}))
    assert (said.v_prediction, said.guess("v-prediction").source) == (False, "metadata modelspec.prediction_type")
    denied = read_checkpoint(saved(tmp_path / "vpred.safetensors", tensors, {"modelspec.prediction_type": "epsilon"}))
    assert denied.guess("v-prediction") is None


def test_a_turbo_is_guessed_by_its_name_alone(tmp_path):
    assert read_checkpoint(saved(tmp_path / "z_image_turbo_bf16.safetensors", model("zimage"))).guess("distilled")
    assert not read_checkpoint(saved(tmp_path / "z_image_bf16.safetensors", model("zimage"))).guess("distilled")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["lora_unet_input_blocks_1_1_proj_in.lora_down.weight", "x.alpha"], "lora"),
        (["diffusion_model.layers.0.attention.qkv.lora_A.weight"], "lora"),
        (["transformer.single_transformer_blocks.0.attn.to_q.lora_A.default.weight"], "lora"),
        (["lycoris_blocks_0.lokr_w1", "lycoris_blocks_0.lokr_w2_a"], "lora"),
        (["control_model.input_blocks.0.0.weight"], "controlnet"),
        (["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.a"], "controlnet"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "vae"),
        (["encoder.conv1.weight", "decoder.middle.0.residual.0.gamma"], "vae"),
        (
            ["text_model.encoder.layers.0.mlp.fc1.weight", "text_model.embeddings.position_embedding.weight"],
            "text encoder",
        ),
        (["encoder.block.0.layer.0.SelfAttention.q.weight"], "text encoder"),
        (["model.layers.0.self_attn.q_proj.weight", "model.embed_tokens.weight"], "text encoder"),
        (["model.language_model.layers.0.self_attn.q_proj.weight"], "text encoder"),
        (["clip_g", "clip_l"], "embedding"),
        (["something.else"], ""),
    ],
)
def test_other_parts_of_a_model_are_told(names, kind, tmp_path):
    found = read_checkpoint(saved(tmp_path / "a.safetensors", dict.fromkeys(names, Tensor("F16", (2,)))))
    assert (found.kind, found.architecture) == (kind, None)


@pytest.mark.parametrize(
    ("dtypes", "said"),
    [
        ({"a": ("BF16", (1000,)), "b": ("F32", (10,))}, "bf16"),
        ({"a": ("F8_E4M3", (1000,)), "b": ("BF16", (500,))}, "fp8 e4m3 + bf16"),
        ({"a.weight": ("F8_E4M3", (1000,)), "a.weight_scale": ("F32", (1,))}, "fp8 e4m3 scaled"),
    ],
)
def test_the_precision_is_that_of_most_numbers(dtypes, said, tmp_path):
    tensors = {name: Tensor(*each) for name, each in dtypes.items()}
    assert read_checkpoint(saved(tmp_path / "a.safetensors", tensors)).precision == said


def test_a_gguf_is_recognised_by_its_tensors_not_by_what_it_says(tmp_path):
    found = read_checkpoint(gguf(tmp_path / "a.gguf", model("flux"), architecture="sdxl"))
    assert (found.format, found.architecture.name, found.variant) == ("GGUF", "flux", "dev, Krea dev or Kontext")
    assert found.precision == "Q4_K"


@pytest.mark.parametrize("size", [0, 3, 20, 60])
def test_a_gguf_that_is_cut_off_is_said_to_be(size, tmp_path):
    file = gguf(tmp_path / "a.gguf", {"x": Tensor("F32", (2,))})
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(TrainerError, match="not a GGUF file, or its header is damaged"):
        read_checkpoint(file)


def test_a_gguf_that_claims_a_list_without_end_is_refused(tmp_path):
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 0, 2**62)
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(TrainerError, match="damaged"):
        read_checkpoint(tmp_path / "a.gguf")


def test_a_model_in_several_files_is_read_by_its_index(tmp_path):
    tensors = list(model("qwen_image").items())
    half = len(tensors) // 2
    saved(tmp_path / "m-1.safetensors", dict(tensors[:half]))
    saved(tmp_path / "m-2.safetensors", dict(tensors[half:]))
    index = tmp_path / "m.safetensors.index.json"
    places = {name: "m-1.safetensors" if place < half else "m-2.safetensors" for place, (name, _) in enumerate(tensors)}
    index.write_text(json.dumps({"weight_map": places}))
    assert read_checkpoint(index).architecture.name == "qwen_image"


@pytest.mark.parametrize("name", ["../m-1.safetensors", "/etc/passwd", "a\0.safetensors", "C:m.safetensors", 3, None])
def test_an_index_that_names_files_of_other_folders_is_refused(name, tmp_path):
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(TrainerError, match="of other folders"):
        read_checkpoint(index)


def test_a_download_that_broke_off_is_said_to_be_cut_off(tmp_path):
    text = json.dumps({"a": {"dtype": "F16", "shape": [100], "data_offsets": [0, 200]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(50))
    with pytest.raises(TrainerError, match="is cut off"):
        read_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html lang='en'>", "is a web page"),
        (b"\xef\xbb\xbf\n  <HTML>", "is a web page"),
        (b'{"error": "Invalid username or password."}', "is a text, perhaps a server's error message"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "is a text, perhaps a server's error message"),
        (b"PK\x03\x04\x00\x00\x08\x08" + bytes(90), "is a PyTorch file"),
        (b"\x80\x02}q\x00X\x05\x00\x00", "is a PyTorch file"),
        (bytes(4096), "holds zeros"),
    ],
)
def test_what_came_instead_of_a_model_is_named(start, said, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(start)
    with pytest.raises(TrainerError, match=said):
        read_checkpoint(path)


def test_a_gguf_by_another_name_is_said_to_be_one(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with pytest.raises(TrainerError, match=r"rename it to \.gguf"):
        read_checkpoint(path)


@pytest.fixture
def folder(tmp_path):
    def write(pipeline, **configs):
        index = {"_class_name": pipeline, "vae": [], "text_encoder": []}
        if second_denoiser := configs.pop("transformer_2", None):
            index["transformer_2"] = second_denoiser
        (tmp_path / "model_index.json").write_text(json.dumps(index))
        for name, values in configs.items():
            (tmp_path / name).mkdir()
            file = "scheduler_config.json" if name == "scheduler" else "config.json"
            (tmp_path / name / file).write_text(json.dumps(values))
        return read_checkpoint(tmp_path)

    return write


def test_a_diffusers_folder_is_recognised_by_its_configs(folder):
    found = folder("StableDiffusionXLPipeline", scheduler={"prediction_type": "v_prediction"})
    assert (found.architecture.name, found.kind, found.v_prediction) == ("sdxl", "checkpoint", True)


def test_schnell_is_known_by_its_config(folder):
    found = folder("FluxPipeline", transformer={"guidance_embeds": False})
    assert (found.architecture.name, found.variant, found.distilled_from) == ("flux", "schnell", "FLUX.1 dev")


@pytest.mark.parametrize(
    ("transformer", "second", "name", "variant", "families"),
    [
        ({"num_attention_heads": 40}, [None, None], "wan", "14B", ("wan21",)),
        ({"num_attention_heads": 12}, None, "wan", "1.3B", ("wan21",)),
        ({"num_attention_heads": 40}, ["diffusers", "WanTransformer3DModel"], "wan", "14B", ("wan22",)),
        ({"num_attention_heads": 24, "in_channels": 48}, [None, None], "wan22_5b", "", ("wan22_5b",)),
    ],
)
def test_a_folder_of_wan_is_known_by_its_size_and_denoisers(transformer, second, name, variant, families, folder):
    found = folder("WanPipeline", transformer=transformer, transformer_2=second)
    assert (found.architecture.name, found.variant, found.families) == (name, variant, families)


def test_a_pipeline_without_a_row_is_named(folder):
    found = folder("OtherPipeline")
    assert (found.architecture, found.kind, found.label) == (None, "", "a Diffusers folder of OtherPipeline")


def test_other_formats_and_what_is_not_there_are_said(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    with pytest.raises(TrainerError, match="of a format"):
        read_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(TrainerError, match="cannot be read"):
        read_checkpoint(tmp_path / "nowhere.safetensors")
    with pytest.raises(TrainerError, match="cannot be read"):
        read_checkpoint(tmp_path)
