"""`lorads doctor --fix`: what killed programs left is found and repaired, and said in one line each."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import psutil
import pytest

from lorads_core.cli import repairs
from lorads_core.cli.main import main
from lorads_core.export.layout import ExportFolders
from lorads_core.model import Run
from lorads_core.runs import run_folder
from lorads_core.runs.processes import identity
from lorads_core.settings import load_settings
from lorads_core.store import runs as kept
from lorads_core.store.binaries import server_account
from lorads_core.store.embedded import attach
from lorads_core.store.locks import FileLock
from lorads_core.store.postmaster import Cluster, running
from lorads_core.system.paths import MANIFEST


@pytest.fixture
def doctor(store_settings, tmp_path, capsys):
    """Return a function that runs doctor on the test's own store and exports: its exit code and lines about repairs."""
    with store_settings.open("a", encoding="utf-8") as file:
        file.write(f"[roots]\nexports = '''{tmp_path / 'exports'}'''\n")

    def run(*words):
        code = main(["doctor", "--settings", str(store_settings), *words])
        subjects = ("repairs", "export ", "run ", "embedded store")
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        return code, [line for line in lines if line.split(maxsplit=1)[-1].startswith(subjects) or "--fix" in line]

    return run


def cut_off(root, name):
    """Leave what an export leaves that is killed while it writes pictures."""
    place = ExportFolders(root, name)
    with place.locked():
        (place.content / "10_tom").mkdir()
        (place.content / "10_tom" / "0001.png").write_bytes(b"half")
        place.journal.write_text("[]\n")
    return place


def version_in(folder):
    folder.mkdir(parents=True)
    manifest = {"manifest": 1, "dataset": {"id": "1", "name": "tom"}, "plan": "x", "files": ["a"], "texts": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"left_out": []}))


def test_with_nothing_to_repair_it_says_so(doctor):
    assert doctor("--fix") == (0, ["good    repairs  there is nothing to repair"])
    assert doctor() == (0, [])


def test_an_export_that_was_cut_off_is_named_first_and_cleared_on_request(doctor, tmp_path):
    place = cut_off(tmp_path / "exports", "tom")
    code, (found, remedy) = doctor()
    assert (code, place.journal.exists()) == (0, True)
    assert f"{place.final} was cut off while it was written" in found
    assert "doctor --fix" in remedy
    assert doctor("--fix")[1] == [
        f"good    export  repaired: removed what was written of {place.final} when it was cut off."
    ]
    assert not place.is_unfinished()
    assert doctor("--fix")[1] == ["good    repairs  there is nothing to repair"]


def test_the_older_version_of_an_export_that_was_just_being_replaced_is_put_back(doctor, tmp_path):
    place = cut_off(tmp_path / "exports", "tom")
    version_in(place.content.with_name(f"{place.content.name}-old1"))
    ((line),) = doctor("--fix")[1]
    assert f"put the older version of {place.final} back" in line
    assert (place.final / MANIFEST).exists()
    assert not place.is_unfinished()


def test_an_export_that_is_being_written_is_left_alone(doctor, tmp_path):
    place = cut_off(tmp_path / "exports", "tom")
    with place.locked():
        assert doctor("--fix")[1] == ["good    repairs  there is nothing to repair"]
    assert place.journal.exists()


@pytest.fixture
def dead():
    """Return a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = identity(process.pid)
    process.communicate(b"\n")
    return found


@pytest.fixture
def run_of(store, tmp_path):
    """Return a function that puts a run into the store, with the status that its watcher wrote last."""

    def make(watcher, host=None):
        folder = tmp_path / "exports" / ".lorads" / "runs" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        run = Run(
            id=uuid.uuid4(),
            dataset_id=None,
            name="tom",
            manifest_hash=uuid.uuid4().hex,
            trainer="sd-scripts",
            profile="sd",
            folder=folder,
            output=folder,
            host=host or socket.gethostname(),
            state="running",
            started_at=datetime.now(timezone.utc),
        )
        run_folder.write_status(folder, run_folder.Status(state="running", watcher=watcher))
        with store.connection() as connection:
            assert kept.insert_run(connection, run, "kind")
        return run

    return make


def test_a_run_that_nothing_watches_any_more_is_settled(doctor, store, run_of, dead):
    run = run_of(dead)
    code, (found, _) = doctor()
    assert code == 0
    assert f"tom ({run.id}) counts as running, and nothing watches it" in found
    (line,) = doctor("--fix")[1]
    assert f"repaired: tom ({run.id}) is lost" in line
    with store.connection() as connection:
        assert kept.get_run(connection, run.id).is_over


def test_a_run_with_a_watcher_or_on_another_machine_is_not_stale(doctor, run_of, dead):
    run_of(identity(os.getpid()))
    run_of(dead, host="elsewhere")
    assert doctor("--fix")[1] == ["good    repairs  there is nothing to repair"]


def test_files_of_killed_clients_and_drafts_are_removed_and_those_of_living_ones_stay(folder):
    for name in ("data", "clients", ".new-1", ".backup-1"):
        (folder / name).mkdir()
    (folder / "clients" / "dead").touch()
    living = FileLock(folder / "clients" / "living")
    assert living.acquire()
    (folder / "lorads.toml").write_text(f"[embedded]\nfolder = '''{folder}'''\n")
    found = [*repairs.of_store(load_settings(folder / "lorads.toml"))]
    assert [each.found.split(" of ")[0] for each in found] == ["1 client file", "2 drafts"]
    assert [each.made() for each in found] == [
        (True, f"removed 1 client file from {folder.resolve()}"),
        (True, f"removed 2 drafts from {folder.resolve()}"),
    ]
    assert [path.name for path in (folder / "clients").iterdir()] == ["living"]
    living.release()


@pytest.mark.slow
@pytest.mark.posix
def test_a_server_that_hangs_is_named_first_and_ended_on_request(folder, capsys):
    home = folder / "store"
    (folder / "lorads.toml").write_text(f"[embedded]\nfolder = '''{home}'''\n")
    words = ["doctor", "--settings", str(folder / "lorads.toml")]
    attached = attach(home)
    cluster = Cluster(home.resolve(), server_account(Path(home / "data")))
    server = psutil.Process(running(cluster).pid)
    next(each for each in server.children() if "checkpointer" in " ".join(each.cmdline())).suspend()
    server.send_signal(signal.SIGINT)
    attached._client.release()  # as a client that was killed
    while running(cluster).status != "stopping":
        time.sleep(0.02)
    assert main(words) == 1
    said = capsys.readouterr().out
    assert f"its server (process {server.pid}) is stopping, takes no connections and does not end" in said
    assert "PostgreSQL 18" not in said  # nothing was opened, and so nothing repaired in passing
    assert main([*words, "--fix"]) == 0
    said = capsys.readouterr().out
    assert f"repaired: ended its server (process {server.pid})" in said
    assert "PostgreSQL 18" in said
