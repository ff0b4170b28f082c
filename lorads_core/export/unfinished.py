"""Unfinished exports: what an export that was cut off left in ``.lorads``, found and cleared away.

The same export goes on with it. It is cleared for those who will not export again, and to put an older version back
that was just being replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ExportError
from ..system.paths import STAGING
from .layout import ExportFolders

if TYPE_CHECKING:
    from pathlib import Path

    from ..model import Problem

_LOCK = ".lock"


def unfinished_exports(root: Path) -> list[ExportFolders]:
    """Return the exports in a folder that were cut off, in the order of their names; not those being written now."""
    locks = sorted((root / STAGING).glob(f"*{_LOCK}"))
    places = [(lock, ExportFolders(root, lock.name.removesuffix(_LOCK))) for lock in locks]
    return [place for lock, place in places if place.is_unfinished() and not _is_being_written(place, lock)]


def _is_being_written(place: ExportFolders, lock: Path) -> bool:
    try:
        with place.locked():
            return False
    except ExportError:
        return True
    finally:
        lock.touch()  # filelock may remove it on Windows; its name is what tells us the export's


def clear_unfinished(place: ExportFolders) -> tuple[Problem, ...]:
    """Put an older version back where none is in its place, and remove what is left of writing a newer one.

    Raises:
        ExportError: the export is being written now.
        OSError: the older version cannot be put back.
    """
    with place.locked():
        return (*place.recover(), *place.clear())
