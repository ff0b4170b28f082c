"""Stopping an embedded PostgreSQL server in steps, each with its time: recovery, fast, immediate, kill.

A fast stop in the middle of PostgreSQL 18's recovery from a crash never ends: its checkpointer and io workers wait for
a postmaster that waits for them. So the recovery is waited for, or cut short by an immediate stop. That and a kill
lose nothing that was committed: the next start recovers it from the write-ahead log.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from .postmaster import Ping, ping, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from .binaries import Binaries
    from .postmaster import Cluster, Postmaster

_log = logging.getLogger(__name__)
# Seconds for each step. After the killed backend of a small store, recovery takes one or two.
_RECOVERY = 5.0
_FAST = 15  # it writes 128 MB of buffers at most
_IMMEDIATE = 10  # PostgreSQL itself kills its children after five (SIGKILL_CHILDREN_AFTER_SECS, postmaster.c)
_KILL = 10.0
_PAUSE = 0.05


def stop(cluster: Cluster, binaries: Callable[[], Binaries]) -> bool:
    """Stop the server; return False if it still runs. The caller holds the folder's lock.

    Raises:
        StoreError, OSError: PostgreSQL's programs cannot be run any more.
    """
    found = running(cluster)
    if found is None:
        return True
    if not found.ours:  # its number means another process here
        return False
    stopped = _stop_fast(cluster, found, binaries())
    return (stopped or end_at_once(cluster, found, binaries)) and _remove_socket_folder(cluster, found)


def end_at_once(cluster: Cluster, found: Postmaster, binaries: Callable[[], Binaries]) -> bool:
    """End a server that does not stop by itself: immediately, or by killing it; return False if it still runs."""
    if not found.ours:
        return False
    _log.info(
        "The server of the embedded store in %s (process %d) does not stop in order: it is ended at once. Nothing that"
        " was saved is lost.",
        cluster.folder,
        found.pid,
    )
    if _stop(cluster, binaries(), "immediate", _IMMEDIATE):
        return True
    _log.warning("Process %d does not end by itself: it is killed.", found.pid)
    return _kill(cluster, found)


def _stop_fast(cluster: Cluster, found: Postmaster, tools: Binaries) -> bool:
    if found.status == "stopping":  # somebody has begun: a second fast stop waits for the end of the first
        return _stop(cluster, tools, "fast", _FAST)
    logged = _end_of_recovery(cluster, found)
    if logged is None:
        return False
    tools.run("pg_ctl", "stop", "--silent", "--no-wait", "--mode=fast", f"--pgdata={cluster.data}", cwd=cluster.folder)
    deadline = time.monotonic() + _FAST
    while _is_running(cluster):
        # It may have begun to recover between the question and the stop.
        if time.monotonic() > deadline or _crashed_since(cluster, logged):
            return False
        time.sleep(_PAUSE)
    return True


def _end_of_recovery(cluster: Cluster, found: Postmaster) -> int | None:
    """Wait until the server takes connections; return the size of its log just before, None if it took too long."""
    deadline = time.monotonic() + _RECOVERY
    while time.monotonic() < deadline:
        logged = _size_of_log(cluster)
        if ping(cluster, found) is Ping.ACCEPTS:
            return logged
        time.sleep(_PAUSE)
    return None


def _size_of_log(cluster: Cluster) -> int:
    return cluster.log.stat().st_size if cluster.log.exists() else 0


def _crashed_since(cluster: Cluster, logged: int) -> bool:
    """Say whether the server began to recover since its log had that size (HandleFatalError, postmaster.c)."""
    try:
        with cluster.log.open("rb") as log:
            log.seek(logged)
            return b"all server processes terminated; reinitializing" in log.read()
    except FileNotFoundError:
        return False


def _stop(cluster: Cluster, tools: Binaries, mode: str, seconds: int) -> bool:
    arguments = ("stop", "--silent", "--wait", f"--mode={mode}", f"--timeout={seconds}", f"--pgdata={cluster.data}")
    tools.run("pg_ctl", *arguments, cwd=cluster.folder)
    return not _is_running(cluster)


def _is_running(cluster: Cluster) -> bool:
    """Say whether the server still runs; Windows lets nobody read a pid file that is just being deleted."""
    try:
        return running(cluster) is not None
    except PermissionError:
        return True


def _kill(cluster: Cluster, found: Postmaster) -> bool:
    """Kill the server's process, then its children, which a killed server leaves alone where they hang."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        postmaster = psutil.Process(found.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + _KILL
    while _is_running(cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _remove_socket_folder(cluster: Cluster, found: Postmaster) -> bool:
    if Path(found.host).name == cluster.name:  # made in the temporary folder, for its short name
        with suppress(OSError):
            Path(found.host).rmdir()
    return True
