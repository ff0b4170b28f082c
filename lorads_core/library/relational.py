"""A library whose images, tags, captions and groups are relations of a PostgreSQL: one query per question.

Every kind of library is one of these; it says where its relations are and how to reach them, nothing more.
"""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from ..errors import LibraryError
from ..model import Caption, Group, ImageRecord, Tag
from . import TagCount
from .filter import DatasetFilter, Relations, count_images, select_ids, select_images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg


_NAMED = 5  # names that an error proposes
_ANY = DatasetFilter(exclude_marked_bad=False)


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, _NAMED, 0) or ["none"]
    return f"of its {len(names):,} the nearest are: {', '.join(near)}"


class RelationalLibrary:
    """What all kinds of library have in common; see `Library` for what its methods promise."""

    name: str

    @abstractmethod
    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection to the relations' server; what fails in the block is raised as our own error."""

    @abstractmethod
    def relations(self) -> Relations:
        """Return the relations, as they are now."""

    def _relations_for(self, wanted: DatasetFilter) -> Relations:
        """Return the relations; refuse a filter by what is not known here, instead of finding nothing or everything."""
        relations = self.relations()
        for name, what in relations.lacking.items():
            if getattr(wanted, name) != getattr(_ANY, name):
                raise LibraryError(
                    f"Library {self.name!r} has no {what}, and cannot be filtered by them: leave that out of the"
                    f" filter ({name})."
                )
        return relations

    def find(self, wanted: DatasetFilter) -> list[ImageRecord]:
        """Return the wanted images with their captions, in the filter's order."""
        relations = self._relations_for(wanted)
        query, parameters = select_images(relations, wanted)
        with self.connection() as connection:
            found = connection.execute(query, parameters, binary=True).fetchall()
            if not found:
                self._check_groups(connection, relations, wanted)
                self._check_models(connection, relations, wanted)
                return []
            written = connection.execute(
                sql.SQL(
                    "SELECT image_id, caption, source, edited, updated_at FROM ({}) AS captions"
                    " WHERE image_id = ANY(%s)"
                ).format(relations.captions),
                [[row[0] for row in found]],
                binary=True,
            ).fetchall()
        captions: defaultdict[int, list[Caption]] = defaultdict(list)
        for image_id, *caption in written:
            captions[image_id].append(Caption(*caption))
        return [ImageRecord(self.name, *row, captions=tuple(captions.get(row[0], ()))) for row in found]

    def _check_groups(self, connection: psycopg.Connection, relations: Relations, wanted: DatasetFilter) -> None:
        """Where nothing was found, tell an album that is empty from one that is not there."""
        for kind, name in (("cluster", wanted.cluster), ("album", wanted.album)):
            if not name or relations.groups is None:
                continue
            query = sql.SQL("SELECT DISTINCT name FROM ({}) AS groups WHERE kind = %s ORDER BY 1").format(
                relations.groups
            )
            names = [row[0] for row in connection.execute(query, [kind])]
            if name not in names:
                raise LibraryError(f"Library {self.name!r} has no {kind} {name!r}; {_nearest(name, names)}.")

    def _check_models(self, connection: psycopg.Connection, relations: Relations, wanted: DatasetFilter) -> None:
        """Where nothing was found, name a checkpoint or LoRA that no image at all was made with."""
        for name, what, names_of in (
            ("models", "checkpoint", sql.SQL("ARRAY[model]")),
            ("loras", "LoRA", sql.SQL("loras")),
        ):
            for each in getattr(wanted, name):
                alone = replace(_ANY, **{name: (each,)})
                query, parameters = count_images(relations, alone)
                if connection.execute(query, parameters).fetchone() != (0,):
                    continue
                query = sql.SQL("SELECT DISTINCT name FROM ({}) AS images, unnest({}) AS name WHERE name <> ''").format(
                    relations.images, names_of
                )
                names = [row[0] for row in connection.execute(query)]
                raise LibraryError(
                    f"Library {self.name!r} has no image made with {what} {each!r}; {_nearest(each, names)}."
                )

    def count(self, wanted: DatasetFilter) -> int:
        """Return how many images pass the filter, whatever its maximum."""
        query, parameters = count_images(self._relations_for(wanted), wanted)
        with self.connection() as connection:
            row = connection.execute(query, parameters).fetchone()
        return int(row[0]) if row else 0

    def ids(self, wanted: DatasetFilter) -> list[int]:
        """Return the ids of the wanted images: in the filter's order where it has a maximum, else in any."""
        query, parameters = select_ids(self._relations_for(wanted), wanted)
        with self.connection() as connection:
            return [image_id for (image_id,) in connection.execute(query, parameters, binary=True)]

    def tags(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Tag]]:
        """Return the tags of these images by image id; images without any are left out."""
        query = sql.SQL("SELECT image_id, tag, source, confidence FROM ({}) AS tags WHERE image_id = ANY(%s)").format(
            self.relations().tags
        )
        tags: defaultdict[int, list[Tag]] = defaultdict(list)
        with self.connection() as connection:
            for image_id, *tag in connection.execute(query, [[image.id for image in images]], binary=True):
                tags[image_id].append(Tag(*tag))
        return tags

    def tag_sources(self, ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return who has given tags to these images, by image id; images without any are left out."""
        query = sql.SQL(
            "SELECT image_id, array_agg(DISTINCT source) FROM ({}) AS tags WHERE image_id = ANY(%s) GROUP BY image_id"
        ).format(self.relations().tags)
        with self.connection() as connection:
            return dict(connection.execute(query, [list(ids)]).fetchall())

    def tag_counts(self, ids: Sequence[int]) -> Sequence[TagCount]:
        """Return how many of these images have each tag, whatever its source, the most frequent first."""
        query = sql.SQL(
            "SELECT tag, count(DISTINCT image_id), bool_or(source LIKE '%%:character') FROM ({}) AS tags"
            " WHERE image_id = ANY(%s) GROUP BY tag ORDER BY 2 DESC, 1"
        ).format(self.relations().tags)
        with self.connection() as connection:
            return [TagCount(*row) for row in connection.execute(query, [list(ids)])]

    def groups(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Group]]:
        """Return the groups of these images by image id; images without any are left out."""
        relation = self.relations().groups
        if relation is None:
            return {}
        query = sql.SQL(
            "SELECT DISTINCT image_id, kind, name FROM ({}) AS groups WHERE image_id = ANY(%s) ORDER BY 1, 2, 3"
        ).format(relation)
        groups: defaultdict[int, list[Group]] = defaultdict(list)
        with self.connection() as connection:
            for image_id, *group in connection.execute(query, [[image.id for image in images]]):
                groups[image_id].append(Group(*group))
        return groups
