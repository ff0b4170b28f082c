"""How much of a run's LoRA ComfyUI loads: judged at its end, converted when it is installed, kept with the run."""

import dataclasses
import json
from uuid import uuid4

import numpy as np
import pytest
from safetensors.numpy import load_file

from lorads_core.cli.main import main
from lorads_core.errors import TrainerError
from lorads_core.model import Run
from lorads_core.runs import run_folder as files
from lorads_core.runs.install_lora import install_lora
from lorads_core.runs.lora_file import read_lora
from lorads_core.runs.lora_loading import (
    SavedLoading,
    loadings_text,
    lora_loading,
    save_loading,
    save_loadings,
    saved_loadings,
)  # fmt: skip
from lorads_core.runs.outcome import determine_outcome
from lorads_core.workflow.training import check_lora

from .lora_files.files import LOKR, PEFT, ZIMAGE, many, names, tensors, write

NATIVE = many([f"diffusion_model.layers.{{}}.attention.to_{part}" for part in ("q", "k", "v", "out.0")], 2)
HALF = ["diffusion_model.layers.0.attention.to_q", "diffusion_model.layers.99.attention.to_q"]
OTHER = names("lora_unet_double_blocks_{}_img_attn_qkv", 0, 1)


@pytest.fixture
def run(tmp_path):
    """Return a run of a Z-Image whose LoRA a test writes."""
    (tmp_path / "out").mkdir()
    run_id = uuid4()
    return Run(
        run_id, "Tom", "x", "x", "ab" * 32, None, tmp_path, tmp_path / "out", "completed", loras=("tom.safetensors",)
    )


@pytest.fixture
def lora(run):
    """Return a function that writes the run's LoRA, with some metadata, and returns its file."""

    def make(modules, ends=PEFT, **sizes):
        path = run.output / "tom.safetensors"
        write(path, tensors(modules, ends, **sizes), {"ss_output_name": "tom"})
        return path

    return make


def install(run, lora, tmp_path, **how):
    return install_lora(run, lora, tmp_path / "loras", family="zimage", **how)


def test_a_lora_that_comfyui_loads_is_installed_as_it_is(run, lora, tmp_path):
    made = install(run, lora(NATIVE), tmp_path, trigger="tom")
    assert made.loading.text == "8 of 8 modules load (attention 8)"
    assert set(load_file(made.file)) == set(tensors(NATIVE, PEFT))
    assert "lorads.converted" not in read_lora(made.file).metadata


def test_a_lora_of_musubi_is_installed_with_names_that_comfyui_knows(run, lora, tmp_path):
    path = lora([name for name in ZIMAGE if "_layers_0_" in name], {".lora_down.weight": ("rank", "columns"),
                ".lora_up.weight": ("rows", "rank"), ".alpha": ()})  # fmt: skip
    before, old = path.read_bytes(), load_file(path)
    made = install(run, path, tmp_path, trigger="tom")
    new = load_file(made.file)
    assert made.loading.text.endswith("7 of 7 modules load as it is") is False
    assert made.loading.text.startswith("7 of 7 modules load (attention 4, feed-forward 3) once converted")
    assert np.array_equal(
        new["diffusion_model.layers.0.attention.to_out.0.lora_up.weight"],
        old["lora_unet_layers_0_attention_to_out_0.lora_up.weight"],
    )
    assert len(new) == len(old)
    metadata = read_lora(made.file).metadata
    assert metadata["lorads.converted"].endswith("4 modules renamed")
    assert (metadata["ss_output_name"], metadata["lorads.trigger"]) == ("tom", "tom")
    assert path.read_bytes() == before, "the trainer's own file stays"
    assert install(run, path, tmp_path, trigger="tom").file == made.file, "again is the same"
    assert sorted(each.name for each in (tmp_path / "loras").iterdir()) == ["Tom.safetensors"]


