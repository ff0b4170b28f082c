"""The training script in an export: it starts the trainer from anywhere, whatever its paths are called."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from lorads_core.export.plan import ExportOptions
from lorads_core.export.start_script import start_script
from lorads_core.model import TrainingConfig
from lorads_core.trainers import trainers
from lorads_core.trainers.installed import Installed

from ..trained import trained_by
from .conftest import CONFIG, export

WINDOWS = sys.platform == "win32"
ODD = "Jim's 50% & co, 100%PATH% (x)" if WINDOWS else 'Jürgen\'s "50%" & $HOME `x` (日本)'
ECHO = "import os, sys; open('arguments', 'w', encoding='utf-8').write(repr((os.getcwd(), sys.argv[1:])))"


def text_of(installed=None, *, windows=WINDOWS, config=CONFIG, folder=Path("/exports/tom"), trainer="sd-scripts"):
    (text,) = start_script(config, ExportOptions(trainer, installed=installed), folder, windows=windows).values()
    return text


def run(script, cwd, **environment):
    return subprocess.run(
        [script] if WINDOWS else ["sh", script],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture
def trainer_folder(tmp_path):
    folder = tmp_path / f"trainer {ODD}"
    folder.mkdir()
    (folder / "sdxl_train_network.py").write_text(ECHO)
    return folder


@pytest.fixture
def written(dataset, tmp_path):
    """Return a function that exports a dataset, and the script in it."""

    def write(installed=None):
        return export(dataset, tmp_path / f"ex {ODD}", installed=installed).script

    return write


def started(folder):
    return eval((folder / "arguments").read_text(encoding="utf-8"))


def test_the_script_trains_in_the_trainers_folder_from_any_working_directory(written, trainer_folder, tmp_path):
    script = written(Installed(folder=trainer_folder, python=Path(sys.executable)))
    ended = run(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert started(trainer_folder) == (
        str(trainer_folder), ["--config_file", str(script.parent / "training_config.toml")]
    )  # fmt: skip


def test_without_a_known_trainer_a_variable_names_it_and_its_venv_runs(written, trainer_folder, tmp_path):
    script = written()
    ended = run(script, tmp_path, LORADS_TRAINER="")
    assert ended.returncode == 1
    assert b"LORADS_TRAINER to the folder of sd-scripts" in ended.stderr
    trainer_folder = trainer_folder.rename(tmp_path / "Jim's sd-scripts & co")
    python = trainer_folder / "venv" / ("Scripts/python.exe" if WINDOWS else "bin/python")
    python.parent.mkdir(parents=True)
    if WINDOWS:
        shutil.copy(sys.executable, python)
    else:
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@" of-the-venv\n')
        python.chmod(0o755)
    ended = run(script, trainer_folder.parent, LORADS_TRAINER=trainer_folder.name)
    assert ended.returncode == 0, ended.stderr
    folder, arguments = started(trainer_folder)
    assert folder == str(trainer_folder)
    assert WINDOWS or arguments[-1] == "of-the-venv"


def test_what_the_trainer_ends_with_is_what_the_script_ends_with(written, trainer_folder, tmp_path):
    (trainer_folder / "sdxl_train_network.py").write_text("raise SystemExit(7)")
    assert run(written(Installed(folder=trainer_folder, python=Path(sys.executable))), tmp_path).returncode == 7


def test_a_moved_export_says_so_instead_of_training_something_else(written, trainer_folder, tmp_path):
    script = written(Installed(folder=trainer_folder, python=Path(sys.executable)))
    moved = script.parent.rename(tmp_path / "moved")
    ended = run(moved / script.name, tmp_path)
    assert ended.returncode == 1
    assert b"export it again" in ended.stderr
    assert not (trainer_folder / "arguments").exists()


def test_letters_of_all_alphabets_are_read_from_the_script(written, trainer_folder, tmp_path):
    folder = trainer_folder.rename(tmp_path / "日本 Jürgen")
    ended = run(written(Installed(folder=folder, python=Path(sys.executable))), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert started(folder)[0] == str(folder)


def test_an_export_with_its_script_is_the_same_when_it_is_exported_again(written, monkeypatch):
    for windows in (False, True):
        monkeypatch.setitem(start_script.__kwdefaults__, "windows", windows)
        script = written()
        assert script.name == ("train.bat" if windows else "train.sh")
        before = script.stat().st_mtime_ns
        assert written().stat().st_mtime_ns == before


def test_a_change_of_lorads_toml_alone_changes_the_script_and_not_the_version(written, trainer_folder):
    script = written(Installed(folder=trainer_folder, python=Path("/other/python")))
    manifest = (script.parent / "manifest.json").read_bytes()
    written(Installed(folder=trainer_folder, python=Path("/another/python")))
    assert "another" in script.read_text(encoding="utf-8")
    assert (script.parent / "manifest.json").read_bytes() == manifest
    assert script.name in json.loads(manifest)["files"]


@pytest.mark.parametrize("windows", [False, True], ids=["train.sh", "train.bat"])
def test_every_trainer_with_a_command_has_a_script(windows):
    for name, each in trainers().items():
        config = TrainingConfig(base_model="sdxl" if "sdxl" in each.families else "zimage")
        found = start_script(config, ExportOptions(name), Path("/exports/tom"), windows=windows)
        assert bool(found) == bool(each.install_files), name
        stages = each.stages(config, Path("/exports/tom"))
        assert all(stage.arguments[0] in text for text in found.values() for stage in stages)
        assert all(each.label in text for text in found.values())


def test_a_batch_file_has_windows_line_ends_and_keeps_percent_signs():
    folder = PureWindowsPath(r"D:\50% & more\sd-scripts")
    text = text_of(Installed(folder=folder, python=folder / "venv/Scripts/python.exe"), windows=True)
    assert text.count("\r\n") == text.count("\n") > 10
    assert 'pushd "D:\\50%% & more\\sd-scripts"\r\n' in text
    assert '"D:\\50%% & more\\sd-scripts\\venv\\Scripts\\python.exe" sdxl_train_network.py --config_file ' in text


def test_options_of_accelerate_and_a_prefix_are_in_the_script():
    installed = Installed(
        folder=PurePosixPath("/opt/sd"),
        python=PurePosixPath("/opt/sd/venv/bin/python"),
        accelerate=("--num_machines", "2"),
        prefix=("srun", "--gres=gpu:2"),
    )
    last = text_of(installed, windows=False).splitlines()[-1]
    assert last.startswith("exec srun --gres=gpu:2 /opt/sd/venv/bin/python -m accelerate.commands.launch ")
    assert "--num_machines 2" in last


def test_another_machine_is_reached_as_by_a_launch():
    installed = Installed(
        folder=PurePosixPath("/home/me/it's"), python=PurePosixPath("/home/me/p"), prefix=("ssh", "-tt", "gpu-box")
    )
    lines = text_of(installed, windows=False).splitlines()
    words = shlex.split(lines[-1])
    assert words[:4] == ["exec", "ssh", "-tt", "gpu-box"]
    assert shlex.split(words[4])[:3] == ["cd", "/home/me/it's", "&&"]
    assert not any(line.startswith(("cd ", "PATH=")) for line in lines)


@pytest.mark.parametrize("windows", [False, True], ids=["train.sh", "train.bat"])
def test_values_of_the_environment_stay_out_of_the_script_and_odd_names_too(windows):
    environment = {"HF_TOKEN": "hf_secret", "X\nrm -rf ~": "1"}
    installed = Installed(folder=Path("/opt/sd"), python=Path("/opt/p"), environment=environment)
    text = text_of(installed, windows=windows)
    assert "hf_secret" not in text
    assert "rm -rf" not in text
    assert "HF_TOKEN" in text


@pytest.mark.parametrize("windows", [False, True], ids=["train.sh", "train.bat"])
def test_each_stage_of_a_training_starts_after_the_one_before_ended_well(windows):
    config = trained_by("musubi-tuner", CONFIG)
    installed = Installed(folder=Path("/opt/musubi"), python=Path("/opt/p"))
    lines = text_of(installed, windows=windows, config=config, trainer="musubi-tuner").splitlines()
    starts = [number for number, line in enumerate(lines) if "zimage_" in line]
    assert ["_cache_latents" in lines[starts[0]], "_cache_text" in lines[starts[1]]] == [True, True]
    if windows:
        for number in starts[:-1]:
            assert lines[number + 1 : number + 3] == [
                'set "code=%ERRORLEVEL%"', 'if not "%code%"=="0" goto ended',
            ]  # fmt: skip
        assert lines[starts[-1] + 1 : starts[-1] + 5] == ['set "code=%ERRORLEVEL%"', ":ended", "popd", "exit /b %code%"]
    else:
        assert [lines[number].endswith(" || exit") for number in starts] == [True, True, False]
        assert lines[starts[-1]].startswith("exec ")
