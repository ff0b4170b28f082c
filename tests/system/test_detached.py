"""Detached processes: they outlive whoever starts them, with all its descendants, session and group."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from lorads_core.system.detached import start_detached

STARTER = """
import sys, time
from pathlib import Path
from lorads_core.system.detached import start_detached
folder = Path(sys.argv[1])
with (folder / "faults").open("ab") as faults:
    start_detached([sys.executable, "-c", sys.argv[2], str(folder)], cwd=folder, faults=faults, given=b"secret")
print("started", flush=True)
time.sleep(600)
"""
WORKER = """
import os, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "given").write_bytes(sys.stdin.buffer.read())
(folder / "pid.new").write_text(str(os.getpid()))
(folder / "pid.new").replace(folder / "pid")
time.sleep(600)
"""


@pytest.fixture
def worker(tmp_path):
    """Return a function that gives the detached process; it is killed at the end."""

    def find():
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return psutil.Process(int((tmp_path / "pid").read_text()))

    yield find
    if (tmp_path / "pid").exists():
        find().kill()


@pytest.fixture
def starter(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path), WORKER],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


def test_it_is_no_descendant_and_outlives_the_whole_tree_of_its_starter(starter, worker, tmp_path):
    found = worker()
    tree = [*psutil.Process(starter.pid).children(recursive=True), psutil.Process(starter.pid)]
    assert found not in tree
    for each in tree:
        each.kill()
    psutil.wait_procs(tree, 10)
    assert found.is_running()
    assert found.status() != psutil.STATUS_ZOMBIE
    assert (tmp_path / "given").read_bytes() == b"secret"
    assert (tmp_path / "faults").read_bytes() == b""


@pytest.mark.posix
def test_it_outlives_the_group_and_session_of_its_starter(starter, worker):
    found = worker()
    assert os.getsid(found.pid) != os.getsid(starter.pid)
    os.killpg(starter.pid, 9)
    starter.wait()
    assert found.is_running()


def test_what_cannot_be_started_leaves_its_reason_in_the_faults(tmp_path):
    with (tmp_path / "faults").open("ab") as faults:
        start_detached([str(tmp_path / "none")], cwd=tmp_path, faults=faults)
    deadline = time.monotonic() + 30
    while b"Error" not in (tmp_path / "faults").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.posix
def test_the_process_in_between_is_no_zombie(tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    with (tmp_path / "faults").open("ab") as faults:
        start_detached([sys.executable, "-c", ""], cwd=tmp_path, faults=faults)
    deadline = time.monotonic() + 30
    while {child.pid for child in psutil.Process().children()} - before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