def test_a_fused_lora_in_bfloat16_is_split_and_keeps_its_type(run, tmp_path):
    shapes = {name: dataclasses.replace(each, dtype="BF16") for name, each in tensors(
        ["transformer.transformer_blocks.0.attn.to_qkv"], PEFT, rank=2, rows=12, columns=4).items()}  # fmt: skip
    path = run.output / "tom.safetensors"
    write(path, shapes)
    made = install_lora(run, path, tmp_path / "loras", family="krea2")
    found = read_lora(made.file)
    key = "diffusion_model.transformer_blocks.0.attn.to_{}.lora_{}.weight"
    assert {name: (each["dtype"], each["shape"]) for name, each in found.tensors.items()} == {
        **{key.format(part, "A"): ("BF16", [2, 4]) for part in "qkv"},
        **{key.format(part, "B"): ("BF16", [8 if part == "q" else 2, 2]) for part in "qkv"},
    }
    data, old = made.file.read_bytes()[found.data_start :], read_lora(path)
    rows = [data[slice(*found.tensors[key.format(part, "B")]["data_offsets"])] for part in "qkv"]
    begin, end = old.tensors["transformer.transformer_blocks.0.attn.to_qkv.lora_B.weight"]["data_offsets"]
    assert b"".join(rows) == path.read_bytes()[old.data_start :][begin:end]
    assert len(data) == max(each["data_offsets"][1] for each in found.tensors.values())


def test_a_link_to_a_file_that_has_to_be_converted_becomes_a_copy(run, lora, tmp_path):
    made = install(run, lora(["lora_unet_layers_0_attention_to_q"]), tmp_path, link=True)
    assert made.message == "It was copied: ComfyUI would load the trainer's own file in part."
    assert not made.file.is_symlink()
    assert made.file.stat().st_nlink == 1
    assert install(run, lora(NATIVE), tmp_path, link=True).message == ""


def test_a_lora_that_loads_in_part_is_refused_with_the_reason_unless_it_is_wanted(run, lora, tmp_path):
    path = lora(HALF)
    with pytest.raises(TrainerError, match=r"in part\. Of its modules, 1 of 2 modules load .* add --as-it-is"):
        install(run, path, tmp_path)
    assert not (tmp_path / "loras").exists()
    assert set(load_file(install(run, path, tmp_path, handling="partly").file)) == set(tensors(HALF, PEFT))


def test_a_lora_of_another_model_is_refused(run, lora, tmp_path):
    path = lora(OTHER)
    for handling in ("whole", "partly"):
        with pytest.raises(TrainerError, match="would load nothing of"):
            install(run, path, tmp_path, handling=handling)
    assert install(run, path, tmp_path, handling="unchanged").loading.best.loaded == 0


def test_a_disk_that_is_full_leaves_nothing_of_a_conversion(run, lora, tmp_path, faulty):
    path = lora(["lora_unet_layers_0_attention_to_q"])
    (tmp_path / "loras").mkdir()
    faulty.refuse("replace", times=1000)
    with pytest.raises(TrainerError, match="cannot be written"):
        install(run, path, tmp_path)
    assert list((tmp_path / "loras").iterdir()) == []


def order(run, **how):
    return files.Order(
        trainer="x", argv=("x",), cwd="/", output=str(run.output), checkpoints=("tom.safetensors",), rank=4,
        total_steps=1, epochs=1, family="zimage", **how,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("modules", "state", "said"),
    [
        (NATIVE, "completed", ""),
        (["lora_unet_layers_0_attention_to_q"], "completed", "0 of 1 module loads as it is"),
        (HALF, "completed", "ComfyUI will not load all of it. Of its modules, 1 of 2 modules load"),
        (OTHER, "failed", "ComfyUI would load nothing of its LoRA: 0 of 2 modules load"),
    ],
)
def test_a_run_ends_with_a_word_on_what_comfyui_will_not_load(run, lora, modules, state, said):
    lora(modules)
    found = determine_outcome(order(run), 0, (), since=0)
    assert found.state == state
    assert said in found.message
    assert bool(found.message) == bool(said)


def test_the_figures_of_all_loras_are_kept_with_the_run(run, lora):
    lora(HALF)
    write(run.output / "tom-000001.safetensors", tensors(NATIVE, PEFT))
    (run.output / "cut.safetensors").write_bytes(b"x")
    save_loadings(run.folder, run.output, ("tom-000001.safetensors", "tom.safetensors", "cut.safetensors"), "zimage")
    found = saved_loadings(run.folder)
    assert {name: (each.coverage.loaded, each.coverage.modules, each.source) for name, each in found.items()} == {
        "tom-000001.safetensors": (8, 8, "the table of keys"),
        "tom.safetensors": (1, 2, "the table of keys"),
    }
    assert loadings_text(found) == "tom-000001.safetensors: 8 of 8 modules load; tom.safetensors: 1 of 2 modules load"
    whole = found["tom-000001.safetensors"]
    save_loading(run.folder, "tom.safetensors", SavedLoading(whole.coverage, "as ComfyUI says", "ComfyUI"))
    assert saved_loadings(run.folder)["tom.safetensors"].text == "as ComfyUI says"
    assert loadings_text(saved_loadings(run.folder)) == "8 of 8 modules load"
    assert loadings_text(saved_loadings(run.folder), "ComfyUI") == "8 of 8 modules load"
    assert loadings_text({}) == ""


