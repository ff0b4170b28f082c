"""Datasets as they are kept: drafts, captions that people wrote, and what became of an export; it writes no files."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from ..errors import CaptionError
from ..model import Caption

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from ..model import Dataset, Export, ImageKey, TrainingConfig


def dataset_id(connection: psycopg.Connection, name: str, library: str) -> UUID:
    """Return the id of the dataset called ``name``, which is made as an empty draft where there is none yet.

    Of several at once that ask for a new name, all get the same.
    """
    row = connection.execute(
        "INSERT INTO lorads.lora_datasets (dataset_id, name, library) VALUES (%s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING dataset_id",
        [uuid4(), name, library],
    ).fetchone()
    return row[0] if row else uuid4()


def edits(connection: psycopg.Connection) -> int:
    """Return how often captions were edited by hand, in all datasets."""
    row = connection.execute("SELECT coalesce(sum(caption_revision), 0) FROM lorads.lora_datasets").fetchone()
    return int(row[0]) if row else 0


def edited_captions(connection: psycopg.Connection, dataset: UUID) -> dict[ImageKey, Caption]:
    """Return the captions of a dataset that people wrote, by library and image id."""
    rows = connection.execute(
        "SELECT library, image_id, caption FROM lorads.lora_dataset_images WHERE dataset_id = %s AND was_edited",
        [dataset],
    )
    return {(library, image_id): Caption(text, "custom", edited=True) for library, image_id, text in rows}


def edit_caption(connection: psycopg.Connection, dataset: UUID, image: ImageKey, text: str) -> None:
    """Keep a caption that a person wrote for an image of a dataset.

    Raises:
        CaptionError: the text is empty, or the image is not in the dataset.
    """
    if not text.strip():
        raise CaptionError("The caption is empty: write one, or leave the image out of the dataset.")
    with connection.transaction():
        changed = connection.execute(
            "UPDATE lorads.lora_dataset_images SET caption = %s, caption_source = 'custom', was_edited = true"
            " WHERE dataset_id = %s AND library = %s AND image_id = %s",
            [text, dataset, *image],
        )
        if changed.rowcount != 1:
            raise CaptionError(f"Image {image[1]} of library {image[0]} is not in this dataset: query it again.")
        connection.execute(
            "UPDATE lorads.lora_datasets SET caption_revision = caption_revision + 1 WHERE dataset_id = %s", [dataset]
        )


def save_draft(connection: psycopg.Connection, dataset: Dataset) -> None:
    """Keep a dataset with its captions under its name; captions that people wrote, and what was exported, stay."""
    with connection.transaction():
        _save_dataset(connection, dataset)
        images = _save_images(connection, dataset)
        where = [dataset.id, [library for library, _ in images], [image_id for _, image_id in images]]
        connection.execute(
            "UPDATE lorads.lora_dataset_images SET position = NULL, exported_path = NULL WHERE dataset_id = %s"
            " AND (library, image_id) NOT IN (SELECT * FROM unnest(%s::text[], %s::bigint[])) AND was_edited",
            where,
        )
        connection.execute(
            "DELETE FROM lorads.lora_dataset_images WHERE dataset_id = %s"
            " AND (library, image_id) NOT IN (SELECT * FROM unnest(%s::text[], %s::bigint[])) AND NOT was_edited",
            where,
        )


def _save_dataset(connection: psycopg.Connection, dataset: Dataset) -> None:
    connection.execute(
        """
        INSERT INTO lorads.lora_datasets (dataset_id, name, library, trigger_word, trigger_position,
            training_count, regularization_count) VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (dataset_id) DO UPDATE SET name = EXCLUDED.name, library = EXCLUDED.library,
            trigger_word = EXCLUDED.trigger_word, trigger_position = EXCLUDED.trigger_position,
            training_count = EXCLUDED.training_count, regularization_count = EXCLUDED.regularization_count
        """,
        [
            dataset.id,
            dataset.name,
            dataset.library,
            dataset.trigger.word,
            dataset.trigger.position,
            len(dataset.training),
            len(dataset.regularization),
        ],
    )


def _save_images(connection: psycopg.Connection, dataset: Dataset) -> list[ImageKey]:
    """Write a row per image, leaving captions that people wrote; return the images."""
    images = [
        *((image, False) for image in dataset.training),
        *((image, True) for image in dataset.regularization),
    ]
    connection.execute(
        """
        INSERT INTO lorads.lora_dataset_images AS kept (dataset_id, library, image_id, position, path, hash,
            is_regularization, caption, caption_source)
        SELECT %s, * FROM unnest(%s::text[], %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::boolean[],
            %s::text[], %s::text[])
        ON CONFLICT (dataset_id, library, image_id) DO UPDATE SET position = EXCLUDED.position, path = EXCLUDED.path,
            hash = EXCLUDED.hash, is_regularization = EXCLUDED.is_regularization,
            caption = CASE WHEN kept.was_edited THEN kept.caption ELSE EXCLUDED.caption END,
            caption_source = CASE WHEN kept.was_edited THEN kept.caption_source ELSE EXCLUDED.caption_source END
        """,
        [
            dataset.id,
            [image.record.library for image, _ in images],
            [image.record.id for image, _ in images],
            list(range(len(images))),
            [image.record.path for image, _ in images],
            [image.record.hash for image, _ in images],
            [is_regularization for _, is_regularization in images],
            [image.caption.text if image.caption else None for image, _ in images],
            [image.caption.source if image.caption else None for image, _ in images],
        ],
    )
    return [(image.record.library, image.record.id) for image, _ in images]


def mark_exported(
    connection: psycopg.Connection, export: Export, config: TrainingConfig, exported: Mapping[ImageKey, str]
) -> None:
    """Note that a dataset was exported: when, where, how, and each image's file in the export folder."""
    with connection.transaction():
        connection.execute(
            "UPDATE lorads.lora_datasets SET status = 'exported', exported_at = now(), output_path = %s, config = %s,"
            " training_count = %s, regularization_count = %s WHERE dataset_id = %s",
            [
                str(export.folder),
                Jsonb(dataclasses.asdict(config)),
                export.training_images,
                export.regularization_images,
                export.dataset_id,
            ],
        )
        connection.execute(
            "UPDATE lorads.lora_dataset_images SET exported_path = NULL WHERE dataset_id = %s", [export.dataset_id]
        )
        connection.execute(
            "UPDATE lorads.lora_dataset_images AS kept SET exported_path = new.file"
            " FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS new (library, image_id, file)"
            " WHERE dataset_id = %s AND kept.library = new.library AND kept.image_id = new.image_id",
            [
                [library for library, _ in exported],
                [image_id for _, image_id in exported],
                list(exported.values()),
                export.dataset_id,
            ],
        )
