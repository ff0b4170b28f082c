"""Stored perceptual hashes (pHash) by library and image, valid as long as the file is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .writers import lock_writers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg


class StoredHash(NamedTuple):
    """An image's print, and the file it was read from."""

    path: str
    file_size: int
    mtime_ns: int
    phash: int


def read_hashes(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> dict[int, StoredHash]:
    """Return what prints there are of these images, by image id."""
    rows = connection.execute(
        "SELECT image_id, path, file_size, mtime_ns, print FROM lorads.prints"
        " WHERE library = %s AND image_id = ANY(%s)",
        [library, list(ids)],
        binary=True,
    )
    return {image_id: StoredHash(*known) for image_id, *known in rows}


def write_hashes(connection: psycopg.Connection, library: str, prints: dict[int, StoredHash]) -> None:
    """Keep prints of images, in place of former ones."""
    lock_writers(connection, library)
    connection.execute(
        "INSERT INTO lorads.prints (library, image_id, path, file_size, mtime_ns, print)"
        " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " ON CONFLICT (library, image_id) DO UPDATE SET path = EXCLUDED.path, file_size = EXCLUDED.file_size,"
        " mtime_ns = EXCLUDED.mtime_ns, print = EXCLUDED.print",
        [library, list(prints), *([getattr(known, name) for known in prints.values()] for name in StoredHash._fields)],
    )
