"""Image vectors (embeddings) in our store: bulk COPY in, float32 out, one table per space.

A space is what one image encoder gives: vectors of different spaces are never compared. All vectors lie at length 1, as
16-bit floats.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from psycopg import sql

from ..errors import StoreError
from .writers import lock_writers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from numpy import bool_, float32, int64
    from numpy.typing import ArrayLike, NDArray

    from ..model import FileStamp

MAX_DIMENSIONS = 4000
"""What pgvector 0.8 can index as halfvec."""

CLIP_VIT_H = "clip-vit-h-14"
"""The space of DiffusionToolkit's image vectors: CLIP-ViT-H/14, pooled before the projection, 1,280 dimensions."""

_VERSION_BITS = (1 << 62) - 1
_SHORTEST = 1e-6
_COUNTED = 20_000  # rows up to which counting takes no time
_END_OF_COPY = b"\xff\xff"
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)


class Space(NamedTuple):
    """What one image encoder gives: vectors, their number of dimensions, and where they come from."""

    name: str
    dimensions: int
    origin: str = ""


class VectorTable(NamedTuple):
    """The table that holds one library's vectors of one space."""

    name: sql.Identifier
    space: Space


class Coverage(NamedTuple):
    """How many images of a library have a vector in a space."""

    space: Space
    images: int


def prepare_space(connection: psycopg.Connection, library: str, space: Space) -> None:
    """Make room for a library's vectors of a space; costs one short query where it is there.

    Raises:
        StoreError: the space is known with other dimensions, or has more than can be searched.
    """
    if not 1 <= space.dimensions <= MAX_DIMENSIONS:
        raise StoreError(
            f"Vectors of {space.dimensions:,} dimensions ({space.name}) cannot be stored: {MAX_DIMENSIONS:,} at most."
        )
    known = find_space(connection, space.name)
    if known is None:
        connection.execute(
            "INSERT INTO lorads.spaces (space, dimensions, origin) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [*space],
        )
        known = find_space(connection, space.name) or space
    if known.dimensions != space.dimensions:
        raise StoreError(
            f"The space {space.name!r} has {known.dimensions} dimensions ({known.origin}); vectors of"
            f" {space.dimensions} cannot go into it: give the embedder another space in lorads.toml."
        )
    _make_partition(connection, library, space.name)


def find_space(connection: psycopg.Connection, name: str) -> Space | None:
    """Return the space called ``name``, None where there is none."""
    row = connection.execute("SELECT space, dimensions, origin FROM lorads.spaces WHERE space = %s", [name]).fetchone()
    return Space(*row) if row else None


def partition(library: str, space: str) -> sql.Identifier:
    """Return the name of the table that holds a library's vectors of a space."""
    digest = hashlib.blake2b(f"{library}\0{space}".encode(), digest_size=8).hexdigest()
    return sql.Identifier("lorads", f"vectors_{digest}")


