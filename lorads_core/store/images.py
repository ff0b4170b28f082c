"""Rows of our own image index: images, tags and captions, written in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from ..model import FileStamp
from . import model_tags as made_tags
from . import tag_sets
from .batches import write_batch
from .vectors import delete_stale, file_version
from .writers import lock_writers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg
    from typing_extensions import LiteralString

    from ..model import Caption, Tag
    from .batches import Refused

HIGHEST_RATING = 10


class KnownFile(NamedTuple):
    """What the index knows of a file, enough to tell whether it has changed since."""

    image_id: int
    file_size: int
    mtime_ns: int
    sidecars: str
    missing: bool
    by_older: bool  # an older LoRADS read it, which knew fewer programs' prompts


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image to be written: all that indexing reads of it, its tags and captions included."""

    path: str
    folder: str
    file_size: int
    mtime_ns: int
    sidecars: str
    hash: str
    format: str
    width: int
    height: int
    orientation: int
    frames: int
    ready: bool
    rating: int | None
    marked_bad: bool
    prompt: str
    negative_prompt: str
    prompt_source: str = ""
    prompt_uncertain: str = ""
    tags: tuple[Tag, ...] = ()
    captions: tuple[Caption, ...] = ()


_COLUMNS: Mapping[LiteralString, LiteralString] = {
    "path": "text", "folder": "text", "file_size": "bigint", "mtime_ns": "bigint", "sidecars": "text", "hash": "text",
    "format": "text", "width": "integer", "height": "integer", "orientation": "smallint", "frames": "integer",
    "trainer_ready": "boolean", "rating": "smallint", "marked_bad": "boolean", "prompt": "text",
    "negative_prompt": "text", "prompt_source": "text", "prompt_uncertain": "text",
}  # fmt: skip
"""The columns of ``lorads.images`` that indexing writes, with their types; each is the field of an `ImageRow`."""
_FIELDS = {"trainer_ready": "ready"}  # where the field is called otherwise
# A person's decision stays; a rating or mark that the file does not carry leaves the one in the index as it is.
_KEEPING: Mapping[LiteralString, LiteralString] = {
    "rating": "CASE WHEN known.judged THEN known.rating ELSE coalesce(EXCLUDED.rating, known.rating) END",
    "marked_bad": "CASE WHEN NOT known.judged AND (EXCLUDED.marked_bad OR EXCLUDED.rating IS NOT NULL)"
    " THEN EXCLUDED.marked_bad ELSE known.marked_bad END",
}


def _update(column: LiteralString) -> sql.Composable:
    kept = sql.SQL(_KEEPING[column]) if column in _KEEPING else sql.SQL("EXCLUDED.{}").format(sql.Identifier(column))
    return sql.SQL("{} = {}").format(sql.Identifier(column), kept)


# Arrays in binary: as text, psycopg would look through each element for what it has to escape.
_UPSERT = sql.SQL(
    "INSERT INTO lorads.images AS known (library, {columns}) SELECT %s, * FROM unnest({arrays})"
    " ON CONFLICT (library, path) DO UPDATE SET {updates}, indexed_at = now(), missing_since = NULL"
    " RETURNING path, image_id"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)),
    arrays=sql.SQL(", ").join(sql.SQL("%b::" + kind + "[]") for kind in _COLUMNS.values()),
    updates=sql.SQL(", ").join(_update(column) for column in _COLUMNS if column != "path"),
)


def set_masks(connection: psycopg.Connection, library: str, masks: Mapping[int, str]) -> None:
    """Keep the paths of masks that do not lie beside their images, by image id; an empty one forgets it."""
    connection.execute(
        "UPDATE lorads.images AS known SET mask = new.mask FROM unnest(%s::bigint[], %s::text[])"
        " AS new (image_id, mask) WHERE known.library = %s AND known.image_id = new.image_id",
        [list(masks), list(masks.values()), library],
    )


def known_files(connection: psycopg.Connection, library: str, folder: str) -> dict[str, KnownFile]:
    """Return what is known of the files of one folder (not of those below it), by path."""
    rows = connection.execute(
        "SELECT path, image_id, file_size, mtime_ns, sidecars, missing_since IS NOT NULL, prompt_source IS NULL"
        " FROM lorads.images WHERE library = %s AND folder = %s",
        [library, folder],
    )
    return {row[0]: KnownFile._make(row[1:]) for row in rows}


