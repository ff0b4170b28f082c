"""Trainings whose files cannot be read or written just now, or whose watcher or host is ended: none starts twice."""

import ctypes
import dataclasses
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import psutil
import pytest
from filelock import FileLock

from lorads_core.errors import TrainerError
from lorads_core.model import Run
from lorads_core.runs import run_folder as files
from lorads_core.runs import state, watch
from lorads_core.runs.launch import launch
from lorads_core.runs.output import make_output
from lorads_core.runs.processes import alive, stoppable
from lorads_core.runs.read_export import read_export
from lorads_core.runs.state import refresh_run, start_watcher, stop
from lorads_core.store import runs as kept

from .conftest import trainer_of, watcher_of

SLOW = {"STANDIN_PAUSE": "0.05", "STANDIN_STEPS": "4000"}
LONG_AGO = datetime.now(timezone.utc) - timedelta(hours=1)


@pytest.fixture
def run(tmp_path):
    """A run that was noted an hour ago, with a folder and no more."""
    folder = tmp_path / "exports" / ".lorads" / "_runs" / "1"
    folder.mkdir(parents=True)
    return _run(folder)


def _run(folder):
    host = state.socket.gethostname()
    return Run(uuid4(), "Tom", "sd-scripts", "local", "ab" * 32, None, folder, folder, "starting", host=host,
               started_at=LONG_AGO)  # fmt: skip


def order(folder, code, *, grace=1.0):
    """Return an order that runs a piece of Python; it saves no LoRA."""
    return files.Order(
        trainer="sd-scripts",
        argv=(sys.executable, "-c", code),
        cwd=str(folder),
        output=str(folder),
        checkpoints=("Tom.safetensors",),
        rank=4,
        total_steps=10,
        epochs=1,
        grace=grace,
    )


def begun(run, code, **options):
    """Start a watcher of a trainer that is a piece of Python, and return when that runs."""
    files.write_order(run.folder, order(run.folder, code, **options))
    start_watcher(run.folder, {"environment": dict(os.environ)})
    return running(run)


def running(run):
    """Wait until a run that was begun just now has a trainer."""
    just_now = dataclasses.replace(run, started_at=datetime.now(timezone.utc))
    now = wait_for(lambda: (now := state._seen(just_now)).state == "running" and now)
    return dataclasses.replace(now, started_at=LONG_AGO)


