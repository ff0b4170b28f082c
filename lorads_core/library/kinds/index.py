"""Our own index as a library: what `lorads index` has read, answered from our store; it does not index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import sql

from ...model import Problem
from ...problems import counted
from ...store import images as rows
from ...system.command import command
from .. import LibraryReport
from ..filter import Relations
from ..model_names import LORAS_OF_PROMPT
from ..pathmap import PathMap, folder_of, literal, read_path_map
from ..relational import RelationalLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from ...settings import LibraryProfile, Table
    from ...store.connect import Store
    from .. import HostSpace, HostVectors, LibraryKind


@dataclass(frozen=True)
class IndexedLibrary(RelationalLibrary):
    """The images that were indexed under one name."""

    store: Store
    name: str
    paths: PathMap = field(default_factory=PathMap)

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection of our store."""
        return self.store.connection()

    def relations(self) -> Relations:
        """Return this library's rows of our tables."""
        return own_relations(self.name, self.paths)

    def spaces(self) -> Sequence[HostSpace]:
        """Return none: what vectors there are lie in our store anyway."""
        return ()

    def vector_versions(self, space: str) -> Mapping[int, int]:  # noqa: ARG002 - see `spaces`
        """Return none."""
        return {}

    def vectors(self, space: str, ids: Sequence[int]) -> Iterator[HostVectors]:  # noqa: ARG002 - see `spaces`
        """Yield none."""
        yield from ()

    def revision(self) -> str:
        """Return the number of changes to this index, and what tells the path map."""
        with self.store.connection() as connection:
            count = rows.revision(connection, self.name)
        return f"{self.name}:{count}" + (f":{self.paths.digest}" if self.paths.rules else "")

    def report(self) -> LibraryReport:
        """Count what the index has."""
        with self.store.connection() as connection:
            images, facts = count_facts(connection, self.relations())
            missing = _missing(connection, self.name)
            vectors = _vectors(connection, self.name, images)
        return LibraryReport(
            self.name,
            "index",
            self.store.where,
            images,
            (("missing", f"{missing:,}"), *facts, *vectors),
            tuple(_problems(self.name, images, missing)),
        )


def _vectors(connection: psycopg.Connection, library: str, images: int) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT space, count(*) FROM lorads.vectors JOIN lorads.images USING (library, image_id)"
        " WHERE library = %s AND missing_since IS NULL GROUP BY space ORDER BY 2 DESC, space",
        [library],
    )
    return [(f"vectors in {space}", f"{count:,} of {images:,}") for space, count in rows]


def _missing(connection: psycopg.Connection, library: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM lorads.images WHERE library = %s AND missing_since IS NOT NULL", [library]
    ).fetchone()
    return int(row[0]) if row else 0


def _problems(library: str, images: int, missing: int) -> Iterator[Problem]:
    if not images:
        yield Problem(
            "warning", "empty", f"Nothing is indexed: run {command('index', 'FOLDER', '--library', library)}."
        )
    if missing:
        yield Problem(
            "info",
            "missing",
            f"{counted(missing, 'indexed file is', 'indexed files are')} gone and left out: connect the drive and index"
            " again to get them back.",
        )


# By their names the facts that are counted: the filter that has to be known for that, and which images have them.
_COUNTED = {
    "rated": ("", sql.SQL("rating IS NOT NULL")),
    "marked bad": ("", sql.SQL("marked_bad")),
    "with prompt": ("", sql.SQL("prompt <> ''")),
    "favorites": ("favorite", sql.SQL("favorite")),
    "NSFW": ("nsfw", sql.SQL("nsfw")),
    "with checkpoint": ("models", sql.SQL("model <> '' OR model_hash <> ''")),
}


