"""Tags that were made here, by a user's taggers: by library, image and source, true as long as the file is the same.

A source is ``tagger:category``; an image that a tagger has seen has a row of ``tagger:general``, be it an empty one.
Of images of our own index, the tags that filters and counts shall see stand in lorads.tags instead; they come and go
with the rows of their source here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from . import tag_sets
from .writers import lock_writers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from typing_extensions import LiteralString

    from ..model import Tag

_MARK = ":general"


class ModelTags(NamedTuple):
    """The tags that a tagger made of an image, with their scores; ``version`` is that of the file that it saw.

    ``filtered`` are those of them that filters shall see; only images of our own index can have any.
    """

    image_id: int
    version: int
    tags: Sequence[Tag]
    filtered: Sequence[Tag] = ()


class StoredTags(NamedTuple):
    """The tags of an image under one source, and their scores (n); ``version`` is that of the file they are of."""

    source: str
    version: int
    tags: Sequence[str]
    scores: Sequence[float]


def tagged_versions(
    connection: psycopg.Connection, library: str, tagger: str, ids: Sequence[int] | None = None
) -> dict[int, int]:
    """Return the version of each file of a library, or of these images of it, that a tagger has seen, by image id."""
    rows = connection.execute(
        "SELECT image_id, version FROM lorads.made_tags WHERE library = %(library)s AND source = %(source)s"
        " AND (%(ids)s::bigint[] IS NULL OR image_id = ANY(%(ids)s))",
        {"library": library, "source": tagger + _MARK, "ids": None if ids is None else list(ids)},
    )
    return dict(rows.fetchall())


def model_tag_sources(connection: psycopg.Connection, library: str) -> set[str]:
    """Return the sources of all tags that were made here for a library."""
    rows = connection.execute("SELECT DISTINCT source FROM lorads.made_tags WHERE library = %s", [library])
    return {source for (source,) in rows}


def tagger_counts(connection: psycopg.Connection, library: str) -> list[tuple[str, int]]:
    """Return which taggers have seen images of a library, and how many."""
    rows = connection.execute(
        "SELECT source, count(*) FROM lorads.made_tags WHERE library = %s AND right(source, %s) = %s"
        " GROUP BY source ORDER BY 2 DESC, source",
        [library, len(_MARK), _MARK],
    )
    return [(source.removesuffix(_MARK), count) for source, count in rows]


def read_model_tags(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> dict[int, list[StoredTags]]:
    """Return what was made of these images, by image id, of whatever files they were then."""
    found: defaultdict[int, list[StoredTags]] = defaultdict(list)
    rows = connection.execute(
        "SELECT image_id, source, version, tags, scores FROM lorads.made_tags"
        " WHERE library = %s AND image_id = ANY(%s) ORDER BY image_id, source",
        [library, list(ids)],
        binary=True,
    )
    for image_id, *kept in rows:
        found[image_id].append(StoredTags(*kept))
    return dict(found)


def write_model_tags(connection: psycopg.Connection, library: str, tagger: str, made: Sequence[ModelTags]) -> None:
    """Keep what a tagger made of images in one transaction, in place of what it made of them before."""
    ids = [each.image_id for each in made]
    with connection.transaction(), connection.cursor() as cursor:
        lock_writers(connection, library)
        connection.execute(_delete_statement("starts_with(old.source, %(head)s)"), _which(library, ids, f"{tagger}:"))
        cursor.executemany(
            "INSERT INTO lorads.made_tags AS known (library, image_id, source, version, tags, scores)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (library, image_id, source) DO UPDATE SET"
            " version = EXCLUDED.version, tagged_at = now(), tags = EXCLUDED.tags, scores = EXCLUDED.scores",
            [(library, *row) for each in made for row in _rows(tagger, each)],
        )
        _insert_tags(connection, library, made)
        tag_sets.refresh(connection, library, ids)


def _rows(tagger: str, made: ModelTags) -> list[tuple[int, str, int, list[str], list[float]]]:
    filtered = set(made.filtered)
    by_source: dict[str, list[Tag]] = {tagger + _MARK: []}
    for tag in made.tags:
        of_source = by_source.setdefault(tag.source, [])
        if tag not in filtered:
            of_source.append(tag)
    return [
        (made.image_id, source, made.version, [tag.text for tag in tags], [tag.confidence or 0.0 for tag in tags])
        for source, tags in by_source.items()
    ]


def _insert_tags(connection: psycopg.Connection, library: str, made: Sequence[ModelTags]) -> None:
    rows = [(each.image_id, tag.source, tag.text, tag.confidence) for each in made for tag in each.filtered]
    connection.execute(
        "INSERT INTO lorads.tags (library, image_id, source, tag, confidence)"
        " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::real[]) ON CONFLICT DO NOTHING",
        [library, *([row[n] for row in rows] for n in range(4))],
    )


def delete_stale(connection: psycopg.Connection, library: str, versions: Mapping[int, int]) -> None:
    """Forget what was made of other files, as `vectors.delete_stale`; sets of tags are not renewed."""
    connection.execute(
        _delete_statement("old.version <> file.version"),
        _which(library, list(versions)) | {"versions": list(versions.values())},
    )


def delete_model_tags(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> None:
    """Forget all that was made of these images; sets of tags are not renewed."""
    connection.execute(_delete_statement("true"), _which(library, ids))


def _which(library: str, ids: Sequence[int], head: str = "") -> dict[str, object]:
    return {"library": library, "ids": list(ids), "head": head, "versions": list[int]()}


def _delete_statement(condition: LiteralString) -> sql.Composed:
    """Return a statement that deletes rows of images, and what stands in lorads.tags by them."""
    return sql.SQL(
        "WITH gone AS (DELETE FROM lorads.made_tags AS old"
        " USING unnest(%(ids)s::bigint[], %(versions)s::bigint[]) AS file (image_id, version)"
        " WHERE old.library = %(library)s AND old.image_id = file.image_id AND {} RETURNING old.*)"
        " DELETE FROM lorads.tags AS told USING gone"
        " WHERE told.library = %(library)s AND told.image_id = gone.image_id AND told.source = gone.source"
    ).format(sql.SQL(condition))
