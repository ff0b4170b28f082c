"""The embedded server as its clients see it: the first to attach starts it, the last to leave stops it.

Each client holds a lock on a file of its own in ``clients/``; the kernel lets go of it however the client ends, so a
client that was killed is no longer counted. All that changes the server happens under one lock per data folder.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
import uuid
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ..errors import StoreError
from . import cluster as clusters
from .binaries import Account, Binaries, find_binaries, give, make_folders, server_account
from .cluster import Cluster

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

if sys.platform == "win32":
    import msvcrt

    def _lock_now(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock_now(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


_log = logging.getLogger(__name__)
# Longer than a start may take: whoever waits, waits for somebody who is starting the server.
_LOCK_SECONDS = clusters.START_SECONDS + 60
# PostgreSQL's pg_ctl hands paths to a shell in double quotes.
_BREAKS_QUOTES = frozenset('"$`\\\n')


class FileLock:
    """An exclusive lock on a file that the kernel lets go of when its process ends.

    It is not the library filelock because of fork: there a child that ends unlocks what its parent holds. Here a child
    lets go of its copy and leaves the lock alone.
    """

    def __init__(self, path: Path, account: Account | None = None) -> None:
        self._path = path
        self._account = account
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether we hold it."""
        return self._file is not None

    def take(self, seconds: float = 0) -> bool:
        """Lock the file, made where it is missing; return False if another still holds it after ``seconds``."""
        deadline = time.monotonic() + seconds
        new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if new:
                give(self._path, self._account)
            while not _lock(file):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.01)
            self._file, file = file, -1
            _held.add(self)
        finally:
            if file >= 0:
                os.close(file)
        return True

    def let_go(self) -> None:
        """Unlock the file and leave it there; harmless if it is not held."""
        if self._file is not None:
            file, self._file = self._file, None
            _unlock(file)
            os.close(file)

    def forget(self) -> None:
        """Close our copy of a lock that a fork has handed down, without unlocking it."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _lock(file: int) -> bool:
    try:
        _lock_now(file)
    except (BlockingIOError, PermissionError):  # Windows says the latter
        return False
    return True


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()
    _attached.clear()


class Attached:
    """A client of a running embedded server; ``conninfo`` is libpq's keyword string and holds the password."""

    def __init__(self, cluster: Cluster, client: FileLock, path: Path, conninfo: str) -> None:
        self.conninfo = conninfo
        self.folder = cluster.folder
        self._cluster = cluster
        self._client = client
        self._path = path
        _attached.add(self)

    def __repr__(self) -> str:
        return f"Attached({str(self.folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def alive(self) -> bool:
        """Whether the server is there and takes connections at the address we have."""
        try:
            found = clusters.running(self._cluster)
            return found is not None and found.ready and clusters.conninfo(self._cluster, found) == self.conninfo
        except (OSError, StoreError):  # attaching anew will tell what is wrong
            return False

    def close(self) -> None:
        """Leave, and stop the server if nobody else is there; a second call, or one in a forked child, does nothing.

        Raises:
            StoreError: the folder cannot be used any more. The server then runs on until the next client leaves.
        """
        _attached.discard(self)
        if not self._client.held:
            return
        try:
            _leave(self._cluster, self._client, self._path)
        except OSError as error:
            raise _unusable(self.folder, error) from error


_attached: set[Attached] = set()


def default_folder() -> Path:
    """Return where the embedded store lies unless lorads.toml says otherwise.

    For root it is not in root's home, which the server's unprivileged user may not enter.
    """
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/lorads/postgres")
    return platformdirs.user_data_path("lorads", appauthor=False) / "postgres"


def attach(data_folder: Path | None = None) -> Attached:
    """Become a client of the embedded server in ``data_folder``, which is made and started where needed.

    Any number of processes, threads and calls may do so at once. Close what you get; what is still open at the end of
    the process is closed then.

    Raises:
        StoreError: the folder cannot be used, belongs to another version, or the server does not start.
    """
    folder = (data_folder or default_folder()).expanduser()
    try:
        # strict=False: the folder need not be there; links are resolved so that all clients name it alike.
        return _attach(folder.resolve())
    except OSError as error:
        raise _unusable(folder, error) from error


def _attach(folder: Path) -> Attached:
    bad = [character for character in str(folder) if character in _BREAKS_QUOTES]
    if bad and sys.platform != "win32":
        raise StoreError(
            f"The embedded store cannot lie in {str(folder)!r}: {bad[0]!r} in a folder's name breaks pg_ctl. Choose"
            " another folder for it in lorads.toml."
        )
    account = server_account(folder / "data", folder)
    make_folders(folder, account)
    clients = folder / "clients"
    if not clients.exists():
        clients.mkdir(mode=0o700, exist_ok=True)
        give(clients, account)
    cluster = Cluster(folder, account)
    path = clients / f"{os.getpid()}-{uuid.uuid4().hex}"
    client = FileLock(path, account)
    with _Start(cluster):
        client.take()
        try:
            postmaster = clusters.ensure_running(cluster, partial(_binaries, cluster))
            return Attached(cluster, client, path, clusters.conninfo(cluster, postmaster))
        except BaseException:
            client.let_go()
            path.unlink(missing_ok=True)
            raise


class _Start:
    """The lock under which a folder's server is started and stopped."""

    def __init__(self, cluster: Cluster) -> None:
        self._folder = cluster.folder
        self._lock = FileLock(cluster.folder / "lock", cluster.account)

    def __enter__(self) -> None:
        if not self._lock.take(_LOCK_SECONDS):
            raise StoreError(
                f"Another program has been starting the embedded store in {self._folder} for {_LOCK_SECONDS} s:"
                " look what it is doing, end it, and try again."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.let_go()


def _leave(cluster: Cluster, client: FileLock, path: Path) -> None:
    with _Start(cluster):
        client.let_go()
        path.unlink(missing_ok=True)
        if not _others(path.parent) and not clusters.stop(cluster, partial(_binaries, cluster)):
            _log.warning("The embedded store in %s did not stop; it runs on.", cluster.folder)


def _others(clients: Path) -> bool:
    """Whether a client is left; the files of those that are gone are removed."""
    for path in clients.iterdir():
        lock = FileLock(path)
        if not lock.take():
            return True
        lock.let_go()
        path.unlink(missing_ok=True)
    return False


def _binaries(cluster: Cluster) -> Binaries:
    return find_binaries(cluster.folder, cluster.account)


def _unusable(folder: Path, error: OSError) -> StoreError:
    where = f" ({error.filename})" if error.filename else ""
    return StoreError(
        f"The embedded store's folder {folder} cannot be used: {error.strerror or error}{where}. Mend that, or choose"
        " another folder for the embedded store in lorads.toml."
    )


@atexit.register
def _close_all() -> None:
    for client in list(_attached):
        with suppress(StoreError):  # nobody is left to tell; the next client to leave stops the server
            client.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