def test_figures_that_are_damaged_say_nothing(run):
    for text in ("", "[]", "{", '{"a": 3}', '{"a": {"kinds": 3}}', "\0"):
        (run.folder / "lora_loads.json").write_text(text)
        assert saved_loadings(run.folder) == {}


def test_a_family_is_told_by_the_tensors_where_none_is_named(lora):
    assert lora_loading(read_lora(lora(NATIVE))).as_it_is.loaded == 8
    assert lora_loading(read_lora(lora(["lora_unet_nothing"]))) is None


def test_any_file_is_looked_at_and_converted_beside_itself(lora):
    path = lora(["lora_unet_layers_0_attention_to_q"])
    assert check_lora(path).written is None
    found = check_lora(path, "zimage", write=True)
    assert found.written == path.with_name("tom-comfyui.safetensors")
    assert set(load_file(found.written)) == {
        f"diffusion_model.layers.0.attention.to_q.lora_{each}.weight" for each in "AB"
    }
    assert check_lora(found.written, write=True).written is None, "there is nothing to be converted"
    with pytest.raises(TrainerError, match="tell no family"):
        check_lora(lora(["lora_unet_nothing"]))
    with pytest.raises(TrainerError, match="holds no LoRA: none of its 1 tensors"):
        check_lora(lora(["layers.0.attention.to_q"], {".weight": (4, 4)}), "zimage")
    with pytest.raises(TrainerError, match="it has no tensors at all"):
        check_lora(lora([]))
    with pytest.raises(TrainerError, match=r"is a LoRA for Flux, not for SDXL: leave --base-model out"):
        check_lora(lora(OTHER), "sdxl")


def test_a_copy_replaces_nobody_s_own_file(lora):
    path = lora(["lora_unet_layers_0_attention_to_q"])
    own = path.with_name("tom-comfyui.safetensors")
    write(own, tensors(NATIVE, PEFT))
    before = own.read_bytes()
    with pytest.raises(TrainerError, match=r"is there already, and LoRADS has not made it"):
        check_lora(path, write=True)
    assert own.read_bytes() == before


@pytest.fixture
def lorads(store_settings, capsys):
    def run(*words):
        code = main([*map(str, words), "--settings", str(store_settings)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_command_says_how_much_of_files_loads_and_how_to_convert_them(lorads, lora):
    path = lora(["lora_unet_layers_0_attention_to_q"])
    code, out, _ = lorads("lora", path)
    assert (code, "1 of 1 module loads" in out, "--convert" in out) == (1, True, True)
    code, out, _ = lorads("lora", path, "--convert")
    assert (code, "tom-comfyui.safetensors" in out) == (0, True)
    code, out, _ = lorads("lora", path, path.with_name("tom-comfyui.safetensors"), "--json")
    found = json.loads(out)
    assert code == 1
    assert [(each["family"], each["as_it_is"]["loaded"]) for each in found] == [("zimage", 0), ("zimage", 1)]
    assert found[0]["converted"]["loaded"] == 1
    code, out, err = lorads("lora", lora(HALF))
    assert (code, "1 of 2 modules load" in out + err) == (1, True)
    assert lorads("lora", lora(KREA2_FUSED, {**LOKR, ".lokr_w1": (5, 4)}), "--base-model", "krea2")[0] == 1
    assert lorads("lora", path, "--base-model", "nothing")[0] == 3


def test_a_file_of_several_that_is_no_lora_stops_none_of_the_others(lorads, lora, tmp_path):
    page = tmp_path / "page.safetensors"
    page.write_bytes(b"<!DOCTYPE html><html>")
    code, out, err = lorads("lora", page, lora(NATIVE))
    assert code == 1
    assert "is a web page, not the model" in out + err
    assert "8 of 8 modules load" in out
    code, out, _ = lorads("lora", page, lora(NATIVE), "--json")
    found = json.loads(out)
    assert ("error" in found[0], found[1]["as_it_is"]["loaded"]) == (True, 8)


KREA2_FUSED = ["lycoris_transformer_blocks_0_attn_to_qkv"]
