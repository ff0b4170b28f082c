"""Stopping the embedded server: in steps, each with its time, and never for good in between."""

import os
import signal
import time
from contextlib import closing

import psutil
import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store import cluster as clusters
from lorads_core.store import stopping
from lorads_core.store.binaries import server_account
from lorads_core.store.clients import binaries_of
from lorads_core.store.embedded import attach
from lorads_core.store.postmaster import Cluster, Ping, Postmaster, running


def cluster_of(home):
    return Cluster(home.resolve(), server_account(home / "data"))


def child_of(home, title):
    server = psutil.Process(running(cluster_of(home)).pid)
    return next(each for each in server.children() if title in " ".join(each.cmdline()))


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_a_backend(attached):
    with closing(psycopg.connect(attached.conninfo)) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)


def count(attached):
    with psycopg.connect(attached.conninfo) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


@pytest.mark.slow
@pytest.mark.posix  # fifty times by `python -m tests.chaos`
def test_a_backend_that_is_killed_just_before_the_last_client_leaves_never_leaves_the_server_stopping(home):
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    for _ in range(2):
        attached = attach(home)
        kill_a_backend(attached)
        attached.close()
        assert running(cluster_of(home)) is None
    with attach(home) as attached:
        assert count(attached) == 1


@pytest.mark.slow
@pytest.mark.posix
def test_a_client_that_comes_while_the_server_recovers_from_a_crash_waits_for_it(home):
    with attach(home) as attached:
        kill_a_backend(attached)
        wait_for(lambda: b"reinitializing" in cluster_of(home).log.read_bytes())  # before, it still accepts clients
        with attach(home) as again, psycopg.connect(again.conninfo) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert attached.alive()


@pytest.mark.slow
@pytest.mark.posix
def test_a_server_that_was_left_stopping_is_ended_by_the_next_command_and_recovers(home, caplog, monkeypatch):
    monkeypatch.setattr(clusters, "_UNUSED_PATIENCE", 0.5)
    caplog.set_level("INFO")
    attached = attach(home)
    with psycopg.connect(attached.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    server = running(cluster_of(home)).pid
    child_of(home, "checkpointer").suspend()  # as it waits for ever in a fast stop during a recovery
    os.kill(server, signal.SIGINT)
    attached._client.release()  # as a client that was killed
    wait_for(lambda: running(cluster_of(home)).status == "stopping")
    with attach(home) as again:
        assert count(again) == 1
        assert running(cluster_of(home)).pid != server
    assert f"(process {server}) does not stop in order: it is ended at once" in caplog.text


@pytest.mark.slow
@pytest.mark.posix
def test_a_server_that_does_not_even_end_immediately_is_killed_with_its_children(home, monkeypatch):
    monkeypatch.setattr(stopping, "_RECOVERY", 0.1)
    monkeypatch.setattr(stopping, "_IMMEDIATE", 1)
    attached = attach(home)
    server = psutil.Process(running(cluster_of(home)).pid)
    family = [server, *server.children()]
    for each in family:  # children that hang do not notice that their server is gone
        each.suspend()
    assert stopping.end_at_once(cluster_of(home), running(cluster_of(home)), lambda: binaries_of(cluster_of(home)))
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))
    attached.close()
    with attach(home) as again:
        assert again.alive()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Return what a cluster's server is made to look like; nothing runs, and time passes only by sleeping."""
    seen = {"found": Postmaster(7, "5432", "/s", "ready"), "ping": [Ping.ACCEPTS], "now": 0.0, "ended": []}

    def end(_cluster, found, _binaries):
        seen["ended"].append(seen["now"])
        return seen.get("ends", found.ours)

    def say(_cluster, _found):
        return seen["ping"].pop(0) if len(seen["ping"]) > 1 else seen["ping"][0]

    def sleep(_seconds):
        seen["now"] += 0.5
        if seen["ended"] and seen.get("ends", True):
            seen["ping"] = [Ping.ACCEPTS]

    monkeypatch.setattr(clusters, "running", lambda _cluster: seen["found"])
    monkeypatch.setattr(clusters, "ping", say)
    monkeypatch.setattr(clusters, "end_at_once", end)
    monkeypatch.setattr(clusters.time, "monotonic", lambda: seen["now"])
    monkeypatch.setattr(clusters.time, "sleep", sleep)
    seen["cluster"] = Cluster(tmp_path, None)
    return seen


def come(server, *, used=False):
    return clusters.ensure_running(server["cluster"], lambda: pytest.fail("starts one"), lambda: used)


