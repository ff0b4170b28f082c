"""Fsync of a folder tree: what was written lies on the disk before it is relied on, and nothing else is waited for.

`os.sync` would wait for all that other programs write, on every drive of the machine: while one of them wrote 100 MB/s
to the same ext4, it took five times as long as this.
"""

from __future__ import annotations

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from .links import walk

_THREADS = 8  # a journalling file system writes down several waiting files at once: twice as quick as one by one
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})  # of folders: file systems of networks and FUSE


def sync_tree(folder: Path) -> None:
    """Write all files below a folder, and their names, through to the disk.

    Files with a second name are left out: they were written before, and are only named here.

    Raises:
        OSError: one cannot be written through: the disk is full or broken.
    """
    tree = [(Path(base), names) for base, _, names in walk(folder)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="lorads-sync") as pool:
        for _ in pool.map(_sync_file, [base / name for base, names in tree for name in names]):
            pass
    for base, _ in tree:
        sync_folder(base)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, where the system can.

    Raises:
        OSError: its disk is broken.
    """
    if sys.platform == "win32":  # opens no folders; NTFS writes names down by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def _sync_file(file: Path) -> None:
    if file.stat().st_nlink > 1:
        return
    if sys.platform == "win32":
        with suppress(PermissionError):  # read-only, or open in a virus scanner: Windows writes it out by itself
            _fsync(file, os.O_RDWR | getattr(os, "O_BINARY", 0))
        return
    _fsync(file, os.O_RDONLY)


def _fsync(file: Path, flags: int) -> None:
    descriptor = os.open(file, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
