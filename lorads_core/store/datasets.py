"""Rows of datasets: drafts, their images, and what their last export was; edits of captions are in `captions`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from ..errors import CaptionError
from ..model import Caption, Concept, Trigger
from ..problems import did_you_mean
from .json_column import jsonb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import psycopg

    from ..model import Dataset, Export, ImageKey, TrainingConfig


class DatasetName(NamedTuple):
    """A dataset's name in the name space of its ``owner``, which is empty for the datasets of a store of one person."""

    owner: str
    name: str

    def seen_by(self, owner: str) -> str:
        """Return the name as an owner gives it: plain for what is theirs or nobody's, else ``owner/name``."""
        return self.name if self.owner in {"", owner} else f"{self.owner}/{self.name}"


def ensure_dataset(connection: psycopg.Connection, name: str, library: str, owner: str = "") -> UUID:
    """Return the id of an owner's dataset called ``name``, which is made as an empty draft where there is none yet.

    A dataset that has no owner is continued. Of several at once that ask for a new name, all get the same.

    Raises:
        CaptionError: the name is that of another owner's dataset.
    """
    found = find_dataset(connection, name, owner)
    if found is None:
        row = connection.execute(
            "INSERT INTO lorads.lora_datasets (dataset_id, owner, name, library) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (owner, name) DO UPDATE SET name = EXCLUDED.name RETURNING dataset_id",
            [uuid4(), owner, name, library],
        ).fetchone()
        return row[0] if row else uuid4()
    dataset, full_name = found
    if full_name.owner not in {"", owner}:
        raise CaptionError(f"The dataset {name!r} is {full_name.owner}'s: build one of your own under another name.")
    return dataset


_FIND = """
SELECT dataset_id, owner, name FROM lorads.lora_datasets
WHERE (name = %(name)s AND owner IN ('', %(owner)s)) OR (owner = %(named)s AND name = %(rest)s)
ORDER BY name = %(name)s DESC, owner = %(owner)s DESC LIMIT 1
"""


def find_dataset(connection: psycopg.Connection, name: str, owner: str = "") -> tuple[UUID, DatasetName] | None:
    """Return the dataset that an owner means by ``name``: their own, one of nobody's, or ``owner/name``; else None."""
    named, slash, rest = name.partition("/")
    values = {"name": name, "owner": owner, "named": named if slash else None, "rest": rest}
    row = connection.execute(_FIND, values).fetchone()
    return (row[0], DatasetName(*row[1:])) if row else None


def namesakes(connection: psycopg.Connection, name: str, owner: str) -> list[str]:
    """Return the other owners that have a dataset of this name."""
    rows = connection.execute(
        "SELECT owner FROM lorads.lora_datasets WHERE name = %s AND owner NOT IN ('', %s) ORDER BY owner", [name, owner]
    )
    return [each for (each,) in rows]


def save_draft(
    connection: psycopg.Connection, dataset: Dataset, owner: str = "", recipe: Mapping[str, Any] | None = None
) -> None:
    """Keep a dataset with its captions under its name; captions that people wrote, and what was exported, stay.

    It becomes the ``owner``'s if it is new. ``recipe`` are the options that `lorads build` made it by, none if another
    way did.
    """
    with connection.transaction():
        _save_dataset(connection, dataset, owner, recipe or {})
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


def _save_dataset(connection: psycopg.Connection, dataset: Dataset, owner: str, recipe: Mapping[str, Any]) -> None:
    connection.execute(
        """
        INSERT INTO lorads.lora_datasets (dataset_id, owner, name, library, trigger_word, trigger_position, concepts,
            training_count, regularization_count, recipe, draft_revision)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1)
        ON CONFLICT (dataset_id) DO UPDATE SET name = EXCLUDED.name, library = EXCLUDED.library,
            trigger_word = EXCLUDED.trigger_word, trigger_position = EXCLUDED.trigger_position,
            concepts = EXCLUDED.concepts, training_count = EXCLUDED.training_count,
            regularization_count = EXCLUDED.regularization_count, recipe = EXCLUDED.recipe,
            draft_revision = lora_datasets.draft_revision + 1, updated_at = now()
        """,
        [
            dataset.id,
            owner,
            dataset.name,
            dataset.library,
            dataset.trigger.word,
            dataset.trigger.position,
            jsonb([dataclasses.asdict(concept) for concept in dataset.concepts]),
            len(dataset.training),
            len(dataset.regularization),
            jsonb(dict(recipe)),
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
            is_regularization, concept, reason, caption, caption_source)
        SELECT %s, * FROM unnest(%s::text[], %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::boolean[],
            %s::text[], %s::text[], %s::text[], %s::text[])
        ON CONFLICT (dataset_id, library, image_id) DO UPDATE SET position = EXCLUDED.position, path = EXCLUDED.path,
            hash = EXCLUDED.hash, is_regularization = EXCLUDED.is_regularization,
            concept = EXCLUDED.concept, reason = EXCLUDED.reason,
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
            [image.concept for image, _ in images],
            [image.reason for image, _ in images],
            [image.caption.text if image.caption else None for image, _ in images],
            [image.caption.source if image.caption else None for image, _ in images],
        ],
    )
    return [(image.record.library, image.record.id) for image, _ in images]


