"""DiffusionToolkit's SQLite file as a library, with what our own index knows of the same files; it computes nothing.

From the file come images, ratings, marks, prompts, albums and tags; from the index, by path, tags, captions, groups,
vectors and what a file's own bytes say (size, hash, whether trainers read it as it is).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from ...errors import LibraryError, SettingsError
from ...model import Problem
from ...settings import DEFAULT_LIBRARY
from ...store import images as rows
from ...store.vectors import find_table, read_vectors
from ...system.command import command
from .. import HostSpace, HostVectors, LibraryReport
from ..filter import Relations
from ..mirror import SqliteSource, refresh
from ..model_names import LORAS_OF_PROMPT
from ..pathmap import PathMap, literal, read_path_map
from ..relational import RelationalLibrary
from .index import count_facts, index_paths, own_relations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg
    from typing_extensions import LiteralString

    from ...settings import LibraryProfile
    from ...store.connect import Store
    from .. import LibraryKind
    from ..mirror import MirrorReport

_BATCH = 2000
_SAMPLE = 200
_FILE = "D:/DiffusionToolkit/diffusion-toolkit.db"
# What each table or column would have given; those of versions before 2024 and 2026 lack some.
_COSTS = {
    "Image.Rating": "ratings",
    "Image.ForDeletion": "marks of bad images",
    "Image.Unavailable": "which files are gone",
    "Image.HasError": "which files cannot be read",
    "Image.Type": "which files are videos (they are recognised by their suffix)",
    "Image.Width": "sizes",
    "Image.Height": "sizes",
    "Image.Prompt": "prompts",
    "Image.NegativePrompt": "negative prompts",
    "Image.AestheticScore": "aesthetic scores",
    "Image.Hash": "hashes",
    "Image.FileSize": "the files' sizes",
    "Image.CreatedDate": "dates",
    "Image.Favorite": "favorites",
    "Image.NSFW": "NSFW marks",
    "Image.Model": "checkpoints",
    "Image.ModelHash": "hashes of checkpoints",
    "Tag": "tags by hand",
    "ImageTag": "tags by hand",
    "Album": "albums",
    "AlbumImage": "albums",
}
# What a filter is by, and the columns of which one is enough.
_FILTERED = {
    "minimum_rating": ("ratings", ("Image.Rating",)),
    "favorite": ("favorites", ("Image.Favorite",)),
    "nsfw": ("NSFW marks", ("Image.NSFW",)),
    "models": ("checkpoints", ("Image.Model", "Image.ModelHash")),
    "loras": ("LoRAs", ("Image.Prompt",)),
    "created_since": ("dates", ("Image.CreatedDate",)),
    "created_before": ("dates", ("Image.CreatedDate",)),
}


@dataclass(frozen=True)
class DiffusionToolkitFile(RelationalLibrary):
    """The images of one SQLite file; ``index`` is our own index that knows the same files, empty for none.

    ``named`` says that the profile names that index, so that it has to be there; ``index_paths`` is its path map.
    """

    store: Store
    name: str
    source: SqliteSource
    index: str
    named: bool
    index_paths: PathMap = field(default_factory=PathMap)

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection of our store, where the copy of the file's rows is."""
        return self.store.connection()

    def relations(self) -> Relations:
        """Return the copy of the file's rows, as the file is now, with what our index knows of the same files."""
        lacking = dict(_lacking(self._refresh()))
        if not self.index:
            return _mirrored(self.name, lacking)
        return relations_with(self.name, self.index, self.index_paths, lacking)

    def spaces(self) -> Sequence[HostSpace]:
        """Return the spaces in which our index has vectors of these images, the fullest first."""
        self._refresh()
        query = sql.SQL(
            "SELECT space, dimensions, origin, count(*) FROM ({}) AS pairs"
            " JOIN lorads.vectors ON vectors.library = %(index)s AND vectors.image_id = pairs.theirs"
            " JOIN lorads.spaces USING (space) GROUP BY space, dimensions, origin ORDER BY 4 DESC, space"
        ).format(self._pairs)
        with self.connection() as connection:
            found = connection.execute(query, self._names).fetchall()
        return [HostSpace(space, dimensions, count, origin) for space, dimensions, origin, count in found]

    def vector_versions(self, space: str) -> Mapping[int, int]:
        """Return a number for each vector's row in our index: it changes when the vector is rewritten."""
        self._refresh()
        with self.connection() as connection:
            return {image_id: version for image_id, _, version in self._held(connection, space)}

    def vectors(self, space: str, ids: Sequence[int]) -> Iterator[HostVectors]:
        """Yield our index's vectors of the same files, under this library's ids."""
        import numpy as np  # noqa: PLC0415 - most uses of a library ask for no vectors

        self._refresh()
        wanted = set(ids)
        with self.connection() as connection:
            table = find_table(connection, self.index, space)
            held = [row for row in self._held(connection, space) if row[0] in wanted]
        if table is None:
            return
        for at in range(0, len(held), _BATCH):
            batch = {theirs: (mine, version) for mine, theirs, version in held[at : at + _BATCH]}
            with self.connection() as connection:
                found, vectors = read_vectors(connection, table, list(batch))
            mine = np.array([batch[theirs] for theirs in found.tolist()], np.int64).reshape(-1, 2)
            yield HostVectors(mine[:, 0], mine[:, 1], vectors)

    def _held(self, connection: psycopg.Connection, space: str) -> Sequence[tuple[int, int, int]]:
        """Return of each vector the image's id here, its id in the index, and a number of at most 62 bits for its row.

        A row's xmin is the transaction that wrote it.
        """
        query = sql.SQL(
            "SELECT mine, theirs, hashint8extended(theirs, vectors.xmin::text::bigint) & x'3fffffffffffffff'::bigint"
            " FROM ({}) AS pairs JOIN lorads.vectors"
            " ON vectors.library = %(index)s AND space = %(space)s AND vectors.image_id = theirs"
        ).format(self._pairs)
        return connection.execute(query, self._names | {"space": space}).fetchall()

    @property
    def _pairs(self) -> sql.Composed:
        """The query of each image's id here and in the index."""
        return sql.SQL(
            "SELECT mine.image_id AS mine, theirs.image_id AS theirs FROM lorads.images AS mine"
            " JOIN lorads.images AS theirs"
            " ON theirs.library = %(index)s AND theirs.path = {} AND theirs.missing_since IS NULL"
            " WHERE mine.library = %(name)s AND mine.missing_since IS NULL"
        ).format(_path_in(self.index_paths))

    @property
    def _names(self) -> dict[str, str]:
        return {"name": self.name, "index": self.index}

    def revision(self) -> str:
        """Return the numbers of changes to our copy and to the index."""
        self._refresh()
        with self.connection() as connection:
            numbers = [rows.revision(connection, each) for each in (self.name, self.index)]
        mapped = f":{self.index_paths.digest}" if self.index_paths.rules else ""
        return f"{self.name}:{'.'.join(map(str, numbers))}{mapped}"

    def report(self) -> LibraryReport:
        """Count what the file has, and what the index adds."""
        relations = self.relations()
        tally = self._refresh()
        vectors = [(f"vectors in {space.space}", f"{space.count:,}") for space in self.spaces()]
        with self.connection() as connection:
            images, facts = count_facts(connection, relations)
            paths = [path for (path,) in connection.execute(_SOME_PATHS, [self.name, _SAMPLE])]
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM ({}) AS pairs").format(self._pairs), self._names
            ).fetchone()
        indexed = int(row[0]) if row else 0
        here = sum(Path(path).is_file() for path in paths)
        left_out = [
            (f"left out: {what}", f"{tally.counts.get(key, 0):,}")
            for key, what in (("unavailable", "unavailable"), ("errors", "with errors"), ("videos", "videos"))
        ]
        dates = [("dates", f"{tally.oldest} to {tally.newest}")] if tally.newest else []
        known = [("files here", f"{here:,} of {len(paths):,} looked for"), ("indexed", f"{indexed:,} of {images:,}")]
        return LibraryReport(
            self.name,
            KIND.name,
            str(self.source.file),
            images,
            (("rows", f"{tally.counts.get('images', 0):,}"), *left_out, *facts, *dates, *known, *vectors),
            (*_problems_of(tally), *_missing(paths, here, self.name), *self._unindexed(images, indexed)),
        )

    def _refresh(self) -> MirrorReport:
        if self.index:
            self._check_index()
        return refresh(self.store, self.source)

    def _check_index(self) -> None:
        with self.connection() as connection:
            found = dict(connection.execute("SELECT library, mirrored <> '' FROM lorads.libraries").fetchall())
        if found.get(self.index) or (self.named and self.index not in found):
            known = ", ".join(name for name, mirrored in found.items() if not mirrored) or "none"
            raise LibraryError(
                f"Library {self.name!r}: there is no index {self.index!r} of ours; known are: {known}. Correct `index`"
                f" of [libraries.{self.name}] in lorads.toml, index the images under that name first,"
                ' or write index = "" for none.'
            )

    def _unindexed(self, images: int, indexed: int) -> Iterator[Problem]:
        if images and not indexed:
            words = ("index", "FOLDER", *(("--library", self.index) if self.index else ()))
            yield Problem(
                "info",
                "not-indexed",
                "None of these files is in an index of ours, so there are no captions, vectors or clusters for them:"
                f" run {command(*words)} for their folder.",
            )


