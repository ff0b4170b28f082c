"""Which vectors of a library are nearest to given ones: exactly, or by an index whose recall is then measured.

Never by a plain `ORDER BY … LIMIT` over an index: with pgvector's defaults that returns 40 rows, and none that a filter
leaves, without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from ..problems import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy import float32, int64
    from numpy.typing import NDArray

    from .vectors import VectorTable

Way = Literal["auto", "exact", "index"]
SEARCH_WAYS: tuple[Way, ...] = get_args(Way)

# Rows times distances to each that a search may cost before an index is worth its loss: about two seconds on two cores.
_MOST_WORK = 12_000_000
_READING = 4  # what reading a row costs, in distances
_EF_SEARCH = 1000
_LEAST_RECALL = 0.9
_MOST_SCANNED = 200_000
_CHECKED = 20_000  # rows that tell an index's recall


@dataclass(frozen=True, slots=True)
class Hits:
    """The images nearest to the anchors, the nearest first: ids and cosines (n), from ``total`` vectors.

    ``way`` is how they were found; ``recall`` which share of the truly nearest is among them: 1 for an exact search,
    measured on a sample of ``checked`` of them for an index. ``complete`` says that there are no others.
    """

    ids: NDArray[int64]
    similarities: NDArray[float32]
    total: int
    way: Way
    recall: float = 1.0
    checked: int = 0
    complete: bool = False

    @property
    def sentence(self) -> str:
        """How it was searched."""
        if self.way == "exact":
            return f"searched {counted(self.total, 'vector')} exactly"
        recall = f"recall {self.recall:.3f} of {self.checked} that were checked" if self.checked else "recall unknown"
        return f"searched {counted(self.total, 'vector')} by index, {recall}"


def nearest(
    connection: psycopg.Connection,
    table: VectorTable,
    anchors: NDArray[float32],
    limit: int,
    total: int,
    way: Way = "auto",
) -> Hits:
    """Return the ``limit`` images whose cosine to any of the anchors (k, d) is highest.

    ``auto`` searches exactly, unless that would take seconds and there is an index that finds nearly all. ``index``
    without an index is exact too, and says so by its ``way``.
    """
    register_vector(connection)
    slow = total * (_READING + len(anchors)) > _MOST_WORK
    if way != "exact" and (slow or way == "index") and has_index(connection, table):
        found = _by_index(connection, table, anchors, limit, total)
        if way == "index" or found.recall >= _LEAST_RECALL:
            return found
    return _exactly(connection, table, anchors, limit, total)


def nearest_among(
    connection: psycopg.Connection, table: VectorTable, anchors: NDArray[float32], ids: Sequence[int]
) -> Hits:
    """Return those of ``ids`` that have a vector, nearest to any of the anchors (k, d) first; exact."""
    register_vector(connection)
    query = sql.SQL("SELECT image_id, {} AS distance FROM {} WHERE image_id = ANY({})").format(
        _distance(anchors), table.name, sql.Literal(list(ids))
    )
    found, similarities = _as_arrays(connection, query)
    return Hits(found, similarities, len(found), "exact", complete=True)


def _exactly(
    connection: psycopg.Connection, table: VectorTable, anchors: NDArray[float32], limit: int, total: int
) -> Hits:
    # Each process sorts what it has read; the planner takes distances to be as cheap as numbers and would use one.
    _set(connection, parallel_setup_cost="0", parallel_tuple_cost="0", min_parallel_table_scan_size="0", jit="off")
    query = sql.SQL("SELECT image_id, {} AS distance FROM {} ORDER BY distance LIMIT {}").format(
        _distance(anchors), table.name, sql.Literal(limit)
    )
    ids, similarities = _as_arrays(connection, query)
    return Hits(ids, similarities, total, "exact", complete=len(ids) < limit)


def _by_index(
    connection: psycopg.Connection, table: VectorTable, anchors: NDArray[float32], limit: int, total: int
) -> Hits:
    _set(
        connection,
        **{
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.ef_search": str(_EF_SEARCH),
            "hnsw.max_scan_tuples": str(max(_MOST_SCANNED, 4 * limit)),
            "hnsw.scan_mem_multiplier": "16",
            "enable_seqscan": "off",
        },
    )
    query = sql.SQL("SELECT image_id, {0} AS distance FROM {1} ORDER BY {0} LIMIT {2}")
    parts: list[tuple[NDArray[int64], NDArray[float32]]] = []
    for anchor in anchors:
        distance = sql.SQL("{} <=> {}").format(_typed(table), sql.Literal(HalfVector(anchor)))
        parts.append(_as_arrays(connection, query.format(distance, table.name, sql.Literal(limit))))
    ids, similarities = _merged(parts, limit)
    recall, checked = _recall(connection, table, anchors, ids, total)
    return Hits(ids, similarities, total, "index", recall, checked, complete=False)


def _recall(
    connection: psycopg.Connection,
    table: VectorTable,
    anchors: NDArray[float32],
    ids: NDArray[int64],
    total: int,
) -> tuple[float, int]:
    """Return which share of a sample's images among the truly nearest were found, and how many those are."""
    if not len(ids):
        return 0.0, 0
    _set(connection, enable_seqscan="on")
    query = sql.SQL("SELECT image_id, {} AS distance FROM {} TABLESAMPLE SYSTEM ({})").format(
        _distance(anchors), table.name, sql.Literal(min(100.0, 100 * _CHECKED / max(total, 1)))
    )
    sample, _ = _as_arrays(connection, query)
    due = sample[: round(len(ids) * len(sample) / max(total, len(sample), 1))]
    return (float(np.isin(due, ids).mean()), len(due)) if len(due) else (0.0, 0)