def _make_partition(connection: psycopg.Connection, library: str, space: str) -> None:
    table = partition(library, space)
    row = connection.execute("SELECT to_regclass(%s)", [table.as_string(connection)]).fetchone()
    if row and row[0]:
        return
    # Bounds of a range partition are (from, to): the smallest text behind a text is that text with one more \x01.
    query = sql.SQL(
        "CREATE TABLE IF NOT EXISTS {} PARTITION OF lorads.vectors FOR VALUES FROM ({}, {}) TO ({}, {})"
    ).format(table, *map(sql.Literal, (library, space, library, space + "\x01")))
    with connection.transaction():
        connection.execute("LOCK TABLE lorads.spaces IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(query)
        connection.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN embedding SET STORAGE PLAIN").format(table))


def coverage(connection: psycopg.Connection, library: str) -> list[Coverage]:
    """Return the spaces that a library has vectors in, the fullest first."""
    rows = connection.execute(
        "SELECT space, dimensions, origin, images FROM lorads.spaces JOIN (SELECT space, count(*) AS images"
        " FROM lorads.vectors WHERE library = %s GROUP BY space) AS counted USING (space) ORDER BY images DESC, space",
        [library],
    )
    return [Coverage(Space(name, dimensions, origin), images) for name, dimensions, origin, images in rows]


def versions(
    connection: psycopg.Connection, library: str, space: str, ids: Sequence[int] | None = None
) -> dict[int, int]:
    """Return the version of each vector that a library, or these images of it, have in a space, by image id."""
    rows = connection.execute(
        "SELECT image_id, version FROM lorads.vectors WHERE library = %(library)s AND space = %(space)s"
        " AND (%(ids)s::bigint[] IS NULL OR image_id = ANY(%(ids)s))",
        {"library": library, "space": space, "ids": None if ids is None else list(ids)},
    )
    return dict(rows.fetchall())


def adopted_version(version: int) -> int:
    """Return the version above 0 that stands for a library's own."""
    return (version & _VERSION_BITS) + 1


def file_version(stamp: FileStamp) -> int:
    """Return the version below 0 that stands for a file."""
    digest = hashlib.blake2b(f"{stamp.size}:{stamp.mtime_ns}".encode(), digest_size=8).digest()
    return -(int.from_bytes(digest, "big") & _VERSION_BITS) - 1


def normalize(vectors: ArrayLike) -> tuple[NDArray[float32], NDArray[bool_]]:
    """Return vectors (n, dimensions) at length 1, and which of them (n) are sound: neither NaN, endless nor zero.

    Those that are not sound come back as zeros.
    """
    wide = np.array(vectors, dtype=np.float32, ndmin=2)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(wide, axis=1)
        sound = np.isfinite(lengths) & (lengths > _SHORTEST)
        wide /= np.where(sound, lengths, 1)[:, None]
    wide[~sound] = 0
    return wide, sound


def write_vectors(
    connection: psycopg.Connection,
    library: str,
    space: Space,
    ids: Sequence[int] | NDArray[int64],
    vectors: ArrayLike,
    versions: Sequence[int] | NDArray[int64] | None = None,
) -> list[int]:
    """Keep vectors (n, dimensions) of images (n) in one transaction, in place of those that they had in this space.

    Return the ids of those that are not sound (NaN, zero), which are not stored. `prepare_space` must have been called.
    Of several that write the same images at once, the last one's vectors stay.

    Raises:
        StoreError: the vectors have another dimension than the space.
    """
    wide, sound = normalize(vectors)
    if wide.shape != (len(ids), space.dimensions):
        raise StoreError(
            f"{len(ids)} vectors of {space.dimensions} dimensions were expected for the space {space.name!r}, not"
            f" {wide.shape[0]} of {wide.shape[1]}: the encoder is not the one that the space is named for."
        )
    numbers = np.asarray(ids, dtype=np.int64)
    dated = np.zeros(len(numbers), np.int64) if versions is None else np.asarray(versions, dtype=np.int64)
    rows = _copy_rows(library, space, numbers[sound], dated[sound], wide[sound])
    with connection.transaction(), connection.cursor() as cursor:
        lock_writers(connection, library)
        delete_vectors(connection, library, space.name, numbers.tolist())
        copying = sql.SQL("COPY {} (library, space, image_id, version, embedding) FROM STDIN (FORMAT BINARY)")
        with cursor.copy(copying.format(partition(library, space.name))) as copy:
            copy.write(_COPY_HEAD + rows + _END_OF_COPY)
    return numbers[~sound].tolist()


def _copy_rows(
    library: str, space: Space, ids: NDArray[int64], versions: NDArray[int64], vectors: NDArray[float32]
) -> bytes:
    """Return rows as PostgreSQL's binary COPY has them: a count of fields, then each field behind its length."""
    texts = [library.encode(), space.name.encode()]
    layout = np.dtype(
        [
            ("fields", ">i2"),
            *((f"{name}{part}", kind) for name, text in zip("ls", texts, strict=True) for part, kind in _field(text)),
            ("id_length", ">i4"),
            ("id", ">i8"),
            ("version_length", ">i4"),
            ("version", ">i8"),
            ("length", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("embedding", ">f2", (space.dimensions,)),
        ]
    )
    rows = np.zeros(len(ids), layout)
    rows["fields"] = 5
    for name, text in zip("ls", texts, strict=True):
        rows[f"{name}_length"], rows[f"{name}_text"] = len(text), text
    rows["id_length"] = rows["version_length"] = 8
    rows["id"], rows["version"] = ids, versions
    rows["length"], rows["dimensions"] = 4 + 2 * space.dimensions, space.dimensions
    rows["embedding"] = vectors
    return rows.tobytes()


def _field(text: bytes) -> tuple[tuple[str, str], ...]:
    return ("_length", ">i4"), ("_text", f"S{max(len(text), 1)}")


def delete_stale(connection: psycopg.Connection, library: str, versions: Mapping[int, int]) -> None:
    """Forget the vectors of images that were made of other files: ``versions`` are those of the files by image id."""
    connection.execute(
        "DELETE FROM lorads.vectors AS old USING unnest(%s::bigint[], %s::bigint[]) AS file (image_id, version)"
        " WHERE old.library = %s AND old.image_id = file.image_id AND old.version <> file.version",
        [list(versions), list(versions.values()), library],
    )


def delete_vectors(connection: psycopg.Connection, library: str, space: str, ids: Sequence[int]) -> None:
    """Forget the vectors of these images in a space."""
    connection.execute(
        "DELETE FROM lorads.vectors WHERE library = %s AND space = %s AND image_id = ANY(%s)",
        [library, space, list(ids)],
    )


def find_table(connection: psycopg.Connection, library: str, space: str) -> VectorTable | None:
    """Return the table of a library's vectors of a space, None where it has never had any."""
    table = partition(library, space)
    row = connection.execute(
        "SELECT space, dimensions, origin, to_regclass(%s) IS NOT NULL FROM lorads.spaces WHERE space = %s",
        [table.as_string(connection), space],
    ).fetchone()
    return VectorTable(table, Space(*row[:3])) if row and row[3] else None


def tables_of(connection: psycopg.Connection, library: str) -> list[VectorTable]:
    """Return a library's tables of vectors, by the name of their space."""
    rows = connection.execute("SELECT space FROM lorads.spaces ORDER BY space").fetchall()
    found = (find_table(connection, library, space) for (space,) in rows)
    return [table for table in found if table]


def count_vectors(connection: psycopg.Connection, table: VectorTable) -> int:
    """Return how many vectors there are: of a large table as its server last counted it, at the end of embedding."""
    row = connection.execute(
        "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [table.name.as_string(connection)]
    ).fetchone()
    if row and row[0] > _COUNTED:
        return int(row[0])
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.name)).fetchone()
    return int(row[0]) if row else 0