# In an order that has nothing to do with folders.
_SOME_PATHS = (
    "SELECT path FROM lorads.images WHERE library = %s AND missing_since IS NULL"
    " ORDER BY hashint8extended(image_id, 0) LIMIT %s"
)


def _path_in(index_paths: PathMap) -> sql.Composable:
    """Return the path of one of our images as an index stores it, whose paths may be those of another machine."""
    return index_paths.inverse.expression(sql.SQL("mine.path"))


def _lacking(tally: MirrorReport) -> Iterator[tuple[str, str]]:
    """Yield the filters that the file cannot answer, and what it has not for them."""
    for name, (what, columns) in _FILTERED.items():
        if set(columns) <= set(tally.lacking):
            yield name, f"{what} (no column {' or '.join(columns)})"


def _mirrored(library: str, lacking: Mapping[str, str]) -> Relations:
    return own_relations(library, created=sql.SQL("created"), lacking=lacking)


def relations_with(library: str, index: str, index_paths: PathMap, lacking: Mapping[str, str]) -> Relations:
    """Return a library's rows of our tables, joined by path with an index's rows of the same files."""
    mine = _mirrored(library, lacking)
    names = {"library": literal(library), "index": literal(index), "path": _path_in(index_paths)}
    theirs = sql.SQL(
        "FROM lorads.images AS mine JOIN lorads.images AS theirs"
        " ON theirs.library = {index} AND theirs.path = {path} JOIN {table} AS facts"
        " ON facts.library = {index} AND facts.image_id = theirs.image_id WHERE mine.library = {library}"
    )

    def both(own: sql.Composable, columns: LiteralString, table: str) -> sql.Composed:
        found = theirs.format(table=sql.Identifier("lorads", table), **names)
        return own + sql.SQL(" UNION ALL SELECT mine.image_id, ") + sql.SQL(columns) + sql.SQL(" ") + found

    return Relations(
        images=sql.SQL(
            "SELECT mine.image_id AS id, mine.path, mine.folder, coalesce(theirs.width, mine.width) AS width,"
            " coalesce(theirs.height, mine.height) AS height, coalesce(theirs.file_size, mine.file_size) AS file_size,"
            " coalesce(theirs.mtime_ns, 0) AS mtime_ns, coalesce(theirs.hash, mine.hash) AS hash,"
            " coalesce(theirs.format, mine.format) AS format, mine.rating, mine.marked_bad,"
            " theirs.trainer_ready AS ready, mine.prompt,"
            " CASE WHEN theirs.prompt = mine.prompt THEN coalesce(theirs.prompt_source, '') ELSE '' END"
            " AS prompt_source,"
            " coalesce(theirs.prompt_uncertain, '') AS prompt_uncertain, mine.aesthetic, mine.metadata_hash,"
            " mine.base_id, coalesce(theirs.frames, 1) AS frames, mine.mask, mine.favorite, mine.nsfw, mine.model,"
            " mine.model_hash, {loras} AS loras, mine.created"
            " FROM lorads.images AS mine LEFT JOIN lorads.images AS theirs"
            " ON theirs.library = {index} AND theirs.path = {path} AND theirs.missing_since IS NULL"
            " WHERE mine.library = {library} AND mine.missing_since IS NULL"
        ).format(loras=LORAS_OF_PROMPT.format(sql.SQL("mine.prompt")), **names),
        tags=both(mine.tags, "tag, source, confidence", "tags"),
        captions=both(mine.captions, "caption, source, edited, updated_at", "captions"),
        groups=both(mine.groups, "kind, name", "group_images") if mine.groups else None,
        lacking=lacking,
    )