def wait_for(so, seconds=60):
    """Return what ``so`` returns as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := so():
            return found
        time.sleep(0.05)
    pytest.fail(f"not so after {seconds} s")


SLEEPS = "import time; time.sleep(600)"


@pytest.mark.parametrize("seconds", [5, pytest.param(25, marks=pytest.mark.slow)])
def test_a_training_polled_at_a_hundred_hertz_is_never_called_failed(run, seconds):
    run = begun(run, SLEEPS)
    deadline, looks, writes = time.monotonic() + seconds, 0, set()
    while time.monotonic() < deadline:
        assert state._seen(run).state == "running"
        writes.add(files.read_status(run.folder).at)
        looks += 1
        time.sleep(0.01)
    assert looks > 20 * seconds  # on a busy machine
    assert len(writes) > seconds / 3  # and the watcher still gets to write
    files.request_stop(run.folder)
    assert wait_for(lambda: (now := state._seen(run)).is_over and now).state == "cancelled"


@pytest.mark.slow
@pytest.mark.parametrize("name", [files.STATUS, files.ORDER, files.TRAINER, "*"])
def test_a_file_that_cannot_be_read_leaves_a_run_as_it_was(store, make_profile, make_export, until, faulty, name):
    profile, export = make_profile(environment=SLOW), make_export()
    run = until(launch(store, profile, export), lambda run: run.step >= 2)
    faulty.refuse("read", matching=f"*/_runs/*/{name}")
    with store.connection() as connection:
        assert refresh_run(connection, run).state == "running"
        assert kept.get_run(connection, run.id).state == "running"
    assert launch(store, profile, export).id == run.id
    assert launch(store, profile, export, again=True).id == run.id
    faulty.allow()
    assert stop(store, run).state == "cancelled"


def test_one_refused_read_is_not_noticed(run, faulty):
    files.write_status(run.folder, files.Status("completed", files.Process(1, 1.0), ended=2.0))
    faulty.refuse("read", matching="*/status.json", times=2, winerror=faulty.SHARING_VIOLATION)
    assert state._seen(run).state == "completed"
    assert 0 < faulty.waited < 1


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "\0" * 300, '{"state": "runn'])
def test_a_damaged_status_ends_no_training(store, make_profile, make_export, until, content):
    run = until(launch(store, make_profile(environment=SLOW), make_export()), lambda run: run.step >= 2)
    watcher, trainer = watcher_of(run), trainer_of(run)
    wait_for(lambda: files.read_trainer(run.folder))
    watcher.suspend()
    (run.folder / files.STATUS).write_text(content)
    with store.connection() as connection:
        assert refresh_run(connection, run) == run
    watcher.kill()
    watcher.wait(5)
    again = until(run, lambda run: alive((files.read_status(run.folder) or files.Status()).watcher))
    assert again.state == "running"
    assert files.read_status(run.folder).trainer.id == trainer.pid
    assert stop(store, again).state == "cancelled"
    psutil.wait_procs([trainer], timeout=5)
    assert not trainer.is_running()


@pytest.mark.slow
def test_a_damaged_status_of_processes_that_are_gone_is_lost(store, make_profile, make_export, until):
    run = until(launch(store, make_profile(environment=SLOW), make_export()), lambda run: run.step >= 2)
    processes = [watcher_of(run), trainer_of(run)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=5)
    (run.folder / files.STATUS).write_bytes(bytes(300))
    (run.folder / files.ORDER).write_bytes(bytes(300))
    run = until(run)
    assert run.state == "lost"
    assert "order.json is missing or damaged" in run.message


def test_a_run_that_nobody_took_up_is_given_up_and_cannot_begin_later(run):
    files.write_order(run.folder, order(run.folder, "open('begun', 'w')"))
    (run.folder / files.FAULTS).write_text("Traceback\nMemoryError: no more\n")
    assert state._seen(dataclasses.replace(run, started_at=datetime.now(timezone.utc))).state == "starting"
    given_up = state._seen(run)
    assert (given_up.state, given_up.message) == ("failed", "It was never started: MemoryError: no more.")
    watch.main(run.folder, {"environment": dict(os.environ)})
    assert not (run.folder / "begun").exists()
    assert files.read_status(run.folder) is None


def test_a_run_whose_launcher_ended_before_it_made_the_folder_is_given_up(run):
    run.folder.rmdir()
    assert state._seen(run).message == "It was never started: who launched it was ended."


def test_a_run_without_a_status_that_a_watcher_is_at_stays_as_it_was(run):
    with FileLock(run.folder / files.LOCK):
        assert state._seen(run) == run
        files.claim(run.folder)
        assert state._seen(run) == run
    assert state._seen(run).state == "lost"


def test_a_run_on_a_drive_that_is_not_there_stays_as_it_was(run, tmp_path):
    here = dataclasses.replace(run, state="running")
    (tmp_path / "exports").rename(tmp_path / "unplugged")
    assert state._seen(here) == here
    (tmp_path / "exports").mkdir()
    assert state._seen(here).state == "lost"


def test_a_watcher_that_takes_up_a_training_starts_none(run):
    files.write_order(run.folder, order(run.folder, "open('begun', 'w')"))
    watch.main(run.folder, {"attach": True})
    assert not (run.folder / "begun").exists()
    assert files.claim(run.folder)


def test_a_watcher_is_started_once_however_often_a_run_is_looked_at(run, monkeypatch):
    started = []
    monkeypatch.setattr(state, "start_watcher", lambda *words: started.append(words))
    me = files.Process(os.getpid(), psutil.Process().create_time())
    files.write_status(run.folder, files.Status("running", files.Process(2**22, 1.0), me))
    for _ in range(20):
        assert state._seen(run).state == "running"
    assert len(started) == 1


def test_a_status_that_cannot_be_written_is_written_at_the_next_turn(run, faulty, monkeypatch):
    pauses = []
    monkeypatch.setattr(watch.time, "sleep", pauses.append)
    watcher = watch.Watcher(run.folder, order(run.folder, ""))
    watcher._write_status()
    before = files.read_status(run.folder)
    faulty.refuse("replace", matching="*/status.json")
    watcher._write_status()
    assert faulty.waited < 1  # it must look at its trainer again
    assert (watcher._told, files.read_status(run.folder)) == (0.0, before)
    faulty.allow()
    faulty.refuse("replace", matching="*/status.json", times=20)
    watcher._end("completed", "")
    assert files.read_status(run.folder).state == "completed"
    assert 1 <= len(pauses) < 10


@pytest.mark.slow
@pytest.mark.parametrize("how", ["tree", "session"])
def test_a_training_survives_the_end_of_its_host_with_all_its_processes(run, how):
    if how == "session" and os.name == "nt":
        pytest.skip("Windows has no sessions of this kind")
    files.write_order(run.folder, order(run.folder, SLEEPS))
    code = (
        "import json, os, sys, time; from pathlib import Path; from lorads_core.runs.state import start_watcher;"
        "start_watcher(Path(sys.argv[1]), {'environment': dict(os.environ)}); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(run.folder)], start_new_session=True) as host:
        now = running(run)
        if how == "tree":
            for process in [*children_of(host.pid), psutil.Process(host.pid)]:
                process.kill()
        else:
            os.killpg(host.pid, 9)
    time.sleep(1.0)
    watcher, trainer = watcher_of(now), trainer_of(now)
    assert watcher.is_running()
    assert trainer.is_running()
    at = files.read_status(run.folder).at
    wait_for(lambda: files.read_status(run.folder).at > at)
    files.request_stop(run.folder)
    assert wait_for(lambda: (now := state._seen(run)).is_over and now).state == "cancelled"


def children_of(pid):
    """Return all descendants by the ids of parents, as `taskkill /T` finds them."""
    found = [each for each, parent in psutil._psplatform.ppid_map().items() if parent == pid]
    return [psutil.Process(each) for each in found] + [deep for each in found for deep in children_of(each)]


# Under wine a process without a window has no console, and no event can be sent to it.
WINE = os.name == "nt" and hasattr(ctypes.windll.ntdll, "wine_get_version")
SAVES = """
import time
try:
    for _ in range(6000):
        time.sleep(0.1)  # on Windows, Ctrl-Break cuts no sleep short
