"""The clients of an embedded server: who still uses it, and stopping it when nobody does. Nothing is started here."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ..errors import StoreError
from . import cluster as clusters
from .binaries import Binaries, find_binaries
from .locks import FileLock
from .stopping import stop

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from .postmaster import Cluster

_log = logging.getLogger(__name__)
# Longer than a start may take: whoever waits, waits for somebody who is starting the server.
_LOCK_SECONDS = clusters.START_SECONDS + 60
_QUIET_SECONDS = 3.0  # seconds; a usual start or stop takes less, and is not worth a word


class ServerLock:
    """The lock under which a folder's server is started and stopped, and its clients are counted."""

    def __init__(self, cluster: Cluster) -> None:
        self._folder = cluster.folder
        self._lock = FileLock(cluster.folder / "lock", cluster.account)

    def try_acquire(self) -> bool:
        """Acquire it without waiting; return False if another process holds it."""
        return self._lock.acquire()

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def __enter__(self) -> None:
        if self._lock.acquire(_QUIET_SECONDS):
            return
        _log.info("Waiting for another program that starts or stops the embedded store in %s.", self._folder)
        if not self._lock.acquire(_LOCK_SECONDS):
            raise StoreError(
                f"Another program has been starting the embedded store in {self._folder} for {_LOCK_SECONDS:.0f} s:"
                " look what it is doing, end it, and try again."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def client_folder(cluster: Cluster) -> Path:
    """Return the folder in which each client holds a lock on a file of its own."""
    return cluster.folder / "clients"


def is_used(cluster: Cluster) -> bool:
    """Say whether a client is left, and remove the files of those that are gone.

    The caller holds the server's lock.
    """
    for path in client_folder(cluster).iterdir():
        lock = FileLock(path)
        if not lock.acquire():
            return True
        lock.release()
        with suppress(OSError):  # a virus scanner may have it open: it is nobody's, and goes next time
            path.unlink()
    return False


def stop_if_unused(cluster: Cluster) -> bool:
    """Stop the server if no client is left; return False if it should have stopped and did not.

    The caller holds the server's lock.
    """
    return is_used(cluster) or stop(cluster, partial(binaries_of, cluster))


def binaries_of(cluster: Cluster) -> Binaries:
    """Return PostgreSQL's programs as this cluster's account can run them."""
    return find_binaries(cluster.folder, cluster.account)
