"""The keeper: a small detached process that stops the embedded server when its last client is gone for some seconds.

A client that leaves stops the server itself if it was the last. One that is killed cannot: ComfyUI whose window is
closed, whose process tree is ended by ComfyUI Desktop or Stability Matrix, that runs out of memory. PostgreSQL has no
setting for that, so each process that starts a server starts a keeper too, which holds no client's lock.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from ..system import files
from ..system.detached import python_command, start_detached
from .binaries import server_account, write_private
from .clients import ServerLock, is_used, stop_if_unused
from .locks import FileLock
from .postmaster import Cluster, running

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 10.0
"""Seconds without any client after which the server is stopped: a program that is restarted is back by then."""
_LOOK = 1.0  # seconds between two looks at the clients
_HANDOVER = 3 * _LOOK  # seconds in which a keeper whose server was stopped by its last client ends
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from lorads_core.store.keeper import main; main()"
_ROOT = Path(__file__).resolve().parents[2]


def ensure_keeper(cluster: Cluster) -> None:
    """Start a keeper unless one is at work; it makes its first look later, so that nobody waits for it.

    Raises:
        OSError: it cannot be started.
    """
    lock = _lock_of(cluster)
    if not lock.acquire():
        return
    lock.release()
    with _new_log(cluster).open("ab") as faults:
        start_detached(python_command(_CODE, str(_ROOT), str(cluster.folder)), cwd=cluster.folder, faults=faults)


def _new_log(cluster: Cluster) -> Path:
    """Make the log of a new keeper, and remove the logs of earlier ones.

    Each keeper has a log of its own, because Windows removes no file that is open: one that is still starting, or is
    about to end, has its log open, and must not stop a client from opening the store.
    """
    for old in cluster.folder.glob("keeper*.log"):
        files.remove_if_possible(old)
    log = cluster.folder / f"keeper-{uuid.uuid4().hex}.log"
    write_private(log, "", cluster.account)
    return log


class Keeper:
    """Looks after the server of a folder; one at a time holds ``keeper.lock``."""

    def __init__(self, cluster: Cluster, grace: float = GRACE) -> None:
        self._cluster = cluster
        self._grace = grace
        self._lock = _lock_of(cluster)
        self._unused_since: float | None = None

    def run(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Look once a second until the server has been stopped: by its last client, or from here."""
        try:
            if not self._lock.acquire(_HANDOVER):  # another keeper is at work
                return
            pause(_LOOK)
            while self._look():
                pause(_LOOK)
        except FileNotFoundError:  # the store was removed
            return
        finally:
            self._lock.release()

    def _look(self) -> bool:
        """Stop the server if it is time; return whether there is one to look after."""
        server = ServerLock(self._cluster)
        if not server.try_acquire():  # somebody comes or leaves
            self._unused_since = None
            return True
        try:
            found = running(self._cluster)
            if found is None or not found.ours:
                self._lock.release()  # while nobody can start a server and take this keeper for its own
                return False
            self._stop_in_time()
            return True
        finally:
            server.release()

    def _stop_in_time(self) -> None:
        now = time.monotonic()
        if is_used(self._cluster):
            self._unused_since = None
        elif self._unused_since is None:
            self._unused_since = now
        elif now - self._unused_since >= self._grace:
            stop_if_unused(self._cluster)
            self._unused_since = now  # one that does not stop is asked again


def _lock_of(cluster: Cluster) -> FileLock:
    return FileLock(cluster.folder / "keeper.lock", cluster.account)


def main() -> None:
    """Keep the server of the folder that is the last argument."""
    folder = Path(sys.argv[-1])
    Keeper(Cluster(folder, server_account(folder / "data", folder))).run()
