"""File locks that the kernel releases when their process ends: who is a client, who starts the server, who keeps it."""

from __future__ import annotations

import os
import sys
import time
import weakref
from typing import TYPE_CHECKING

from .binaries import change_owner

if TYPE_CHECKING:
    from pathlib import Path

    from .binaries import Account

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

    def acquire(self, seconds: float = 0) -> bool:
        """Lock the file, made where it is missing; return False if another still holds it after ``seconds``."""
        deadline = time.monotonic() + seconds
        new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if new:
                change_owner(self._path, self._account)
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

    def release(self) -> None:
        """Unlock the file and leave it there; harmless if it is not held."""
        if self._file is not None:
            file, self._file = self._file, None
            _unlock(file)
            os.close(file)

    def close_inherited(self) -> None:
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


def close_inherited_locks() -> None:
    """Close our copies of all locks in a forked child, where they are the parent's."""
    for lock in list(_held):
        lock.close_inherited()