def known_folders(connection: psycopg.Connection, library: str, root: str) -> set[str]:
    """Return every folder at or below ``root`` that holds an image which is not missing."""
    rows = connection.execute(
        "SELECT DISTINCT folder FROM lorads.images"
        " WHERE library = %s AND missing_since IS NULL AND (folder = %s OR starts_with(folder, %s))",
        [library, root, root.rstrip("/\\") + _separator(root)],
    )
    return {folder for (folder,) in rows}


def _separator(path: str) -> str:
    return "\\" if "\\" in path and "/" not in path else "/"


def write_images(
    connection: psycopg.Connection, library: str, rows: Sequence[ImageRow], sources: Sequence[str]
) -> list[Refused]:
    """Insert or update a batch in one transaction; return the rows that the server refused, which are left out.

    ``sources`` are the tag and caption sources that indexing answers for: their old rows go, except captions that a
    person has edited. A rating or mark that the file does not carry leaves the one in the index as it is, and none in
    a file changes what a person has decided here.
    """
    return write_batch(connection, rows, lambda part: _write_images(connection, library, part, sources))


def _write_images(
    connection: psycopg.Connection, library: str, rows: Sequence[ImageRow], sources: Sequence[str]
) -> None:
    lock_writers(connection, library)
    changed = _changed_files(connection, library, rows)
    ids = _upsert(connection, library, rows)
    versions = {
        image_id: file_version(FileStamp(row.file_size, row.mtime_ns))
        for image_id, row in zip(ids, rows, strict=True)
        if image_id in changed
    }
    if versions:  # a vector or a tag that is of another image is worse than none
        delete_stale(connection, library, versions)
        made_tags.delete_stale(connection, library, versions)
    _delete_facts(connection, library, ids, sources)
    _insert_tags(connection, library, rows, ids)
    _insert_captions(connection, library, rows, ids)
    tag_sets.refresh(connection, library, ids)
    bump_revision(connection, library)


def _changed_files(connection: psycopg.Connection, library: str, rows: Sequence[ImageRow]) -> set[int]:
    """Return the ids of known images whose file is another now."""
    hashes = {row.path: row.hash for row in rows}
    known = connection.execute(
        "SELECT image_id, path, hash FROM lorads.images WHERE library = %s AND path = ANY(%s)", [library, list(hashes)]
    )
    return {image_id for image_id, path, digest in known if digest != hashes[path]}


def _upsert(connection: psycopg.Connection, library: str, rows: Sequence[ImageRow]) -> list[int]:
    """Return the ids in the order of ``rows``."""
    values = [[getattr(row, _FIELDS.get(column, column)) for row in rows] for column in _COLUMNS]
    by_path: dict[str, int] = dict(connection.execute(_UPSERT, [library, *values]).fetchall())
    return [by_path[row.path] for row in rows]


def _delete_facts(connection: psycopg.Connection, library: str, ids: list[int], sources: Sequence[str]) -> None:
    where = [library, ids, list(sources)]
    connection.execute(
        "DELETE FROM lorads.tags WHERE library = %s AND image_id = ANY(%s) AND source = ANY(%s)",
        where,
    )
    connection.execute(
        "DELETE FROM lorads.captions WHERE library = %s AND image_id = ANY(%s) AND source = ANY(%s) AND NOT edited",
        where,
    )


def _insert_tags(connection: psycopg.Connection, library: str, rows: Iterable[ImageRow], ids: Iterable[int]) -> None:
    tags = [(image_id, tag) for image_id, row in zip(ids, rows, strict=True) for tag in row.tags]
    if tags:
        connection.execute(
            "INSERT INTO lorads.tags (library, image_id, source, tag, confidence)"
            " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::real[]) ON CONFLICT DO NOTHING",
            [
                library,
                [image_id for image_id, _ in tags],
                [tag.source for _, tag in tags],
                [tag.text for _, tag in tags],
                [tag.confidence for _, tag in tags],
            ],
        )


def _insert_captions(
    connection: psycopg.Connection, library: str, rows: Iterable[ImageRow], ids: Iterable[int]
) -> None:
    captions = [(image_id, caption) for image_id, row in zip(ids, rows, strict=True) for caption in row.captions]
    if captions:
        # An edited caption of the same source was left in place above; it stays.
        connection.execute(
            "INSERT INTO lorads.captions (library, image_id, source, caption)"
            " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
            [
                library,
                [image_id for image_id, _ in captions],
                [caption.source for _, caption in captions],
                [caption.text for _, caption in captions],
            ],
        )


