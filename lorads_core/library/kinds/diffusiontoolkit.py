"""DiffusionToolkit on PostgreSQL as a library: its database is queried each time, read-only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import LibraryError, SettingsError
from ...model import Problem
from ...store.dsn import parse_dsn
from ...tags import canonical
from .. import LibraryReport
from ..catalog import probe
from ..diffusiontoolkit_relations import IMAGE, TABLES, has_tags, relations
from ..diffusiontoolkit_report import excluded_rows, files, schema_problems, sizes_and_vectors
from ..diffusiontoolkit_vectors import find_vector_columns, read_batch, read_spaces, read_versions
from ..host import LOCK_SECONDS, STATEMENT_SECONDS, Host
from ..pathmap import read_path_map
from ..relational import RelationalLibrary
from .index import count_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from ...settings import LibraryProfile
    from ...store.connect import Store
    from .. import HostSpace, HostVectors, LibraryKind
    from ..catalog import Catalog
    from ..filter import Relations
    from ..pathmap import PathMap

_BATCH = 2000
_DAY = 86400
_DSN = "Host=localhost;Port=5436;Database=diffusion_images;Username=…;Password=…"
# Each different tag once: by steps along an index where there is one, since a row per tag and image is read otherwise.
_STEPS = """
WITH RECURSIVE steps AS (
    (SELECT tag FROM image_tags ORDER BY tag LIMIT 1)
    UNION ALL
    SELECT (SELECT image_tags.tag FROM image_tags WHERE image_tags.tag > steps.tag ORDER BY image_tags.tag LIMIT 1)
    FROM steps WHERE steps.tag IS NOT NULL
)
SELECT tag FROM steps WHERE tag IS NOT NULL
"""
# A transaction that has changed something has a number, which is in the snapshot while it runs and below its end when
# it is done: the text differs if any has begun or ended, here or in another database of the server, so that it changes
# too often rather than too seldom. Counters of changed rows do not serve: they lag behind by seconds. A server that
# follows another knows how far it has come. Restored from a backup, either may be there twice: hence the start.
_MOMENT = """
SELECT pg_postmaster_start_time()::text || ' ' || CASE WHEN pg_is_in_recovery()
    THEN pg_last_wal_replay_lsn()::text ELSE pg_current_snapshot()::text END