def _problems_of(tally: MirrorReport) -> Iterator[Problem]:
    """Say what the file lacks and what had to be left out of it."""
    costs = dict.fromkeys(_COSTS[name] for name in tally.lacking)
    if costs:
        yield Problem(
            "info",
            "older-version",
            f"The file is of an older version of the program ({', '.join(tally.lacking)} are not there), and what they"
            f" hold is not known: {', '.join(costs)}.",
        )
    for key, code, message in (
        ("paths", "odd-path", "images are left out: their paths are no text, or longer than 2,000 bytes."),
        ("duplicates", "same-path", "images are left out: others have the same path; run the program's own clean-up."),
        ("values", "odd-value", "numbers are none, or out of range: they count as unknown."),
    ):
        count = tally.counts.get(key, 0)
        if count:
            yield Problem("warning", code, f"{count:,} {message}")


def _missing(paths: Sequence[str], here: int, library: str) -> Iterator[Problem]:
    if here < len(paths):
        gone = next(path for path in paths if not Path(path).is_file())
        hint = (
            f"map its paths to this machine under [libraries.{library}.paths] in lorads.toml"
            if here <= len(paths) // 2
            else "have the program rescan its folders"
        )
        yield Problem(
            "warning", "missing-files", f"Of {len(paths):,} files {len(paths) - here:,} are not here: {hint}.", gone
        )


