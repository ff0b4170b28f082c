"""Moved files: images whose file lies elsewhere now, recognised by its hash, so that captions stay theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from ..store.images import ImageRow
    from .pathmap import PathMap

# Of an image with very many copies a few are looked at: those that are missing already first, then those of its name.
_CANDIDATES = """
SELECT new.path, known.image_id, known.path
FROM unnest(%(paths)s::text[], %(names)s::text[], %(hashes)s::text[]) AS new (path, name, hash)
CROSS JOIN LATERAL (
    SELECT image_id, path FROM lorads.images AS known
    WHERE known.library = %(library)s AND known.hash = new.hash AND known.path <> new.path
    ORDER BY known.missing_since IS NULL, right(known.path, length(new.name)) <> new.name, known.image_id LIMIT 20
) AS known
WHERE NOT EXISTS (
    SELECT 1 FROM lorads.images AS there WHERE there.library = %(library)s AND there.path = new.path
)
"""
_MOVE = """
UPDATE lorads.images AS known SET path = new.path, folder = new.folder
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (image_id, path, folder)
WHERE known.library = %s AND known.image_id = new.image_id
"""


class Moved(NamedTuple):
    """A known image and the stored path that its file has now."""

    image_id: int
    path: str


def move_known(
    connection: psycopg.Connection, library: str, rows: Sequence[ImageRow], paths: PathMap
) -> tuple[Moved, ...]:
    """Give known images whose file is gone the path of a new file with the same bytes.

    A file that is still at its path has been copied, not moved: the new one is another image. ``rows`` and the paths
    in the store are as they are stored, ``paths`` maps them to this machine.
    """
    moved = tuple(_pairs(connection.execute(_CANDIDATES, _values(library, rows)), paths))
    if moved:
        folders = {row.path: row.folder for row in rows}
        ids, new = [each.image_id for each in moved], [each.path for each in moved]
        connection.execute(_MOVE, [ids, new, [folders[path] for path in new], library])
    return moved


def _values(library: str, rows: Sequence[ImageRow]) -> dict[str, object]:
    return {
        "library": library,
        "paths": [row.path for row in rows],
        "names": [row.path.removeprefix(row.folder) for row in rows],
        "hashes": [row.hash for row in rows],
    }


def _pairs(candidates: Iterable[tuple[str, int, str]], paths: PathMap) -> Iterable[Moved]:
    """Yield each new path with the first image that nothing else has got and whose file is gone."""
    placed: set[str] = set()
    given: set[int] = set()
    for path, image_id, before in candidates:
        if path in placed or image_id in given or os.path.lexists(paths.local(before)):
            continue
        placed.add(path)
        given.add(image_id)
        yield Moved(image_id, path)
