"""Our copy of DiffusionToolkit's SQLite file: every change is seen, nothing is read in vain."""

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from lorads_core.errors import LibraryError
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds import open_library
from lorads_core.store.vectors import Space, prepare_space, write_vectors

from .sqlite_fixture import ROOT, Toolkit, settle, ticks

ALL = DatasetFilter(exclude_marked_bad=False)


def read_files(store):
    """Return how often a file was read: each reading writes the mark anew, and its row has another xmin then."""
    with store.connection() as connection:
        return connection.execute("SELECT xmin::text FROM lorads.libraries WHERE library = 'old'").fetchone()


# Keeping up


def test_a_second_look_reads_nothing(old, file, store):
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
    first, revision = old.find(ALL), old.revision()
    before = read_files(store)
    assert (old.find(ALL), old.revision()) == (first, revision)
    assert read_files(store) == before


def test_a_file_that_has_only_just_changed_is_read_twice(old, toolkit, file, store):
    toolkit.image(rf"{ROOT}\one.png")
    revision = old.revision()
    before = read_files(store)
    assert old.revision() == revision
    assert read_files(store) != before
    settle(file)
    old.find(ALL)
    before = read_files(store)
    old.find(ALL)
    assert read_files(store) == before


CHANGES = {
    "rating": lambda program, ids: program.change(ids[0], Rating=3),
    "rating taken away": lambda program, ids: program.change(ids[1], Rating=None),
    "mark": lambda program, ids: program.change(ids[0], ForDeletion=1),
    "prompt": lambda program, ids: program.change(ids[0], Prompt="another"),
    "aesthetic": lambda program, ids: program.change(ids[0], AestheticScore=1.5),
    "favorite": lambda program, ids: program.change(ids[0], Favorite=1),
    "NSFW": lambda program, ids: program.change(ids[0], NSFW=1),
    "checkpoint": lambda program, ids: program.change(ids[0], Model="pony"),
    "checkpoint's hash": lambda program, ids: program.change(ids[0], ModelHash="67ab2fd8ec"),
    "date": lambda program, ids: program.change(ids[0], CreatedDate=ticks(datetime(2020, 1, 1))),  # noqa: DTZ001
    "path": lambda program, ids: program.change(ids[0], Path=rf"{ROOT}\moved\0.png"),
    "new image": lambda program, _: program.image(rf"{ROOT}\new.png"),
    "image gone": lambda program, ids: program.run('DELETE FROM "Image" WHERE "Id" = ?', ids[0]),
    "unavailable": lambda program, ids: program.change(ids[0], Unavailable=1),
    "tag": lambda program, ids: program.tag("new", ids[0]),
    "tag renamed": lambda program, _: program.run('UPDATE "Tag" SET "Name" = \'other\''),
    "tag taken away": lambda program, _: program.run('DELETE FROM "ImageTag"'),
    "album": lambda program, ids: program.album("new", ids[0]),
    "album renamed": lambda program, _: program.run('UPDATE "Album" SET "Name" = \'other\''),
    "album gone": lambda program, _: program.run('DELETE FROM "AlbumImage"'),
}


ORIGINS = (
    DatasetFilter(favorite=True),
    DatasetFilter(nsfw=True),
    DatasetFilter(models=("pony", "67ab2fd8")),
    DatasetFilter(created_before=date(2021, 1, 1)),
)


def everything(library):
    images = library.find(ALL)
    tags = {image_id: sorted(tag.text for tag in found) for image_id, found in library.tags(images).items()}
    return images, tags, dict(library.groups(images)), [library.count(wanted) for wanted in ORIGINS]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_is_seen_and_counts(old, toolkit, change, store, settings):
    ids = [toolkit.image(rf"{ROOT}\{n}.png", Rating=n) for n in range(4)]
    toolkit.tag("cat", *ids[:2])
    toolkit.album("best", *ids[:2])
    before, revision = everything(old), old.revision()
    change(toolkit, ids)
    after = everything(old)
    assert after != before
    assert old.revision() != revision
    # What was kept up is what a first reading gives.
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.images")
        connection.execute("DELETE FROM lorads.libraries")
    assert everything(open_library(store, settings().library("old"))) == after


@pytest.mark.parametrize("column", ["ViewedDate", "Steps"])
def test_what_we_do_not_read_changes_nothing(old, toolkit, column):
    image_id = toolkit.image(rf"{ROOT}\one.png")
    revision = old.revision()
    toolkit.change(image_id, **{column: 5})
    assert old.revision() == revision


def test_images_that_exchange_their_paths(old, toolkit):
    ids = [toolkit.image(rf"{ROOT}\{n}.png") for n in range(3)]
    before = {image.id: image.path for image in old.find(ALL)}
    toolkit.change(ids[0], Path="x")
    for n in (1, 2):
        toolkit.change(ids[n], Path=rf"{ROOT}\{n - 1}.png")
    toolkit.change(ids[0], Path=rf"{ROOT}\2.png")
    after = {image.id: image.path for image in old.find(ALL)}
    assert [after[each] for each in ids] == [before[each] for each in (ids[2], ids[0], ids[1])]


def test_what_goes_takes_its_vectors_and_prints_along(old, toolkit, store):
    ids = [toolkit.image(rf"{ROOT}\{n}.png") for n in range(2)]
    old.find(ALL)
    with store.connection() as connection:
        prepare_space(connection, "old", Space("s", 4))
        write_vectors(connection, "old", Space("s", 4), ids, np.eye(2, 4))
        for image_id in ids:
            connection.execute("INSERT INTO lorads.prints VALUES ('old', %s, 'x', 1, 1, 1)", [image_id])
    toolkit.run('DELETE FROM "Image" WHERE "Id" = ?', ids[0])
    assert old.ids(ALL) == ids[1:]
    with store.connection() as connection:
        for table in ("vectors", "prints"):
            assert connection.execute(f"SELECT image_id FROM lorads.{table}").fetchall() == [(ids[1],)]


