"""Configs of a run: the export's own where they say what its manifest says, else rendered from the manifest."""

import hashlib
import json
import shutil

import pytest

from lorads_core.errors import TrainerError
from lorads_core.runs import run_folder as files
from lorads_core.runs.configs import prepare_configs
from lorads_core.runs.launch import launch
from lorads_core.runs.read_export import read_export
from lorads_core.trainers import SavedState, trainers

from ..rights import mode

TRAINERS = [name for name in trainers() if name != "comfyui"]


def escaped(path):
    return json.dumps(str(path))[1:-1]


def forge(export, name, changed):
    """Change a config of an export as one would who sends it to others: its manifest holds the new hash."""
    file, manifest = export.folder / name, json.loads((export.folder / "manifest.json").read_text())
    text = changed(file.read_text(encoding="utf-8"))
    file.write_bytes(text.encode())
    manifest["texts"][name] = hashlib.sha256(text.encode()).hexdigest()
    (export.folder / "manifest.json").write_text(json.dumps(manifest))
    return read_export(export.folder)


LOHA, MASKS = {"sample_prompts": ("tom, a cat",), "network": "loha"}, {"masked_loss": "sidecar"}
REFUSED = [("ai-toolkit", LOHA), ("simpletuner", MASKS), ("musubi-tuner", MASKS)]
BASES = {"musubi-tuner": {"base_model": "zimage"}}
KINDS = [(name, values) for name in TRAINERS for values in ({}, LOHA, MASKS) if (name, values) not in REFUSED]


@pytest.mark.parametrize(("name", "values"), KINDS)
def test_an_export_of_ones_own_is_trained_with_its_own_configs(make_export, tmp_path, name, values):
    export = make_export(name, **BASES.get(name, {}), **values)
    found = prepare_configs(export, None, export.output, tmp_path / "a")
    assert (found.folder, found.differing, found.message) == (export.folder, (), "")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", TRAINERS)
def test_the_configs_of_each_trainer_can_name_another_output(make_export, tmp_path, name):
    export = make_export(name, **BASES.get(name, {}), sample_prompts=("tom",))
    other = export.output.with_name(f"{export.output.name}.2")
    found = prepare_configs(export, None, other, tmp_path / "b")
    assert found.differing == ()
    copies = {copy.name: copy.read_text(encoding="utf-8") for copy in found.folder.iterdir()}
    assert set(copies) == {file for file in export.manifest["texts"] if "/" not in file}
    assert escaped(other) in "".join(copies.values())
    for text in copies.values():
        assert f'{escaped(export.output)}"' not in text
        assert not [file for file in copies if escaped(export.folder / file) in text]
    stages = trainers()[name].stages(export.config, found.folder)
    command = [word for stage in stages for word in stage.arguments]
    assert str(found.folder) in " ".join(command)
    assert str(export.folder) not in " ".join(command)


def test_a_config_that_says_something_else_than_its_manifest_is_not_trained_with(make_export, tmp_path):
    export = make_export()
    forged = forge(
        export, "training_config.toml", lambda text: text.replace("[network]", "") + 'network_module = "evil.module"\n'
    )
    found = prepare_configs(forged, None, forged.output, tmp_path / "run")
    assert found.differing == ("training_config.toml",)
    assert "training_config.toml of the export" in found.message
    assert "evil" not in (found.folder / "training_config.toml").read_text(encoding="utf-8")
    assert str(forged.output).rpartition("/")[2] in (found.folder / "training_config.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["onetrainer", "simpletuner"])
def test_the_copy_of_a_config_says_what_to_resume_and_the_export_stays(make_export, tmp_path, name):
    export = make_export(name)
    file = "onetrainer_config.json" if name == "onetrainer" else "config.json"
    before = (export.folder / file).read_bytes()
    state = SavedState(tmp_path, 1, 1, file=file, keys={"continue": "it"})
    copies = prepare_configs(export, None, export.output, tmp_path / "copies", state).folder
    moved = before.decode()
    for copy in copies.iterdir():  # they name each other
        moved = moved.replace(escaped(export.folder / copy.name), escaped(copy))
    assert json.loads((copies / file).read_text()) == json.loads(moved) | {"continue": "it"}
    assert (export.folder / file).read_bytes() == before


def test_a_moved_export_is_trained_where_it_lies_now(make_export, tmp_path):
    export = make_export()
    shutil.move(export.folder.parent, tmp_path / "moved")
    moved = read_export(tmp_path / "moved" / "Tom")
    found = prepare_configs(moved, None, moved.output, tmp_path / "run")
    assert found.differing == ("dataset_config.toml", "training_config.toml")
    for file in found.folder.iterdir():
        assert escaped(export.folder.parent) not in file.read_text(encoding="utf-8")
    assert escaped(moved.folder / "2_tom") in (found.folder / "dataset_config.toml").read_text(encoding="utf-8")


def test_a_manifest_that_does_not_say_what_its_configs_are_made_from_is_one_sentence(make_export, tmp_path):
    export = make_export()
    for row in export.manifest["images"]:
        del row["width"]
    with pytest.raises(TrainerError, match="its manifest is damaged"):
        prepare_configs(export, None, export.output, tmp_path / "run")


def test_a_launch_says_that_a_forged_config_is_not_used(store, make_profile, make_export, until):
    export = forge(make_export(), "training_config.toml", lambda text: text + "# another's\n")
    run = launch(store, make_profile(), export)
    assert "training_config.toml of the export" in run.message
    assert str(run.folder / "config" / "training_config.toml") in files.read_order(run.folder).argv
    assert until(run).state == "completed"


@pytest.mark.posix
@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize(("of_image", "of_folders"), [(0o600, 0o700), (0o644, 0o755)])
def test_the_folders_of_a_run_are_for_those_who_may_read_its_export(
    store, make_profile, make_export, until, tmp_path, of_image, of_folders
):
    (tmp_path / "0.png").chmod(of_image)
    run = until(launch(store, make_profile(), make_export()))
    assert run.state == "completed"
    assert (mode(run.folder), mode(run.output)) == (of_folders, of_folders)
    assert {"log.txt", "status.json"} <= {path.name for path in run.folder.iterdir()}
