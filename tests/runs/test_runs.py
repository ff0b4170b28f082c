"""Trainings from launch to end, with a trainer that can do everything wrong."""

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from lorads_core.errors import SettingsError, TrainerError
from lorads_core.runs import run_folder as files
from lorads_core.runs.launch import existing_run, launch
from lorads_core.runs.log import tail
from lorads_core.runs.read_export import read_export
from lorads_core.runs.state import refresh_run, stop, wait
from lorads_core.settings import load_settings
from lorads_core.store import runs as kept
from lorads_core.workflow.dataset import open_store

from .conftest import trainer_of, watcher_of


def text_of(folder):
    return "".join(path.read_text(errors="replace") for path in folder.iterdir() if path.is_file())


def test_a_training_is_started_watched_and_completed(store, make_profile, make_export):
    export = make_export()
    steps = []
    run = launch(store, make_profile(environment={"STANDIN_PAUSE": "0.1"}), export)
    assert run.state == "starting"
    run = wait(store, run, lambda run: steps.append(run.step))
    assert (run.state, run.exit_code, run.message) == ("completed", 0, "")
    assert run.loras == ("Tom-000001.safetensors", "Tom.safetensors")
    assert (run.step, run.total_steps, run.epoch) == (20, 20, 2)
    assert run.loss == pytest.approx(0.05)
    assert 0.08 < run.seconds_a_step < 1
    assert steps[-1] == 20
    assert any(0 < step < 20 for step in steps)
    points = files.read_history(run.folder)
    assert [point.step for point in points][-1] == 20
    assert points[1].loss == pytest.approx(0.5)
    assert "model saved." in tail(run.folder)
    with store.connection() as connection:
        assert kept.get_run(connection, run.id).state == "completed"


@pytest.mark.parametrize(
    ("deed", "exit_code", "said"),
    [
        ("dies", 3, "The trainer ended with exit code 3 and said nothing"),
        ("last", 1, "something broke at the very last step"),
        ("nothing", 0, "there is no Tom.safetensors"),
        ("truncated", 0, "is cut off"),
        ("rank", 0, "has rank 8 instead of 16"),
        ("nan", 0, "no numbers (NaN)"),
        ("oom", 1, "ran out of memory: lower batch size"),
        ("module", 1, "has no module a_module_that_nobody_has"),
        ("path", 1, "A file is missing: /nowhere/base.safetensors"),
        pytest.param("killed", -9, "was killed", marks=pytest.mark.posix),
    ],
)
def test_a_training_that_fails_says_why(store, make_profile, make_export, until, deed, exit_code, said):
    run = until(launch(store, make_profile(deed), make_export()))
    assert (run.state, run.exit_code) == ("failed", exit_code)
    assert said in re.sub(r"\\+", "/", run.message)


FORK = pytest.param("fork", marks=pytest.mark.posix)


@pytest.mark.parametrize("deed", ["silent", "binary", pytest.param("gigabyte", marks=pytest.mark.slow), FORK])
def test_a_training_that_is_odd_completes(store, make_profile, make_export, until, deed):
    run = until(launch(store, make_profile(deed, environment={"STANDIN_MEGABYTES": "64"}), make_export()))
    assert (run.state, run.message) == ("completed", "")
    assert sum(path.stat().st_size for path in run.folder.iterdir()) < 16 * 2**20
    assert "model saved." in tail(run.folder)


@pytest.mark.slow
def test_a_gigabyte_of_output_is_drained(store, make_profile, make_export, until):
    run = until(launch(store, make_profile("gigabyte"), make_export()), seconds=240)
    assert run.state == "completed"
    assert sum(path.stat().st_size for path in run.folder.iterdir()) < 16 * 2**20


def running(run):
    return run.step >= 2