def set_rating(connection: psycopg.Connection, library: str, ids: Sequence[int], rating: int | None) -> int:
    """Give images a rating of 0-10, or take it away; it stays when their files are read again. Return how many changed.

    Ids that the library does not know are left out.
    """
    if rating is not None and not 0 <= rating <= HIGHEST_RATING:
        raise ValueError(f"{rating} is no rating")
    return _changed(
        connection,
        library,
        connection.execute(
            "UPDATE lorads.images SET rating = %(rating)s, judged = true WHERE library = %(library)s"
            " AND image_id = ANY(%(ids)s) AND (NOT judged OR rating IS DISTINCT FROM %(rating)s::smallint)",
            {"rating": rating, "library": library, "ids": list(ids)},
        ).rowcount,
    )


def set_marked_bad(connection: psycopg.Connection, library: str, ids: Sequence[int], *, bad: bool) -> int:
    """Mark images as bad or as good; the mark stays when their files are read again. Return how many changed.

    Ids that the library does not know are left out.
    """
    return _changed(
        connection,
        library,
        connection.execute(
            "UPDATE lorads.images SET marked_bad = %(bad)s, judged = true WHERE library = %(library)s"
            " AND image_id = ANY(%(ids)s) AND (NOT judged OR marked_bad <> %(bad)s)",
            {"bad": bad, "library": library, "ids": list(ids)},
        ).rowcount,
    )


def mark_missing(connection: psycopg.Connection, library: str, image_ids: Sequence[int]) -> int:
    """Note that these files are gone; their rows stay, and a file that comes back finds its own. Return how many."""
    return _changed(
        connection,
        library,
        connection.execute(
            "UPDATE lorads.images SET missing_since = now()"
            " WHERE library = %s AND image_id = ANY(%s) AND missing_since IS NULL",
            [library, list(image_ids)],
        ).rowcount,
    )


def mark_folders_missing(connection: psycopg.Connection, library: str, folders: Sequence[str]) -> int:
    """Note that all files of these folders are gone. Return how many."""
    return _changed(
        connection,
        library,
        connection.execute(
            "UPDATE lorads.images SET missing_since = now()"
            " WHERE library = %s AND folder = ANY(%s) AND missing_since IS NULL",
            [library, list(folders)],
        ).rowcount,
    )


def clear_missing(connection: psycopg.Connection, library: str, image_ids: Sequence[int]) -> int:
    """Note that files which were missing are back, unchanged. Return how many."""
    return _changed(
        connection,
        library,
        connection.execute(
            "UPDATE lorads.images SET missing_since = NULL"
            " WHERE library = %s AND image_id = ANY(%s) AND missing_since IS NOT NULL",
            [library, list(image_ids)],
        ).rowcount,
    )


def known_missing(connection: psycopg.Connection, library: str) -> list[tuple[int, str]]:
    """Return the images whose file is gone, with their folders."""
    return connection.execute(
        "SELECT image_id, folder FROM lorads.images WHERE library = %s AND missing_since IS NOT NULL", [library]
    ).fetchall()


def delete_images(connection: psycopg.Connection, library: str, ids: Sequence[int]) -> int:
    """Delete images with their tags, captions, groups, vectors and prints; their files stay. Return how many.

    What datasets hold of them stays too: it is theirs.
    """
    names = [library, list(ids)]
    # Nothing else of them goes by itself: vectors, prints and made tags are kept apart from the images.
    connection.execute("DELETE FROM lorads.vectors WHERE library = %s AND image_id = ANY(%s)", names)
    connection.execute("DELETE FROM lorads.prints WHERE library = %s AND image_id = ANY(%s)", names)
    made_tags.delete_model_tags(connection, library, ids)
    deleted = connection.execute("DELETE FROM lorads.images WHERE library = %s AND image_id = ANY(%s)", names).rowcount
    return _changed(connection, library, deleted)


def _changed(connection: psycopg.Connection, library: str, count: int) -> int:
    if count:
        bump_revision(connection, library)
    return count


def bump_revision(connection: psycopg.Connection, library: str) -> None:
    """Count a change of the library up, so that cached answers become invalid."""
    connection.execute(
        "INSERT INTO lorads.libraries AS known (library, revision, indexed_at) VALUES (%s, 1, now())"
        " ON CONFLICT (library) DO UPDATE SET revision = known.revision + 1, indexed_at = now()",
        [library],
    )


def revision(connection: psycopg.Connection, library: str) -> int:
    """Return how often the library has changed; 0 where it was never indexed."""
    row = connection.execute("SELECT revision FROM lorads.libraries WHERE library = %s", [library]).fetchone()
    return int(row[0]) if row else 0