def edited_images(connection: psycopg.Connection, dataset: UUID) -> set[ImageKey]:
    """Return the images of a draft whose captions people wrote."""
    rows = connection.execute(
        "SELECT library, image_id FROM lorads.lora_dataset_images"
        " WHERE dataset_id = %s AND was_edited AND by_hand AND position IS NOT NULL",
        [dataset],
    )
    return set(rows)


def edited_anywhere(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> set[int]:
    """Return those of a library's images that have a caption in any dataset that a person edited."""
    found = connection.execute(
        "SELECT DISTINCT image_id FROM lorads.lora_dataset_images"
        " WHERE library = %s AND image_id = ANY(%s) AND was_edited",
        [library, list(ids)],
    )
    return {image_id for (image_id,) in found}


def datasets_of(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> list[tuple[str, int]]:
    """Return the names of the datasets that some of a library's images are in, with how many of them."""
    return connection.execute(
        "SELECT name, count(*) FROM lorads.lora_dataset_images AS held JOIN lorads.lora_datasets USING (dataset_id)"
        " WHERE held.library = %s AND image_id = ANY(%s) AND position IS NOT NULL GROUP BY name ORDER BY name",
        [library, list(ids)],
    ).fetchall()


def count_edited(connection: psycopg.Connection, dataset: UUID) -> int:
    """Return how many captions people edited, one by one or in bulk, those of images that have left the draft too."""
    row = connection.execute(
        "SELECT count(*) FROM lorads.lora_dataset_images WHERE dataset_id = %s AND was_edited", [dataset]
    ).fetchone()
    return row[0] if row else 0


@dataclass(frozen=True, slots=True)
class DraftImage:
    """An image of a draft; its record is its library's matter."""

    key: ImageKey
    path: str
    is_regularization: bool
    concept: str
    reason: str
    caption: Caption | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A dataset as it is stored, its images in their order."""

    id: UUID
    name: str
    library: str
    trigger: Trigger
    concepts: tuple[Concept, ...]
    images: tuple[DraftImage, ...]


def load_draft(connection: psycopg.Connection, name: str, owner: str = "") -> Draft:
    """Return the dataset that an owner means by ``name``; see `find_dataset`.

    Raises:
        CaptionError: there is none; the message names those there are.
    """
    found = find_dataset(connection, name, owner)
    row = (
        found
        and connection.execute(
            "SELECT dataset_id, name, library, trigger_word, trigger_position, concepts FROM lorads.lora_datasets"
            " WHERE dataset_id = %s",
            [found[0]],
        ).fetchone()
    )
    if not row:
        raise CaptionError(no_dataset(connection, name, owner))
    dataset, plain_name, library, word, position, concepts = row
    return Draft(
        dataset,
        plain_name,
        library,
        Trigger(word, position),
        tuple(Concept(each["name"], Trigger(**each["trigger"]), each["repeats"]) for each in concepts),
        tuple(_draft_images(connection, dataset)),
    )


def no_dataset(connection: psycopg.Connection, name: str, owner: str = "") -> str:
    """Return the sentence that there is no dataset of a name, with the nearest name there is or all of them."""
    known = dataset_names(connection, owner)
    otherwise = f"there are: {', '.join(known) or 'none yet'}."
    return f"There is no dataset {name!r}; {did_you_mean(name, known, otherwise)}"


def dataset_names(connection: psycopg.Connection, owner: str = "") -> list[str]:
    """Return the names of all datasets as an owner gives them, their own first."""
    rows = connection.execute(
        "SELECT owner, name FROM lorads.lora_datasets ORDER BY owner NOT IN ('', %s), owner, name", [owner]
    )
    return [DatasetName(*row).seen_by(owner) for row in rows]


def _draft_images(connection: psycopg.Connection, dataset: UUID) -> Iterator[DraftImage]:
    rows = connection.execute(
        "SELECT library, image_id, path, is_regularization, concept, reason, caption, caption_source, was_edited,"
        " by_hand FROM lorads.lora_dataset_images WHERE dataset_id = %s AND position IS NOT NULL ORDER BY position",
        [dataset],
    )
    for library, image_id, path, is_regularization, concept, reason, text, source, fixed, by_hand in rows:
        caption = None if text is None else Caption(text, source or "", edited=fixed and by_hand, fixed=fixed)
        yield DraftImage((library, image_id), path, is_regularization, concept, reason, caption)


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """A dataset in a list: how many images it has, how many are rejected, how many captions people wrote."""

    id: UUID
    owner: str
    name: str
    library: str
    training: int
    regularization: int
    rejected: int
    edited: int
    updated_at: datetime

    def seen_by(self, owner: str) -> str:
        """Return the name as an owner gives it; see `DatasetName`."""
        return DatasetName(self.owner, self.name).seen_by(owner)


_LIST = """
SELECT sets.dataset_id, sets.owner, sets.name, sets.library, count(*) FILTER (WHERE NOT images.is_regularization),
    count(*) FILTER (WHERE images.is_regularization), count(rejected.image_id),
    count(*) FILTER (WHERE images.was_edited AND images.by_hand), sets.updated_at
FROM lorads.lora_datasets AS sets
LEFT JOIN lorads.lora_dataset_images AS images ON images.dataset_id = sets.dataset_id AND images.position IS NOT NULL
LEFT JOIN lorads.rejected_images AS rejected ON rejected.dataset_id = images.dataset_id
    AND rejected.library = images.library AND rejected.image_id = images.image_id
GROUP BY sets.dataset_id HAVING count(images.image_id) > 0 OR %s ORDER BY sets.updated_at DESC, sets.name
"""


def list_datasets(connection: psycopg.Connection, *, with_empty: bool = False) -> list[DatasetSummary]:
    """Return the datasets that have images, or all of them, the one that changed last first."""
    return [DatasetSummary(*row) for row in connection.execute(_LIST, [with_empty])]


def rename_dataset(connection: psycopg.Connection, dataset: UUID, name: str) -> bool:
    """Rename a dataset; return False, with nothing changed, where its owner has another one of that name."""
    renamed = connection.execute(
        "UPDATE lorads.lora_datasets AS known SET name = %(name)s, updated_at = now() WHERE dataset_id = %(id)s"
        " AND NOT EXISTS (SELECT FROM lorads.lora_datasets AS other WHERE other.name = %(name)s"
        " AND other.owner = known.owner AND other.dataset_id <> known.dataset_id)",
        {"name": name, "id": dataset},
    )
    return bool(renamed.rowcount)


def remove_dataset(connection: psycopg.Connection, dataset: UUID) -> None:
    """Remove a dataset with its captions, edits, decisions and rejections; its runs stay, without it."""
    connection.execute("DELETE FROM lorads.lora_datasets WHERE dataset_id = %s", [dataset])


def listed_names(connection: psycopg.Connection, owner: str = "") -> list[str]:
    """Return the names of the datasets that have images as an owner gives them, without counting these."""
    found = connection.execute(
        "SELECT owner, name FROM lorads.lora_datasets AS sets"
        " WHERE EXISTS (SELECT FROM lorads.lora_dataset_images AS images"
        " WHERE images.dataset_id = sets.dataset_id AND images.position IS NOT NULL)"
    )
    return sorted(DatasetName(*row).seen_by(owner) for row in found)


CAPTIONED_FOR = "captioned_for"
"""Key of a `DatasetState.config`: the base model that captions were written for since that export."""


@dataclass(frozen=True, slots=True)
class DatasetState:
    """How a dataset stands: ``revision`` is another text after every change of it.

    ``config`` and ``writing`` are those of its last export, empty where there was none; the first may have the key
    `CAPTIONED_FOR` besides. ``recipe`` is as for `save_draft`.
    """

    name: str
    revision: str
    base_model: str
    config: Mapping[str, Any]
    writing: Mapping[str, Any]
    recipe: Mapping[str, Any]


def dataset_state(connection: psycopg.Connection, dataset: UUID) -> DatasetState | None:
    """Return how a dataset stands, None where there is none of that id."""
    row = connection.execute(
        "SELECT name, draft_revision || '.' || caption_revision, base_model, config, writing, recipe"
        " FROM lorads.lora_datasets"
        " WHERE dataset_id = %s",
        [dataset],
    ).fetchone()
    return DatasetState(*row) if row else None


def save_base_model(connection: psycopg.Connection, dataset: UUID, base_model: str) -> None:
    """Remember which base model a dataset's captions are written for.

    Where that is another one than before, its next export is for that too, and not for the base model of its last one.
    """
    connection.execute(
        "UPDATE lorads.lora_datasets SET base_model = %(base)s, config = CASE"
        " WHEN base_model IS DISTINCT FROM %(base)s AND config ? 'base_model'"
        " THEN config || jsonb_build_object(%(key)s::text, %(base)s::text) ELSE config END"
        " WHERE dataset_id = %(dataset)s",
        {"base": base_model, "key": CAPTIONED_FOR, "dataset": dataset},
    )


def mark_exported(
    connection: psycopg.Connection,
    export: Export,
    config: TrainingConfig,
    exported: Mapping[ImageKey, str],
    writing: Mapping[str, Any] | None = None,
) -> None:
    """Note that a dataset was exported: when, where, how, and each image's file in the export folder.

    ``writing`` is what `DatasetState` has of it.
    """
    with connection.transaction():
        connection.execute(
            "UPDATE lorads.lora_datasets SET status = 'exported', exported_at = now(), output_path = %s, config = %s,"
            " writing = %s, training_count = %s, regularization_count = %s WHERE dataset_id = %s",
            [
                str(export.folder),
                jsonb(dataclasses.asdict(config)),
                jsonb(dict(writing or {})),
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