SLOW = {"STANDIN_PAUSE": "0.05", "STANDIN_STEPS": "4000"}


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["good", "deaf", "children", FORK])
def test_a_training_is_stopped_with_all_that_it_has_started(store, make_profile, make_export, until, deed):
    run = until(launch(store, make_profile(deed, environment=SLOW), make_export()), running)
    family = [watcher_of(run), *watcher_of(run).children(recursive=True)]
    assert len(family) >= (3 if deed == "children" else 2)
    run = stop(store, run)
    assert (run.state, run.message) == ("cancelled", "It was stopped.")
    psutil.wait_procs(family, timeout=5)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]


@pytest.mark.slow
def test_what_was_saved_before_a_stop_is_kept(store, make_profile, make_export, until):
    slow = {"STANDIN_PAUSE": "0.02", "STANDIN_STEPS": "300"}
    run = until(launch(store, make_profile(environment=slow), make_export()), lambda run: run.loras, seconds=60)
    assert stop(store, run).loras == ("Tom-000001.safetensors",)


def test_stopping_what_has_ended_changes_nothing(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(), make_export()))
    assert stop(store, run) == run


def test_the_same_export_is_not_trained_twice(store, make_profile, make_export, until):
    profile, export = make_profile(environment={"STANDIN_PAUSE": "0.05"}), make_export()
    first = launch(store, profile, export)
    assert launch(store, profile, export).id == first.id
    assert until(first).state == "completed"
    assert launch(store, profile, export).id == first.id
    again = launch(store, profile, export, again=True)
    assert again.id != first.id
    assert until(again).state == "completed"
    with store.connection() as connection:
        former = kept.get_run(connection, first.id)
    assert (former.output / former.loras[-1]).is_file()
    assert former.output != again.output
    assert launch(store, profile, export).id == again.id


@pytest.mark.slow
def test_another_config_is_another_run_with_an_output_of_its_own(store, make_profile, make_export, until):
    first = until(launch(store, make_profile(), make_export()))
    second = until(launch(store, make_profile(), make_export(network_dim=32)))
    assert first.output != second.output
    assert (first.state, second.state) == ("completed", "completed")


def test_a_failed_training_can_be_launched_again(store, make_profile, make_export, until):
    export = make_export()
    first = until(launch(store, make_profile("dies"), export))
    second = until(launch(store, make_profile(), export))
    assert (first.state, second.state) == ("failed", "completed")
    assert second.id != first.id


def test_a_trained_lora_that_was_deleted_is_trained_again(store, make_profile, make_export, until):
    export = make_export()
    first = until(launch(store, make_profile(), export))
    (first.output / first.loras[-1]).unlink()
    assert launch(store, make_profile(), export).id != first.id


@pytest.mark.slow
def test_two_that_launch_at_once_get_one_run(store, make_profile, make_export, until):
    profile, export = make_profile(environment=SLOW), make_export()
    runs, start = [], threading.Barrier(4)

    def go():
        start.wait()
        runs.append(launch(store, profile, export))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for run in runs}) == 1
    assert stop(store, until(runs[0], running)).state == "cancelled"


