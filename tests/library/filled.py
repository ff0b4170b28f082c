"""Each kind of library with the pictures of the shelf in it: one filler per kind, for the promises of all."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from lorads_core.library import Library
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds import open_library
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.model import Group
from lorads_core.settings import LibraryProfile, Table
from lorads_core.store import groups, tag_sets
from lorads_core.store import images as rows
from lorads_core.store.vectors import Space, prepare_space, write_vectors

from . import diffusiontoolkit, sqlite_fixture
from .shelf import SHELF, draw

ALL = DatasetFilter(exclude_marked_bad=False)
SAMPLES = {sample.name: sample for sample in SHELF}
PASSWORD = "open sesame"


@dataclass(frozen=True)
class Filled:
    """A library with the shelf in it; ``changes`` are done to its source, ``elsewhere`` opens it where nothing is."""

    library: Library
    folder: Path
    changes: dict[str, Callable[[str], object]]  # each is given an image's id
    elsewhere: Library | None = None
    unmapped: Library | None = None
    kind: str = "index"

    def names(self, images):
        """Return the names on the shelf of images, or of ids, in their order."""
        by_id = {image.id: image for image in self.library.find(ALL)}
        paths = [(by_id[image] if isinstance(image, int) else image).path for image in images]
        return [Path(path).relative_to(self.folder).as_posix() for path in paths]

    def id(self, name):
        (found,) = (image.id for image in self.library.find(ALL) if image.path == str(self.folder / name))
        return found


class Place:
    """Where a filler may put things."""

    def __init__(self, store, database, folder):
        self.store = store
        self.database = database
        self.folder = folder
        self.pictures = folder / "pictures"
        paths = draw(self.pictures)
        for n, path in enumerate(paths.values()):
            os.utime(path, (1_700_000_000 + n, 1_700_000_000 + n))

    def open(self, kind, **options):
        table = Table({"kind": kind} | options, "libraries.shelf.", self.folder / "lorads.toml")
        return open_library(self.store, LibraryProfile("shelf", kind, table))

    def run(self, change, *arguments, **options):
        with self.store.connection() as connection:
            return change(connection, *arguments, **options)

    def execute(self, query, *parameters):
        with self.store.connection() as connection:
            connection.execute(query, parameters)

    def index(self, library):
        """Index the pictures; return their ids by name."""
        index_folder(self.store, library, self.pictures)
        found = IndexedLibrary(self.store, library).find(ALL)
        return {Path(image.path).relative_to(self.pictures).as_posix(): image.id for image in found}

    def write_words(self, library, ids):
        """Write the tags, captions and clusters of the shelf into an index."""
        for name, image_id in ids.items():
            sample = SAMPLES[name]
            for tag, by, confidence in sample.tags:
                self.execute(
                    "INSERT INTO lorads.tags (library, image_id, source, tag, confidence) VALUES (%s, %s, %s, %s, %s)",
                    *(library, image_id, by, tag, confidence),
                )
            for n, (text, by, edited) in enumerate(sample.captions):
                self.execute(
                    "INSERT INTO lorads.captions VALUES (%s, %s, %s, %s, %s, now() + %s * '1 h'::interval)",
                    *(library, image_id, by, text, edited, n),
                )
            for cluster in sample.clusters:
                self.run(groups.add, library, Group("cluster", cluster), [image_id])
        self.run(tag_sets.refresh, library, list(ids.values()))


def fill_index(place):
    ids = place.index("shelf")
    place.write_words("shelf", ids)
    for name, image_id in ids.items():
        sample = SAMPLES[name]
        for album in sample.albums:
            place.run(groups.add, "shelf", Group("album", album), [image_id])
        place.execute(
            "UPDATE lorads.images SET rating = %s, marked_bad = %s, prompt = %s WHERE image_id = %s",
            *(sample.rating, sample.marked_bad, sample.prompt, image_id),
        )

    def forget(image_id):
        place.run(rows.mark_missing, "shelf", [image_id])

    changes = {
        "rating": lambda image_id: place.run(rows.set_rating, "shelf", [image_id], 2),
        "mark": lambda image_id: place.run(rows.set_marked_bad, "shelf", [image_id], bad=True),
        "album": lambda image_id: place.run(groups.add, "shelf", Group("album", "new"), [image_id]),
        "gone": forget,
    }
    return Filled(place.open("index"), place.pictures, changes)


def fill_sqlite(place):
    file = place.folder / "diffusion-toolkit.db"
    sqlite_fixture.fill(file, place.pictures)
    theirs = place.index("pictures")
    place.write_words("pictures", theirs)
    space = Space("tiny", 8, "a test")
    vectors = np.random.default_rng(1).normal(size=(len(theirs), 8))
    place.run(prepare_space, "pictures", space)
    place.run(write_vectors, "pictures", space, list(theirs.values()), vectors)

    def change(method, **columns):
        def run(image_id):
            with sqlite_fixture.Toolkit(file) as toolkit:
                if columns:
                    toolkit.change(image_id, **columns)
                else:
                    getattr(toolkit, method)("new", image_id)

        return run

    def forget(image_id):
        with sqlite_fixture.Toolkit(file) as toolkit:
            toolkit.run('DELETE FROM "Image" WHERE "Id" = ?', image_id)

    changes = {
        "rating": change("", Rating=2),
        "mark": change("", ForDeletion=1),
        "album": change("album"),
        "tag": change("tag"),
        "gone": forget,
    }
    paths = {sqlite_fixture.ROOT: str(place.pictures)}
    kind = "diffusiontoolkit-sqlite"
    return Filled(
        place.open(kind, file=str(file), paths=paths),
        place.pictures,
        changes,
        elsewhere=place.open(kind, file=str(file) + ".away", paths=paths),
        unmapped=place.open(kind, file=str(file)),
        kind=kind,
    )


def fill_postgresql(place):
    diffusiontoolkit.fill(place.database, place.pictures)

    def change(query):
        def run(image_id):
            with psycopg.connect(place.database) as connection:
                connection.execute(query, {"id": image_id})

        return run

    changes = {
        "rating": change("UPDATE image SET rating = 2 WHERE id = %(id)s"),
        "mark": change("UPDATE image SET for_deletion = true WHERE id = %(id)s"),
        "album": change(
            "WITH made AS (INSERT INTO album (name, last_updated) VALUES ('new', now()) RETURNING id)"
            " INSERT INTO album_image (album_id, image_id) SELECT id, %(id)s FROM made"
        ),
        "tag": change("INSERT INTO image_tags (image_id, tag, source) VALUES (%(id)s, 'new', 'manual')"),
        "caption": change("INSERT INTO image_captions (image_id, caption) VALUES (%(id)s, 'new')"),
        "gone": change("DELETE FROM image WHERE id = %(id)s"),
    }
    paths = {diffusiontoolkit.ROOT: str(place.pictures)}
    nowhere = f"host=127.0.0.1 port=9 dbname=images user=somebody password='{PASSWORD}'"
    kind = "diffusiontoolkit"
    return Filled(
        place.open(kind, dsn=place.database, paths=paths),
        place.pictures,
        changes,
        elsewhere=place.open(kind, dsn=nowhere, paths=paths),
        unmapped=place.open(kind, dsn=place.database),
        kind=kind,
    )


FILLERS = {
    "index": fill_index,
    "diffusiontoolkit-sqlite": fill_sqlite,
    "diffusiontoolkit": fill_postgresql,
}
