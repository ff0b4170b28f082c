"""Runs at the start of every Python under wine (the set-up copies it there): what wine does otherwise than Windows."""

import msvcrt
import os

_locking = msvcrt.locking


def locking(file, mode, count):
    """Lock a part of a file; wine's C library sets no error number where another has it, Windows' says EACCES."""
    try:
        _locking(file, mode, count)
    except OSError as error:
        if error.errno:
            raise
        raise PermissionError(13, "Permission denied") from error


msvcrt.locking = locking
# wine puts its own in the place of these when a program starts from outside.
if "LORADS_WINE_TEMP" in os.environ:
    os.environ["TEMP"] = os.environ["TMP"] = os.environ["LORADS_WINE_TEMP"]
