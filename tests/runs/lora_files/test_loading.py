"""What ComfyUI will load of a LoRA file, and conversions of those that load in part."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lorads_core.checkpoints.header import Tensor
from lorads_core.errors import TrainerError
from lorads_core.runs.lora_file import read_lora, write_copy
from lorads_core.runs.lora_files import Coverage, coverage, coverage_of_facts, family_tables, loading, table_keys
from lorads_core.runs.lora_files.modules import kind_of, modules_of
from lorads_core.runs.lora_loading import lora_loading

from .files import (
    ANIMA,
    CASES,
    DIFFUSERS,
    DORA,
    KREA2,
    LOHA,
    LOKR,
    PEFT,
    SDXL,
    WAN,
    ZIMAGE,
    lumina,
    many,
    names,
    tensors,
    write,
)  # fmt: skip


def of(shapes, family, **how):
    return loading(shapes, family_tables(family), **how)


def test_a_z_image_lora_of_musubi_loads_in_part_as_it_is_and_whole_once_renamed():
    """Its numbers are those that ComfyUI 0.26 was seen to load, before and after the renaming."""
    found = of(tensors(ZIMAGE), "zimage")
    assert (found.as_it_is.modules, found.as_it_is.loaded) == (210, 90)
    assert found.as_it_is.by_kind == "attention 0 of 120, feed-forward 90"
    assert (found.converted.modules, found.converted.loaded) == (210, 210)
    assert found.conversion.text == "120 modules renamed"
    new = {piece.name: piece.source for piece in found.conversion.pieces}
    old = "lora_unet_layers_0_attention_to_out_0.alpha"
    assert new["diffusion_model.layers.0.attention.to_out.0.alpha"] == old
    assert len(new) == len(tensors(ZIMAGE))
    assert found.reason == ""


def test_the_attention_of_a_loha_and_a_lokr_of_musubi_is_renamed_too():
    for ends in (LOHA, LOKR, DORA):
        found = of(tensors(ZIMAGE, ends), "zimage")
        assert (found.as_it_is.loaded, found.best.loaded) == (90, 210)


def test_an_anima_lora_of_simpletuner_gets_the_names_of_the_models_own_code():
    found = of(tensors(ANIMA, PEFT), "anima")
    assert (found.as_it_is.loaded, found.best.loaded, found.best.modules) == (0, 224, 224)
    new = {piece.source: piece.name for piece in found.conversion.pieces}
    assert {
        new[f"transformer.core.transformer_blocks.27.{theirs}.lora_A.weight"]
        for theirs in ("attn1.to_q", "attn2.to_out.0")
    } == {f"diffusion_model.blocks.27.{ours}.lora_A.weight" for ours in ("self_attn.q_proj", "cross_attn.output_proj")}
    assert of(tensors(names("lycoris_core_transformer_blocks_{}_ff_net_2", 0, 1), LOKR), "anima").best.is_full


@pytest.mark.parametrize(
    "name",
    [
        "AuraFlow by SimpleTuner",
        "ERNIE-Image by SimpleTuner",
        "Ideogram 4 by SimpleTuner",
        "HiDream O1 by musubi-tuner",
    ],
)
def test_newer_models_get_names_that_comfyui_knows(name):
    architecture, shapes = CASES[name]
    found = of(shapes, architecture)
    assert found.as_it_is.loaded == 0
    assert found.best.is_full
    assert found.conversion.split == 0


@pytest.mark.parametrize(
    "name", ["Ideogram 4 by musubi-tuner", "HiDream I1 by SimpleTuner", "HiDream O1 by ai-toolkit"]
)
def test_others_of_them_load_as_they_are(name):
    architecture, shapes = CASES[name]
    assert of(shapes, architecture).as_it_is.is_full


def test_an_sdxl_lora_of_diffusers_is_renamed_to_kohyas_names_and_ends():
    found = of(tensors(SDXL, DIFFUSERS), "sdxl")
    assert (found.as_it_is.loaded, found.best.loaded) == (0, 8)
    assert found.conversion.pieces[0].name == (
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight"
    )


def test_a_wan_lora_of_simpletuner_gets_the_names_of_its_authors_code():
    found = of(tensors(WAN), "wan21")
    assert (found.as_it_is.loaded, found.best.loaded, found.best.modules) == (0, 400, 400)
    new = {piece.source: piece.name for piece in found.conversion.pieces}
    assert {new[f"lycoris_blocks_39_{name}.alpha"] for name in ("attn1_to_q", "attn2_to_out_0", "ffn_net_2")} == {
        f"diffusion_model.blocks.39.{name}.alpha" for name in ("self_attn.q", "cross_attn.o", "ffn.2")
    }
    assert of(tensors(names("lycoris_blocks_{}_ffn_net_2", 0, 1), LOKR), "wan22").best.is_full


def test_modules_of_hunyuan_image_get_the_numbers_of_their_layers():
    found = of(tensors(names("lora_unet_double_blocks_{}_img_mlp_fc1", 0, 19)), "hunyuan_image")
    assert [each.name for each in found.conversion.pieces][::3] == [
        f"diffusion_model.double_blocks.{number}.img_mlp.0.lora_down.weight" for number in (0, 19)
    ]


def product(arrays, module):
    return arrays[f"{module}.lora_up.weight"] @ arrays[f"{module}.lora_down.weight"]


def taken_apart(arrays, conversion):
    """Return the arrays of the new file."""
    return {
        piece.name: arrays[piece.source][slice(*piece.rows)] if piece.rows else arrays[piece.source]
        for piece in conversion.pieces
    }


def test_a_fused_projection_becomes_its_parts_whose_changes_together_are_the_same(tmp_path):
    fused = "lycoris_transformer_blocks_0_attn_to_qkv"
    shapes = tensors([fused], rows=96)
    arrays = write(tmp_path / "a.safetensors", shapes)
    found = of(shapes, "krea2")
    assert found.conversion.text == "1 fused module split"
    made = taken_apart(arrays, found.conversion)
    parts = [product(made, f"diffusion_model.transformer_blocks.0.attn.to_{part}") for part in "qkv"]
    assert [len(part) for part in parts] == [64, 16, 16], "Krea 2 has four times as many heads for queries"
    assert np.array_equal(np.concatenate(parts), product(arrays, fused))
    assert made["diffusion_model.transformer_blocks.0.attn.to_v.alpha"] == arrays[f"{fused}.alpha"]
    assert {name: tensor.shape for name, tensor in found.conversion.tensors(shapes).items()} == {
        name: array.shape for name, array in made.items()
    }


def test_a_fused_lokr_is_split_where_the_border_lies_between_rows_of_its_first_factor(tmp_path):
    fused = "transformer.transformer_blocks.0.attn.to_qkv"
    shapes = tensors([fused], LOKR)  # 12 × 8 rows, of which q has 64
    arrays = write(tmp_path / "a.safetensors", shapes)
    found = of(shapes, "krea2")
    made = taken_apart(arrays, found.conversion)

    def change(arrays, module):
        second = arrays[f"{module}.lokr_w2_a"] @ arrays[f"{module}.lokr_w2_b"]
        return np.kron(arrays[f"{module}.lokr_w1"], second)

    parts = [change(made, f"diffusion_model.transformer_blocks.0.attn.to_{part}") for part in "qkv"]
    assert np.array_equal(np.concatenate(parts), change(arrays, fused))


def test_a_fused_loha_is_split(tmp_path):
    fused = "transformer.transformer_blocks.0.attn.to_added_qkv"
    shapes = tensors([fused], LOHA)
    arrays = write(tmp_path / "a.safetensors", shapes)
    made = taken_apart(arrays, of(shapes, "qwen_image").conversion)

    def change(arrays, module):
        first, second = (arrays[f"{module}.hada_w{n}_a"] @ arrays[f"{module}.hada_w{n}_b"] for n in (1, 2))
        return first * second

    parts = [change(made, f"diffusion_model.transformer_blocks.0.attn.add_{part}_proj") for part in "qkv"]
    assert np.array_equal(np.concatenate(parts), change(arrays, fused))


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ({**LOKR, ".lokr_w1": (5, 4)}, "its factors lie across the border"),
        ({**LOKR, ".lokr_t2": (4, 4, 3, 3)}, "a kernel in between"),
        ({".lora_A.weight": (4, 64), ".lora_B.weight": (97, 4)}, "its rows do not come out even"),
        ({".lora_down.weight": (4, 64), ".lora_up.weight": (96, 4), ".dora_scale": (1, 64)}, "norms of whole columns"),
    ],
)
def test_a_fused_module_that_cannot_be_split_exactly_is_refused_with_the_reason(ends, why):
    found = of(tensors(KREA2, ends), "krea2")
    assert (found.converted, found.as_it_is.loaded) == (None, 28), why
    assert "28 of 56 modules load (attention 28 of 56)" in found.reason
    assert "cannot be split without a change" in found.reason


def test_dora_of_a_fused_module_is_split_where_its_norms_are_those_of_rows():
    assert of(tensors(KREA2, DORA), "krea2").best.is_full


def test_fused_projections_of_flux_get_the_name_of_the_fused_layer():
    for name, new in (
        ("transformer_blocks.18.attn.to_qkv", "double_blocks.18.img_attn.qkv"),
        ("transformer_blocks.0.attn.to_added_qkv", "double_blocks.0.txt_attn.qkv"),
        ("single_transformer_blocks.37.attn.to_qkv", "single_blocks.37.linear1_qkv"),
    ):
        found = of(tensors([f"transformer.{name}"], LOKR), "flux")
        assert (found.conversion.pieces[0].name, found.best.loaded) == (f"diffusion_model.{new}.lokr_w1", 1)


def test_peft_and_kohya_count_modules_and_not_tensors():
    for ends in (PEFT, DORA, LOHA, LOKR):
        found = of(tensors(many(["diffusion_model.layers.{}.feed_forward.w1"], 30), ends), "zimage").as_it_is
        assert (found.modules, found.loaded, found.is_full) == (30, 30, True)


def test_a_module_beyond_the_models_depth_does_not_load():
    found = of(tensors(names("lora_unet_blocks_{}_self_attn_q_proj", 0, 27, 28)), "anima")
    assert (found.best.loaded, found.best.modules) == (2, 3)
    assert found.best.missed == ("lora_unet_blocks_28_self_attn_q_proj",)
    assert found.reason.endswith("not lora_unet_blocks_28_self_attn_q_proj.")


def test_a_lora_of_another_family_loads_nothing():
    found = of(tensors(names("lora_unet_double_blocks_{}_img_attn_qkv", 0, 1)), "zimage")
    assert (found.best.loaded, found.conversion) == (0, None)
    assert "0 of 2 modules load (attention 0 of 2)" in found.reason


def test_half_a_pair_does_not_load():
    _, shapes = CASES["Flux, half a pair"]
    assert of(shapes, "flux").best.loaded == 0


def test_what_comfyui_passes_over_of_a_module_that_loads_is_named():
    module = "diffusion_model.layers.0.feed_forward.w1"
    shapes = {**tensors([module], PEFT), f"{module}.lora_magnitude_vector": Tensor("F32", (96,))}
    found = of(shapes, "zimage").best
    assert (found.loaded, found.is_full, found.unread) == (1, False, ("lora_magnitude_vector",))
    assert found.text == "1 of 1 module loads (feed-forward 1); ComfyUI passes over lora_magnitude_vector"


def test_sizes_of_a_model_are_looked_at_where_they_are_known():
    shapes = tensors(names("diffusion_model.layers.{}.feed_forward.w1", 0, 1))
    keys = dict.fromkeys(table_keys(family_tables("zimage")))
    fitting = coverage(shapes, {**keys, "diffusion_model.layers.0.feed_forward.w1": (96, 64)})
    assert (fitting.loaded, fitting.misfits) == (2, 0)
    other = coverage(shapes, {**keys, "diffusion_model.layers.0.feed_forward.w1": (96, 128)})
    assert (other.loaded, other.misfits) == (1, 1)
    assert "1 of these is for a model of another size" in other.text


def test_modules_that_lack_a_matrix_are_said_to():
    shapes = tensors(names("diffusion_model.layers.{}.feed_forward.w1", 0, 1, 2), PEFT)
    for number in (1, 2):
        del shapes[f"diffusion_model.layers.{number}.feed_forward.w1.lora_B.weight"]
    found = of(shapes, "zimage").best
    assert (found.loaded, found.modules, found.halves) == (1, 3, 2)
    assert found.text.endswith("; 2 of these lack one of its matrices")
    assert coverage_of_facts({key: value for key, value in found.facts().items() if key != "halves"}).halves == 0


def test_modules_of_text_encoders_count_only_where_there_are_some():
    shapes = CASES["SDXL with text encoders"][1]
    assert (of(shapes, "sdxl").best.modules, of(shapes, "sdxl").best.loaded) == (7, 5)
    assert of(shapes, "sdxl", with_text=False).best.by_kind == "attention 1"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1", "text encoder"),
        ("text_encoders.qwen3_06b.transformer.model.layers.0.self_attn.q_proj", "text encoder"),
        ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", "attention"),
        ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_ff_net_2", "feed-forward"),
        ("lora_unet_down_blocks_1_attentions_0_proj_in", "other"),
        ("lora_unet_down_blocks_1_resnets_0_conv1", "convolution"),
        ("lora_unet_input_blocks_3_0_op", "convolution"),
        ("diffusion_model.double_blocks.0.img_mod.lin", "modulation"),
        ("diffusion_model.double_blocks.0.img_mlp.0", "feed-forward"),
        ("diffusion_model.single_blocks.0.linear1", "single block"),
        ("diffusion_model.layers.0.adaLN_modulation.0", "modulation"),
        ("diffusion_model.layers.0.attention.qkv", "attention"),
        ("diffusion_model.blocks.0.adaln_modulation_self_attn.1", "modulation"),
        ("diffusion_model.transformer_blocks.0.norm1_context.linear", "modulation"),
        ("diffusion_model.llm_adapter.blocks.0.self_attn.q_proj", "text adapter"),
        ("diffusion_model.double_layers.0.modC.1", "modulation"),
        ("diffusion_model.double_layers.0.mlpX.c_fc1", "feed-forward"),
    ],
)
def test_the_kind_of_a_layer_is_in_its_name(name, kind):
    assert kind_of(name) == kind


def test_tensors_that_are_of_no_module_are_counted():
    found, strange = modules_of({**tensors(["a"]), "bundle_emb.x": Tensor("F32", (1,)), ".alpha": Tensor("F32", ())})
    assert ([each.name for each in found], strange) == (["a"], ["bundle_emb.x", ".alpha"])


def test_a_coverage_comes_back_from_its_facts_and_nothing_else_does():
    found = of(tensors(ZIMAGE), "zimage").as_it_is
    assert coverage_of_facts(found.facts()) == found
    for odd in (None, [], {}, [3], {"kinds": 3}, {"kinds": [{"kind": "x", "modules": "y", "loaded": 1}]}):
        assert coverage_of_facts(odd) is None
    assert Coverage().text == "it has no module of a LoRA"


def test_without_known_keys_nothing_is_said():
    assert loading(tensors(ZIMAGE), ()) is None


@pytest.mark.parametrize("name", ["Lumina 2 by ai-toolkit", "Lumina 2 by SimpleTuner"])
def test_projections_that_comfyui_has_in_one_layer_are_merged(name):
    architecture, shapes = CASES[name]
    found = of(shapes, architecture)
    assert found.as_it_is.loaded == 0
    assert found.best.is_full
    assert found.conversion.text == "6 modules renamed, 6 modules merged"
    assert (found.best.modules, found.as_it_is.modules) == (8, 12)


@pytest.mark.parametrize(("parts", "rank"), [("qkv", 12), ("qv", 8), ("k", 4)])
def test_a_merged_layer_has_the_changes_of_its_parts_and_none_elsewhere(parts, rank, tmp_path):
    shapes = lumina("lycoris_", blocks=(7,), parts=parts)
    arrays = write(tmp_path / "a.safetensors", shapes)
    for each in arrays:
        if each.endswith(".alpha"):
            arrays[each] = np.array(3.0, np.float32)
    save_file(arrays, tmp_path / "a.safetensors")
    lora = read_lora(tmp_path / "a.safetensors")
    found = lora_loading(lora)
    write_copy(lora, tmp_path / "b.safetensors", {}, without_paths=False, conversion=found.conversion)
    made = load_file(tmp_path / "b.safetensors")
    qkv = "diffusion_model.layers.7.attention.qkv"
    assert made[f"{qkv}.lora_down.weight"].shape == (rank, 2304)
    assert made[f"{qkv}.alpha"] == 3.0 * len(parts)
    rows = {"q": slice(0, 2304), "k": slice(2304, 3072), "v": slice(3072, 3840)}
    changed = product(made, qkv) * float(made[f"{qkv}.alpha"]) / rank
    for part in "qkv":
        if part not in parts:
            assert not changed[rows[part]].any()
            continue
        own = product(arrays, f"lycoris_layers_7_attn_to_{part}") * 3.0 / 4
        assert np.allclose(changed[rows[part]], own, rtol=1e-5, atol=1e-5)
    assert read_lora(tmp_path / "b.safetensors").ranks == {4, rank}
    assert {name: each.shape for name, each in made.items()} == {
        name: each.shape for name, each in found.conversion.tensors(shapes).items()
    }


@pytest.mark.parametrize("ends", [LOHA, LOKR, DORA])
def test_what_cannot_be_merged_exactly_is_refused(ends):
    found = of(lumina("lycoris_", ends), "lumina2")
    assert not found.best.is_full
    assert "cannot be merged without a change" in found.reason


def test_parts_of_different_ranks_or_of_another_size_are_not_merged():
    ranks = lumina("lycoris_", blocks=(0,)) | tensors(["lycoris_layers_0_attn_to_q"], rank=8, rows=2304, columns=2304)
    size = lumina("lycoris_", blocks=(0,)) | tensors(["lycoris_layers_0_attn_to_q"], rows=768, columns=2304)
    for shapes in (ranks, size):
        assert "cannot be merged" in of(shapes, "lumina2").reason


def test_parts_of_different_alphas_are_refused_when_they_are_written(tmp_path):
    shapes = lumina("lycoris_", blocks=(0,))
    arrays = write(tmp_path / "a.safetensors", shapes)
    lora = read_lora(tmp_path / "a.safetensors")  # whose alphas are random
    assert len({float(each) for name, each in arrays.items() if name.endswith(".alpha")}) > 1
    with pytest.raises(TrainerError, match="different alphas"):
        write_copy(lora, tmp_path / "b.safetensors", {}, without_paths=False, conversion=lora_loading(lora).conversion)
    assert not (tmp_path / "b.safetensors").exists()