LAUNCHER = """
import os, sys, time
from pathlib import Path
from lorads_core.workflow.dataset import open_store
from lorads_core.runs.launch import launch
from lorads_core.runs.profile import read_profile
from lorads_core.runs.read_export import read_export
from lorads_core.settings import load_settings
settings = load_settings(Path(sys.argv[1]))
with open_store(settings) as store:
    launch(store, read_profile(settings.trainer("")), read_export(Path(sys.argv[2])))
    print("launched", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_training_survives_whoever_launched_it(make_server, make_profile, make_export, tmp_path):
    server = make_server()
    database = server.database("CREATE EXTENSION vector")
    profile, export = make_profile(), make_export()
    settings = tmp_path / "lorads.toml"
    settings.write_text(
        f"store = 'test'\n[stores.test]\ndsn = {json.dumps(server.dsn(database=database))}\n"
        f"[trainers.standin]\nkind = 'sd-scripts'\nfolder = {json.dumps(str(profile.folder))}\n"
        f"python = {json.dumps(sys.executable)}\n"
        "[trainers.standin.environment]\nSTANDIN_PAUSE = '0.1'\n"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(settings), str(export.folder)], stdout=subprocess.PIPE, text=True
    )
    with launcher:
        assert launcher.stdout.readline() == "launched\n"
        launcher.kill()
    with open_store(load_settings(settings)) as other, other.connection() as connection:
        run = existing_run(connection, export)
        assert not run.is_over
    with open_store(load_settings(settings)) as other:
        assert wait(other, run).state == "completed"


@pytest.mark.slow
def test_a_trainer_whose_watcher_was_killed_is_found_again_and_stopped(store, make_profile, make_export, until):
    run = until(launch(store, make_profile("silent", environment=SLOW), make_export()), lambda r: r.state == "running")
    trainer, first = trainer_of(run), watcher_of(run)
    first.kill()
    first.wait(5)
    until(run, lambda run: files.read_status(run.folder).watcher.id != first.pid)
    assert trainer.is_running()
    assert stop(store, run).state == "cancelled"
    assert not trainer.is_running() or trainer.status() == "zombie"


def test_an_end_that_nobody_saw_is_lost_though_the_lora_is_there(store, make_profile, make_export, until):
    slow = {"STANDIN_PAUSE": "0.1", "STANDIN_STEPS": "20"}
    run = until(launch(store, make_profile("silent", environment=slow), make_export()), lambda r: r.state == "running")
    watcher_of(run).kill()
    run = until(run)
    assert run.state == "lost"
    assert "Nobody saw how the trainer ended" in run.message


def test_a_run_whose_processes_are_gone_is_lost(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(environment=SLOW), make_export()), running)
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    trainer.kill()
    psutil.wait_procs([watcher, trainer], timeout=5)
    run = until(run)
    assert run.state == "lost"
    assert run.step >= 2


@pytest.mark.slow
def test_another_process_with_the_old_id_is_not_taken_for_the_watcher(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(environment=SLOW), make_export()), running)
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    trainer.kill()
    psutil.wait_procs([watcher, trainer], timeout=5)
    values = json.loads((run.folder / files.STATUS).read_text())
    values["watcher"] = [os.getpid(), values["watcher"][1] - 1000]
    (run.folder / files.STATUS).write_text(json.dumps(values))
    assert until(run).state == "lost"


@pytest.mark.slow
def test_an_order_that_nobody_took_up_has_failed(store, make_profile, make_export, until):
    run = launch(store, make_profile(environment=SLOW), make_export())
    until(run, running)
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    trainer.kill()
    psutil.wait_procs([watcher, trainer], timeout=5)
    for name in (files.STATUS, files.TRAINER):
        (run.folder / name).unlink()
    run = until(replace(run, started_at=run.started_at - timedelta(hours=1)))
    assert (run.state, "never started" in run.message) == ("failed", True)


def test_secrets_of_the_environment_are_nowhere(store, make_profile, make_export, until):
    profile = make_profile("secret", environment={"HF_TOKEN": "hf_verysecretindeed"})
    run = until(launch(store, profile, make_export()))
    assert run.state == "completed"
    assert "token is ***" in tail(run.folder)
    assert "verysecret" not in text_of(run.folder)
    assert "verysecret" not in repr(profile)
    with store.connection() as connection:
        rows = connection.execute("SELECT runs::text FROM lorads.runs").fetchall()
    assert "verysecret" not in str(rows)


def test_an_export_for_another_trainer_is_refused(store, make_profile, make_export):
    with pytest.raises(TrainerError, match="was exported for OneTrainer"):
        launch(store, make_profile(), make_export("onetrainer"))


def test_an_export_edited_by_hand_is_refused(make_export):
    export = make_export()
    config = export.folder / "training_config.toml"
    config.write_text(config.read_text() + "# mine\n")
    with pytest.raises(TrainerError, match=r"was edited since .* training_config\.toml"):
        read_export(export.folder)


def test_an_export_that_lacks_a_picture_is_refused(make_export):
    export = make_export()
    next(export.folder.rglob("*.png")).unlink()
    with pytest.raises(TrainerError, match="lacks 1 of its files"):
        read_export(export.folder)


@pytest.mark.parametrize("what", ["nothing", "no json", "an older one"])
def test_a_folder_that_is_no_export_is_refused(tmp_path, make_export, what):
    if what == "no json":
        (tmp_path / "manifest.json").write_bytes(b"\xff{")
    if what == "an older one":
        manifest = json.loads((make_export().folder / "manifest.json").read_text())
        del manifest["training"]
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TrainerError, match="export"):
        read_export(tmp_path)


def test_a_profile_whose_folder_cannot_be_read_starts_nothing(store, make_profile, make_export, tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        launch(store, make_profile(folder=str(tmp_path / "nowhere")), make_export())
    with store.connection() as connection:
        assert kept.newest_runs(connection) == []


@pytest.mark.parametrize(("checkpoint", "said"), [("", "names no base model"), ("/no/b.safetensors", "no model /no/b")])
def test_a_base_model_that_is_not_there_is_said_before_the_start(store, make_profile, make_export, checkpoint, said):
    with pytest.raises(TrainerError, match=said):
        launch(store, make_profile(), make_export(checkpoint=checkpoint))


def test_a_trainer_that_downloads_the_usual_checkpoint_is_started_without_one(
    store, make_profile, make_export, tmp_path, until
):
    package = tmp_path / "SimpleTuner" / "simpletuner"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "4.8.0"\n')
    (package / "train.py").touch()
    export = make_export("simpletuner", base_model="flux", checkpoint="")
    run = launch(store, make_profile(kind="simpletuner", folder=str(package.parent)), export)
    assert until(run).state == "failed"  # there is no more of it than this


def test_a_checkpoint_of_another_family_is_refused_before_the_start(store, make_profile, make_export, tmp_path):
    tensor = {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}
    header = json.dumps({"model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale": tensor}).encode()
    checkpoint = tmp_path / "unknown.safetensors"
    export = make_export(checkpoint=str(checkpoint))  # the file came, or was exchanged, after the export
    checkpoint.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(TrainerError, match=r"is the denoiser of FLUX\.1 alone, and the base model is SDXL 1\.0"):
        launch(store, make_profile(), export)


def test_a_trainer_of_an_older_version_is_refused(store, make_profile, make_export, trainer_folder):
    (trainer_folder / "sdxl_train_network.py").unlink()
    with pytest.raises(TrainerError, match="update sd-scripts"):
        launch(store, make_profile(), make_export())


@pytest.mark.slow
@pytest.mark.posix
def test_a_prefix_starts_the_whole_command(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(prefix=["env", "STANDIN=oom"]), make_export()))
    assert "ran out of memory" in run.message


def test_a_prefix_that_is_not_there_is_said(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(prefix=["no-such-program"]), make_export()))
    assert (run.state, "no-such-program could not be started" in run.message) == ("failed", True)


def test_a_run_is_called_by_its_name_or_the_beginning_of_its_id(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(), make_export()))
    with store.connection() as connection:
        assert kept.find_run(connection, "Tom").id == run.id
        assert kept.find_run(connection, str(run.id)[:8].upper()).id == run.id
        with pytest.raises(TrainerError, match="There is no run 'x'"):
            kept.find_run(connection, "x")
        with pytest.raises(TrainerError, match="There is no run ''"):
            kept.find_run(connection, "")


def test_a_run_of_another_machine_is_shown_as_its_watcher_tells_it(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(environment=SLOW), make_export()), running)
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    trainer.kill()
    with store.connection() as connection:
        assert refresh_run(connection, replace(run, host="elsewhere")).state == "running"


def test_the_speed_of_earlier_runs_is_known(store, make_profile, make_export, until):
    export = make_export()
    run = until(launch(store, make_profile(environment={"STANDIN_PAUSE": "0.05"}), export))
    with store.connection() as connection:
        speed = kept.median_speed(connection, export.speed_key, run.host)
        assert kept.median_speed(connection, "something else", run.host) is None
    assert speed.runs == 1
    assert speed.seconds_a_step == pytest.approx(run.seconds_a_step)
