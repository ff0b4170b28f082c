"""The embedded store on a file system that refuses operations, as Windows does while another program looks in."""

import errno
import itertools
import shutil
import sys
import time

import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store import binaries, cluster, stopping
from lorads_core.store.binaries import make_folders, make_private, server_account
from lorads_core.store.clients import client_folder
from lorads_core.store.embedded import attach
from lorads_core.store.locks import FileLock

pytestmark = pytest.mark.slow


def ask(attached):
    with psycopg.connect(attached.conninfo) as connection:
        return connection.execute("SELECT 1").fetchone()[0]


def test_a_first_start_waits_until_its_files_may_be_moved_and_replaced(home, faulty):
    faulty.refuse("rename", matching="*/.new-*", times=3)
    faulty.refuse("unlink", matching="*/lorads.conf", times=2)
    with attach(home) as attached:
        assert ask(attached) == 1
    assert [operation for operation, _ in faulty.refused].count("rename") == 3
    with attach(home) as attached:  # now there is a lorads.conf to be replaced
        assert ask(attached) == 1
    assert [operation for operation, _ in faulty.refused].count("unlink") == 2


def test_a_folder_that_may_not_be_moved_at_all_is_no_store_and_the_next_start_makes_one(home, faulty):
    faulty.refuse("rename", matching="*/.new-*")
    with pytest.raises(StoreError, match="open in another program"):
        attach(home)
    assert not (home / "data").exists()
    faulty.allow()
    with attach(home) as attached:
        assert ask(attached) == 1
    assert not list(home.glob(".new-*"))


def test_files_that_cannot_be_read_for_a_moment_are_read_again(home, faulty):
    with attach(home):
        pass
    for name in ("password", "PG_VERSION", "postmaster.pid"):
        faulty.refuse("read", matching=f"*/{name}", times=2)
    with attach(home) as attached:
        assert ask(attached) == 1
        assert attached.alive()
    assert len(faulty.refused) == 6


def test_a_server_stops_though_its_last_clients_file_cannot_be_removed(home, faulty, pid_of):
    with attach(home) as attached:
        faulty.refuse("unlink", matching="*/clients/*")
        clients = client_folder(attached.cluster)
    assert pid_of(home) is None
    assert len(list(clients.iterdir())) == 1
    faulty.allow()
    with attach(home):
        pass
    assert list(clients.iterdir()) == []


def test_a_log_that_somebody_reads_does_not_keep_the_server_from_starting(home, faulty):
    with attach(home):
        pass
    with (home / "server.log").open("a") as file:
        file.write("x" * cluster._LONGEST_LOG)
    faulty.refuse("replace", matching="*/server.log*")
    with attach(home) as attached:
        assert ask(attached) == 1
    assert (home / "server.log").stat().st_size > cluster._LONGEST_LOG
    assert not (home / "server.log.1").exists()


def test_the_log_of_an_earlier_keeper_that_is_open_does_not_stop_the_store(home, faulty):
    with attach(home):
        (earlier,) = home.glob("keeper*.log")
        wait_for_keeper(home, at_work=True)
    wait_for_keeper(home, at_work=False)
    with faulty.held_open(earlier):
        with attach(home) as attached:
            assert ask(attached) == 1
            assert len(list(home.glob("keeper*.log"))) == 2
            wait_for_keeper(home, at_work=True)
        wait_for_keeper(home, at_work=False)
    with attach(home):
        assert len(list(home.glob("keeper*.log"))) == 1


def test_a_pid_file_that_is_just_being_deleted_is_looked_at_again(home, monkeypatch):
    real, looks = stopping.running, itertools.count(1)

    def look(cluster):
        if next(looks) == 2:  # the first look of the loop that waits for the end
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(cluster)

    monkeypatch.setattr(stopping, "running", look)
    with attach(home) as attached:
        stopped = attached.cluster
    assert next(looks) > 3
    assert real(stopped) is None


def wait_for_keeper(home, at_work):
    """Wait until the store's keeper holds its lock, or has ended, so that the next client starts a new one."""
    lock = FileLock(home / "keeper.lock", server_account(home / "data"))
    deadline = time.monotonic() + 60
    while lock.acquire() is at_work:
        lock.release()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lock.release()


def test_copied_programs_wait_too(faulty, folder, monkeypatch):
    monkeypatch.setattr(binaries, "ansi_path", lambda _path: None)  # Windows' code page lacks letters of their folder
    faulty.refuse("rename", matching="*/.embedded-postgres-*", times=2)
    found = binaries.find_binaries(folder / "store", None)
    assert found.folder.is_relative_to(folder)
    assert shutil.which("initdb", path=found.folder)
    assert len(faulty.refused) == 2


@pytest.fixture
def modes(monkeypatch):
    """Return the modes with which folders are made from now on; None where none was given."""
    seen = []
    real = binaries.Path.mkdir

    def mkdir(path, mode=None, **options):
        seen.append(mode)
        return real(path, **options) if mode is None else real(path, mode, **options)

    monkeypatch.setattr(binaries.Path, "mkdir", mkdir)
    return seen


def test_on_windows_no_folder_of_the_store_gets_a_mode(tmp_path, modes, monkeypatch):
    # From Python 3.12.4 on, 0o700 keeps the restricted token of an elevated user's PostgreSQL out.
    monkeypatch.setattr(sys, "platform", "win32")
    make_private(tmp_path / "private", None)
    make_folders(tmp_path / "a" / "b" / "store", None)
    assert (tmp_path / "private").is_dir()
    assert (tmp_path / "a" / "b" / "store").is_dir()
    assert set(modes) == {None}


@pytest.mark.posix
def test_elsewhere_they_are_for_their_owner_alone(tmp_path):
    make_private(tmp_path / "private", None)
    make_folders(tmp_path / "a" / "store", None)
    for folder in ("private", "a/store"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
    (tmp_path / "there").mkdir(mode=0o755)
    make_private(tmp_path / "there", None)  # and what is there stays
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755


def test_no_folder_is_made_with_a_mode_but_there():
    source = [
        (file.name, line)
        for file in binaries.Path(binaries.__file__).parents[1].rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "mkdir(mode=" in line or "mkdtemp(" in line
    ]
    assert source == [("binaries.py", "        folder.mkdir(mode=0o700, exist_ok=True)")]