def _distance(anchors: NDArray[float32]) -> sql.Composed:
    each = (sql.SQL("(embedding <=> {})").format(sql.Literal(HalfVector(anchor))) for anchor in anchors)
    return sql.SQL("least({})").format(sql.SQL(", ").join(each))


def _typed(table: VectorTable) -> sql.Composed:
    # An index has one dimension, the column has none: so the index is of this expression, and nothing else uses it.
    return sql.SQL("(embedding::halfvec({}))").format(sql.Literal(table.space.dimensions))


def _merged(
    parts: Sequence[tuple[NDArray[int64], NDArray[float32]]], limit: int
) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return the nearest of several lists, each image once, with its greatest cosine."""
    ids = np.concatenate([found for found, _ in parts])
    near = np.concatenate([similarities for _, similarities in parts])
    order = np.argsort(-near, kind="stable")
    _, first = np.unique(ids[order], return_index=True)
    chosen = order[np.sort(first)][:limit]
    return ids[chosen], near[chosen]


def _as_arrays(connection: psycopg.Connection, query: sql.Composable) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return the ids and cosines of a query for image_id and distance, the nearest first.

    The server packs them into one value each: tens of thousands of rows as Python objects would take longer than the
    search itself.
    """
    packed = sql.SQL(
        "SELECT string_agg(int8send(image_id), ''), string_agg(float4send(distance::real), '') FROM ({}) AS found"
    ).format(query)
    row = connection.execute(packed, binary=True).fetchone()
    ids, distances = (row[0] or b"", row[1] or b"") if row else (b"", b"")
    near = 1 - np.frombuffer(distances, ">f4").astype(np.float32)
    order = np.argsort(-near, kind="stable")
    return np.frombuffer(ids, ">i8").astype(np.int64)[order], near[order]


def _set(connection: psycopg.Connection, **settings: str) -> None:
    names, values = list(settings), list(settings.values())
    connection.execute(
        "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS new (name, value)", [names, values]
    )


def has_index(connection: psycopg.Connection, table: VectorTable) -> bool:
    """Say whether there is a finished HNSW index."""
    row = connection.execute(
        "SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam"
        " WHERE indrelid = to_regclass(%s) AND amname = 'hnsw' AND indisvalid",
        [table.name.as_string(connection)],
    ).fetchone()
    return row is not None


def build_index(connection: psycopg.Connection, table: VectorTable, megabytes: int = 2048) -> None:
    """Build an HNSW index (m 16, ef_construction 64) with so much of the server's memory; takes minutes.

    With less memory than the vectors need it takes several times as long; pgvector's default of 64 MB suits 30,000.
    """
    if has_index(connection, table):
        return
    _set(connection, maintenance_work_mem=f"{megabytes}MB", max_parallel_maintenance_workers="4")
    connection.execute(
        sql.SQL("CREATE INDEX ON {} USING hnsw ({} halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)").format(
            table.name, _typed(table)
        )
    )
