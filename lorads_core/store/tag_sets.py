"""All tags of an image in one row, derived from lorads.tags, for queries by several tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg


def refresh(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> None:
    """Bring the sets of these images up to date; to be called in the transaction that changed their tags."""
    where = [library, list(ids)]
    connection.execute("DELETE FROM lorads.tag_sets WHERE library = %s AND image_id = ANY(%s)", where)
    connection.execute(
        "INSERT INTO lorads.tag_sets (library, image_id, tags) SELECT library, image_id, array_agg(DISTINCT tag)"
        " FROM lorads.tags WHERE library = %s AND image_id = ANY(%s) GROUP BY 1, 2",
        where,
    )