def read_vectors(
    connection: psycopg.Connection, table: VectorTable, ids: Sequence[int] | NDArray[int64]
) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return the ids (n) among ``ids`` that have a vector, in the order given, and the vectors (n, dimensions)."""
    wanted = np.asarray(ids, dtype=np.int64)
    where = sql.SQL("WHERE image_id = ANY({})").format(sql.Literal(wanted.tolist()))
    found, vectors = _all_at_once(connection, table, where)
    order = np.argsort(found)
    places = np.searchsorted(found, wanted, sorter=order)
    there = places < len(found)
    there[there] = found[order[places[there]]] == wanted[there]
    return wanted[there], vectors[order[places[there]]]


def sample_vectors(
    connection: psycopg.Connection, table: VectorTable, most: int, total: int, seed: int = 0
) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return the ids (n) and vectors (n, dimensions) of about ``most`` of ``total`` images by chance, or of all.

    The sample is of the table's pages, so that a large table is not read for it; a page holds a few vectors.
    """
    share = min(100.0, 100 * most / max(total, 1))
    sample = sql.SQL("TABLESAMPLE SYSTEM ({}) REPEATABLE ({})").format(sql.Literal(share), sql.Literal(seed))
    return _all_at_once(connection, table, sample)


def _all_at_once(
    connection: psycopg.Connection, table: VectorTable, which: sql.Composable
) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return ids and vectors as the server packs them, in one value each: a row of Python objects each takes longer."""
    query = sql.SQL(
        "SELECT string_agg(int8send(image_id), ''), string_agg(halfvec_send(embedding), '') FROM {} {}"
    ).format(table.name, which)
    row = connection.execute(query, binary=True).fetchone()
    ids, packed = (row[0] or b"", row[1] or b"") if row else (b"", b"")
    # halfvec_send: the number of dimensions, two bytes without meaning, the numbers.
    rows = np.frombuffer(packed, ">f2").reshape(-1, 2 + table.space.dimensions)
    return np.frombuffer(ids, ">i8").astype(np.int64), rows[:, 2:].astype(np.float32)


def analyze(connection: psycopg.Connection, table: VectorTable) -> None:
    """Run ANALYZE on the table after many rows were added, so that the server plans well."""
    connection.execute(sql.SQL("ANALYZE {}").format(table.name))
