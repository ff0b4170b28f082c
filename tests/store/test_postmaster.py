"""Whether a data folder's server lives: also where its process may not be looked at, or has another's number."""

import socket
import sys
import threading

import psutil
import pytest

from lorads_core.store import cluster, postmaster
from lorads_core.store.embedded import attach
from lorads_core.store.postmaster import Cluster, retire_pid_file, running


@pytest.fixture
def hidden(monkeypatch):
    """Make command lines unreadable, as those of another account's processes are."""

    def denied(_process):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "cmdline", denied)


@pytest.mark.slow
def test_a_server_whose_command_line_may_not_be_read_is_alive_and_keeps_its_pid_file(home, monkeypatch):
    with attach(home):
        before = (home / "data" / "postmaster.pid").read_text()
        with monkeypatch.context() as patched:
            patched.setattr(psutil.Process, "cmdline", lambda _process: (_ for _ in ()).throw(psutil.AccessDenied()))
            found = running(Cluster(home.resolve(), None))
            assert found is not None
            assert found.ours
            with attach(home):
                assert (home / "data" / "postmaster.pid").read_text() == before


@pytest.mark.usefixtures("hidden")
def test_a_stranger_with_the_servers_number_is_no_server(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "postmaster.pid").write_text(f"{psutil.Process().pid}\n{data}\n1\n5432\n\n\n\nready\n")
    assert running(Cluster(tmp_path, None)) is None


def test_a_process_of_which_nothing_may_be_read_is_no_server_by_itself(tmp_path, monkeypatch):
    def denied(_process):
        raise psutil.AccessDenied

    for name in ("cmdline", "name", "create_time"):
        monkeypatch.setattr(psutil.Process, name, denied)
    data = tmp_path / "data"
    data.mkdir()
    (data / "postmaster.pid").write_text(f"{psutil.Process().pid}\n{data}\n1\n5432\n\n\n\nready\n")
    assert running(Cluster(tmp_path, None)) is None


def test_an_error_of_windows_that_psutil_lets_through_is_no_server(tmp_path, monkeypatch):
    def invalid(_process):
        raise OSError(22, "The parameter is incorrect")  # WinError 87

    monkeypatch.setattr(psutil.Process, "status", invalid)
    data = tmp_path / "data"
    data.mkdir()
    (data / "postmaster.pid").write_text("4321\nx\n1\n5432\n\n\n\nready\n")
    assert running(Cluster(tmp_path, None)) is None


@pytest.fixture
def by_tcp(server, tmp_path, monkeypatch):
    """Return a cluster whose pid file names a server that is reached by TCP and whose process is unknown here."""
    monkeypatch.setattr(postmaster, "USER", "owner")
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "password").write_text(server.password)

    def cluster(port=server.port):
        (data / "postmaster.pid").write_text(f"999999\n{data}\n1\n{port}\n\n127.0.0.1\n\nready\n")
        return Cluster(tmp_path, None)

    return cluster


@pytest.mark.slow
def test_a_server_that_answers_by_tcp_with_our_password_is_alive(by_tcp):
    found = running(by_tcp())
    assert found is not None
    assert not found.ours  # nor is it stopped by its number
    assert found.host == "127.0.0.1"


def test_a_socket_in_the_pid_file_of_a_store_that_came_to_windows_is_no_server(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text("999999\n/data\n1\n5432\n/nowhere\n\n\nready\n")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    assert running(Cluster(tmp_path, None)) is None


def test_a_server_at_that_port_with_another_password_is_not_ours(by_tcp, tmp_path):
    cluster = by_tcp()
    (tmp_path / "password").write_text("guess")
    assert running(cluster) is None


def test_a_port_where_nobody_or_something_else_answers_is_no_server(by_tcp):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert running(by_tcp(listening.getsockname()[1])) is None
    assert running(by_tcp(1)) is None


def test_a_dead_servers_pid_file_gets_a_number_that_the_next_server_passes_over(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    file = data / "postmaster.pid"
    file.write_text("999999\nx\n1\n")
    retire_pid_file(Cluster(tmp_path, None))
    assert file.read_text().splitlines() == [str(psutil.Process().pid), "x", "1"]
    file.write_text("")
    retire_pid_file(Cluster(tmp_path, None))
    assert not file.exists()


class Process:
    """A process as psutil lists it."""

    def __init__(self, command, parent):
        self.info = {"cmdline": command, "ppid": parent}
        self.ended = False

    def terminate(self):
        self.ended = True


DEAD = 2**22 + 1  # a number that no process here has


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_what_is_left_of_a_dead_server_is_ended_and_nothing_else(tmp_path, monkeypatch, platform):
    of_linux = Cluster(tmp_path, None)
    orphans = {
        "linux": Process([f"postgres: {of_linux.name}: lorads postgres [local] SELECT"], 1),
        "win32": Process(["C:/bin/postgres.exe", "--forkchild=backend 1076"], DEAD),
    }
    others = [
        Process(["postgres: lorads-0123: lorads postgres [local] SELECT"], 1),
        Process(["C:/bin/postgres.exe", "--forkchild=backend 1076"], 4321),
        Process(["python.exe"], DEAD),
        Process(None, None),
    ]
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(psutil, "process_iter", lambda _attributes: [*orphans.values(), *others])
    cluster._end_orphans(of_linux, DEAD)
    assert [name for name, process in orphans.items() if process.ended] == [platform]
    assert not [process for process in others if process.ended]


def test_on_windows_a_living_process_with_the_number_of_the_dead_server_loses_no_child(tmp_path, monkeypatch):
    child = Process(["postgres.exe", "--forkchild=backend 1076"], psutil.Process().pid)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(psutil, "process_iter", lambda _attributes: [child])
    cluster._end_orphans(Cluster(tmp_path, None), psutil.Process().pid)
    assert not child.ended


@pytest.mark.parametrize(
    "reason",
    [
        "pre-existing shared memory block is still in use",
        'could not open shared memory segment "Global/PostgreSQL.2624797122": No such file or directory',
        'could not remove old lock file "postmaster.pid": No such file or directory',
    ],
)
def test_a_start_is_tried_again_while_something_of_a_dead_server_is_left(tmp_path, monkeypatch, reason):
    reasons = iter([reason, reason, ""])
    monkeypatch.setattr(cluster, "_try_start", lambda *_: next(reasons))
    cluster._start(Cluster(tmp_path, None), None)
    assert list(reasons) == []
