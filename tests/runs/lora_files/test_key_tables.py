"""Key tables: what they say is what ComfyUI itself says, of which a hash was recorded; and what the notation means."""

import hashlib
import json
from pathlib import Path

import pytest

from lorads_core.base_models import FAMILIES, family, recognised_lora
from lorads_core.checkpoints.architectures import ARCHITECTURES
from lorads_core.runs.lora_files import family_tables, model_tables, table_keys
from lorads_core.runs.lora_files.foreign_names import FOREIGN, SHARES
from lorads_core.runs.lora_files.key_tables import KEY_TABLES
from lorads_core.runs.lora_files.names import Names, expand

GOLDEN = json.loads((Path(__file__).parent / "golden/comfyui_keys.json").read_text(encoding="utf-8"))["models"]


def keys_of(table, *, text):
    return {key for names in (table.texts if text else table.denoiser) for key in names.keys()}  # noqa: SIM118


@pytest.mark.parametrize("name", GOLDEN)
def test_the_keys_of_a_model_are_those_that_comfyui_takes(name):
    architecture, _, text = name.partition(", ")
    table = next(each for each in KEY_TABLES if architecture in each.architectures)
    keys = sorted(keys_of(table, text=bool(text)))
    assert len(keys) == GOLDEN[name]["keys"]
    assert hashlib.sha256("\n".join(keys).encode()).hexdigest() == GOLDEN[name]["sha256"]


def test_every_row_was_held_against_comfyui():
    assert {name for table in KEY_TABLES for name in table.architectures} == {
        name for name in GOLDEN if ", text" not in name
    }


def test_every_family_has_a_row():
    assert [each.name for each in FAMILIES if not family_tables(each.name)] == []
    assert {name for table in KEY_TABLES for name in table.architectures} <= {each.name for each in ARCHITECTURES}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a b.c", ["a", "b.c"]),
        ("a.(x|y).(0..2)", ["a.x.0", "a.y.0", "a.x.1", "a.y.1", "a.x.2", "a.y.2"]),
        ("(a.(1|x)|b).c", ["a.1.c", "a.x.c", "b.c"]),
        ("norm(1|2)", ["norm1", "norm2"]),
        ("all_x_embedder.2-1", ["all_x_embedder.2-1"]),
    ],
)
def test_the_notation_stands_for_names(text, names):
    assert list(expand(text)) == names


def test_a_form_that_ends_in_an_underscore_has_no_dots():
    assert set(Names(("a.", "b_"), "x.(1|2)").keys()) == {"a.x.1", "a.x.2", "b_x_1", "b_x_2"}
    found = Names(("unet.",), "attn1.(to_q|to_out.0)", processor=True).keys()
    assert set(found) == {"unet.attn1.processor.to_q", "unet.attn1.processor.to_out"}


@pytest.mark.parametrize("table", KEY_TABLES, ids=lambda table: table.architectures[0])
def test_the_row_of_a_model_is_found_by_its_keys(table):
    assert model_tables(keys_of(table, text=False)) == (table,)
    assert model_tables(dict.fromkeys(["diffusion_model.conv_in"])) == ()


def test_names_of_other_programs_lead_to_modules_that_there_are():
    for architecture, renamed in FOREIGN.items():
        table = next(each for each in KEY_TABLES if architecture in each.architectures)
        own = {name.replace(".", "_") for names in table.denoiser for name in expand(names.names)}
        for theirs, ours in renamed.items():
            assert theirs.count("#") == ours.count("#") <= 1
            assert ours.replace(".", "_").replace("#", "0") in own, ours
    assert {each for each, _, _ in SHARES} <= {each.name for each in ARCHITECTURES}


# ComfyUI takes these for models whose LoRAs never have them.
NEVER = {"flux": "to_qkv_mlp_proj", "chroma": "to_qkv_mlp_proj", "lumina2": "attention.to_"}


def forms(table):
    """Return the keys of a table's modules by form, as files have them: those of attention, and those of the rest."""
    for names in table.denoiser:
        own = [name for name in expand(names.names) if NEVER.get(table.architectures[0], "-") not in name]
        for form in names.forms:
            keys = list(Names((form,), " ".join(own), names.processor).keys())
            yield [key for key in keys if "attn" in key or "attention" in key]
            yield [key for key in keys if "attn" not in key and "attention" not in key]


@pytest.mark.parametrize("name", [each.name for each in FAMILIES])
def test_a_lora_of_a_family_is_taken_for_none_of_another(name):
    allowed = {*family(name).lora_families, ""}
    for table in family_tables(name):
        for keys in forms(table):
            found = recognised_lora(keys) if keys else None
            assert (found.name if found else "") in allowed, (table.architectures, keys[:2])


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("transformer.core.transformer_blocks.3.attn1.to_q.lora_A.weight", "anima"),
        ("transformer.transformer_blocks.3.attn.to_gate.lora_A.weight", "krea2"),
        ("lycoris_text_fusion_refiner_blocks_0_attn_to_q.lokr_w1", "krea2"),
        ("lora_unet_transformer_blocks_59_attn_to_q.lora_down.weight", "qwen_image"),
        ("transformer.single_transformer_blocks.44.attn.to_qkv_mlp_proj.lora_A.weight", "flux2"),
        ("transformer.transformer_blocks.37.attn.to_q.lora_A.weight", ""),  # of SD 3.5 or Qwen-Image
    ],
)
def test_names_that_trainers_write_tell_the_family(key, name):
    found = recognised_lora([key])
    assert (found.name if found else "") == name


@pytest.mark.parametrize("name", [each.name for each in FAMILIES])
def test_the_prefixes_of_a_familys_row_are_those_of_its_keys(name):
    keys = list(table_keys(family_tables(name)))
    assert [prefix for prefix in family(name).lora_prefixes if not any(key.startswith(prefix) for key in keys)] == []