except KeyboardInterrupt:
    open("saved", "w").close()
"""


def test_a_trainer_is_asked_to_end_and_can_save(run):
    run = begun(run, SAVES, grace=20.0)
    trainer = trainer_of(run)
    time.sleep(1.0)  # it must have come to its try
    files.request_stop(run.folder)
    assert wait_for(lambda: (now := state._seen(run)).is_over and now).state == "cancelled"
    assert not trainer.is_running()
    assert (run.folder / "saved").exists() or WINE


def test_on_windows_ctrl_break_goes_to_the_group_of_the_trainer_alone(monkeypatch):
    from lorads_core.runs import processes  # noqa: PLC0415

    sent = []
    root, other = files.Process(7, 1.0), files.Process(8, 1.0)
    monkeypatch.setattr(processes.sys, "platform", "win32")
    monkeypatch.setattr(processes, "send_ctrl_break", lambda group: not sent.append(group))
    tree = processes.ProcessTree(root, with_own_children=True)
    monkeypatch.setattr(tree, "living", lambda: [root, other])
    assert tree._send(processes.GENTLE)
    monkeypatch.setattr(tree, "living", lambda: [other])
    assert not tree._send(processes.GENTLE)
    assert sent == [7]


@pytest.mark.posix
def test_on_windows_the_console_of_the_watcher_is_no_part_of_the_training(monkeypatch):
    from lorads_core.runs import processes  # noqa: PLC0415

    with subprocess.Popen([sys.executable, "-c", SLEEPS]) as conhost:
        monkeypatch.setattr(processes.sys, "platform", "win32")
        tree = processes.ProcessTree(files.Process(2**22, 1.0), with_own_children=True)
        assert tree.living() == []
        conhost.kill()


@pytest.mark.parametrize("error", [OSError(22, "Invalid parameter"), psutil.NoSuchProcess(3)])
def test_a_process_that_ends_while_it_is_looked_at_is_gone(monkeypatch, error):
    def fail(*_):
        raise error

    me = files.Process(os.getpid(), psutil.Process().create_time())
    assert alive(me)
    monkeypatch.setattr(psutil.Process, "create_time", fail)
    assert not alive(me)
    monkeypatch.setattr(psutil, "Process", fail)
    assert not alive(me)


def test_a_process_that_may_not_be_looked_at_is_alive(monkeypatch):
    def refuse(*_):
        raise psutil.AccessDenied

    me = files.Process(os.getpid(), psutil.Process().create_time())
    monkeypatch.setattr(psutil.Process, "create_time", refuse)
    assert alive(me)


def test_the_pythons_of_a_trainer_on_windows_can_be_interrupted(monkeypatch, tmp_path):
    assert stoppable({"A": "1"}) == {"A": "1"} or sys.platform == "win32"
    monkeypatch.setattr("lorads_core.runs.processes.sys.platform", "win32")
    (tmp_path / "sitecustomize.py").write_text("print('their own')")
    environment = stoppable({**os.environ, "PYTHONPATH": str(tmp_path)})
    code = "import sys; print([each for each in sys.path if 'at_start' in each], 'sitecustomize' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["their own", "[] True"]
    without = subprocess.run(
        [sys.executable, "-c", "print(1)"], env=stoppable(os.environ), capture_output=True, text=True, check=True
    )
    assert (without.stdout.strip(), without.stderr) == ("1", "")


@pytest.mark.slow
def test_what_a_run_has_saved_stays_in_its_place_while_it_is_loaded(store, make_profile, make_export, until, faulty):
    profile, export = make_profile(), make_export()
    first = until(launch(store, profile, export))
    lora = first.output / first.loras[-1]
    before = lora.read_bytes()
    with faulty.held_open(lora):
        second = until(launch(store, profile, export, again=True))
        third = until(launch(store, profile, export, again=True))
    assert [run.state for run in (first, second, third)] == ["completed"] * 3
    assert first.output == export.output
    assert second.output == export.output.with_name(f"{export.output.name}.2")
    assert third.output == export.output.with_name(f"{export.output.name}.3")
    assert lora.read_bytes() == before
    assert (third.output / third.loras[-1]).is_file()
    assert read_export(export.folder) == export
    with store.connection() as connection:
        assert kept.get_run(connection, first.id).output == first.output


def test_an_output_folder_is_new_or_empty(tmp_path):
    wanted = tmp_path / "Tom_lora" / "ab"
    assert make_output(wanted) == wanted
    assert make_output(wanted) == wanted
    (wanted / "Tom.safetensors").touch()
    wanted.with_name("ab.2").touch()  # a file
    assert make_output(wanted) == wanted.with_name("ab.3")


def test_a_launch_that_fails_says_why_and_starts_nothing(store, make_profile, make_export, faulty):
    faulty.refuse("write", matching="*/order.new")
    with pytest.raises(TrainerError, match=r"could not be started: .*order\.new: access is denied"):
        launch(store, make_profile(), make_export())
    faulty.allow()
    with store.connection() as connection:
        (run,) = kept.newest_runs(connection)
    assert run.state == "failed"
    assert not files.claim(run.folder)


def test_a_training_on_another_machine_is_not_begun_from_windows(store, make_profile, make_export, monkeypatch):
    profile = dataclasses.replace(make_profile(), prefix=("ssh", "-tt", "box"))
    export = make_export()
    monkeypatch.setattr("lorads_core.runs.launch.sys.platform", "win32")
    with pytest.raises(TrainerError, match=r"by ssh, where an export must have the very path"):
        launch(store, profile, export)
