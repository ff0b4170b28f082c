"""Trainings whose watcher is killed: they go on printing into their own file, and the next watcher reads all of it."""

import os
import subprocess
import sys

import psutil
import pytest

from lorads_core.runs import console_output
from lorads_core.runs import run_folder as files
from lorads_core.runs.console_output import PRINTED, ConsoleOutput
from lorads_core.runs.follow import Follower
from lorads_core.runs.launch import launch
from lorads_core.runs.log import HEAD, Log, LogMark
from lorads_core.runs.outcome import determine_outcome
from lorads_core.runs.processes import environment_of, identity

from ..standin_trainer import write_lora
from .conftest import trainer_of, watcher_of

SOME = {"STANDIN_PAUSE": "0.02", "STANDIN_STEPS": "120"}


@pytest.mark.parametrize("when", ["while it trains", "after its end"])
def test_a_training_survives_its_watcher_with_all_its_progress(store, make_profile, make_export, until, when):
    run = until(launch(store, make_profile(environment=SOME), make_export()), lambda run: run.step >= 2)
    trainer, watcher = trainer_of(run), watcher_of(run)
    watcher.kill()
    watcher.wait(5)
    if when == "after its end":
        psutil.wait_procs([trainer], timeout=60)
    run = until(run, seconds=60)
    assert (run.state, run.message, run.step, run.epoch) == ("completed", "", 120, 2)
    assert run.loras == ("Tom-000001.safetensors", "Tom.safetensors")
    points = files.read_history(run.folder)
    assert [point.step for point in points] == list(range(1, 121))
    assert points[-1].loss == pytest.approx(1 / 120, rel=0.01)
    assert [point.seconds for point in points] == sorted(point.seconds for point in points)
    log = (run.folder / HEAD).read_text().splitlines()
    assert (log.count("epoch 2/2"), log.count("model saved.")) == (1, 1)
    assert not (run.folder / PRINTED).exists()


@pytest.mark.slow
def test_a_training_that_fails_without_a_watcher_says_why(store, make_profile, make_export, until):
    run = until(launch(store, make_profile("last", environment=SOME), make_export()), lambda run: run.step >= 2)
    trainer, watcher = trainer_of(run), watcher_of(run)
    watcher.kill()
    psutil.wait_procs([trainer], timeout=60)
    run = until(run)
    assert (run.state, run.step) == ("failed", 120)
    assert "something broke at the very last step" in run.message


def order(folder):
    return files.Order("sd-scripts", ("x",), str(folder), str(folder), ("Tom.safetensors",), 4, 10, 1)


@pytest.mark.parametrize(
    ("reached", "lines", "state"),
    [
        (True, [], "completed"),
        (False, [], "lost"),  # an earlier save may be all that there is
        (False, ["RuntimeError: CUDA error: unknown"], "lost"),
    ],
)
def test_an_unseen_end_with_a_sound_lora_is_completed_only_at_the_last_step(tmp_path, reached, lines, state):
    write_lora(tmp_path / "Tom.safetensors", 4)
    assert determine_outcome(order(tmp_path), None, lines, since=0, reached=reached).state == state


@pytest.mark.parametrize(
    ("lines", "state"),
    [(["x", "RuntimeError: it broke", ""], "failed"), (["RuntimeError: a retry", "step 3"], "lost"), ([], "lost")],
)
def test_an_unseen_end_without_a_lora_has_failed_where_the_last_line_is_an_error(tmp_path, lines, state):
    assert determine_outcome(order(tmp_path), None, lines, since=0, reached=True).state == state


PRINTS = "import sys; [print(line, flush=True) for line in iter(sys.stdin.readline, '')]"


def test_output_is_read_on_at_a_place_and_emptied_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(console_output, "_FULL", 12)
    console = ConsoleOutput(tmp_path)
    with console.written() as output:
        trainer = subprocess.Popen([sys.executable, "-c", PRINTS], stdin=subprocess.PIPE, stdout=output, text=True)

    def say(text):
        before = (tmp_path / PRINTED).stat().st_size
        trainer.stdin.write(f"{text}\n")
        trainer.stdin.flush()
        while (tmp_path / PRINTED).stat().st_size < before + len(text) + 2 * len(os.linesep):
            pass

    with trainer:
        say("first")
        assert console.read().split() == [b"first"]
        assert not console.is_full()
        say("second")
        assert ConsoleOutput(tmp_path, console.place).read().split() == [b"second"]
        assert console.read().split() == [b"second"]
        assert console.is_full()
        console.empty()
        say("third")
        assert (tmp_path / PRINTED).stat().st_size == len("third") + 2 * len(os.linesep)
        assert ConsoleOutput(tmp_path, 999).read().split() == [b"third"]  # cut off while it was emptied
        trainer.stdin.close()
    console.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_line_without_its_end_waits_for_it(tmp_path):
    console = ConsoleOutput(tmp_path)
    (tmp_path / PRINTED).write_bytes(b"step 1\rstep")
    assert (console.read(), console.read()) == (b"step 1\r", b"")
    assert console.read(last=True) == b"step"


def test_of_output_that_nobody_read_for_long_the_end_is_read_and_the_rest_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(console_output, "_TOO_FAR", 3 * 1024**2)
    monkeypatch.setattr(console_output, "_FULL", 1024**2)
    (tmp_path / PRINTED).write_bytes(b"x" * 4 * 1024**2 + b"\nend\n")
    console = ConsoleOutput(tmp_path)
    said, *_, end = console.read().split(b"\n")[1:-1]
    assert (said, end) == (b"LoRADS: 3 MB of output were left out here.", b"end")
    assert (tmp_path / PRINTED).stat().st_size == console.place == 0


def test_a_log_that_goes_on_holds_nothing_twice(tmp_path):
    log = Log(tmp_path)
    log.write([("one", True)])
    mark = log.mark
    log.write([("two", True)])
    log = Log(tmp_path, mark)
    log.write([("two", True), ("three", True)])
    assert (tmp_path / HEAD).read_text() == "one\ntwo\nthree\n"
    (tmp_path / "other.txt").write_text("not ours")
    Log(tmp_path, LogMark("other.txt", 3))
    assert (tmp_path / "other.txt").read_text() == "not ours"


def test_steps_of_the_time_without_a_watcher_are_spread_over_it_and_make_no_speed():
    follower = Follower(files.Order("sd-scripts", (), "", "", ("x",), 4, 100, 1))
    follower.resume(files.Status(step=10, started=follower._began), [files.Point(10, 5.0, 0.5)])
    with follower.catching_up():
        follower.read(f"steps: 1%|x| {step}/100 [00:01<00:01, 2.00it/s, avr_loss=0.1]" for step in range(11, 91))
    assert [point.step for point in follower.points] == list(range(10, 91))
    assert follower.points[0].seconds == 5.0
    assert follower.seconds_a_step == pytest.approx(0.5)  # the trainer's own rate


def test_the_secrets_of_a_trainer_are_known_to_the_next_watcher():
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print('runs', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HF_TOKEN": "hf_verysecret"},
    ) as process:
        process.stdout.readline()  # while a program is being loaded, its environment is empty
        assert environment_of(identity(process.pid))["HF_TOKEN"] == "hf_verysecret"
    assert environment_of(None) is os.environ
