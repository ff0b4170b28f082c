"""Symbolic links, junctions (``mklink /J``) and online-only files (OneDrive, iCloud): how to tell them in a walk."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://learn.microsoft.com/windows/win32/fileio/reparse-point-tags; a drive mounted in a folder has the same one.
_JUNCTION = 0xA0000003
# Their content is elsewhere, and opening or reading them gets it: FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN and
# _RECALL_ON_DATA_ACCESS. https://learn.microsoft.com/windows/win32/fileio/file-attribute-constants
_ONLINE_ONLY = 0x1000 | 0x40000 | 0x400000
_DATALESS = 0x40000000  # SF_DATALESS of macOS' sys/stat.h: iCloud, and OneDrive since it is a File Provider


class Entry(Protocol):
    """The part of `os.DirEntry` that is used."""

    @property
    def path(self) -> str:
        """Its path."""
        ...

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        ...

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What is known of it; on Windows without links followed it is what the folder's list says."""
        ...


def is_link(entry: Entry) -> bool:
    """Say whether an entry of a folder is a symbolic link or a junction, which may lead back up.

    `DirEntry.is_symlink` is false for a junction, and `DirEntry.is_dir` true also without links followed.
    """
    if entry.is_symlink():
        return True
    if sys.platform != "win32":
        return False
    try:
        return _tag(entry.stat(follow_symlinks=False)) == _JUNCTION
    except OSError:
        return False


def is_link_or_junction(path: str | os.PathLike[str]) -> bool:
    """Say whether a path itself is a symbolic link or a junction; false where nothing is there."""
    return os.path.islink(path) or (sys.platform == "win32" and _is_junction(os.fspath(path)))  # noqa: PTH114 - as below


def walk(folder: str | os.PathLike[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a tree as `os.walk` does, without entering links; that enters junctions before Python 3.12."""
    for base, below, names in os.walk(folder):
        if sys.platform == "win32":
            below[:] = [name for name in below if not _is_junction(os.path.join(base, name))]  # noqa: PTH118 - as os.walk
        yield base, below, names


def _is_junction(path: str) -> bool:
    try:
        return _tag(os.stat(path, follow_symlinks=False)) == _JUNCTION  # noqa: PTH116 - a Path for each would be slow
    except OSError:
        return False


def _tag(found: os.stat_result) -> int:
    return getattr(found, "st_reparse_tag", 0)


def is_online_only(found: os.stat_result) -> bool:
    """Say whether a file's content is on a server alone, so that to read the file is to download it."""
    return bool(getattr(found, "st_file_attributes", 0) & _ONLINE_ONLY or getattr(found, "st_flags", 0) & _DATALESS)


def true_stat(entry: Entry) -> os.stat_result:
    """Return what `os.stat` says of an entry, links followed, as it says of the open file.

    On Windows a folder's list keeps the size and time that a file had when it was last written by that very name:
    of a file that was changed by another of its names (hard link) it is out of date.
    """
    return os.stat(entry.path) if sys.platform == "win32" else entry.stat()  # noqa: PTH116 - as above
