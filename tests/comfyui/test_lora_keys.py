"""Key tables against a real ComfyUI: the keys that it takes for models without weights, and what it loads of files."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lorads_core.runs.lora_files import coverage, family_tables, loading, table_keys
from lorads_core.runs.lora_files.key_tables import KEY_TABLES
from lorads_core.runs.lora_files.modules import modules_of
from lorads_core.workflow.training import check_lora

from ..runs.lora_files.files import CASES, lumina, tensors, write

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]
CAPTURE = Path(__file__).parents[1] / "runs/lora_files/capture/comfyui_keys.py"


@pytest.fixture(scope="module")
def ask(comfyui):
    """Return what runs the capture with ComfyUI's Python."""
    folder, python = comfyui

    def run(*words):
        environment = {**os.environ, "COMFYUI_PATH": str(folder)}
        ended = subprocess.run([python, CAPTURE, *words], check=True, capture_output=True, env=environment)
        return ended.stdout.decode().strip().rpartition("\n")[2]

    return run


def table_of(architecture):
    return next(each for each in KEY_TABLES if architecture in each.architectures)


def test_the_keys_are_those_of_the_comfyui_that_is_here(ask, tmp_path):
    ask("--keys", tmp_path / "keys.json")
    for name, keys in json.loads((tmp_path / "keys.json").read_text(encoding="utf-8")).items():
        architecture, _, text = name.partition(", ")
        table = table_of(architecture)
        ours = {key for each in (table.texts if text else table.denoiser) for key in each.keys()}  # noqa: SIM118
        assert (sorted(ours - set(keys))[:5], sorted(set(keys) - ours)[:5]) == ([], []), name


def test_it_loads_of_files_the_modules_that_we_say_it_will_and_all_that_were_converted(ask, tmp_path):
    cases, ours = {}, {}
    for name, (architecture, shapes) in CASES.items():
        tables = (table_of(architecture),)
        cases[name] = (architecture, shapes)
        found = loading(shapes, tables)
        if found.conversion:
            cases[f"{name}, converted"] = (architecture, found.conversion.tensors(shapes))
        ours[name] = found
    told = {
        name: (architecture, {key: each.shape for key, each in shapes.items()})
        for name, (architecture, shapes) in cases.items()
    }
    (tmp_path / "cases.json").write_text(json.dumps(told), encoding="utf-8")
    ask("--load", tmp_path / "cases.json")
    loaded = json.loads((tmp_path / "cases.json").read_text(encoding="utf-8"))
    for name, (architecture, shapes) in cases.items():
        modules, _ = modules_of(shapes)
        whole = [each for each in modules if all(each.name + end in loaded[name] for end in each.tensors)]
        expected = coverage(shapes, table_keys((table_of(architecture),)))
        assert (len(whole), len(modules)) == (expected.loaded, expected.modules), name
    assert {name for name, each in ours.items() if each.converted} == {
        "Z-Image by musubi-tuner", "Anima by SimpleTuner", "Krea 2, fused", "SDXL by Diffusers",
        "HunyuanImage by sd-scripts", "HiDream O1 by musubi-tuner", "AuraFlow by SimpleTuner",
        "Ideogram 4 by SimpleTuner", "ERNIE-Image by SimpleTuner", "Lumina 2 by ai-toolkit", "Lumina 2 by SimpleTuner",
        "Wan by SimpleTuner",
    }  # fmt: skip


def test_a_converted_file_changes_the_weights_as_the_fused_one_that_musubi_makes_of_it(ask, tmp_path):
    """Of musubi-tuner, convert_z_image_lora_to_comfy.py: downs stacked, ups on the diagonal, rank and alpha tripled."""
    width, rank = 3840, 2
    module = "lora_unet_layers_0_attention_to"
    shapes = tensors([f"{module}_{part}" for part in ("q", "k", "v")], rank=rank, rows=width, columns=width)
    arrays = write(tmp_path / "musubi.safetensors", shapes)
    for part in "qkv":
        arrays[f"{module}_{part}.alpha"] = np.array(1.5, np.float32)
    save_file(arrays, tmp_path / "musubi.safetensors")
    up = np.zeros((3 * width, 3 * rank), np.float32)
    for place, part in enumerate("qkv"):
        rows, columns = slice(place * width, (place + 1) * width), slice(place * rank, (place + 1) * rank)
        up[rows, columns] = arrays[f"{module}_{part}.lora_up.weight"]
    down = np.concatenate([arrays[f"{module}_{part}.lora_down.weight"] for part in "qkv"])
    fused = {"alpha": np.array(4.5, np.float32), "lora_up.weight": up, "lora_down.weight": down}
    named = {f"lora_unet_layers_0_attention_qkv.{end}": each for end, each in fused.items()}
    save_file(named, tmp_path / "fused.safetensors")
    converted = check_lora(tmp_path / "musubi.safetensors", write=True).written
    found = json.loads(ask("--compare", "zimage", converted, tmp_path / "fused.safetensors"))
    assert found["weights"] == ["diffusion_model.layers.0.attention.qkv.weight"]
    assert found["change"] > 1
    assert found["greatest"] < 1e-5 * found["change"]


def test_a_merged_file_changes_the_weights_as_its_parts_would(ask, tmp_path):
    """The projections of Lumina 2, of which ComfyUI has one layer, against their changes in full."""
    shapes = lumina("lycoris_", blocks=(3,))
    arrays = write(tmp_path / "lumina.safetensors", shapes)
    whole, names = {}, {}
    for name in [key.removesuffix(".alpha") for key in arrays if key.endswith(".alpha")]:
        arrays[f"{name}.alpha"] = np.array(3.0, np.float32)
        names[name.removeprefix("lycoris_layers_3_")] = (
            arrays[f"{name}.lora_up.weight"] @ arrays[f"{name}.lora_down.weight"] * 3 / 4
        )
    save_file(arrays, tmp_path / "lumina.safetensors")
    whole["attention.qkv"] = np.concatenate([names[f"attn_to_{part}"] for part in "qkv"])
    save_file(
        {f"diffusion_model.layers.3.{name}.diff": each for name, each in whole.items()}, tmp_path / "whole.safetensors"
    )
    projections = {name: each for name, each in arrays.items() if re.search(r"to_[qkv]\.", name)}
    save_file(projections, tmp_path / "projections.safetensors")
    converted = check_lora(tmp_path / "projections.safetensors", write=True).written
    found = json.loads(ask("--compare", "lumina2", converted, tmp_path / "whole.safetensors"))
    assert found["weights"] == ["diffusion_model.layers.3.attention.qkv.weight"]
    assert found["change"] > 1
    assert found["greatest"] < 1e-5 * found["change"]


def test_the_tables_are_those_of_the_families_that_can_be_trained():
    assert all(family_tables(name) for name in ("sdxl", "flux", "anima", "zimage", "krea2"))
