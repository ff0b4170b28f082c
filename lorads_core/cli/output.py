"""Standard output that cannot be written: a full disk is one sentence, a reader that has gone (`| head`) is none."""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..system.files import file_error_reason

if TYPE_CHECKING:
    from collections.abc import Generator

READER_GONE = 141
"""Exit code where nobody reads the output any more: that of a program which SIGPIPE ends, as shells show it."""
# Windows calls it an invalid argument.
_READER_GONE = frozenset({errno.EPIPE, errno.EINVAL} if sys.platform == "win32" else {errno.EPIPE})
_OF_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


@contextmanager
def written_output() -> Generator[None]:
    """Write out what is printed in the block to the end, and say so where that fails.

    Raises:
        LoradsError: standard output cannot be written.
        SystemExit: `READER_GONE`, its reader has seen enough.
    """
    try:
        yield
        if sys.stdout is not None:  # a windowed Python of Windows has none
            sys.stdout.flush()
    except OSError as error:
        # Errors of files name their file; those of a stream have none.
        reader_gone = error.errno in _READER_GONE and _has_no_reader()
        if error.filename is not None or not (reader_gone or error.errno in _OF_OUTPUT):
            raise
        _discard_output()
        if reader_gone:
            raise SystemExit(READER_GONE) from None
        raise LoradsError(
            f"The output cannot be written ({file_error_reason(error)}): free some space there, or print elsewhere."
        ) from error


def _has_no_reader() -> bool:
    """Whether the pipe behind standard output or standard error has lost its reader: other pipes break as well."""
    if sys.platform == "win32":
        return True  # Windows has no way to tell
    looked_at = select.poll()
    for stream in (1, 2):
        looked_at.register(stream, 0)  # errors are always reported
    return any(event & select.POLLERR for _, event in looked_at.poll(0))


def _discard_output() -> None:
    """Send what is still buffered nowhere, or Python would fail again as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
