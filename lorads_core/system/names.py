"""Paths spelled as the file system spells them: upper and lower case, Unicode forms (NFC, NFD), links and drives."""

from __future__ import annotations

import itertools
import os
import re
import sys
import unicodedata
from pathlib import Path

_LONGEST_OF_MACOS = 1024  # bytes, MAXPATHLEN of macOS' sys/syslimits.h: what F_GETPATH writes at most
_MOST_SPELLINGS = 16


def true_path(path: Path) -> Path:
    """Return the real path of a file or folder, links followed, in the spelling of the file system.

    macOS finds ``~/pictures`` where ``~/Pictures`` lies, and NFC where NFD lies; there `Path.resolve` leaves both as
    they were typed. On Windows it gives the spelling of the file system by itself, and of a
    mapped drive the share: its images are known under that.
    What is not there yet is spelled as it was typed.

    Raises:
        OSError: it cannot be looked at: a device, a pipe, a drive without a medium, a link that leads back to itself.
        RuntimeError: the same of a link, before Python 3.13.
        ValueError: it holds a NUL character.
    """
    if sys.platform == "win32":
        path = Path(without_long_prefix(str(path)))
    real = path.resolve()
    if sys.platform != "darwin":
        return real
    for there in (real, *real.parents):
        spelled = _spelled(there)
        if spelled is not None:
            return spelled / real.relative_to(there)
    return real


def without_long_prefix(path: str) -> str:
    r"""Return a Windows path without what marks it as long: ``\\?\C:\x`` is ``C:\x``, as other programs write it."""
    share = r"\\?\UNC" + "\\"
    if path[: len(share)].upper() == share:
        return "\\\\" + path[len(share) :]
    return path[4:] if re.match(r"\\\\\?\\[A-Za-z]:\\", path) else path


def _spelled(path: Path) -> Path | None:
    """Return the path of what is there, as macOS' file system has it; None where it cannot be opened."""
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        # O_EVTONLY asks for no right to read.
        descriptor = os.open(path, getattr(os, "O_EVTONLY", os.O_RDONLY))
    except OSError:
        return None
    try:
        found = fcntl.fcntl(descriptor, getattr(fcntl, "F_GETPATH", 50), bytes(_LONGEST_OF_MACOS))
    except OSError:  # a file system that does not know
        return None
    finally:
        os.close(descriptor)
    return Path(os.fsdecode(found.rstrip(b"\0")))


def spelling_key(path: str) -> str:
    """Return a text that is the same for all paths that a file system may take for one: without case and in NFC."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def spellings(path: str) -> tuple[str, ...]:
    """Return a path as it is and with each name in it in NFC and NFD, for a search where names are stored in either.

    HFS+ stores NFD, most others what they are given, so that one path may hold both.
    """
    parts = re.split(r"([/\\])", path)
    forms = [list(dict.fromkeys((part, *_both(part)))) for part in parts]
    return tuple("".join(form) for form in itertools.islice(itertools.product(*forms), _MOST_SPELLINGS))


def _both(name: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def is_text(name: str) -> bool:
    """Say whether PostgreSQL can store a text: it has no NUL character and no lone surrogate.

    A lone surrogate is half of a character, which UTF-8 has not; in a path it stands for bytes that are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name
