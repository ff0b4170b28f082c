"""Our copy of a DiffusionToolkit SQLite file, brought up to date before each question; the file is only read.

The one query builder speaks PostgreSQL, so the file's images, tags and albums are copied into rows of our own tables,
under the library's name and the file's ids. Names, types and habits are the program's as of 2026-01-06: RupertAvery's
DiffusionToolkit, Diffusion.Database/Models and DataStore.cs. It writes CustomTags nowhere, so they are not read; its
dates are in a local time that it does not name, so they are shown and filtered by as they are, and never compared with
a file's.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import LibraryError
from ..store import tag_sets
from ..store.images import bump_revision, delete_images
from ..system.files import file_error_reason
from ..tags import canonical
from .sqlite_file import as_flag, as_float, as_integer, as_path, as_text, fingerprint, open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import psycopg
    from typing_extensions import LiteralString

    from ..store.connect import Store
    from .sqlite_file import SqliteFile

_RULES = 2  # to be counted up whenever the same file would give other rows
_LOCK = 567237  # with the library's hash behind it; alone it is the migrations' lock, which is another one
# What a file system may round its times to (FAT: two seconds). A file that changed so shortly before it was looked at
# may change again and look the same, so it is read once more: Git calls such files racily clean.
_COARSE = 2_000_000_000
_LONGEST_PATH = 2000  # bytes; PostgreSQL's index entries end at 2,704
_LONGEST_NAME = 500
_LARGEST = 2**31 - 1
_LARGEST_ID = 2**63 - 1
_MANY = 1000  # rows, from which on the planner should count anew
_TICKS = 10  # .NET's, in a microsecond

_VIDEO = 1
_VIDEO_SUFFIXES = frozenset({"mp4", "webm", "mov", "mkv", "avi"})
_FORMATS = {"jpg": "jpeg", "jfif": "jpeg", "tif": "tiff"}
_Number = TypeVar("_Number", int, float)
_SHA256 = 64  # hexadecimal digits

_NAMES = "Tag", "ImageTag", "Album", "AlbumImage"


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """A file, the library that its rows are stored under, and how its paths become those of this machine.

    ``paths`` tells that mapping from any other: with another one all rows are read again. ``patience`` is how many
    seconds to wait while the program writes.
    """

    library: str
    file: Path
    local: Callable[[str], str]
    paths: str = ""
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """What reading the file met with: ``counts`` by what they count, and the tables and columns that it lacks.

    Counts: ``images`` (all rows), ``unavailable``, ``errors``, ``videos``, ``paths`` (that are no text, or too long),
    ``duplicates`` (of a path), ``values`` (that are no numbers, or out of their range). ``oldest`` and ``newest`` are
    days, empty where the file knows none.
    """

    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    lacking: tuple[str, ...] = ()
    oldest: str = ""
    newest: str = ""


def refresh(store: Store, source: SqliteSource) -> MirrorReport:
    """Bring our rows up to date with the file, in one transaction; costs two looks at it where it has not changed.

    Raises:
        LibraryError: the file is missing, cannot be read or is not a DiffusionToolkit database, or our own index has
            the name.
        StoreError: the store does not answer.
    """
    look = _look(source)
    with store.connection() as connection:
        known = _unchanged(connection, source.library, look)
    if known is not None:
        return known
    with store.connection() as connection:
        # Of several processes that find the file changed one reads it, and the others wait for that.
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, source.library])
        look = _look(source)
        known = _unchanged(connection, source.library, look)
        return known if known is not None else _mirror(connection, source, look)


class _Look(NamedTuple):
    """How the file looks from outside, and whether it is long enough ago that it changed."""

    mark: str
    settled: bool


def _look(source: SqliteSource) -> _Look:
    """Look at the file and at its write-ahead log, where the newest changes are."""
    what = f"Library {source.library!r}: the file {source.file}"
    try:
        main = fingerprint(source.file)
        log = fingerprint(source.file.with_name(f"{source.file.name}-wal"))
    except OSError as error:
        raise LibraryError(
            f"{what} cannot be read ({file_error_reason(error)}): name the program's diffusion-toolkit.db."
        ) from error
    if main is None:
        raise LibraryError(
            f"{what} is not there: connect its drive, or correct `file` under [libraries.{source.library}] in"
            " lorads.toml."
        )
    # An empty log comes and goes with whoever opens the file.
    seen = [main, log] if log and log[0] else [main]
    age = time.time_ns() - max(changed for _, changed in seen)
    return _Look(json.dumps([_RULES, str(source.file), source.paths, seen]), abs(age) > _COARSE)


def _unchanged(connection: psycopg.Connection, library: str, look: _Look) -> MirrorReport | None:
    """Return what the last reading met with, if the file still is as it was then."""
    row = connection.execute("SELECT mirrored FROM lorads.libraries WHERE library = %s", [library]).fetchone()
    if row is None or not row[0]:
        return None
    kept = json.loads(row[0])
    if kept["mark"] != look.mark or not kept["settled"]:
        return None
    tally = kept["tally"]
    return MirrorReport(tally["counts"], tuple(tally["lacking"]), tally["oldest"], tally["newest"])


def _mirror(connection: psycopg.Connection, source: SqliteSource, look: _Look) -> MirrorReport:
    _refuse_an_index(connection, source.library)
    connection.execute(_ROOM)
    with open_sqlite(source.file, source.library, source.patience) as file:
        reading = _Reading(file, source)
        _copy(connection, "COPY mirror_images FROM STDIN", reading.images())
        _copy(connection, "COPY mirror_tags FROM STDIN", reading.tags())
        _copy(connection, "COPY mirror_albums FROM STDIN", reading.albums())
    counts = reading.counts
    counts["duplicates"] = connection.execute(_DROP_DUPLICATES).rowcount
    connection.execute("ANALYZE mirror_images, mirror_tags, mirror_albums")
    changes = sum(change(connection, source.library) for change in (_write_images, _write_tags, _write_albums))
    tally = MirrorReport(dict(counts), tuple(reading.lacking), _day(reading.oldest), _day(reading.newest))
    kept = json.dumps({"mark": look.mark, "settled": look.settled, "tally": asdict(tally)})
    connection.execute(
        "INSERT INTO lorads.libraries (library, mirrored) VALUES (%s, %s)"
        " ON CONFLICT (library) DO UPDATE SET mirrored = EXCLUDED.mirrored",
        [source.library, kept],
    )
    if changes:
        bump_revision(connection, source.library)
    if changes >= _MANY:
        connection.execute("ANALYZE lorads.images, lorads.tags, lorads.tag_sets, lorads.group_images")
    return tally


def _refuse_an_index(connection: psycopg.Connection, library: str) -> None:
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM lorads.images WHERE library = %(name)s) AND NOT EXISTS"
        " (SELECT 1 FROM lorads.libraries WHERE library = %(name)s AND mirrored <> '')",
        {"name": library},
    ).fetchone()
    if row and row[0]:
        raise LibraryError(
            f"Our own index already has images called {library!r}, and people's captions with them: give the"
            f" DiffusionToolkit file another name than [libraries.{library}] in lorads.toml."
        )


def _copy(connection: psycopg.Connection, query: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in rows:
            copy.write_row(row)


def _moment(ticks: int) -> datetime | None:
    """Return a .NET date, in ticks since the year 1; None for what is none."""
    try:
        return datetime.min + timedelta(microseconds=ticks // _TICKS) if ticks else None  # noqa: DTZ901
    except OverflowError:
        return None


def _day(ticks: int) -> str:
    moment = _moment(ticks)
    return moment.date().isoformat() if moment else ""


class _Row(NamedTuple):
    """A row of table Image: what its cells hold, None also for columns that it lacks."""

    Id: object
    Path: object
    Width: object
    Height: object
    FileSize: object
    Hash: object
    Rating: object
    ForDeletion: object
    Unavailable: object
    HasError: object
    Type: object
    Prompt: object
    NegativePrompt: object
    AestheticScore: object
    CreatedDate: object
    Favorite: object
    NSFW: object
    Model: object
    ModelHash: object


class _Reading:
    """One reading of the file; its figures are whole when all rows have been taken."""

    def __init__(self, file: SqliteFile, source: SqliteSource) -> None:
        self.file = file
        self.local = source.local
        self.counts: Counter[str] = Counter()
        self.oldest = self.newest = 0
        columns = file.columns("Image")
        if not {"id", "path"} <= columns.keys():
            raise LibraryError(
                f"Library {source.library!r}: {source.file} is not a database of DiffusionToolkit: it has no table"
                " Image with Id and Path. Name the program's diffusion-toolkit.db."
            )
        self.lacking = [f"Image.{name}" for name in _Row._fields if name.lower() not in columns]
        self.lacking += [name for name in _NAMES if not file.columns(name)]

    def images(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of mirror_images."""
        for count, cells in enumerate(self.file.rows("Image", _Row._fields), start=1):
            self.counts["images"] = count
            row = self._image(_Row._make(cells))
            if row:
                yield row

    def _image(self, cells: _Row) -> tuple[object, ...] | None:
        image_id = as_integer(cells.Id, 0, _LARGEST_ID)
        found = as_path(cells.Path, _LONGEST_PATH)
        path = self.local(found) if found else ""
        if image_id is None or not path or len(path.encode()) > _LONGEST_PATH:
            self.counts["paths"] += 1
            return None
        suffix = path[path.rfind(".") + 1 :].lower()
        if cells.Type == _VIDEO or suffix in _VIDEO_SUFFIXES:
            self.counts["videos"] += 1
            return None
        errors, unavailable = as_flag(cells.HasError), as_flag(cells.Unavailable)
        if errors or unavailable:
            self.counts["errors" if errors else "unavailable"] += 1
        created = self._date(cells.CreatedDate)
        sha256 = as_text(cells.Hash).lower()
        return (
            image_id,
            path,
            folder_of(path),
            self._number(cells.Width, 0, _LARGEST) or 0,
            self._number(cells.Height, 0, _LARGEST) or 0,
            self._number(cells.FileSize, 0, _LARGEST_ID) or 0,
            sha256 if len(sha256) == _SHA256 else "",
            _FORMATS.get(suffix, suffix),
            self._number(cells.Rating, 0, 10),
            as_flag(cells.ForDeletion),
            errors or unavailable,
            as_text(cells.Prompt),
            as_text(cells.NegativePrompt),
            self._known(cells.AestheticScore, as_float(cells.AestheticScore)),
            as_flag(cells.Favorite),
            as_flag(cells.NSFW),
            as_text(cells.Model),
            as_text(cells.ModelHash),
            created,
        )

    def _number(self, value: object, lowest: int, highest: int) -> int | None:
        return self._known(value, as_integer(value, lowest, highest))

    def _known(self, value: object, number: _Number | None) -> _Number | None:
        if number is None and value is not None:
            self.counts["values"] += 1
        return number

    def _date(self, value: object) -> datetime | None:
        ticks = as_integer(value, 1, _LARGEST_ID) or 0
        if ticks:
            self.oldest = min(self.oldest or ticks, ticks)
            self.newest = max(self.newest, ticks)
        return _moment(ticks)

    def tags(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of mirror_tags."""
        return self._named("Tag", "ImageTag", "TagId", canonical)

    def albums(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of mirror_albums."""
        return self._named("Album", "AlbumImage", "AlbumId", lambda name: name.strip()[:_LONGEST_NAME])

    def _named(self, table: str, members: str, key: str, name_of: Callable[[str], str]) -> Iterator[tuple[object, ...]]:
        if not {"id", "name"} <= self.file.columns(table).keys():
            return
        if not {"imageid", key.lower()} <= self.file.columns(members).keys():
            return
        names = {name_id: name_of(as_text(name)) for name_id, name in self.file.rows(table, ("Id", "Name"))}
        for image_id, name_id in self.file.rows(members, ("ImageId", key)):
            name = names.get(name_id)
            if name and isinstance(image_id, int):
                yield image_id, name


def folder_of(path: str) -> str:
    """Return the folder of a path of this machine or, where its beginning is not mapped, of Windows."""
    windows = not path.startswith("/")
    end = max(path.rfind("/"), path.rfind("\\")) if windows else path.rfind("/")
    return path[: max(end, 1)]


_ROOM = """
CREATE TEMPORARY TABLE mirror_images (
    image_id bigint, path text COLLATE "C", folder text COLLATE "C", width integer, height integer, file_size bigint,
    hash text, format text, rating smallint, marked_bad boolean, missing boolean, prompt text, negative_prompt text,
    aesthetic real, favorite boolean, nsfw boolean, model text, model_hash text, created timestamp
) ON COMMIT DROP;
CREATE TEMPORARY TABLE mirror_tags (image_id bigint, tag text COLLATE "C") ON COMMIT DROP;
CREATE TEMPORARY TABLE mirror_albums (image_id bigint, name text COLLATE "C") ON COMMIT DROP;
"""
# Two paths of the file may be one here; and old versions of the program (before 2024-02-03) kept a path twice.
_DROP_DUPLICATES = """
DELETE FROM mirror_images WHERE image_id IN (
    SELECT image_id FROM (
        SELECT image_id, row_number() OVER (PARTITION BY path ORDER BY missing, image_id) AS nth FROM mirror_images
    ) AS numbered WHERE nth > 1)
"""
_GONE = """
SELECT image_id FROM lorads.images AS known WHERE library = %(library)s
    AND NOT EXISTS (SELECT 1 FROM mirror_images AS read WHERE read.image_id = known.image_id)
"""
# Paths are unique at every moment: where two images have exchanged theirs, both step aside first.
_STEP_ASIDE = """
UPDATE lorads.images AS known SET path = chr(1) || known.image_id FROM mirror_images AS read
    WHERE known.library = %(library)s AND known.image_id = read.image_id AND known.path <> read.path
"""
_IMAGES = """
INSERT INTO lorads.images (library, image_id, path, folder, file_size, mtime_ns, hash, format, width, height, rating,
    marked_bad, prompt, negative_prompt, aesthetic, favorite, nsfw, model, model_hash, created, missing_since)
SELECT %(library)s, image_id, read.path, read.folder, read.file_size, 0, read.hash, read.format, read.width,
    read.height, read.rating, read.marked_bad, read.prompt, read.negative_prompt, read.aesthetic,
    read.favorite, read.nsfw, read.model, read.model_hash, read.created, CASE WHEN read.missing THEN now() END
FROM mirror_images AS read
LEFT JOIN (SELECT * FROM lorads.images WHERE library = %(library)s) AS known USING (image_id)
WHERE known.library IS NULL OR (known.path, known.folder, known.file_size, known.hash, known.format, known.width,
        known.height, known.rating, known.marked_bad, known.prompt, known.negative_prompt, known.aesthetic,
        known.favorite, known.nsfw, known.model, known.model_hash, known.created, known.missing_since IS NOT NULL)
    IS DISTINCT FROM (read.path, read.folder, read.file_size, read.hash, read.format, read.width,
        read.height, read.rating, read.marked_bad, read.prompt, read.negative_prompt, read.aesthetic,
        read.favorite, read.nsfw, read.model, read.model_hash, read.created, read.missing)
ON CONFLICT (library, image_id) DO UPDATE SET
    path = EXCLUDED.path, folder = EXCLUDED.folder, file_size = EXCLUDED.file_size, hash = EXCLUDED.hash,
    format = EXCLUDED.format, width = EXCLUDED.width, height = EXCLUDED.height, rating = EXCLUDED.rating,
    marked_bad = EXCLUDED.marked_bad, prompt = EXCLUDED.prompt, negative_prompt = EXCLUDED.negative_prompt,
    aesthetic = EXCLUDED.aesthetic, favorite = EXCLUDED.favorite, nsfw = EXCLUDED.nsfw, model = EXCLUDED.model,
    model_hash = EXCLUDED.model_hash, created = EXCLUDED.created, missing_since = EXCLUDED.missing_since,
    indexed_at = now()
"""
_OLD_TAGS = """
DELETE FROM lorads.tags AS known WHERE library = %(library)s AND source = 'manual' AND NOT EXISTS
    (SELECT 1 FROM mirror_tags AS read WHERE read.image_id = known.image_id AND read.tag = known.tag)
RETURNING image_id
"""
_NEW_TAGS = """
INSERT INTO lorads.tags (library, image_id, source, tag)
SELECT DISTINCT %(library)s, image_id, 'manual', tag FROM mirror_tags AS read JOIN mirror_images USING (image_id)
WHERE NOT EXISTS (SELECT 1 FROM lorads.tags AS known WHERE known.library = %(library)s AND known.source = 'manual'
    AND known.image_id = read.image_id AND known.tag = read.tag)
ORDER BY image_id, tag RETURNING image_id
"""
_NEW_ALBUMS = """
INSERT INTO lorads.groups (library, kind, name)
SELECT DISTINCT %(library)s, 'album', name FROM mirror_albums JOIN mirror_images USING (image_id) ON CONFLICT DO NOTHING
"""
_OLD_MEMBERS = """
DELETE FROM lorads.group_images AS known WHERE library = %(library)s AND kind = 'album' AND NOT EXISTS
    (SELECT 1 FROM mirror_albums AS read WHERE read.image_id = known.image_id AND read.name = known.name)
"""
_NEW_MEMBERS = """
INSERT INTO lorads.group_images (library, kind, name, image_id)
SELECT DISTINCT %(library)s, 'album', name, image_id
FROM mirror_albums AS read JOIN mirror_images USING (image_id)
WHERE NOT EXISTS (SELECT 1 FROM lorads.group_images AS known WHERE known.library = %(library)s
    AND known.kind = 'album' AND known.image_id = read.image_id AND known.name = read.name)
ORDER BY name, image_id
"""
_OLD_ALBUMS = """
DELETE FROM lorads.groups AS known WHERE library = %(library)s AND kind = 'album' AND NOT EXISTS
    (SELECT 1 FROM lorads.group_images AS held
    WHERE held.library = known.library AND held.kind = known.kind AND held.name = known.name)
"""


def _write_images(connection: psycopg.Connection, library: str) -> int:
    """Make lorads.images say what the file says; return how many rows changed."""
    name = {"library": library}
    gone = [image_id for (image_id,) in connection.execute(_GONE, name)]
    delete_images(connection, library, gone)
    connection.execute(_STEP_ASIDE, name)
    return len(gone) + connection.execute(_IMAGES, name).rowcount


def _write_tags(connection: psycopg.Connection, library: str) -> int:
    name = {"library": library}
    changed = [image_id for query in (_OLD_TAGS, _NEW_TAGS) for (image_id,) in connection.execute(query, name)]
    tag_sets.refresh(connection, library, sorted(set(changed)))
    return len(changed)


def _write_albums(connection: psycopg.Connection, library: str) -> int:
    return sum(
        connection.execute(query, {"library": library}).rowcount
        for query in (_NEW_ALBUMS, _OLD_MEMBERS, _NEW_MEMBERS, _OLD_ALBUMS)
    )
