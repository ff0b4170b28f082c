"""Append-only file descriptors for the output of child processes: each write goes to the end, wherever that is by then.

A file that such a child writes can be emptied while it writes: its next write begins at the new end.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-createfilew
_FILE_APPEND_DATA = 0x0004
_SYNCHRONIZE = 0x0010_0000
_SHARE_ALL = 0x7  # reading, writing and removal by others
_OPEN_ALWAYS = 4
_NORMAL = 0x80


def open_append(path: Path) -> int:
    """Return a descriptor that can only append to a file, which is made where it is not there, for its owner alone.

    Windows' own C library keeps ``O_APPEND`` to the process that opened the file: a child would write on at the place
    where its parent left off. A handle with FILE_APPEND_DATA and without FILE_WRITE_DATA appends in every process.

    Raises:
        OSError: it cannot be opened.
    """
    if sys.platform != "win32":
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _open_append_on_windows(path)


def _open_append_on_windows(path: Path) -> int:
    import ctypes  # noqa: PLC0415 - for this alone
    import msvcrt  # noqa: PLC0415 - it is Windows' alone

    create: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True).CreateFileW  # noqa: B009 - as above
    create.restype = ctypes.c_void_p
    handle = create(
        ctypes.c_wchar_p(os.fspath(path)),
        _FILE_APPEND_DATA | _SYNCHRONIZE,
        _SHARE_ALL,
        None,
        _OPEN_ALWAYS,
        _NORMAL,
        None,
    )
    if handle in (None, ctypes.c_void_p(-1).value):
        raise getattr(ctypes, "WinError")(getattr(ctypes, "get_last_error")())  # noqa: B009 - as above
    return getattr(msvcrt, "open_osfhandle")(handle, os.O_APPEND)  # noqa: B009 - as above
