"""Which pictures a test draws: LoRAs of runs and of files, labels, prompts, controls."""

import json
import uuid
from pathlib import Path

import pytest

from lorads_core.errors import SettingsError, TrainerError
from lorads_core.lora_tests.variants import (
    Candidate,
    candidates_of_files,
    candidates_of_runs,
    remove_triggers,
    strengths,
    variants,
)
from lorads_core.model import Run
from lorads_core.runs import run_folder as files


@pytest.fixture
def make_run(tmp_path):
    def make(
        name="tom", loras=("tom-000001.safetensors", "tom-000002.safetensors", "tom.safetensors"), trigger="tomcat"
    ):
        run_id = uuid.uuid4()
        folder = tmp_path / str(run_id)
        folder.mkdir()
        order = files.Order("sd-scripts", ("python",), "/", "/", (), 8, 20, 2, trigger)
        files.write_order(folder, order)
        return Run(run_id, name, "sd-scripts", "local", f"{run_id}", None, folder, tmp_path, "completed", loras=loras)

    return make


def lora(path, **metadata):
    tensor = {"a.lora_down.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}
    header = json.dumps({"__metadata__": metadata, **tensor} if metadata else tensor).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    return path


def test_epochs_by_strengths_behind_two_controls(make_run, tmp_path):
    found = variants(candidates_of_runs([make_run()], "000001, last"), [0.5, 1], "a photo of tomcat, night")
    assert [(each.label, each.strength) for each in found[2:]] == [
        ("000001 × 0.5", 0.5),
        ("000001 × 1", 1),
        ("last × 0.5", 0.5),
        ("last × 1", 1),
    ]
    base, without = found[:2]
    assert (base.label, base.file, base.prompt) == ("base model", None, "a photo of tomcat, night")
    assert (without.label, without.file, without.strength) == ("without trigger", tmp_path / "tom.safetensors", 1)
    assert without.prompt == "a photo of, night"


def test_all_means_every_file_and_a_part_of_a_name_all_that_have_it(make_run):
    run = make_run()
    assert [each.label for each in candidates_of_runs([run], "all")[0]] == ["000001", "000002", "last"]
    assert [each.label for each in candidates_of_runs([run], "00000, last, last")[0]] == ["000001", "000002", "last"]
    assert [each.label for each in candidates_of_runs([run], " ")[0]] == ["last"]


def test_an_epoch_that_is_not_there_and_a_run_without_loras_are_said(make_run):
    with pytest.raises(TrainerError, match="'000009' in its name; there are: tom-000001"):
        candidates_of_runs([make_run()], "000009")
    with pytest.raises(TrainerError, match="has saved no LoRA yet"):
        candidates_of_runs([make_run(loras=())], "last")


def test_two_runs_are_told_apart_and_one_wired_twice_counts_once(make_run):
    first, second = make_run(), make_run(trigger="cattom")
    assert [[each.label for each in source] for source in candidates_of_runs([first, second], "last")] == [
        [f"tom {first.manifest_hash[:6]} last"],
        [f"tom {second.manifest_hash[:6]} last"],
    ]
    assert [[each.label for each in source] for source in candidates_of_runs([first, first], "last")] == [["last"]]


def test_each_lora_has_its_own_trigger_in_the_prompt(make_run):
    sources = candidates_of_runs([make_run(), make_run(trigger="cattom")], "last")
    found = variants(sources, [1], "{trigger} at night")
    assert [each.prompt for each in found] == ["tomcat at night", "at night", "tomcat at night", "cattom at night"]
    assert variants(sources, [1], "", controls=False)[1].prompt == "cattom"


def test_a_prompt_without_the_trigger_has_no_such_control(make_run):
    found = variants(candidates_of_runs([make_run()], "last"), [1], "a dog,  at night")
    assert [each.label for each in found] == ["base model", "last × 1"]


def test_loras_by_name_say_their_trigger_where_their_metadata_does(tmp_path):
    ours = lora(tmp_path / "ours.safetensors", **{"modelspec.trigger_phrase": "tomcat"})
    plain = lora(tmp_path / "plain.safetensors")
    found = candidates_of_files(
        [("sub/ours.safetensors", ours), ("plain.safetensors", plain), ("sub/ours.safetensors", ours)]
    )
    assert found == [Candidate(ours, "sub/ours", "tomcat"), Candidate(plain, "plain")]
    with pytest.raises(SettingsError, match="Write a prompt"):
        variants([found[1:]], [1], "")


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = lora(tmp_path / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(TrainerError, match="is cut off"):
        candidates_of_files([("cut.safetensors", path)])


def test_more_pictures_than_anybody_looks_at_are_refused():
    source = [Candidate(Path(f"{n}.safetensors"), str(n)) for n in range(33)]
    with pytest.raises(SettingsError, match="67 images"):
        variants([source], [0.5, 1], "x y")
    assert len(variants([source[:32]], [0.5, 1], "x", controls=False)) == 64


@pytest.mark.parametrize(("text", "found"), [("0.6, 0.8;1", [0.6, 0.8, 1]), ("1 1 -2", [1, -2])])
def test_strengths_are_numbers(text, found):
    assert strengths(text) == found


@pytest.mark.parametrize("text", ["", "one", "nan", "inf", "1, 1e9"])
def test_strengths_that_are_none_are_refused(text):
    with pytest.raises(SettingsError, match="no strengths"):
        strengths(text)


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("tomcat, a cat", "a cat"),
        ("a TOMCAT sits", "a sits"),
        ("tomcats and tomcat's", "tomcats and 's"),
        ("a.b (x), tomcat", "(x)"),
    ],
)
def test_a_trigger_is_taken_out_as_a_word(prompt, left):
    assert remove_triggers(prompt, ["tomcat, a.b"]) == left
