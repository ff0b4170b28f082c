"""Names and paths that are safe to write; what a stranger's text may become on a disk, and nothing that touches one."""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from pathlib import Path, PureWindowsPath

from ..errors import SettingsError
from .files import file_error_reason
from .names import true_path

MANIFEST = "manifest.json"
"""What makes a folder an export: the list of its files, with the key ``lorads``."""
OUTPUT = "_lora"
"""Behind an export's name: where its training goes. A slug never has an underscore, so it can be no export itself."""
EDITED = "_edited"
"""Behind an export's name: an older version that others changed while a new one was written."""
STAGING = ".lorads"
"""The folder beside exports where they are built."""
RUNS = "_runs"
"""In it, the folder of all runs of these exports; no export is called so."""

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_PORTS = (f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")
DEVICES = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS})
"""Names that Windows opens as devices, whatever their extension.

https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""
_LONGEST = 48


def slug(text: str, fallback: str) -> str:
    """Return ``text`` as plain ASCII words joined by ``-``, at most 48 characters, never a Windows device name.

    Letters lose their accents; where more than spaces and punctuation is lost, six digits of the text's hash keep names
    apart that would be the same. With nothing left the result begins with ``fallback``.
    Underscores go too: sd-scripts looks for captions under other names where a stem has five of them.
    """
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    whole = _UNSAFE.sub("-", plain.encode("ascii", "ignore").decode()).strip("-")
    word = whole[:_LONGEST].rstrip("-")
    if word.lower() in DEVICES:
        return f"{word}-"
    if text and (len(whole) > _LONGEST or any(mark.isalnum() and not mark.isascii() for mark in plain)):
        return f"{(word or fallback)[: _LONGEST - 7]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:6]}"
    return word or fallback


def contained(root: Path, relative: str, what: str) -> Path:
    """Return the true path of ``relative`` under ``root``, which must hold it also after links are followed.

    Raises:
        SettingsError: the path is absolute, climbs out of ``root``, or a link on the way leads out; it holds a NUL
            character or is a device of Windows; it or ``root`` cannot be looked at.
    """
    if "\0" in relative:
        raise SettingsError(f"{what} holds a NUL character: give a plain folder name.")
    if sys.platform == "win32" and has_device(relative):
        raise SettingsError(f"{what} {relative!r:.80} is a device of Windows: give a plain folder name.")
    real_root = _looked_at(root, f"The folder {root}")
    path = _looked_at(real_root / relative, f"{what} {relative!r:.80}")
    if not path.is_relative_to(real_root):
        raise SettingsError(
            f"{what} {relative!r} lies outside the allowed folder {root}: give a name inside it, or allow its folder "
            "under [roots] in lorads.toml."
        )
    return path


def has_device(path: str) -> bool:
    """Say whether a name in a path is a device to Windows, with or without an extension, spaces and dots behind it."""
    return any(name.split(".")[0].rstrip(" :").casefold() in DEVICES for name in PureWindowsPath(path).parts)


def _looked_at(path: Path, what: str) -> Path:
    # Windows does not resolve devices, pipes and drives without a medium, but fails in various ways.
    try:
        return true_path(path)
    except (OSError, RuntimeError, ValueError) as error:
        said = file_error_reason(error) if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{what} cannot be looked at ({said}): give a plain folder name.") from error
