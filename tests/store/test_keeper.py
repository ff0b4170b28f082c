"""The keeper: a server ends with its last client, however that one ends."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from lorads_core.store import keeper, postmaster
from lorads_core.store.binaries import server_account
from lorads_core.store.clients import client_folder
from lorads_core.store.embedded import attach
from lorads_core.store.keeper import Keeper
from lorads_core.store.locks import FileLock


def cluster_of(home):
    return postmaster.Cluster(home.resolve(), server_account(home / "data"))


def keepers_of(home):
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        if str(home.resolve()) in words and words[1] == "-c" and "store.keeper" in words[2]:  # not who starts it
            found.append(process)
    return found


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tree_killed(process):
    for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        each.kill()


def hung_up(process):
    process.send_signal(signal.SIGHUP)


def group_killed(process):
    os.killpg(process.pid, signal.SIGKILL)


WAYS = [subprocess.Popen.kill, tree_killed]
if sys.platform != "win32":
    WAYS += [hung_up, group_killed]


@pytest.mark.slow
@pytest.mark.parametrize("end", WAYS)
def test_a_client_that_is_killed_leaves_no_server_after_the_grace_time(home, pid_of, start_client, end):
    client = start_client(home, start_new_session=True)
    assert client.stdout.readline() == "attached\n"
    wait_for(lambda: keepers_of(home))
    end(client)
    client.wait()
    assert pid_of(home)
    wait_for(lambda: pid_of(home) is None, keeper.GRACE + 20)
    wait_for(lambda: not keepers_of(home))
    assert list(client_folder(cluster_of(home)).iterdir()) == []
    with attach(home):  # it was stopped, not killed: nothing to recover
        assert "not properly shut down" not in (home / "server.log").read_text()


@pytest.mark.slow
def test_the_keeper_is_no_descendant_of_the_client_and_in_a_session_of_its_own(home):
    with attach(home):
        wait_for(lambda: keepers_of(home))
        (found,) = keepers_of(home)
        wait_for(lambda: found.pid not in {child.pid for child in psutil.Process().children(recursive=True)})
        if sys.platform != "win32":
            assert os.getsid(found.pid) != os.getsid(0)


@pytest.mark.slow
def test_one_keeper_for_many_clients_and_none_when_the_last_has_left(home, start_client):
    clients = [start_client(home) for _ in range(3)]
    for client in clients:
        assert client.stdout.readline() == "attached\n"
    wait_for(lambda: len(keepers_of(home)) == 1)
    for client in clients:
        client.communicate("\n")
    wait_for(lambda: not keepers_of(home))


@pytest.mark.slow
def test_a_keeper_that_was_killed_is_replaced_by_the_next_client(home):
    with attach(home):
        wait_for(lambda: keepers_of(home))
        for each in keepers_of(home):
            each.kill()
        wait_for(lambda: not keepers_of(home))
        with attach(home):
            wait_for(lambda: keepers_of(home))


@pytest.mark.slow
def test_a_server_with_a_client_is_never_stopped(home, pid_of):
    with attach(home):
        for process in keepers_of(home):
            process.kill()
        looks = iter([None] * 5)
        ours = Keeper(cluster_of(home), grace=0)
        with pytest.raises(RuntimeError):  # generators and their end: it would look for ever
            ours.run(lambda _seconds: next(looks, RuntimeError) and stop_looking())
        assert pid_of(home)


def stop_looking():
    raise RuntimeError


@pytest.mark.slow
def test_a_client_that_comes_within_the_grace_time_finds_the_same_server(home, pid_of, start_client):
    client = start_client(home)
    client.stdout.readline()
    pid = pid_of(home)
    client.kill()
    client.wait()
    time.sleep(2)
    with attach(home):
        assert pid_of(home) == pid


def test_a_store_that_is_removed_ends_its_keeper(tmp_path):
    cluster = postmaster.Cluster(tmp_path / "gone", None)
    Keeper(cluster).run(lambda _seconds: None)


@pytest.mark.slow
def test_a_keeper_does_not_wait_for_another_one_for_long(home, monkeypatch):
    monkeypatch.setattr(keeper, "_HANDOVER", 0.1)
    with attach(home):
        wait_for(lambda: keepers_of(home))
        lock = FileLock(home / "keeper.lock")
        wait_for(lambda: not lock.acquire())
        Keeper(cluster_of(home)).run(lambda _seconds: pytest.fail("it looks"))
