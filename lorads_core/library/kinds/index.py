"""Our own index as a library: what `lorads index` has read, answered from our store; it does not index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from ...store import images as rows
from .. import LibraryReport
from ..filter import Relations
from ..relational import RelationalLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from ...settings import LibraryProfile
    from ...store.connect import Store
    from .. import HostSpace, HostVectors, LibraryKind


@dataclass(frozen=True)
class IndexedLibrary(RelationalLibrary):
    """The images that were indexed under one name."""

    store: Store
    name: str

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection of our store."""
        return self.store.connection()

    def relations(self) -> Relations:
        """Return this library's rows of our tables."""
        return own_relations(self.name)

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
        """Return the number of changes to this index."""
        with self.store.connection() as connection:
            return f"{self.name}:{rows.revision(connection, self.name)}"

    def report(self) -> LibraryReport:
        """Count what the index has."""
        return LibraryReport(self.name, "index", self.store.where, 0)


def own_relations(library: str) -> Relations:
    """Return the rows that our tables hold under a library's name."""
    name = sql.Literal(library)
    return Relations(
        images=sql.SQL(
            "SELECT image_id AS id, path, folder, width, height, file_size, mtime_ns, hash, format, rating, marked_bad,"
            " trainer_ready AS ready, prompt, aesthetic, metadata_hash, base_id"
            " FROM lorads.images WHERE library = {} AND missing_since IS NULL"
        ).format(name),
        tags=sql.SQL("SELECT image_id, tag, source, confidence FROM lorads.tags WHERE library = {}").format(name),
        captions=sql.SQL(
            "SELECT image_id, caption, source, edited, updated_at FROM lorads.captions WHERE library = {}"
        ).format(name),
        groups=sql.SQL("SELECT image_id, kind, name FROM lorads.group_images WHERE library = {}").format(name),
    )


@dataclass(frozen=True, slots=True)
class IndexKind:
    """Our own index."""

    name: str = "index"
    label: str = "LoRADS' own index"

    def open(self, store: Store, profile: LibraryProfile) -> IndexedLibrary:
        """Return the images indexed under the profile's name."""
        profile.options.only("kind")
        return IndexedLibrary(store, profile.name)


KIND: LibraryKind = IndexKind()
