"""Exchanged file names: known images that lie at each other's path now, recognised by their hashes.

A changed file keeps the image of its path, as an edited image is still the same one. Where its new bytes are those of
another known image whose own file has gone or was renamed as well, the names have changed and not the images.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..model import FileStamp
from .moved import Moved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from ..store.images import ImageRow
    from .pathmap import PathMap

# Of an image with very many copies a few are looked at.
_KNOWN = """
SELECT new.path, here.folder, here.image_id, here.file_size, here.mtime_ns,
    there.image_id, there.path, there.folder, there.file_size, there.mtime_ns
FROM unnest(%(paths)s::text[], %(hashes)s::text[]) AS new (path, hash)
JOIN lorads.images AS here ON here.library = %(library)s AND here.path = new.path AND here.hash <> new.hash
CROSS JOIN LATERAL (
    SELECT image_id, path, folder, file_size, mtime_ns FROM lorads.images AS known
    WHERE known.library = %(library)s AND known.hash = new.hash AND known.path <> new.path
    ORDER BY known.image_id LIMIT 20
) AS there
"""
# Paths are unique at every moment: all step aside first.
_STEP_ASIDE = "UPDATE lorads.images SET path = chr(1) || image_id WHERE library = %s AND image_id = ANY(%s)"
_PLACE = """
UPDATE lorads.images AS known SET path = new.path, folder = new.folder
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (image_id, path, folder)
WHERE known.library = %s AND known.image_id = new.image_id
"""


class Exchanged(NamedTuple):
    """Images that have followed their files, and those whose file was overwritten by another's."""

    moved: tuple[Moved, ...] = ()
    gone: tuple[int, ...] = ()


class _Known(NamedTuple):
    """A changed file's path and the image known there, and another image that has its bytes, with its own path."""

    path: str
    folder: str
    here: int
    size: int
    mtime_ns: int
    there: int
    before: str
    folder_before: str
    size_there: int
    mtime_ns_there: int


def exchange_known(connection: psycopg.Connection, library: str, rows: Sequence[ImageRow], paths: PathMap) -> Exchanged:
    """Let known images follow files that have exchanged names, in pairs, rings or by overwriting another.

    ``rows`` are of files that were read, and as they are stored; ``paths`` maps stored paths to this machine.
    """
    values = {"library": library, "paths": [row.path for row in rows], "hashes": [row.hash for row in rows]}
    found = [_Known._make(row) for row in connection.execute(_KNOWN, values)]
    steps = _steps(found, paths)
    if not steps:
        return Exchanged()
    folders = {each.path: each.folder for each in found} | {each.before: each.folder_before for each in found}
    ends = {path: _end(steps, path) for path in steps}
    displaced = {step.here for step in steps.values()} - {step.there for step in steps.values()}
    moved = [Moved(step.there, path) for path, step in steps.items()]
    pushed = [Moved(step.here, ends[path]) for path, step in steps.items() if step.here in displaced]
    _place(connection, library, [*moved, *pushed], folders)
    return Exchanged(tuple(moved), tuple(image for image, path in pushed if not os.path.lexists(paths.local(path))))


def _steps(found: Sequence[_Known], paths: PathMap) -> dict[str, _Known]:
    """Return by path what certainly was renamed: the other file is gone, or one that was renamed too."""
    now = {each.before: _stamp(paths.local(each.before)) for each in found}
    steps: dict[str, _Known] = {}
    taken: set[int] = set()
    for each in found:
        if each.path in steps or each.there in taken or now[each.before] == (each.size_there, each.mtime_ns_there):
            continue
        steps[each.path] = each
        taken.add(each.there)
    while True:
        # A file of another batch is known by its size and time, which go along with it.
        certain = {
            path: step
            for path, step in steps.items()
            if step.before in steps or now[step.before] in (None, (step.size, step.mtime_ns))
        }
        if len(certain) == len(steps):
            return steps
        steps = certain


def _stamp(path: str) -> FileStamp | None:
    try:
        return FileStamp.of(os.stat(path))  # noqa: PTH116 - Path's raises where too long
    except (OSError, ValueError):
        return None


def _end(steps: dict[str, _Known], path: str) -> str:
    """Return the path that is free at the end of a chain of renamed files; of a ring any of its own."""
    for _ in steps:
        path = steps[path].before
        if path not in steps:
            break
    return path


def _place(connection: psycopg.Connection, library: str, placed: Sequence[Moved], folders: Mapping[str, str]) -> None:
    ids, new = [each.image_id for each in placed], [each.path for each in placed]
    connection.execute(_STEP_ASIDE, [library, ids])
    connection.execute(_PLACE, [ids, new, [folders[path] for path in new], library])