"""


@dataclass(frozen=True)
class DiffusionToolkitLibrary(RelationalLibrary):
    """One collection, which is a schema, of one database; what tables it has is looked at once for each such object."""

    host: Host
    name: str
    schema: str
    paths: PathMap

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection that finds the collection's tables, and no others, by their names."""
        return self.host.connection([self.catalog.schema])

    @cached_property
    def catalog(self) -> Catalog:
        """What the collection has.

        Raises:
            LibraryError: there is no such schema, it is not the program's, or nothing in it may be read.
        """
        with self.host.connection() as connection:
            found = probe(connection, self.schema, IMAGE, TABLES)
        self._check_collection(found)
        return found

    def _check_collection(self, found: Catalog) -> None:
        where = f"{self.host.where}, the server of library {self.name!r},"
        others = f"collections there are: {', '.join(found.others)}. Name one as schema of [libraries.{self.name}]"
        if not found.has(IMAGE):
            there = others if found.others else "nor in any other: name a database of DiffusionToolkit's in the dsn"
            raise LibraryError(f"{where} has no table image in schema {self.schema!r}; {there}.")
        if not found.has(IMAGE, "id", "path"):
            there = others if found.others else "name another database in the dsn"
            raise LibraryError(
                f"{where} has a table image in schema {self.schema!r} without columns id and path, which is not"
                f" DiffusionToolkit's; {there}."
            )
        if not found.usable:
            raise LibraryError(
                f"{where} does not let us look into schema {self.schema!r}: have its owner GRANT USAGE ON that SCHEMA"
                " and GRANT SELECT ON its tables to the role in the dsn."
            )

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Return the tags that are not canonical, and what is: faces that lost their underscores, and capitals."""
        if not has_tags(self.catalog.readable()):
            return {}
        by_index = self.catalog.indexed("image_tags", "tag")
        with self.connection() as connection:
            tags = [tag for (tag,) in connection.execute(_STEPS if by_index else "SELECT DISTINCT tag FROM image_tags")]
        return {tag: spelled for tag in tags if (spelled := canonical(tag)) != tag}

    @cached_property
    def _relations(self) -> Relations:
        known = relations(self._usable, self.paths, self._spellings)
        return replace(known, lacking={name: what + self._rights() for name, what in known.lacking.items()})

    @property
    def _usable(self) -> Catalog:
        """The catalog without the tables that may not be read; of the images there is nothing without their own."""
        readable = self.catalog.readable()
        return readable if readable.has(IMAGE) else self.catalog

    def relations(self) -> Relations:
        """Return the collection's tables, as far as they are there."""
        return self._relations

    def _rights(self) -> str:
        tables = sorted(self.catalog.unreadable)
        return f" that we may read ({', '.join(tables)}: have the owner GRANT SELECT on them)" if tables else ""

    def spaces(self) -> Sequence[HostSpace]:
        """Return what vectors there are: those of images before those of texts, and of each the fullest first."""
        if not self.catalog.vectors:
            return []
        with self._vector_connection() as connection:
            return read_spaces(connection, self.catalog)

    def vector_versions(self, space: str) -> Mapping[int, int]:
        """Return a number for each vector: it changes with anything in its image's row."""
        held = find_vector_columns(self.catalog, space)
        if held is None:
            return {}
        with self._vector_connection() as connection:
            return read_versions(connection, self.catalog, held)

    def vectors(self, space: str, ids: Sequence[int]) -> Iterator[HostVectors]:
        """Yield these vectors as they are, zeros and all; each batch over a connection of its own."""
        held = find_vector_columns(self.catalog, space)
        if held is None:
            return
        for at in range(0, len(ids), _BATCH):
            with self._vector_connection() as connection:
                batch = read_batch(connection, self.catalog, held, ids[at : at + _BATCH])
            if len(batch.ids):
                yield batch

    def _vector_connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection that finds pgvector's types too, wherever they are."""
        homes = {column.home: None for column in self.catalog.vectors}
        return self.host.connection([self.catalog.schema, *homes])

    def revision(self) -> str:
        """Return a text that differs after any change that was committed on the server.

        It may differ without one of ours: other programs and databases there change it too.
        """
        with self.host.connection() as connection:
            row = connection.execute(_MOMENT).fetchone()
        known = hashlib.blake2b(f"{self.schema}\0{self.paths.key}".encode(), digest_size=8).hexdigest()
        return f"{self.name}:{known}:{row[0] if row else ''}"

    def report(self) -> LibraryReport:
        """Count what the collection has, and look for some of its files."""
        catalog = self.catalog.readable()
        known = relations(catalog, self.paths, self._spellings)
        with self.connection() as connection:
            rows = excluded_rows(connection, catalog)
            images, facts = count_facts(connection, known)
            held = sizes_and_vectors(connection, catalog)
            here, problems = files(connection, catalog, self.paths, self.name)
        others = [("other schemas", ", ".join(catalog.others))] if catalog.others else []
        return LibraryReport(
            self.name,
            KIND.name,
            f"{self.host.where}, schema {self.schema}",
            images,
            (*rows, *facts, *held, ("files here", here), *others),
            (*self._nothing(images), *schema_problems(self.catalog), *problems),
        )

    def _nothing(self, images: int) -> Iterator[Problem]:
        if not images:
            elsewhere = ", ".join(self.catalog.others)
            hint = f"look into the other schemas ({elsewhere})" if elsewhere else "have the program scan its folders"
            yield Problem("warning", "empty", f"Schema {self.schema} has no images: {hint}.")


@dataclass(frozen=True, slots=True)
class DiffusionToolkitKind:
    """DiffusionToolkit on PostgreSQL (LSDJesus's)."""

    name: str = "diffusiontoolkit"
    label: str = "DiffusionToolkit (PostgreSQL)"

    def open(self, store: Store, profile: LibraryProfile) -> DiffusionToolkitLibrary:  # noqa: ARG002 - needs no store
        """Return the collection that the profile names."""
        options = profile.options.only("kind", "dsn", "schema", "paths", "statement_timeout", "lock_timeout")
        dsn = options.text("dsn")
        if not dsn:
            raise SettingsError(f'{options.source}: {options.where}dsn is missing: add dsn = "{_DSN}".')
        try:
            conninfo = parse_dsn(dsn)
        except SettingsError as error:
            raise SettingsError(f"{options.source}: {options.where}dsn: {error}") from error
        host = Host(
            profile.name,
            conninfo,
            options.number("statement_timeout", STATEMENT_SECONDS, 1, _DAY),
            options.number("lock_timeout", LOCK_SECONDS, 1, _DAY),
        )
        paths = read_path_map(options.table("paths"))
        return DiffusionToolkitLibrary(host, profile.name, options.text("schema") or "public", paths)


KIND: LibraryKind = DiffusionToolkitKind()
