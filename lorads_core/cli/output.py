"""Standard output that cannot be written (a full disk, `> /dev/full`): one sentence instead of a traceback."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..system.files import file_error_reason

if TYPE_CHECKING:
    from collections.abc import Generator

_OF_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


@contextmanager
def written_output() -> Generator[None]:
    """Write out what is printed in the block to the end, and say so where that fails.

    Raises:
        LoradsError: standard output cannot be written.
    """
    try:
        yield
        if sys.stdout is not None:  # a windowed Python of Windows has none
            sys.stdout.flush()
    except OSError as error:
        # Errors of files name their file; those of a stream have none.
        if error.filename is not None or error.errno not in _OF_OUTPUT:
            raise
        _discard_output()
        raise LoradsError(
            f"The output cannot be written ({file_error_reason(error)}): free some space there, or print elsewhere."
        ) from error


def _discard_output() -> None:
    """Send what is still buffered nowhere, or Python would fail again as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
