"""What ComfyUI will load of a LoRA file, and conversions of those that load in part."""

import numpy as np
import pytest

from lorads_core.checkpoints.header import Tensor
from lorads_core.runs.lora_files import Coverage, coverage, coverage_of_facts, family_tables, loading, table_keys
from lorads_core.runs.lora_files.modules import kind_of, modules_of

from .files import ANIMA, CASES, DIFFUSERS, DORA, KREA2, LOHA, LOKR, PEFT, SDXL, ZIMAGE, many, names, tensors, write


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


def test_an_sdxl_lora_of_diffusers_is_renamed_to_kohyas_names_and_ends():
    found = of(tensors(SDXL, DIFFUSERS), "sdxl")
    assert (found.as_it_is.loaded, found.best.loaded) == (0, 8)
    assert found.conversion.pieces[0].name == (
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight"
    )


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
