"""Our own index as a library: what `lorads index` has read, answered from our store; it does not index."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from ..model import Caption, ImageRecord, Tag
from ..store import images as rows
from .filter import DatasetFilter, Relations, count_images, select_images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..store.connect import Store


def _relations(library: str) -> Relations:
    name = sql.Literal(library)
    return Relations(
        images=sql.SQL(
            "SELECT image_id AS id, path, folder, width, height, file_size, mtime_ns, hash, format, rating, marked_bad,"
            " trainer_ready AS ready, prompt FROM lorads.images WHERE library = {} AND missing_since IS NULL"
        ).format(name),
        tags=sql.SQL("SELECT image_id, tag, source, confidence FROM lorads.tags WHERE library = {}").format(name),
        captions=sql.SQL(
            "SELECT image_id, caption, source, edited, updated_at FROM lorads.captions WHERE library = {}"
        ).format(name),
    )


@dataclass(frozen=True)
class IndexedLibrary:
    """The images that were indexed under one name."""

    store: Store
    name: str

    def find(self, wanted: DatasetFilter) -> list[ImageRecord]:
        """Return the wanted images with their captions, in the filter's order; see `Library.find`."""
        relations = _relations(self.name)
        query, parameters = select_images(relations, wanted)
        with self.store.connection() as connection:
            found = connection.execute(query, parameters, binary=True).fetchall()
            written = connection.execute(
                sql.SQL("SELECT * FROM ({}) AS captions WHERE image_id = ANY(%s)").format(relations.captions),
                [[row[0] for row in found]],
                binary=True,
            ).fetchall()
        captions: defaultdict[int, list[Caption]] = defaultdict(list)
        for image_id, *caption in written:
            captions[image_id].append(Caption(*caption))
        return [ImageRecord(self.name, *row, captions=tuple(captions.get(row[0], ()))) for row in found]

    def count(self, wanted: DatasetFilter) -> int:
        """Return how many images pass the filter, whatever its maximum."""
        query, parameters = count_images(_relations(self.name), wanted)
        with self.store.connection() as connection:
            row = connection.execute(query, parameters).fetchone()
        return int(row[0]) if row else 0

    def tags(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Tag]]:
        """Return the tags of these images by image id; images without any are left out."""
        tags: defaultdict[int, list[Tag]] = defaultdict(list)
        query = sql.SQL("SELECT image_id, tag, source, confidence FROM ({}) AS tags WHERE image_id = ANY(%s)").format(
            _relations(self.name).tags
        )
        with self.store.connection() as connection:
            for image_id, *tag in connection.execute(query, [[image.id for image in images]], binary=True):
                tags[image_id].append(Tag(*tag))
        return tags

    def revision(self) -> str:
        """Return the number of changes to this index."""
        with self.store.connection() as connection:
            return f"{self.name}:{rows.revision(connection, self.name)}"
