"""The running PostgreSQL server of a data folder: found by its postmaster.pid, identified, reached by libpq."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..errors import StoreError
from ..system import files
from .binaries import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .binaries import Account

USER = "lorads"
DATABASE = "postgres"
_CLOCK_SLACK = 60.0  # seconds between a server's start as it wrote it and as the system has it: clocks are set
_PROBE_SECONDS = 10  # a server that is taken for dead while it is only slow would be started twice
# What a server says of itself while it takes no connections yet, or no more.
_PASSING = ("starting up", "shutting down", "recovery mode", "not yet accepting", "not accepting")


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


class Ping(Enum):
    """What a server answers to a connection: it takes it, is starting, recovering or stopping, or says nothing."""

    ACCEPTS = auto()
    REFUSES = auto()
    SILENT = auto()


def running(cluster: Cluster) -> Postmaster | None:
    """Return the live server of this data folder, None where there is none, whatever ``postmaster.pid`` may say."""
    lines = _pid_file_lines(cluster)
    if not recorded_pid(cluster, lines):
        return None
    # Lines: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
    lines += [""] * (8 - len(lines))
    pid, started = int(lines[0]), int(lines[2]) if lines[2].isdecimal() else 0
    found = Postmaster(pid, lines[3], lines[4] or lines[5], lines[7], ours=_serves(pid, started, cluster.data))
    return found if found.ours or _answers(cluster, found) else None


def recorded_pid(cluster: Cluster, lines: list[str] | None = None) -> int:
    """Return the process number in ``postmaster.pid``, whether that server lives or not; 0 where there is none."""
    lines = _pid_file_lines(cluster) if lines is None else lines
    return int(lines[0]) if lines and lines[0].isdecimal() else 0


def _pid_file_lines(cluster: Cluster) -> list[str]:
    try:
        text = files.read_bytes(cluster.data / "postmaster.pid").decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def _serves(pid: int, started: int, data: Path) -> bool:
    """Whether this process is a live postmaster on this folder, not a zombie or a later process with the same id."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
    except psutil.AccessDenied:
        # Started by an elevated ComfyUI, by another account, or under Linux' hidepid.
        return _is_postgres_since(pid, started)
    except (psutil.Error, OSError):  # psutil lets some of Windows' own errors through
        return False
    # The command line and not the working folder: root in a container may not see that of another user's process.
    named = any(os.path.normcase(os.path.normpath(word)) == os.path.normcase(data) for word in command[1:])
    return named and Path(command[0]).stem == "postgres"


def _is_postgres_since(pid: int, started: int) -> bool:
    """Whether a process whose command line may not be read is a PostgreSQL that began when the data folder says so."""
    try:
        process = psutil.Process(pid)
        return Path(process.name()).stem == "postgres" and abs(process.create_time() - started) < _CLOCK_SLACK
    except (psutil.Error, OSError):
        return False


def _answers(cluster: Cluster, postmaster: Postmaster) -> bool:
    """Whether our server takes connections at the recorded address: one of another container has no process here."""
    if postmaster.host.startswith("/"):
        return _answers_at_socket(f"{postmaster.host}/.s.PGSQL.{postmaster.port}")
    return bool(postmaster.host and postmaster.port) and _lets_us_in(cluster, postmaster)


def _answers_at_socket(address: str) -> bool:
    if sys.platform == "win32":  # its Python has no such sockets: the address is from before the store came here
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def _lets_us_in(cluster: Cluster, postmaster: Postmaster) -> bool:
    """Whether the server at a TCP port is ours: after a restart of the machine another program may have that port."""
    import psycopg  # noqa: PLC0415 - for a server whose process may not be looked at

    from .environment import EmbeddedConnection  # noqa: PLC0415 - as above

    try:
        EmbeddedConnection.connect(conninfo(cluster, postmaster), connect_timeout=_PROBE_SECONDS).close()
    except (psycopg.Error, StoreError) as error:
        return any(words in str(error) for words in _PASSING)
    return True


def ping(cluster: Cluster, postmaster: Postmaster) -> Ping:
    """Ask a server whether it takes connections; its pid file says "ready" also while it recovers from a crash."""
    from psycopg import pq  # noqa: PLC0415 - importing this module is cheap

    from .environment import hidden_variables  # noqa: PLC0415 - as above

    # That it asks for a password is the answer: to give one would take three times as long.
    nowhere = {"password": "", "passfile": str(cluster.folder / "no-passwords")}
    with hidden_variables():
        said = pq.Ping(pq.PGconn.ping(_keywords(postmaster, nowhere).encode()))
    # One whose address libpq cannot read is tried in earnest, which says why.
    return {pq.Ping.REJECT: Ping.REFUSES, pq.Ping.NO_RESPONSE: Ping.SILENT}.get(said, Ping.ACCEPTS)


def conninfo(cluster: Cluster, postmaster: Postmaster) -> str:
    """Return libpq's keyword string for our role, whatever the environment says; it holds the password."""
    return _keywords(postmaster, {"password": _password(cluster)})


def _keywords(postmaster: Postmaster, values: Mapping[str, str]) -> str:
    from .environment import fixed_options  # noqa: PLC0415 - importing this module is cheap

    all_values = {
        **fixed_options(),
        "host": postmaster.host,
        "port": postmaster.port,
        "user": USER,
        "dbname": DATABASE,
        **values,
    }
    escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in all_values.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())


def _password(cluster: Cluster) -> str:
    try:
        return files.read_text(cluster.password_file).strip()
    except FileNotFoundError:
        raise StoreError(
            f"The embedded store's password file {cluster.password_file} is gone: put it back, or move {cluster.folder}"
            " away to begin with an empty store."
        ) from None


def retire_pid_file(cluster: Cluster) -> None:
    """Let the next server see that the one in ``postmaster.pid`` is dead; only after `running` has found none.

    PostgreSQL only asks whether some process has that number: a zombie or a stranger would keep it from starting, and
    so would an empty file. Our own number is one that it passes over (it starts no server above itself); the line with
    the shared memory stays, by which it notices orphans of the dead server.
    """
    path = cluster.data / "postmaster.pid"
    if not path.exists():
        return
    lines = files.read_bytes(path).decode(errors="replace").splitlines()
    if lines and lines[0].strip().isdecimal() and int(lines[0]):
        write_private(path, "\n".join([str(os.getpid()), *lines[1:]]) + "\n", cluster.account)
    else:
        files.remove(path)
