"""What a database of DiffusionToolkit has and lacks, in counts and problems."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from psycopg import sql

from ..model import Problem
from .diffusiontoolkit_relations import (
    COSTS,
    IMAGE,
    has_albums,
    has_captions,
    has_clusters,
    has_tags,
    is_broken,
    is_gone,
    is_left_out,
    is_video,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from .catalog import Catalog
    from .pathmap import PathMap

_SAMPLE = 200
_RESCAN = ": have the program rescan its folders"
_FEW = 0.5  # of the files that were looked for


def excluded_rows(connection: psycopg.Connection, catalog: Catalog) -> list[tuple[str, str]]:
    """Return how many rows there are, and why some are none of our images."""
    query = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE {}), count(*) FILTER (WHERE {}), count(*) FILTER (WHERE {}) FROM image"
    ).format(is_gone(catalog), is_broken(catalog), is_video(catalog))
    names = "rows", "left out: unavailable", "left out: with errors", "left out: videos"
    counts = connection.execute(query).fetchone() or (0, 0, 0, 0)
    return [(name, f"{count:,}") for name, count in zip(names, counts, strict=True)]


def sizes_and_vectors(connection: psycopg.Connection, catalog: Catalog) -> list[tuple[str, str]]:
    """Return of how many images the size is known, how many have a vector in each column, and how those are indexed."""
    sized = sql.SQL("width > 0 AND height > 0" if catalog.has(IMAGE, "width", "height") else "false")
    counts = [sql.SQL("count(*)"), sql.SQL("count(*) FILTER (WHERE {})").format(sized)]
    counts += [sql.SQL("count({})").format(sql.Identifier(column.name)) for column in catalog.vectors]
    query = sql.SQL("SELECT {} FROM image WHERE NOT {}").format(sql.SQL(", ").join(counts), is_left_out(catalog))
    images, with_size, *held = connection.execute(query).fetchone() or (0, 0)
    facts = [("with size", f"{with_size:,} of {images:,}")]
    empty = [column.name for column, count in zip(catalog.vectors, held, strict=True) if not count]
    for column, count in zip(catalog.vectors, held, strict=True):
        if not count:
            continue
        size = f"{column.dimensions:,}" if column.dimensions else "any number of"
        methods = [index.method for index in catalog.indexes if (index.table, index.column) == (IMAGE, column.name)]
        # For its own searches: ours are made in our store, so that neither its kind nor its settings matter.
        indexed = f", indexed by {', '.join(methods)}" if methods else ""
        text = f"{count:,} of {images:,} images have embeddings ({column.type}, {size} dimensions{indexed})"
        facts.append((f"vectors in {column.name}", text))
    return [*facts, *([("no vectors in", ", ".join(empty))] if empty else [])]


def schema_problems(catalog: Catalog) -> Iterator[Problem]:
    """Say what the tables do not have, and what that costs."""
    for known, what, tables in (
        (has_tags(catalog), "tags", "image_tags"),
        (has_captions(catalog), "captions", "image_captions"),
        (has_albums(catalog), "albums", "album and album_image"),
        (has_clusters(catalog), "clusters of faces", "face_group and face_detection, or face_cluster"),
    ):
        if not known and catalog.unreadable.isdisjoint(tables.replace(",", "").split()):
            yield Problem(
                "info", "no-table", f"There are no {what}: schema {catalog.schema} has no table {tables} as we know it."
            )
    costs = {column: cost for column, cost in COSTS.items() if not catalog.has(IMAGE, column)}
    if costs:
        yield Problem(
            "info",
            "older-version",
            f"The database is of an older version of the program ({', '.join(costs)} are not there), and what"
            f" they hold is not known: {', '.join(dict.fromkeys(costs.values()))}.",
        )
    if not catalog.vectors:
        yield Problem(
            "info", "no-vectors", "There are no vectors of images: have them computed here, with your own embedder."
        )
    for table in sorted(catalog.unreadable):
        yield Problem(
            "warning",
            "no-rights",
            f"The table {table} may not be read, so what it holds is missing: have its owner GRANT SELECT ON {table}.",
            table,
        )


def files(connection: psycopg.Connection, catalog: Catalog, paths: PathMap, library: str) -> tuple[str, list[Problem]]:
    """Look for the files of some images on this machine; return what was found, and what to do about the others."""
    # In an order that has nothing to do with folders.
    query = sql.SQL("SELECT path FROM image WHERE NOT {} ORDER BY hashint8extended(id, 0) LIMIT {}").format(
        is_left_out(catalog), sql.Literal(_SAMPLE)
    )
    there = [path for (path,) in connection.execute(query)]
    gone = [path for path in there if not os.path.isfile(paths.local(path))]  # noqa: PTH113 - Path's raises where too long
    here = len(there) - len(gone)
    found = f"{here:,} of {len(there):,} looked for"
    if not gone:
        return found, []
    advice = _RESCAN if here > _FEW * len(there) else _path_advice(gone, paths, library)
    message = f"Of {len(there):,} files {len(gone):,} are not here{advice}."
    return found, [Problem("warning", "missing-files", message, paths.local(gone[0]))]


def _path_advice(gone: Sequence[str], paths: PathMap, library: str) -> str:
    """Return what to do where most files are missing; they are named as the program knows them."""
    map_of = f"[libraries.{library}.paths] in lorads.toml"
    here = paths.local(gone[0])
    if here != gone[0]:
        wrong = f"connect the drive, or correct the map, by which {gone[0]} is {here}"
        return f", though {map_of} maps their folder: {wrong}"
    folder = common_folder(gone)
    return (
        f". The program knows them in {folder}: say where that is on this machine, under {map_of}:"
        f" '{folder}' = \"/where/it/is\""
    )


def common_folder(paths: Sequence[str]) -> str:
    """Return the folder that holds all those files that lie on the drive, or below the root, where most of them do."""
    folders = [(PurePosixPath(path) if path.startswith("/") else PureWindowsPath(path)).parent for path in paths]
    anchor, _ = Counter(folder.anchor.lower() for folder in folders).most_common(1)[0]
    of_most = [folder for folder in folders if folder.anchor.lower() == anchor]
    common = of_most[0]
    while not all(folder.is_relative_to(common) for folder in of_most):
        common = common.parent
    return str(common)
