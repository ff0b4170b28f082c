"""Key tables against a real ComfyUI: the keys that it takes for models without weights, and what it loads of files."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lorads_core.runs.lora_files import coverage, family_tables, loading, table_keys
from lorads_core.runs.lora_files.key_tables import KEY_TABLES
from lorads_core.runs.lora_files.modules import modules_of

from ..runs.lora_files.files import CASES

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]
CAPTURE = Path(__file__).parents[1] / "runs/lora_files/capture/comfyui_keys.py"


@pytest.fixture(scope="module")
def ask(comfyui):
    """Return what runs the capture with ComfyUI's Python."""
    folder, python = comfyui

    def run(*words):
        environment = {**os.environ, "COMFYUI_PATH": str(folder)}
        subprocess.run([python, CAPTURE, *words], check=True, capture_output=True, env=environment)

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
        "HunyuanImage by sd-scripts",
    }  # fmt: skip


def test_the_tables_are_those_of_the_families_that_can_be_trained():
    assert all(family_tables(name) for name in ("sdxl", "flux", "anima", "zimage", "krea2"))