def count_facts(connection: psycopg.Connection, relations: Relations) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Return how many images the relations have, and in words what is known of them; see `LibraryReport`."""
    known = {name: what for name, (lack, what) in _COUNTED.items() if lack not in relations.lacking}
    counts = sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(what) for what in known.values())
    row = connection.execute(
        sql.SQL("SELECT count(*), {} FROM ({}) AS images").format(counts, relations.images)
    ).fetchone()
    images, *found = row or (0, *known.values())
    facts = [(name, f"{count:,} of {images:,}") for name, count in zip(known, found, strict=True)]
    of_images = sql.SQL("({}) AS each JOIN ({}) AS images ON images.id = each.image_id")
    by_source = sql.SQL("SELECT source, count(*), count(DISTINCT image_id) FROM {} GROUP BY 1 ORDER BY 3 DESC, 1")
    for what, relation in (("tags", relations.tags), ("captions", relations.captions)):
        query = by_source.format(of_images.format(relation, relations.images))
        facts += [
            (f"{what} by {source}", f"{all_:,} on {counted(of, 'image')}")
            for source, all_, of in connection.execute(query)
        ]
    if relations.groups is not None:
        query = sql.SQL("SELECT kind, count(DISTINCT name), count(DISTINCT image_id) FROM {} GROUP BY 1 ORDER BY 1")
        found = connection.execute(query.format(of_images.format(relations.groups, relations.images)))
        facts += [(f"{kind}s", f"{groups:,} with {counted(of, 'image')}") for kind, groups, of in found]
    return images, tuple(facts)


# What only a program that makes or shows images knows of them.
_NOT_INDEXED = {
    "favorite": "favorites (only DiffusionToolkit's libraries do; an index of folders has ratings and albums)",
    "nsfw": "NSFW marks (only DiffusionToolkit's libraries do; an index of folders has tags)",
    "models": "checkpoints (only DiffusionToolkit's libraries do)",
}
_FILE_DATE = sql.SQL("to_timestamp(mtime_ns / 1e9)")


def own_relations(
    library: str,
    paths: PathMap | None = None,
    *,
    created: sql.SQL = _FILE_DATE,
    lacking: Mapping[str, str] = _NOT_INDEXED,
) -> Relations:
    """Return the rows that our tables hold under a library's name, their paths as they are on this machine.

    ``created`` is the expression of their date, ``lacking`` what is not known of them; see `Relations`.
    """
    name = literal(library)
    path = paths.expression(sql.SQL("path")) if paths else sql.SQL("path")
    return Relations(
        images=sql.SQL(
            "SELECT image_id AS id, {path} AS path, {folder} AS folder, width, height, file_size, mtime_ns, hash,"
            " format, rating, marked_bad, trainer_ready AS ready, prompt,"
            " coalesce(prompt_source, '') AS prompt_source, prompt_uncertain, aesthetic, metadata_hash, base_id,"
            " frames, mask, favorite, nsfw, model, model_hash, {loras} AS loras, {created} AS created"
            " FROM lorads.images WHERE library = {name} AND missing_since IS NULL"
        ).format(
            name=name,
            path=path,
            folder=folder_of(path) if paths and paths.rules else sql.SQL("folder"),
            loras=LORAS_OF_PROMPT.format(sql.SQL("prompt")),
            created=created,
        ),
        tags=sql.SQL("SELECT image_id, tag, source, confidence FROM lorads.tags WHERE library = {}").format(name),
        captions=sql.SQL(
            "SELECT image_id, caption, source, edited, updated_at FROM lorads.captions WHERE library = {}"
        ).format(name),
        groups=sql.SQL("SELECT image_id, kind, name FROM lorads.group_images WHERE library = {}").format(name),
        tag_sets=sql.SQL("SELECT image_id, tags FROM lorads.tag_sets WHERE library = {}").format(name),
        lacking=lacking,
    )


@dataclass(frozen=True, slots=True)
class IndexKind:
    """Our own index."""

    name: str = "index"
    label: str = "LoRADS' own index"

    def open(self, store: Store, profile: LibraryProfile) -> IndexedLibrary:
        """Return the images indexed under the profile's name."""
        return IndexedLibrary(store, profile.name, index_paths(profile))


def index_paths(profile: LibraryProfile) -> PathMap:
    """Return how the paths of an index are stored: as ``[libraries.NAME.paths]`` says, for a share of machines."""
    return read_path_map(_options(profile).table("paths"))


def index_sidecars(profile: LibraryProfile) -> list[str]:
    """Return how sidecars of an index are read, in the words of ``--sidecar``."""
    return _options(profile).texts("sidecars")


def _options(profile: LibraryProfile) -> Table:
    return profile.options.only("kind", "paths", "sidecars")


KIND: LibraryKind = IndexKind()
