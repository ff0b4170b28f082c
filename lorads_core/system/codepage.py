"""Paths for programs that know Windows' ANSI code page only, such as PostgreSQL: short (8.3) names where needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def ansi_path(path: Path) -> Path | None:
    """Return a path by which a program with ANSI arguments reaches an existing file or folder, None if there is none.

    Outside Windows, and where the system's code page has every letter, it is the path itself. Else it is the short name
    of the file system, which a volume may lack (``fsutil 8dot3name query``).
    """
    if sys.platform != "win32":
        return path
    return ansi_name(path, "mbcs", _short_name)


def ansi_name(path: Path, encoding: str, short_name: Callable[[Path], Path | None]) -> Path | None:
    """Return the path, or its short name, whichever ``encoding`` has all letters of; None where neither."""
    if _fits(path, encoding):
        return path
    short = short_name(path)
    return short if short is not None and _fits(short, encoding) else None


def _fits(path: Path, encoding: str) -> bool:
    try:
        str(path).encode(encoding, "strict")
    except UnicodeEncodeError:
        return False
    return True


def _short_name(path: Path) -> Path | None:
    if sys.platform != "win32":
        return None
    import ctypes  # noqa: PLC0415 - for this alone

    buffer = ctypes.create_unicode_buffer(32_768)  # the longest path that Windows knows
    length = ctypes.windll.kernel32.GetShortPathNameW(str(path), buffer, len(buffer))
    return Path(buffer.value) if length else None
