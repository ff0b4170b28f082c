"""Renames of known images whose path has another spelling now: case or Unicode form (NFC, NFD) of the same file.

An index made as ``~/pictures`` is brought to ``~/Pictures`` where the file system takes both for one folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from ..store.images import bump_revision
from ..system.names import spelling_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import psycopg

    from ..store.images import KnownFile

_KNOWN = "SELECT DISTINCT folder FROM lorads.images WHERE library = %s"
# Where the index knows the file under both spellings, the one of the file system stays, and the other is gone.
_MOVE = """
UPDATE lorads.images AS known SET path = %(new)s || substr(path, %(length)s + 1),
    folder = %(new)s || substr(folder, %(length)s + 1)
WHERE library = %(library)s AND (folder = %(old)s OR starts_with(folder, %(below)s)) AND NOT EXISTS (
    SELECT 1 FROM lorads.images AS there WHERE there.library = known.library
        AND there.path = %(new)s || substr(known.path, %(length)s + 1))
"""
_DOUBLED = """
UPDATE lorads.images SET missing_since = now() WHERE library = %(library)s AND missing_since IS NULL
    AND (folder = %(old)s OR starts_with(folder, %(below)s))
"""
_MOVE_FILE = "UPDATE lorads.images SET path = %s WHERE library = %s AND path = %s"


class KnownFolders:
    """The folders of a library as they are known, to be found under other spellings."""

    def __init__(self, connection: psycopg.Connection, library: str, root: str) -> None:
        self._library = library
        self._spelled: dict[str, set[str]] = defaultdict(set)
        seen: set[str] = set()
        for (folder,) in connection.execute(_KNOWN, [library]):
            for path in _upwards(folder, root.count(os.sep), seen):
                self._spelled[spelling_key(path)].add(path)

    def respell(self, connection: psycopg.Connection, folder: str) -> None:
        """Bring images that are known under other spellings of a folder, or below it, to this one."""
        others = self._spelled.get(spelling_key(folder), set()) - {folder}
        for other in [other for other in others if _is_same(other, folder)]:
            place = {
                "library": self._library,
                "old": other,
                "below": other + os.sep,
                "new": folder,
                "length": len(other),
            }
            changed = connection.execute(_MOVE, place).rowcount + connection.execute(_DOUBLED, place).rowcount
            if changed:
                bump_revision(connection, self._library)
            self._move(other, folder)

    def _move(self, old: str, new: str) -> None:
        """Note the same of the folders below, which are walked later."""
        for paths in self._spelled.values():
            moved = {path for path in paths if path == old or path.startswith(old + os.sep)}
            paths.difference_update(moved)
            paths.update(new + path[len(old) :] for path in moved)


def respell_files(
    connection: psycopg.Connection, library: str, known: dict[str, KnownFile], paths: Iterable[str]
) -> None:
    """Bring known files of one folder to the spelling of ``paths``, all that is there now; ``known`` is changed."""
    there = set(paths)
    gone = {spelling_key(path): path for path in known.keys() - there}
    for path in sorted(there - known.keys()) if gone else ():
        old = gone.get(spelling_key(path))
        if old and _is_same(old, path):
            connection.execute(_MOVE_FILE, [path, library, old])
            bump_revision(connection, library)
            known[path] = known.pop(old)
            del gone[spelling_key(path)]


def _upwards(folder: str, least: int, seen: set[str]) -> Iterator[str]:
    """Yield a folder and those above it with at least ``least`` separators, each once."""
    while folder not in seen and folder.count(os.sep) >= least:
        seen.add(folder)
        yield folder
        folder = folder.rpartition(os.sep)[0]


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 - a Path for each of many files is slow
    except OSError:
        return False