@dataclass(frozen=True, slots=True)
class DiffusionToolkitSqliteKind:
    """DiffusionToolkit with its own SQLite file (RupertAvery's)."""

    name: str = "diffusiontoolkit-sqlite"
    label: str = "DiffusionToolkit (SQLite file)"

    def open(self, store: Store, profile: LibraryProfile) -> DiffusionToolkitFile:
        """Return the library of the profile's file."""
        options = profile.options.only("kind", "file", "index", "paths")
        file = options.path("file")
        if file is None:
            raise SettingsError(f'{options.source}: {options.where}file is missing: add file = "{_FILE}".')
        named = "index" in options.values
        index = options.text("index", "" if profile.name == DEFAULT_LIBRARY else DEFAULT_LIBRARY)
        if index == profile.name:
            raise SettingsError(
                f"{options.source}: {options.where}index = {index!r} is the library itself: name an index of ours that"
                ' knows the same files, or write index = "" for none.'
            )
        paths = read_path_map(options.table("paths"))
        source = SqliteSource(profile.name, file, paths.local, paths.key)
        known = (each for each in profile.others if (each.name, each.kind) == (index, "index"))
        theirs = next(map(index_paths, known), PathMap())
        return DiffusionToolkitFile(store, profile.name, source, index, named, theirs)


KIND: LibraryKind = DiffusionToolkitSqliteKind()
