"""Trainings from the command line, with a stand-in for the trainer."""

import json
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest
from PIL import Image

from lorads_core.cli.main import main
from lorads_core.lora_tests.archive import ArchiveInfo, save_test
from lorads_core.model import Run
from lorads_core.runs.lora_file import read_lora

from ..standin_trainer import write_model


@pytest.fixture
def settings(store_settings, trainer_folder):
    """Return a function that writes the settings with a trainer that does what ``deed`` says."""
    head = store_settings.read_text()

    def write(deed="good", **environment):
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in {"STANDIN": deed, **environment}.items())
        store_settings.write_text(
            f"{head}\n[trainers.local]\nkind = 'sd-scripts'\nfolder = '''{trainer_folder}'''\n"
            f"python = '{sys.executable}'\nstop_seconds = 1\n[trainers.local.environment]\n{lines}\n"
        )
        return store_settings

    write()
    return write


@pytest.fixture
def lorads(settings, store_settings, capsys):  # noqa: ARG001 - there must be a trainer
    def run(command, *arguments):
        code = main([command, "--settings", str(store_settings), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def exports(lorads, picture, tmp_path):
    """Return the folder of exports, with one that is called tom."""
    for n in range(3):
        picture(f"mine/{n}.png", (256, 256))
        (tmp_path / "mine" / f"{n}.txt").write_text(f"a cat, number {n}")
    base = tmp_path / "base.safetensors"
    write_model(base)
    words = ("--trigger", "tom", "--caption", "sidecar", "--out", tmp_path / "exports", "--checkpoint", base)
    code, _, err = lorads("build", tmp_path / "mine", *words, "--minimum-side", "0", "--epochs", "2", "--repeats", "2")
    assert code == 0, err
    return tmp_path / "exports"


@pytest.mark.slow
def test_a_training_is_watched_listed_and_offered(lorads, exports, tmp_path):
    plot = tmp_path / "plot.png"
    code, out, err = lorads("train", "tom", "--out", exports, "--plot", plot)
    assert code == 0, err
    assert "Trained    20 steps" in out
    assert "tom.safetensors" in out
    assert "saved tom-000001.safetensors" in err
    with Image.open(plot) as picture:
        assert picture.size == (900, 450)
    _, out, _ = lorads("runs")
    assert "completed  tom  20/20" in out
    short = out.split()[0]
    code, out, _ = lorads("runs", short, "--lines", "1")
    assert code == 0
    assert "model saved." in out
    assert "1 of 1 module loads (other 1), by the table of keys" in out
    assert json.loads(lorads("runs", short, "--json")[1])["lora_loads"]["tom.safetensors"]["loaded"] == 1
    folder = next(tmp_path.rglob("loss.png")).parent
    run = Run(uuid4(), "tom", "", "", "", None, folder, folder, "completed")
    save_test(run, Image.new("RGB", (9, 9)), [], ArchiveInfo("two strengths"))
    assert "two strengths: " in lorads("runs", short)[1]
    code, out, _ = lorads("offer", "tom", tmp_path / "loras", "--make", "--called", "my tom", "--without-paths")
    assert code == 0
    assert read_lora(tmp_path / "loras" / "my-tom.safetensors").metadata["modelspec.trigger_phrase"] == "tom"
    code, out, _ = lorads("train", exports / "tom")
    assert (code, "completed" in out) == (0, True)
    _, out, _ = lorads("runs")
    assert len(out.splitlines()) == 1
    assert lorads("stop", "tom")[1] == "tom is not being trained: it is completed.\n"


@pytest.mark.slow
def test_a_stopped_repetition_hides_no_earlier_lora(lorads, settings, exports, tmp_path):
    assert lorads("train", "tom", "--out", exports)[0] == 0
    first = lorads("runs")[1].split()[0]
    settings(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    assert "It continues in the background" in lorads("train", "tom", "--out", exports, "--again", "--background")[1]
    lorads("stop", "tom")
    code, out, _ = lorads("train", "tom", "--out", exports, "--background")
    assert (code, f"{first} of tom by local: completed" in out, "goes on" in out) == (0, True, False)
    code, out, _ = lorads("runs", "tom")
    assert (code, f"the LoRA of run {first}, completed" in out) == (0, True)
    code, out, err = lorads("offer", "tom", tmp_path / "loras", "--make")
    assert (code, f"{first} of tom: completed" in out) == (0, True), err
    assert (tmp_path / "loras" / "tom.safetensors").is_file()


@pytest.mark.slow
def test_a_failed_training_leaves_with_9_and_its_reason(lorads, settings, exports):
    settings("oom")
    code, _, err = lorads("train", "tom", "--out", exports)
    assert code == 9
    assert "ran out of memory" in err
    code, out, _ = lorads("runs", "tom")
    assert code == 0
    assert "CUDA out of memory. Tried" in out


def test_a_training_in_the_background_is_stopped_by_another_command(lorads, settings, exports):
    settings(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    code, out, _ = lorads("train", "tom", "--out", exports, "--background")
    assert (code, "stop tom" in out) == (0, True)
    deadline = time.monotonic() + 30
    while "running" not in lorads("runs")[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    code, out, _ = lorads("stop", "tom")
    assert code == 0
    assert "tom was cancelled" in out
    assert "cancelled" in lorads("runs")[1]


def test_an_export_is_not_replaced_while_it_is_trained(lorads, settings, exports):
    settings(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    lorads("train", "tom", "--out", exports, "--background")
    before = (exports / "tom" / "manifest.json").read_bytes()
    same = ("--out", exports, "--checkpoint", exports.parent / "base.safetensors", "--epochs", "2", "--repeats", "2")
    assert lorads("export", "tom", *same)[0] == 0
    code, _, err = lorads("export", "tom", *same, "--network-dim", "8")
    assert code == 8
    assert "is being trained" in err
    assert (exports / "tom" / "manifest.json").read_bytes() == before
    lorads("stop", "tom")
    assert lorads("export", "tom", *same, "--network-dim", "8")[0] == 0


@pytest.mark.slow
@pytest.mark.posix
def test_an_interruption_stops_the_training(settings, exports):
    file = settings(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    words = [sys.executable, "-m", "lorads_core", "train", "--settings", str(file), "tom", "--out", str(exports)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        runs = exports / ".lorads" / "_runs"
        deadline = time.monotonic() + 60
        while not list(runs.glob("*/history.json")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)  # as Ctrl-C, which whatever starts the tests may ignore
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 9, said
    assert "requested; the trainer is ending" in said
    assert "was cancelled" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("train", "nothing"), 9, "There is no export 'nothing'"),
        (("train", "tom", "--profile", "other"), 3, "There is no trainer profile 'other'; known are: local"),
        (("train", "../x"), 9, "There is no export"),
        (("runs", "nothing"), 9, "There is no run 'nothing'"),
        (("stop", "nothing"), 9, "There is no run 'nothing'"),
        (("offer", "nothing", "."), 9, "There is no run 'nothing'"),
        (("offer", "nothing", "not/there"), 9, "add --make to create it"),
    ],
)
def test_what_is_not_there_is_said(lorads, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    ended, _, err = lorads(*words)
    assert ended == code
    assert said in err


def test_no_run_yet_is_said(lorads):
    assert "No run yet" in lorads("runs")[1]


@pytest.mark.slow
def test_a_stopped_training_names_the_command_that_resumes_it_from_where_it_was(lorads, exports, settings):
    settings("last", STANDIN_STEPS="6")
    code, out, _ = lorads("train", "tom", "--out", exports)
    assert code != 0
    assert f"--out {exports} --resume" in out.replace("'", "")
    settings(STANDIN_STEPS="6")
    code, out, err = lorads("train", "tom", "--out", exports, "--resume")
    assert code == 0, err
    assert "starting from step 3" in out
    assert lorads("train", "tom", "--out", exports, "--resume")[0] != 0, "it is completed"


@pytest.mark.posix
@pytest.mark.slow
def test_the_graphics_memory_of_a_run_is_listed_and_said_at_the_next_export(lorads, exports, settings, nvidia_smi):
    settings("good", STANDIN_PAUSE="0.4")
    card = ("GPU-a", "NVIDIA GeForce RTX 4090", 24564)
    nvidia_smi([(*card, 700)])
    code, _, err = lorads("train", "tom", "--out", exports, "--background")
    assert code == 0, err
    deadline = time.monotonic() + 60
    while not nvidia_smi.calls and time.monotonic() < deadline:
        time.sleep(0.05)
    nvidia_smi([(*card, 14950)])
    while json.loads(lorads("runs", "tom", "--json")[1])["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    found = json.loads(lorads("runs", "tom", "--json")[1])
    assert (found["state"], found["peak_memory"], found["peak_of_card"]) == ("completed", 14950, True)
    held = "at most 14.6 GB (with what the card held for other programs)"
    assert f"Memory {held} on the graphics card" in " ".join(lorads("runs", "tom")[1].split())
    _, out, err = lorads("export", "tom", "--out", exports, "--dry-run")
    assert f"Graphics memory {held} in the last training of the kind" in " ".join(out.split()), err
