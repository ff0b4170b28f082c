"""What a trainer's profile may say, and the command that is made of it."""

import os
import re
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from lorads_core.cli.doctor import examine
from lorads_core.errors import SettingsError, TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.runs.profile import missing_modules, read_profile
from lorads_core.settings import Settings, Table, TrainerProfile, load_settings
from lorads_core.trainers import trainer, trainers


def profile_of(table):
    return read_profile(TrainerProfile("local", Table(table, "trainers.local.")))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "kohya"}, "needs a kind: one of"),
        ({"kind": ""}, "needs a kind"),
        ({"folder": ""}, "needs a folder"),
        ({"folder": 3}, "folder must be text"),
        ({"venv": "/v", "python": "/p"}, "has python and venv"),
        ({"accelerate": {"num_processes": 2}}, "num_processes is the training config's"),
        ({"accelerate": {"--x; rm": 2}}, "not an option with a plain value"),
        ({"accelerate": {"x": [1]}}, "not an option with a plain value"),
        ({"accelerate": 3}, "must be a table"),
        ({"environment": {"A": 1}}, "A must be text in quotes"),
        ({"environment": {"A": "x\0y"}}, "A must be text in quotes"),
        ({"environment": {"A=B": "x"}}, "A=B must be text"),
        ({"prefix": "srun"}, "must be a list of texts"),
        ({"stop_seconds": -1}, "must be a number from 0"),
        ({"from_comfyui": "yes"}, "must be true or false"),
        ({"prefix": ["ssh", "host"]}, "ssh needs -tt"),
        ({"prefix": ["/usr/bin/ssh", "-tt", "host"], "environment": {"HF_TOKEN": "x"}}, "would be seen"),
        ({"fodler": "x"}, "did you mean folder"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(values, said):
    with pytest.raises(SettingsError, match=r"trainers\.local") as caught:
        profile_of({"kind": "sd-scripts", "folder": "/opt/sd", **values})
    assert said in str(caught.value)


@pytest.mark.posix
def test_the_venv_in_the_trainers_folder_is_found(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    found = profile_of({"kind": "sd-scripts", "folder": str(tmp_path)})
    assert found.python == python  # not where the link leads: that Python has none of its packages
    found.check()


@pytest.mark.parametrize(
    "fault", ["no folder", "an empty folder", "a file", "no python", pytest.param("no rights", marks=pytest.mark.posix)]
)
def test_a_profile_that_points_nowhere_says_where(tmp_path, fault):
    folder, python = tmp_path / "trainer", tmp_path / "python"
    if fault == "a file":
        folder.touch()
    elif fault != "no folder":
        folder.mkdir()
    if fault in {"no python", "no rights"}:
        (folder / "train_network.py").touch()
    if fault == "no rights":
        python.touch(0o644)
    profile = profile_of({"kind": "sd-scripts", "folder": str(folder), "python": str(python)})
    with pytest.raises(SettingsError, match=r"\[trainers.local\].*(folder|Python|python)"):
        profile.check()


@pytest.mark.posix
def test_a_command_is_a_list_of_words():
    profile = profile_of({"kind": "sd-scripts", "folder": "/opt/s d", "python": "/opt/py", "prefix": ["srun", "-G2"]})
    assert profile.argv(["train.py", "a file; rm -rf /"]) == ["srun", "-G2", "/opt/py", "train.py", "a file; rm -rf /"]


def test_for_ssh_all_is_one_quoted_word():
    profile = profile_of({"kind": "sd-scripts", "folder": "/opt/s d", "python": "/p", "prefix": ["ssh", "-tt", "box"]})
    assert profile.argv(["train.py", "it's; rm"]) == [
        "ssh", "-tt", "box", """cd '/opt/s d' && exec /p train.py 'it'"'"'s; rm'""",
    ]  # fmt: skip
    assert profile.home is None
    profile.check()  # another machine's folders are not looked for here


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_paths_of_another_machine_stay_as_they_were_written(monkeypatch, tmp_path, platform):
    monkeypatch.setattr(sys, "platform", platform)
    (tmp_path / "real").mkdir()
    home = tmp_path / "home"  # on macOS /home is a link too
    with suppress(OSError):
        home.symlink_to(tmp_path / "real")
    folder = PurePosixPath("/home/me/sd") if os.name == "nt" else PurePosixPath(home / "sd")
    ssh = {"kind": "sd-scripts", "folder": str(folder), "prefix": ["ssh.exe", "-tt", "box"]}
    profile = profile_of(ssh)
    assert profile.argv(["train.py"])[-1] == f"cd {folder} && exec {folder}/venv/bin/python train.py"
    assert profile_of({**ssh, "venv": "/opt/v"}).argv([])[-1] == f"cd {folder} && exec /opt/v/bin/python"
    assert profile_of({**ssh, "python": "/usr/bin/python3"}).argv([])[-1].endswith("exec /usr/bin/python3")
    assert str(folder) not in profile.environment_of_trainer()["PATH"]


@pytest.mark.parametrize("key", ["folder", "venv", "python"])
def test_a_path_of_another_machine_must_be_whole(key):
    values = {"kind": "sd-scripts", "folder": "/opt/sd", "prefix": ["ssh", "-tt", "box"], key: "~/sd"}
    with pytest.raises(SettingsError, match=rf"{key}: write the path on the other machine in full"):
        profile_of(values)


def test_options_of_accelerate_go_to_those_that_it_starts(tmp_path):
    table = {"num_machines": 2, "machine_rank": 1, "main_process_ip": "10.0.0.1", "same_network": True, "x": False}
    profile = profile_of({"kind": "sd-scripts", "folder": "/opt/sd", "accelerate": table})
    options = ["--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "10.0.0.1", "--same_network"]
    assert list(profile.accelerate) == options
    config = TrainingConfig(processes=4)
    (stage,) = trainer("sd-scripts").stages(config, tmp_path, profile.accelerate)
    words = list(stage.arguments)
    assert words[:2] == ["-m", "accelerate.commands.launch"]
    assert words[2:-3] == ["--num_processes", "4", "--mixed_precision", "bf16", "--multi_gpu", *options]
    for name, each in trainers().items():
        if name == "musubi-tuner":
            *caching, training = each.stages(replace(config, base_model="zimage"), tmp_path, profile.accelerate)
            assert "10.0.0.1" in training.arguments
            assert not [stage for stage in caching if "10.0.0.1" in stage.arguments]
        elif name in {"sd-scripts", "simpletuner"}:
            (stage,) = each.stages(config, tmp_path, profile.accelerate)
            assert "10.0.0.1" in stage.arguments
        elif name != "comfyui":
            with pytest.raises(TrainerError, match="not started by accelerate"):
                each.stages(config, tmp_path, profile.accelerate)


@pytest.mark.posix
def test_our_own_python_does_not_lead_the_trainers_astray(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("VIRTUAL_ENV", "/ours")
    monkeypatch.setenv("KEPT", "yes")
    profile = profile_of(
        {"kind": "sd-scripts", "folder": "/opt/sd", "python": "/opt/v/bin/python", "environment": {"MINE": "1"}}
    )
    made = profile.environment_of_trainer()
    assert "PYTHONPATH" not in made
    assert "VIRTUAL_ENV" not in made
    assert (made["KEPT"], made["MINE"]) == ("yes", "1")
    assert made["PATH"].split(os.pathsep)[0] == "/opt/v/bin"


def test_the_modules_of_the_trainers_python_are_looked_for(tmp_path):
    profile = profile_of({"kind": "sd-scripts", "folder": str(tmp_path), "python": sys.executable})
    version, missing = missing_modules(profile, ("json", "no_such_module"))
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert missing == ["no_such_module"]


@pytest.mark.posix
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\nexit 3\n", "it ends with 3"),
        ("#!/bin/sh\necho one >&2; echo libpython is missing >&2; exit 1\n", "libpython is missing"),
        ("#!/bin/sh\n", "it does not print its version"),
        ("\x7fELF", "Exec format error"),
    ],
)
def test_a_python_that_is_none_is_said(script, reason, tmp_path):
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    profile = profile_of({"kind": "sd-scripts", "folder": str(tmp_path), "python": str(python)})
    with pytest.raises(TrainerError, match=re.escape(f"does not run as a Python ({reason})")):
        missing_modules(profile)


@pytest.mark.posix
def test_the_doctor_looks_at_each_trainer(trainer_folder, tmp_path):
    file = tmp_path / "lorads.toml"
    file.write_text(
        f"[trainers.good]\nkind = 'sd-scripts'\nfolder = '''{trainer_folder}'''\npython = '{sys.executable}'\n"
        f"[trainers.gone]\nkind = 'onetrainer'\nfolder = '/nowhere'\n"
        f"[trainers.wrong]\nkind = 'onetrainer'\nfolder = '''{trainer_folder}'''\npython = '{sys.executable}'\n"
        "[trainers.far]\nkind = 'sd-scripts'\nfolder = '/there'\nprefix = ['ssh', '-tt', 'box']\n"
    )
    found = {finding.what: finding for finding in examine(file) if finding.what.startswith("trainer ")}
    assert re.match(r"Its Python lacks (torch|accelerate|torch and accelerate): install", found["trainer good"].fix)
    assert "/nowhere cannot be read" in found["trainer gone"].message
    assert found["trainer wrong"].state == "error"
    assert "not looked at from here" in found["trainer far"].message


def test_a_single_trainer_needs_no_name(tmp_path):
    file = tmp_path / "lorads.toml"
    file.write_text("[trainers.one]\nkind = 'sd-scripts'\nfolder = 'x'\n")
    assert load_settings(file).trainer("").name == "one"
    with pytest.raises(SettingsError, match="There is no trainer profile 'two'; known are: one"):
        load_settings(file).trainer("two")
    with pytest.raises(SettingsError, match=r"No trainer profile is named; known are: none. Add \[trainers.local\]"):
        Settings().trainer("")
