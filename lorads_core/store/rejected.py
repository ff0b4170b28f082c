"""Images that a person rejected from a dataset: they stay in its draft, and in nothing that is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CaptionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

    from ..model import ImageKey


def rejected_images(connection: psycopg.Connection, dataset: UUID) -> frozenset[ImageKey]:
    """Return the rejected images of a dataset, those too that are not in it at present."""
    rows = connection.execute("SELECT library, image_id FROM lorads.rejected_images WHERE dataset_id = %s", [dataset])
    return frozenset((library, image_id) for library, image_id in rows)


_MISSING = """
SELECT new.library, new.image_id FROM unnest(%(libraries)s::text[], %(ids)s::bigint[]) AS new (library, image_id)
LEFT JOIN lorads.lora_dataset_images AS kept
    ON kept.dataset_id = %(dataset)s AND kept.library = new.library AND kept.image_id = new.image_id
WHERE kept.position IS NULL
LIMIT 1
"""
_REJECT = """
INSERT INTO lorads.rejected_images (dataset_id, library, image_id)
SELECT %(dataset)s, * FROM unnest(%(libraries)s::text[], %(ids)s::bigint[]) ON CONFLICT DO NOTHING
"""
_TAKE_BACK = """
DELETE FROM lorads.rejected_images AS kept USING unnest(%(libraries)s::text[], %(ids)s::bigint[]) AS new (library, id)
WHERE dataset_id = %(dataset)s AND kept.library = new.library AND kept.image_id = new.id
"""


def reject_images(
    connection: psycopg.Connection, dataset: UUID, images: Sequence[ImageKey], *, rejected: bool = True
) -> None:
    """Reject images of a dataset, or take them back.

    Raises:
        CaptionError: one of them is not in the dataset; nothing was changed.
    """
    values = {
        "dataset": dataset,
        "libraries": [library for library, _ in images],
        "ids": [image_id for _, image_id in images],
    }
    with connection.transaction():
        # The graph looks at this number for whether its captions are still those of the store.
        connection.execute(
            "UPDATE lorads.lora_datasets SET caption_revision = caption_revision + 1, updated_at = now()"
            " WHERE dataset_id = %s",
            [dataset],
        )
        missing = connection.execute(_MISSING, values).fetchone()
        if missing:
            raise CaptionError(f"Image {missing[1]} of library {missing[0]} is not in this dataset: query it again.")
        connection.execute(_REJECT if rejected else _TAKE_BACK, values)
