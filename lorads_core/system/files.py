"""Rename, replace, remove and read files with back-off while another program holds them open.

Windows refuses to rename, replace or remove what another program has open, and to rename a folder while anything below
it is open: a virus scanner, Explorer, a thumbnailer, OneDrive or a terminal. Most of them let go within a second. File
systems of Windows that are mounted elsewhere (WSL's ``/mnt/c``, SMB) report the same as EACCES or EBUSY.

Every rename, replace and removal of LoRADS goes through here, so that there is one rule for waiting and one message.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Name = str | os.PathLike[str]

Result = TypeVar("Result")

PATIENCE = 5.0
"""Seconds to wait for another program: a virus scan of 500 new files takes about two."""
READ_PATIENCE = 1.0
"""Seconds to wait to read: a reader is refused only for the moment in which a file is replaced."""
_POSIX_PATIENCE = 1.0  # seconds; there a refusal is mostly one of permissions, and waiting longer would only annoy
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25  # seconds; each pause is twice the one before

# https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499-
_ACCESS_DENIED = 5
_SHARING_VIOLATION = 32
_LOCK_VIOLATION = 33
_DIRECTORY_NOT_EMPTY = 145  # a file in it was removed and is still open somewhere: it goes with its last handle
_USER_MAPPED_FILE = 1224
_IN_USE = frozenset({_SHARING_VIOLATION, _LOCK_VIOLATION, _DIRECTORY_NOT_EMPTY, _USER_MAPPED_FILE})
_BUSY = frozenset({errno.EBUSY, errno.ETXTBSY, errno.ENOTEMPTY})

_LONGEST_FILE, _LONGEST_FOLDER = 259, 247  # characters of a path on Windows, unless LongPathsEnabled is set
_NOT_FOUND = frozenset({errno.ENOENT, errno.ENAMETOOLONG, errno.EINVAL})  # what Windows says of longer ones
SHORTEN = (
    "use a folder with a shorter path, or have Windows take long ones (LongPathsEnabled:"
    " https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation)"
)

IN_USE = "it is open in another program (Explorer, a terminal, a virus scanner, a viewer): close it there and try again"
_DENIED = f"access is denied: {IN_USE.removesuffix(' and try again')}, or check the permissions, and try again"


def is_in_use(error: OSError) -> bool:
    """Say whether another program may be the reason of an error, so that it may pass by itself."""
    code = getattr(error, "winerror", None)
    if code is not None:
        return code in _IN_USE or code == _ACCESS_DENIED
    return isinstance(error, PermissionError) or error.errno in _BUSY


def file_error_reason(error: OSError) -> str:
    """Return why an operation on a file failed, as the end of a sentence without a full stop, with what to do.

    What the system says of a file that is in use ("Access is denied", "[WinError 32]") sends people to the wrong place.
    """
    code = getattr(error, "winerror", None)
    if code in _IN_USE or (code is None and error.errno in _BUSY):
        return IN_USE
    if code == _ACCESS_DENIED:
        return _DENIED
    if isinstance(error, PermissionError):
        return f"{error.strerror or 'Permission denied'}: check its permissions, and that no other program has it open"
    if error.errno == errno.EROFS:
        return "its drive is read-only: use a folder on another one"
    longest = max(len(str(error.filename or "")), len(str(error.filename2 or "")))
    if sys.platform == "win32" and error.errno in _NOT_FOUND and longest > _LONGEST_FOLDER:
        return f"its path has {longest} characters, more than Windows takes here: {SHORTEN}"
    return error.strerror or str(error) or type(error).__name__


def is_too_long(path: Name, added: int = 0) -> bool:
    """Say whether a file's path, made longer by ``added`` characters, is more than Windows takes without a setting."""
    return sys.platform == "win32" and len(os.fspath(path)) + added > _LONGEST_FILE


def replace(source: Name, target: Name) -> None:
    """Move a file over another one, which it replaces in one step.

    Raises:
        OSError: it cannot be moved, after `PATIENCE` seconds where another program holds one of the two; both are as
            they were.
    """
    retry_in_use(lambda: os.replace(source, target))  # noqa: PTH105 - on every system, and whatever kind of path it is


def rename(source: Name, target: Name) -> None:
    """Move a file or folder to a new name on the same drive, which must be free.

    Raises:
        OSError: it cannot be moved, after `PATIENCE` seconds where another program holds something in it; it stays.
        FileExistsError: the name is taken.
    """

    def move() -> None:
        # Looked at each time: another one may take the name meanwhile, and POSIX would replace an empty folder.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
        os.rename(source, target)  # noqa: PTH104 - as above

    retry_in_use(move)