def test_another_path_map_is_another_reading(old, file, store, settings, pictures):
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
    assert old.find(ALL)[0].path == str(pictures / "one.png")
    unmapped = open_library(store, settings(paths=False).library("old"))
    assert unmapped.find(ALL)[0].path == rf"{ROOT}\one.png"


def test_it_is_read_while_the_program_writes(old, toolkit):
    toolkit.image(rf"{ROOT}\one.png")
    toolkit.run("BEGIN IMMEDIATE")
    toolkit.image(rf"{ROOT}\two.png")
    assert len(old.find(ALL)) == 1
    toolkit.run("COMMIT")
    assert len(old.find(ALL)) == 2
    toolkit.run("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(old.find(ALL)) == 2


def test_a_change_that_is_only_in_the_log_is_seen(old, toolkit, file):
    toolkit.image(rf"{ROOT}\one.png")
    settle(file)
    assert len(old.find(ALL)) == 1
    before = file.stat().st_mtime_ns
    toolkit.image(rf"{ROOT}\two.png")
    assert file.stat().st_mtime_ns == before
    assert len(old.find(ALL)) == 2


def test_an_old_version_of_the_program_is_waited_for(old, file):
    with Toolkit(file, "2023") as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
        toolkit.run("BEGIN EXCLUSIVE")
        toolkit.image(rf"{ROOT}\two.png")
        found = []
        reader = threading.Thread(target=lambda: found.extend(old.find(ALL)))
        reader.start()
        time.sleep(0.5)
        assert found == []
        toolkit.run("COMMIT")
        reader.join()
        assert len(found) == 2


def test_several_at_once_read_it_once_and_agree(store, settings, file):
    with Toolkit(file) as toolkit:
        for n in range(500):
            toolkit.image(rf"{ROOT}\{n}.png")
    results = []

    profile = settings().library("old")

    def ask():
        library = open_library(store, profile)
        results.append((library.count(ALL), library.revision()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert set(results) == {(500, results[0][1])}
    assert results[0][1].startswith("old:1")


def test_the_file_is_not_written_to(old, file):
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
    before = file.read_bytes(), file.stat().st_mtime_ns
    old.find(ALL)
    old.report()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


READ_ONLY = """
import os, sys
from pathlib import Path
from lorads_core.library.sqlite_file import open_sqlite
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with open_sqlite(Path(sys.argv[1]), "old") as file:
    print(len(list(file.rows("Image", ("Id",)))))
"""


@pytest.mark.skipif(not hasattr(os, "setuid") or os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("running", [False, True], ids=["program ended", "program runs"])
def test_a_folder_that_may_only_be_read(make_folder, running):
    file = make_folder() / "diffusion-toolkit.db"
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
        if not running:
            toolkit.close()
        ended = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(file)], capture_output=True, text=True, check=False
        )
    assert (ended.stdout, ended.stderr) == ("1\n", "")


# Files that are not what they should be


def no_database(file):
    file.write_bytes(b"\x89PNG" * 1000)


def encrypted(file):
    file.write_bytes(random.Random(1).randbytes(8192))


def another_program(file):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE Image (name TEXT)")
    connection.close()


def damaged(file):
    with Toolkit(file, wal=False) as toolkit:
        for n in range(2000):
            toolkit.image(rf"{ROOT}\{n}.png", Prompt="x" * 200)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = bytes(40_000)
    file.write_bytes(data)


def cut_off(file):
    damaged(file)
    file.write_bytes(file.read_bytes()[: 4096 * 20])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: None, "is not there"),
        (Path.mkdir, "name the program's diffusion-toolkit.db"),
        (Path.touch, "not a database of DiffusionToolkit"),
        pytest.param(getattr(os, "mkfifo", None), "name the program's diffusion-toolkit.db", marks=pytest.mark.posix),
        (no_database, "is not an SQLite database, or is encrypted"),
        (encrypted, "is not an SQLite database, or is encrypted"),
        (another_program, "not a database of DiffusionToolkit"),
        (damaged, "is damaged"),
        (cut_off, "is damaged"),
    ],
    ids=["missing", "folder", "empty", "pipe", "picture", "encrypted", "another program", "damaged", "cut off"],
)
def test_files_that_cannot_be_read(old, file, spoil, message, store):
    spoil(file)
    with pytest.raises(LibraryError, match=message) as told:
        old.find(ALL)
    assert str(file) in str(told.value)
    with store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM lorads.images").fetchone() == (0,)


@pytest.mark.slow
def test_a_file_that_is_damaged_later_leaves_our_copy_as_it_was(old, file, store):
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
    old.find(ALL)
    file.unlink()
    damaged(file)
    with pytest.raises(LibraryError, match="is damaged"):
        old.count(ALL)
    with store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM lorads.images").fetchone() == (1,)


def test_a_file_that_stays_locked(store, settings, file):
    library = open_library(store, settings().library("old"))
    library = replace(library, source=replace(library.source, patience=0.2))
    with Toolkit(file, wal=False) as toolkit:
        toolkit.run("BEGIN EXCLUSIVE")
        with pytest.raises(LibraryError, match="is being written to"):
            library.find(ALL)
        toolkit.run("ROLLBACK")
        assert library.find(ALL) == []
