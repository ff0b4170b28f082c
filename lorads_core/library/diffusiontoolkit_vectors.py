"""The vectors that DiffusionToolkit keeps in its table of images: which spaces there are, read as they are.

It writes and searches ``image_embedding``; ``clip_vision_embedding`` is of the same encoder, and normally empty. What
its table ``image_embeddings`` holds are names of textual inversions, and no vectors.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from ..store.vectors import CLIP_VIT_H
from . import HostSpace, HostVectors
from .diffusiontoolkit_relations import is_left_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from .catalog import Catalog, VectorColumn

_CLIP_VIT_H = 1280  # dimensions; installs of 2025 had 1,024, and who knows of what
_CLIP_VIT_H_COLUMNS = ("image_embedding", "clip_vision_embedding")
_NAMED = re.compile(r"diffusiontoolkit:(.+):([0-9]{1,5})", re.DOTALL)
_OF_TEXT = re.compile(r"prompt|caption|tags|bge|t5|clip_[lg]_")


class VectorColumns(NamedTuple):
    """A space by name, and the columns that hold its vectors: where several do, the first that is filled counts."""

    space: str
    dimensions: int
    columns: tuple[VectorColumn, ...]

    @property
    def of_images(self) -> bool:
        """Whether it is images that its vectors are of, and not prompts, captions or tags."""
        return not _OF_TEXT.search(self.columns[0].name)

    @property
    def origin(self) -> str:
        """Where its vectors come from, in words."""
        names = ", ".join(column.name for column in self.columns)
        return f"DiffusionToolkit's {names}, of {'images' if self.of_images else 'texts'}"

    @property
    def expression(self) -> sql.Composable:
        """An image's vector as SQL, NULL where it has none."""
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(self._of, self.columns)))

    def _of(self, column: VectorColumn) -> sql.Composable:
        name = sql.Identifier("image", column.name)
        vector = name if column.type == "vector" else sql.SQL("{}::vector").format(name)
        if column.dimensions:
            return vector
        return sql.SQL("CASE WHEN vector_dims({}) = {} THEN {} END").format(name, sql.Literal(self.dimensions), vector)


def _space(column: str, dimensions: int) -> str:
    if dimensions == _CLIP_VIT_H and column in _CLIP_VIT_H_COLUMNS:
        return CLIP_VIT_H
    return f"diffusiontoolkit:{column}:{dimensions}"


def find_vector_columns(catalog: Catalog, space: str) -> VectorColumns | None:
    """Return what may hold vectors of a space, None where nothing can."""
    named = _NAMED.fullmatch(space)
    if space == CLIP_VIT_H:
        names, dimensions = _CLIP_VIT_H_COLUMNS, _CLIP_VIT_H
    elif named:
        names, dimensions = (named[1],), int(named[2])
    else:
        return None
    by_name = {column.name: column for column in catalog.vectors if column.dimensions in (0, dimensions)}
    columns = tuple(by_name[name] for name in names if name in by_name and _space(name, dimensions) == space)
    return VectorColumns(space, dimensions, columns) if columns else None


def read_spaces(connection: psycopg.Connection, catalog: Catalog) -> list[HostSpace]:
    """Return what vectors images have: those of images before those of texts, and of each the fullest first."""
    names: defaultdict[str, None] = defaultdict()
    for column in catalog.vectors:
        for dimensions in [column.dimensions] if column.dimensions else _dimensions(connection, column):
            names[_space(column.name, dimensions)] = None
    spaces = [held for name in names if (held := find_vector_columns(catalog, name))]
    if not spaces:
        return []
    query = sql.SQL("SELECT {} FROM image WHERE NOT {}").format(
        sql.SQL(", ").join(sql.SQL("count({})").format(held.expression) for held in spaces), is_left_out(catalog)
    )
    counts = connection.execute(query).fetchone() or ()
    filled = [(held, int(count)) for held, count in zip(spaces, counts, strict=True) if count]
    filled.sort(key=lambda each: (not each[0].of_images, -each[1], each[0].space))
    return [HostSpace(held.space, held.dimensions, count, held.origin, held.of_images) for held, count in filled]


def _dimensions(connection: psycopg.Connection, column: VectorColumn) -> Iterable[int]:
    name = sql.Identifier(column.name)
    query = sql.SQL("SELECT DISTINCT vector_dims({0}) FROM image WHERE {0} IS NOT NULL ORDER BY 1").format(name)
    return [int(dimensions) for (dimensions,) in connection.execute(query)]


def read_versions(connection: psycopg.Connection, catalog: Catalog, held: VectorColumns) -> dict[int, int]:
    """Return of each image that has a vector the transaction that wrote its row, by image id."""
    query = sql.SQL("SELECT id, xmin::text::bigint FROM image WHERE NOT {} AND {} IS NOT NULL").format(
        is_left_out(catalog), held.expression
    )
    return dict(connection.execute(query, binary=True).fetchall())


def read_batch(
    connection: psycopg.Connection, catalog: Catalog, held: VectorColumns, ids: Sequence[int]
) -> HostVectors:
    """Return the vectors of these images, as they are; images without one are left out."""
    import numpy as np  # noqa: PLC0415 - most uses of a library ask for no vectors
    from pgvector.psycopg import register_vector  # noqa: PLC0415 - as above

    register_vector(connection)
    query = sql.SQL(
        "SELECT id, xmin::text::bigint, {0} FROM image WHERE NOT {1} AND {0} IS NOT NULL AND id = ANY(%s) ORDER BY id"
    ).format(held.expression, is_left_out(catalog))
    rows = connection.execute(query, [list(ids)], binary=True).fetchall()
    vectors = np.empty((len(rows), held.dimensions), np.float32)
    for n, (_, _, vector) in enumerate(rows):
        vectors[n] = vector.to_numpy()
    numbers = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    return HostVectors(numbers[:, 0], numbers[:, 1], vectors)
