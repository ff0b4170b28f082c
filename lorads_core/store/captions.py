"""Caption edits with their undo history, stored so that each can be undone byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import CaptionError
from ..model import Caption, Change, Edit
from .json_column import jsonb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from ..model import ImageKey


@dataclass(frozen=True, slots=True)
class EditRecord:
    """An edit of the history: ``changes`` is how many captions it changed.

    ``made_by`` and ``undone_by`` are ``user@machine`` or a name of the settings; empty where that is not known.
    """

    id: int
    label: str
    changes: int
    undone: bool
    made_at: datetime
    made_by: str
    undone_by: str


class ChangedMeanwhileError(CaptionError):
    """A caption is not what an edit says that it was: it has been changed since the dataset was read."""


def count_edits(connection: psycopg.Connection) -> int:
    """Return how often captions were edited, in all datasets."""
    row = connection.execute("SELECT coalesce(sum(caption_revision), 0) FROM lorads.lora_datasets").fetchone()
    return int(row[0]) if row else 0


def fixed_captions(connection: psycopg.Connection, dataset: UUID) -> dict[ImageKey, Caption]:
    """Return the captions of a dataset that edits have set, by hand or not, by library and image id."""
    rows = connection.execute(
        "SELECT library, image_id, caption, caption_source, by_hand FROM lorads.lora_dataset_images"
        " WHERE dataset_id = %s AND was_edited",
        [dataset],
    )
    return {
        (library, image_id): Caption(text, source, edited=by_hand, fixed=True)
        for library, image_id, text, source, by_hand in rows
        if text is not None
    }


def save_edit(connection: psycopg.Connection, dataset: UUID, edit: Edit, person: str = "") -> None:
    """Keep what an edit has changed, and the edit itself; those that were undone before can no more be redone.

    Raises:
        CaptionError: a caption is not what the edit says that it was, or its image is not in the dataset.
    """
    if not edit.changes:
        return
    with connection.transaction():
        _write(connection, dataset, edit.changes)
        connection.execute("DELETE FROM lorads.caption_edits WHERE dataset_id = %s AND undone", [dataset])
        connection.execute(
            "INSERT INTO lorads.caption_edits (dataset_id, label, changes, made_by) VALUES (%s, %s, %s, %s)",
            [dataset, edit.label, jsonb([_as_json(change) for change in edit.changes]), person],
        )


def undo(connection: psycopg.Connection, dataset: UUID, person: str = "") -> Edit | None:
    """Take the newest edit back and return it; None where there is none.

    Raises:
        CaptionError: a caption was changed since by something else than an edit.
    """
    return _step(connection, dataset, person, backwards=True)


def redo(connection: psycopg.Connection, dataset: UUID, person: str = "") -> Edit | None:
    """Do the edit again that was undone last and return it; None where there is none. It stays its author's.

    Raises:
        CaptionError: as `undo`.
    """
    return _step(connection, dataset, person, backwards=False)


def history(connection: psycopg.Connection, dataset: UUID, limit: int = 50) -> list[EditRecord]:
    """Return the newest edits of a dataset, the newest first."""
    rows = connection.execute(
        "SELECT edit_id, label, jsonb_array_length(changes), undone, made_at, made_by, undone_by"
        " FROM lorads.caption_edits WHERE dataset_id = %s ORDER BY edit_id DESC LIMIT %s",
        [dataset, limit],
    )
    return [EditRecord(*row) for row in rows]


class UndoState(NamedTuple):
    """The labels of the edits that would be undone and redone next, None where there is none."""

    undo: str | None
    redo: str | None


def undo_state(connection: psycopg.Connection, dataset: UUID) -> UndoState:
    """Return what can be taken back, and what can be done again."""
    row = connection.execute(
        "SELECT (SELECT label FROM lorads.caption_edits WHERE dataset_id = %(dataset)s AND NOT undone"
        " ORDER BY edit_id DESC LIMIT 1),"
        " (SELECT label FROM lorads.caption_edits WHERE dataset_id = %(dataset)s AND undone ORDER BY edit_id LIMIT 1)",
        {"dataset": dataset},
    ).fetchone()
    return UndoState(*row) if row else UndoState(None, None)


class ImageEdit(NamedTuple):
    """What an edit did to one image's caption."""

    label: str
    made_at: datetime
    made_by: str
    undone: bool
    undone_by: str
    before: Caption | None
    after: Caption | None


_IMAGE_EDITS = """
SELECT label, made_at, made_by, undone, undone_by, change FROM (
    SELECT * FROM lorads.caption_edits WHERE dataset_id = %(dataset)s ORDER BY edit_id DESC LIMIT %(looked_at)s
) AS newest, jsonb_array_elements(changes) AS change
WHERE changes @> %(image)s AND change @> (%(image)s::jsonb -> 0)
ORDER BY edit_id DESC LIMIT %(limit)s
"""


def image_history(
    connection: psycopg.Connection, dataset: UUID, image: ImageKey, limit: int = 50, looked_at: int = 500
) -> list[ImageEdit]:
    """Return what the newest edits of a dataset did to an image's caption, the newest first.

    ``looked_at`` bounds how many edits are looked through.
    """
    values = {"dataset": dataset, "image": jsonb([list(image)]), "limit": limit, "looked_at": looked_at}
    rows = connection.execute(_IMAGE_EDITS, values)
    found: list[ImageEdit] = []
    for label, made_at, made_by, undone, undone_by, change in rows:
        each = _from_json(change)
        found.append(ImageEdit(label, made_at, made_by, undone, undone_by, each.before, each.after))
    return found