def remove(file: Name) -> None:
    """Remove a file or link; one that is not there is no error.

    Raises:
        OSError: it cannot be removed, after `PATIENCE` seconds where another program has it open.
    """
    with suppress(FileNotFoundError):
        retry_in_use(lambda: _unlink(file))


def remove_if_possible(file: Name) -> bool:
    """Remove a file that nobody needs any more, without waiting; return whether it is gone. For leftovers."""
    with suppress(OSError):
        _unlink(file)
    return not os.path.lexists(file)


def remove_folder(folder: Name) -> None:
    """Remove an empty folder; one that is not there is no error.

    Raises:
        OSError: it cannot be removed, after `PATIENCE` seconds where another program holds it.
    """
    with suppress(FileNotFoundError):
        retry_in_use(lambda: os.rmdir(folder))  # noqa: PTH106 - as above


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; links in it are removed, not followed. One that is not there is no error.

    Raises:
        OSError: something in it cannot be removed, after `PATIENCE` seconds where another program has it open. What
            could be removed is gone.
    """
    retry_in_use(lambda: _rmtree(folder))


def remove_tree_if_possible(folder: Path) -> bool:
    """Remove a folder that nobody needs any more, without waiting; return whether it is gone. For leftovers.

    Links in it are removed, not followed.
    """
    with suppress(OSError):
        _rmtree(folder)
    return not os.path.lexists(folder)


class NotRegularFileError(OSError):
    """A FIFO, socket or device where a file is wanted."""


def open_descriptor(path: Name) -> tuple[int, os.stat_result]:
    """Open a regular file for reading and return its descriptor, which the caller closes, and its ``stat``.

    Nothing else is ever waited for: opening a FIFO that nobody writes to would block for good, reading a device may.
    Every file that a user or a stranger could have put there is opened here (tests/test_house.py).

    Raises:
        OSError: it is not there, or cannot be opened; it is a folder, FIFO, socket or device.
        ValueError: its name holds a NUL character.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    descriptor = os.open(path, flags)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise NotRegularFileError(errno.ENXIO, "it is not a regular file (a pipe, socket or device)", os.fspath(path))


def open_regular(path: Name) -> BinaryIO:
    """Open a regular file for reading bytes; errors as `open_descriptor`."""
    return open(path, "rb", opener=lambda name, _flags: open_descriptor(name)[0])


def read_bytes(file: Name) -> bytes:
    """Return what is in a regular file, which other programs may replace while it is read.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, after `READ_PATIENCE` seconds where it is being replaced all the time; it is a
            folder, FIFO, socket or device.
        ValueError: its name holds a NUL character.
    """

    def read() -> bytes:
        with open_regular(file) as opened:
            return opened.read()

    return retry_in_use(read, READ_PATIENCE)


def read_text(file: Name, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return the text of a regular file, with line feeds as line ends; errors as `read_bytes`.

    Raises:
        UnicodeDecodeError: it is not in that encoding.
    """
    return read_bytes(file).decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def retry_in_use(operation: Callable[[], Result], seconds: float = PATIENCE) -> Result:
    """Return what an operation on files returns, tried again with growing pauses while another program is in its way.

    Raises:
        OSError: it failed for another reason, or was refused for ``seconds`` (one second where the system does not
            tell a file in use from one without permission).
    """
    begun = time.monotonic()
    pause = _FIRST_PAUSE
    while True:
        try:
            return operation()
        except OSError as error:
            limit = seconds if hasattr(error, "winerror") or sys.platform == "win32" else min(seconds, _POSIX_PATIENCE)
            if not is_in_use(error) or time.monotonic() - begun + pause > limit:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _unlink(file: Name) -> None:
    try:
        os.unlink(file)  # noqa: PTH108 - as above
    except PermissionError:
        if not _make_writable(file):
            raise
        os.unlink(file)  # noqa: PTH108 - as above


def _rmtree(folder: Path) -> None:
    """Remove a tree; Windows refuses read-only files in it, which are made writable first."""

    def again(function: Callable[[str], object], path: str, error: BaseException) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if not _make_writable(path):
            raise error
        function(path)

    with suppress(FileNotFoundError):
        if sys.version_info >= (3, 12):
            shutil.rmtree(folder, onexc=again)
        else:
            shutil.rmtree(folder, onerror=lambda function, path, info: again(function, path, info[1]))


def _make_writable(path: Name) -> bool:
    """Take Windows' read-only attribute off a file, which keeps it from being removed; return whether it had it."""
    if sys.platform != "win32":
        return False
    with suppress(OSError):
        if not os.stat(path, follow_symlinks=False).st_mode & stat.S_IWRITE:  # noqa: PTH116 - as above
            os.chmod(path, stat.S_IWRITE)  # noqa: PTH101 - as above
            return True
    return False
