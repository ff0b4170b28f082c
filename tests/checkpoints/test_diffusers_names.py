"""Single files with Diffusers' names: each row fits its own model and no other, by names that ComfyUI itself maps."""

import json
import struct

import pytest

from lorads_core.checkpoints import read_checkpoint
from lorads_core.checkpoints.architectures import ARCHITECTURES
from lorads_core.checkpoints.diffusers_names import DIFFUSERS_NAMES
from lorads_core.checkpoints.parts import KNOWN_PARTS
from lorads_core.runs.lora_files.key_tables import KEY_TABLES
from lorads_core.runs.lora_files.names import expand


def saved(path, shapes):
    header = {name: {"dtype": "BF16", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in shapes.items()}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def tensors(row):
    """Return the tensors that a row asks for, of the sizes that it asks for."""
    found = {name: [8, 8] for name in row.needs}
    for size in row.sizes:
        shape = found.setdefault(size.tensor, [8, 8])
        shape[size.axis] = size.values[0]
    return found


@pytest.mark.parametrize("row", DIFFUSERS_NAMES, ids=lambda row: row.name)
def test_a_file_with_diffusers_names_is_recognised(row, tmp_path):
    found = read_checkpoint(saved(tmp_path / "diffusion_pytorch_model.safetensors", tensors(row)))
    assert (found.architecture.name, found.kind, found.named_by_diffusers) == (row.name, "denoiser", True)
    assert found.label == f"the denoiser of {row.label} alone, with Diffusers' names"


@pytest.mark.parametrize("row", DIFFUSERS_NAMES, ids=lambda row: row.name)
def test_its_names_are_those_that_comfyui_maps_to_the_model(row):
    """ComfyUI has no map of Diffusers' names for these: Lumina 2's own class, Cosmos' and Wan's."""
    tables = [each for each in KEY_TABLES if row.name in each.architectures]
    mapped = {name for table in tables for names in table.others for name in expand(names.names)}
    if row.name in {"lumina2", "anima"} or row.name.startswith("wan") or not tables:
        pytest.skip("ComfyUI 0.26.0 has no map of it")
    # The modulation of FLUX.2 and the layer of Chroma have no name of Diffusers' in its map.
    own = {"double_stream_modulation_img.linear", "distilled_guidance_layer.in_proj"}
    assert {name.removesuffix(".weight") for name in row.needs} - own <= mapped


@pytest.mark.parametrize(
    ("shapes", "name", "variant", "distilled_from"),
    [
        ({"single_transformer_blocks.0.proj_mlp.weight": [9, 9], "transformer_blocks.0.attn.add_q_proj.weight": [9, 9],
          "x_embedder.weight": [9, 64], "time_text_embed.text_embedder.linear_1.weight": [9, 9]},
         "flux", "schnell", "FLUX.1 dev"),
        ({"single_transformer_blocks.0.proj_mlp.weight": [9, 9], "transformer_blocks.0.attn.add_q_proj.weight": [9, 9],
          "x_embedder.weight": [9, 384], "time_text_embed.text_embedder.linear_1.weight": [9, 9],
          "time_text_embed.guidance_embedder.linear_1.weight": [9, 9]}, "flux", "Fill", ""),
        ({"double_stream_modulation_img.linear.weight": [9, 9], "context_embedder.weight": [9, 12288],
          "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight": [9, 9]}, "flux2", "klein 9B", ""),
    ],
)  # fmt: skip
def test_variants_are_told_apart(shapes, name, variant, distilled_from, tmp_path):
    found = read_checkpoint(saved(tmp_path / "a.safetensors", shapes))
    assert (found.architecture.name, found.variant, found.distilled_from) == (name, variant, distilled_from)


def test_sd35_of_diffusers_is_no_pixart(tmp_path):
    """Both have ``pos_embed.proj.bias``, by which ComfyUI knows PixArt."""
    row = next(each for each in DIFFUSERS_NAMES if each.name == "sd35")
    shapes = {**tensors(row), "pos_embed.proj.bias": [8]}
    assert read_checkpoint(saved(tmp_path / "a.safetensors", shapes)).architecture.name == "sd35"


def test_every_row_is_of_an_architecture():
    assert {each.name for each in DIFFUSERS_NAMES} <= {each.name for each in ARCHITECTURES}


@pytest.mark.parametrize("part", KNOWN_PARTS, ids=lambda part: part.name)
def test_text_encoders_and_vaes_are_told_apart(part, tmp_path):
    found = read_checkpoint(saved(tmp_path / "a.safetensors", tensors(part)))
    assert (found.kind, found.part) == (part.kind, part.name)
    assert part.label in found.label