_NOW = """
SELECT kept.library, kept.image_id, caption, caption_source, was_edited, by_hand
FROM unnest(%(libraries)s::text[], %(ids)s::bigint[]) AS new (library, image_id)
JOIN lorads.lora_dataset_images AS kept
    ON kept.dataset_id = %(dataset)s AND kept.library = new.library AND kept.image_id = new.image_id
"""


def lock(connection: psycopg.Connection, dataset: UUID) -> None:
    """Keep all who would edit a dataset waiting until the transaction's end."""
    connection.execute("SELECT FROM lorads.lora_datasets WHERE dataset_id = %s FOR UPDATE", [dataset])


def captions_of(
    connection: psycopg.Connection, dataset: UUID, images: Sequence[ImageKey]
) -> dict[ImageKey, Caption | None]:
    """Return the captions of images as they are; those that are not in the dataset are left out."""
    rows = connection.execute(
        _NOW,
        {
            "dataset": dataset,
            "libraries": [library for library, _ in images],
            "ids": [image_id for _, image_id in images],
        },
    )
    return {
        (library, image_id): None if text is None else Caption(text, source or "", fixed and by_hand, None, fixed)
        for library, image_id, text, source, fixed, by_hand in rows
    }


_UNDO = """
SELECT edit_id, label, changes FROM lorads.caption_edits WHERE dataset_id = %s AND NOT undone
ORDER BY edit_id DESC LIMIT 1 FOR UPDATE
"""
_REDO = """
SELECT edit_id, label, changes FROM lorads.caption_edits WHERE dataset_id = %s AND undone
ORDER BY edit_id LIMIT 1 FOR UPDATE
"""


def _step(connection: psycopg.Connection, dataset: UUID, person: str, *, backwards: bool) -> Edit | None:
    with connection.transaction():
        row = connection.execute(_UNDO if backwards else _REDO, [dataset]).fetchone()
        if row is None:
            return None
        edit_id, label, changes = row
        edit = Edit(label, tuple(_from_json(change) for change in changes))
        edit = edit.inverse if backwards else edit
        _write(connection, dataset, edit.changes)
        connection.execute(
            "UPDATE lorads.caption_edits SET undone = %s, undone_by = %s WHERE dataset_id = %s AND edit_id = %s",
            [backwards, person if backwards else "", dataset, edit_id],
        )
    return edit


_CHECK = """
SELECT new.library, new.image_id, kept.image_id IS NULL, kept.path, kept.caption, new.before
FROM unnest(%(libraries)s::text[], %(ids)s::bigint[], %(before)s::text[]) AS new (library, image_id, before)
LEFT JOIN lorads.lora_dataset_images AS kept
    ON kept.dataset_id = %(dataset)s AND kept.library = new.library AND kept.image_id = new.image_id
WHERE kept.image_id IS NULL OR kept.caption IS DISTINCT FROM new.before
LIMIT 1
"""
_UPDATE = """
UPDATE lorads.lora_dataset_images AS kept
SET caption = new.text, caption_source = new.source, was_edited = new.fixed, by_hand = new.by_hand
FROM unnest(%(libraries)s::text[], %(ids)s::bigint[], %(texts)s::text[], %(sources)s::text[], %(fixed)s::boolean[],
    %(by_hand)s::boolean[]) AS new (library, image_id, text, source, fixed, by_hand)
WHERE kept.dataset_id = %(dataset)s AND kept.library = new.library AND kept.image_id = new.image_id
"""


def _write(connection: psycopg.Connection, dataset: UUID, changes: Sequence[Change]) -> None:
    # Whoever else edits the dataset waits here.
    connection.execute(
        "UPDATE lorads.lora_datasets SET caption_revision = caption_revision + 1, updated_at = now()"
        " WHERE dataset_id = %s",
        [dataset],
    )
    after = [change.after for change in changes]
    values = {
        "dataset": dataset,
        "libraries": [change.image[0] for change in changes],
        "ids": [change.image[1] for change in changes],
        "before": [change.before.text if change.before else None for change in changes],
        "texts": [caption.text if caption else None for caption in after],
        "sources": [caption.source if caption else None for caption in after],
        "fixed": [bool(caption and caption.fixed) for caption in after],
        "by_hand": [bool(caption and caption.edited) for caption in after],
    }
    row = connection.execute(_CHECK, values).fetchone()
    if row:
        library, image_id, is_missing, path, now, before = row
        if is_missing:
            raise _missing((library, image_id))
        raise ChangedMeanwhileError(
            f"The caption of {path} was changed meanwhile: it is {now!r} by now, where {before!r} was to be changed."
            " Nothing was changed; look again."
        )
    connection.execute(_UPDATE, values)


def _missing(image: ImageKey) -> CaptionError:
    return CaptionError(f"Image {image[1]} of library {image[0]} is not in this dataset: query it again.")


def _as_json(change: Change) -> list[object]:
    return [*change.image, _caption_as_json(change.before), _caption_as_json(change.after)]


def _caption_as_json(caption: Caption | None) -> list[object] | None:
    return [caption.text, caption.source, caption.edited, caption.fixed] if caption else None


def _from_json(change: Sequence[Any]) -> Change:
    library, image_id, before, after = change
    return Change((library, image_id), _caption_from_json(before), _caption_from_json(after))


def _caption_from_json(values: Sequence[Any] | None) -> Caption | None:
    if values is None:
        return None
    text, source, edited, fixed = values
    return Caption(text, source, edited=edited, fixed=fixed)
