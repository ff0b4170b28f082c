"""Leftovers of killed programs in an embedded store's folder: a server that hangs, files of clients, drafts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..system import files
from .clients import ServerLock, binaries_of, client_folder, is_used
from .cluster import find_useless
from .locks import FileLock
from .stopping import end_at_once

if TYPE_CHECKING:
    from pathlib import Path

    from .postmaster import Cluster, Postmaster

_DRAFTS = (".new-*", ".backup-*")  # of initdb, of backups


def hanging_server(cluster: Cluster) -> Postmaster | None:
    """Return the server if it takes no connections and does not end either, after some seconds.

    One that is being started or stopped by another program, or recovers from a crash, does not hang.
    """
    lock = ServerLock(cluster)
    if not lock.try_acquire():
        return None
    try:
        return find_useless(cluster, partial(is_used, cluster))
    finally:
        lock.release()


def end_server(cluster: Cluster, server: Postmaster) -> bool:
    """End a server that hangs; return False if it still runs. The next client starts another, which recovers.

    Raises:
        StoreError, OSError: PostgreSQL's programs cannot be run.
    """
    with ServerLock(cluster):
        return end_at_once(cluster, server, partial(binaries_of, cluster))


def dead_clients(cluster: Cluster) -> list[Path]:
    """Return the files of clients that were killed."""
    folder = client_folder(cluster)
    return [path for path in folder.iterdir() if _is_dead(path)] if folder.is_dir() else []


def _is_dead(path: Path) -> bool:
    lock = FileLock(path)
    free = lock.acquire()
    lock.release()
    return free


def drafts(cluster: Cluster) -> list[Path]:
    """Return unfinished data folders and backups, none of which is in use while nobody makes a new one."""
    return sorted(path for pattern in _DRAFTS for path in cluster.folder.glob(pattern))


def remove(cluster: Cluster, leftovers: list[Path]) -> int:
    """Remove client files or drafts; return how many are gone."""
    with ServerLock(cluster):
        return sum(_remove(path) for path in leftovers)


def _remove(path: Path) -> bool:
    return files.remove_tree_if_possible(path) if path.is_dir() else files.remove_if_possible(path)
