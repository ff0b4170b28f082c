"""Names and paths that are safe to write; what a stranger's text may become on a disk, and nothing that touches one."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from .errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"
"""What makes a folder an export: the list of its files, with the key ``lorads``."""
OUTPUT = "_lora"
"""Behind an export's name: where its training goes. A slug never has an underscore, so it can be no export itself."""
STAGING = ".lorads"
"""The folder beside exports where they are built."""
RUNS = "_runs"
"""In it, the folder of all runs of these exports; no export is called so."""

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
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
    """Return the real path of ``relative`` under ``root``, which must hold it also after links are followed.

    Raises:
        SettingsError: the path is absolute, climbs out of ``root``, or a link on the way leads out.
    """
    real_root = root.resolve()
    if "\0" in relative:
        raise SettingsError(f"{what} holds a NUL character: give a plain folder name.")
    path = (real_root / relative).resolve()
    if not path.is_relative_to(real_root):
        raise SettingsError(
            f"{what} {relative!r} lies outside the allowed folder {root}: give a name inside it, or allow its folder "
            "under [roots] in lorads.toml."
        )
    return path