@pytest.mark.parametrize(("status", "said"), [("stopping", Ping.REFUSES), ("ready", Ping.SILENT)])
@pytest.mark.parametrize(("used", "patience"), [(False, "_UNUSED_PATIENCE"), (True, "_USED_PATIENCE")])
def test_a_server_of_no_use_is_ended_sooner_where_nobody_else_is_its_client(server, status, said, used, patience):
    server |= {"found": Postmaster(7, "5432", "/s", status), "ping": [said]}
    come(server, used=used)
    (when,) = server["ended"]
    assert 0 < when - getattr(clusters, patience) <= 1


def test_a_server_that_recovers_is_never_ended_and_gets_its_time(server):
    server |= {"ping": [Ping.REFUSES] * 200 + [Ping.ACCEPTS]}
    assert come(server) is server["found"]
    assert server["ended"] == []
    server |= {"ping": [Ping.REFUSES], "now": 0.0}
    with pytest.raises(StoreError, match="has been recovering from a crash for 300 s"):
        come(server)


def test_a_useless_server_of_another_container_is_named_and_not_ended_from_here(server):
    server |= {"found": Postmaster(7, "5432", "/s", "stopping", ours=False), "ping": [Ping.REFUSES]}
    with pytest.raises(StoreError, match=r"\(process 7\) is stopping.*in another container"):
        come(server)


def test_what_is_waited_for_is_said(server, caplog):
    caplog.set_level("INFO")
    server |= {"ping": [Ping.REFUSES] * 20 + [Ping.ACCEPTS]}
    come(server)
    assert caplog.text.count("recovering from a crash") == 1


class Stopped:
    """A server that is stopped on paper: which modes of `pg_ctl stop` were run and when; time passes by sleeping."""

    def __init__(self, folder, monkeypatch, *, said=(Ping.ACCEPTS,), ours=True, ends_by=("fast",), crash=False):
        self.cluster, self.found = Cluster(folder, None), Postmaster(7, "5432", "/s", "ready", ours=ours)
        self.said, self.ends_by, self.crash = list(said), ends_by, crash
        self.modes, self.now, self.is_running = [], 0.0, True
        self.cluster.log.write_bytes(b"ready\n")
        monkeypatch.setattr(stopping, "running", lambda _cluster: self.found if self.is_running else None)
        monkeypatch.setattr(stopping, "ping", lambda *_: self.said.pop(0) if len(self.said) > 1 else self.said[0])
        monkeypatch.setattr(stopping.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stopping.time, "sleep", self.sleep)
        monkeypatch.setattr(stopping, "_kill", lambda *_: self.modes.append("kill") or True)

    def sleep(self, seconds):
        self.now += seconds

    def run(self, _program, *words, **_options):
        (mode,) = (word.removeprefix("--mode=") for word in words if word.startswith("--mode="))
        self.modes.append(mode)
        self.is_running = mode not in self.ends_by
        if self.crash:
            self.cluster.log.write_bytes(b"ready\nLOG:  all server processes terminated; reinitializing\n")

    def stop(self):
        return stopping.stop(self.cluster, lambda: self)


def test_no_fast_stop_is_sent_while_the_server_recovers(tmp_path, monkeypatch):
    server = Stopped(tmp_path, monkeypatch, said=[Ping.REFUSES] * 20 + [Ping.ACCEPTS])
    assert server.stop()
    assert (server.modes, round(server.now, 1)) == (["fast"], 1.0)
    server = Stopped(tmp_path, monkeypatch, said=[Ping.REFUSES], ends_by=("immediate",))
    assert server.stop()
    assert (server.modes, round(server.now)) == (["immediate"], 5)


def test_a_crash_just_before_the_fast_stop_is_noticed_by_the_log_and_not_waited_for(tmp_path, monkeypatch):
    server = Stopped(tmp_path, monkeypatch, ends_by=("immediate",), crash=True)
    assert server.stop()
    assert (server.modes, server.now < 1) == (["fast", "immediate"], True)


def test_each_step_of_a_stop_follows_the_one_that_failed(tmp_path, monkeypatch):
    server = Stopped(tmp_path, monkeypatch, ends_by=())
    assert server.stop()
    assert (server.modes, 15 <= server.now < 16) == (["fast", "immediate", "kill"], True)


def test_a_server_of_another_container_is_never_stopped_from_here(tmp_path, monkeypatch):
    server = Stopped(tmp_path, monkeypatch, ours=False)
    assert not server.stop()
    assert not stopping.end_at_once(server.cluster, server.found, lambda: server)
    assert server.modes == []
