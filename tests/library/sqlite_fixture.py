"""DiffusionToolkit's SQLite file as the program makes it: its tables, its types, its habits; in three of its versions.

After RupertAvery/DiffusionToolkit (Diffusion.Database/Models, DataStore.cs): sqlite-net keeps text as varchar, truth
values as integers, decimals as floats and dates as .NET ticks, and adds columns to old files, where they are NULL.
"""

from __future__ import annotations

import hashlib
import ntpath
import os
import sqlite3
from datetime import datetime, timedelta

from .shelf import SHELF

ROOT = r"D:\Images"
TICKS_OF_2025 = 638_712_864_000_000_000

_COLUMNS = {
    "2023": (  # v1.3
        '"Id" integer primary key autoincrement not null, "FolderId" integer, "Path" varchar, "Prompt" varchar,'
        ' "NegativePrompt" varchar, "Steps" integer, "Sampler" varchar, "CFGScale" float, "Seed" bigint,'
        ' "Width" integer, "Height" integer, "ModelHash" varchar, "Model" varchar, "BatchSize" integer,'
        ' "BatchPos" integer, "CreatedDate" bigint, "CustomTags" varchar, "Rating" integer, "Favorite" integer,'
        ' "ForDeletion" integer, "NSFW" integer, "AestheticScore" float, "HyperNetwork" varchar,'
        ' "HyperNetworkStrength" float, "ClipSkip" integer, "ENSD" integer, "FileSize" integer, "NoMetadata" integer'
    ),
}
_COLUMNS["2025"] = (  # v1.9
    _COLUMNS["2023"] + ', "RootFolderId" integer, "FileName" varchar, "ModifiedDate" bigint, "Unavailable" integer,'
    ' "Workflow" varchar, "WorkflowId" varchar, "HasError" integer, "Hash" varchar, "ViewedDate" bigint,'
    ' "TouchedDate" bigint'
)
_COLUMNS["now"] = _COLUMNS["2025"] + ', "Type" integer'  # January 2026
GENERATIONS = tuple(_COLUMNS)

_ALBUMS = """
CREATE TABLE "Album" ("Id" integer primary key autoincrement not null, "Name" varchar, "Order" integer,
    "LastUpdated" bigint);
CREATE UNIQUE INDEX "Album_Name" ON "Album" ("Name");
CREATE TABLE "AlbumImage" ("AlbumId" integer, "ImageId" integer,
    CONSTRAINT "FK_AlbumImage_AlbumId" FOREIGN KEY ("AlbumId") REFERENCES Album ("Id"),
    CONSTRAINT "FK_AlbumImage_ImageId" FOREIGN KEY ("ImageId") REFERENCES Image ("Id"));
CREATE TABLE "Folder" ("Id" integer primary key autoincrement not null, "ParentId" integer, "Path" varchar,
    "ImageCount" integer, "ScannedDate" bigint);
"""
_TAGS = """
CREATE TABLE "Tag" ("Id" integer primary key autoincrement not null, "Name" varchar);
CREATE TABLE "ImageTag" ("ImageId" integer, "TagId" integer);
CREATE UNIQUE INDEX "ImageTag_ImageId_TagId" ON "ImageTag" ("ImageId", "TagId");
"""


class Toolkit:
    """The program, as far as its database goes: made with a new file, or with one that it made before."""

    def __init__(self, file, generation="now", *, wal=None):
        self.file = file
        self.generation = generation
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")
        if self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            wal = generation != "2023" if wal is None else wal
            self.connection.execute(f"PRAGMA journal_mode = {'wal' if wal else 'delete'}")
            self.connection.executescript(f'CREATE TABLE "Image" ({_COLUMNS[generation]})')
            self.connection.execute('CREATE UNIQUE INDEX "Image_Path" ON "Image" ("Path")')
            self.connection.executescript(_ALBUMS + (_TAGS if generation == "now" else ""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the program, long ago: files that have only just changed are looked at twice."""
        self.connection.close()
        settle(self.file)

    def run(self, query, *parameters):
        """Run one statement and return the id of the row that it made."""
        return self.connection.execute(query, parameters).lastrowid

    def image(self, path, **columns):
        """Add an image as a scan does; columns that this version of the program lacks are left out."""
        values = {
            "Path": path,
            "FileName": ntpath.basename(path) if isinstance(path, str) else None,
            "CreatedDate": TICKS_OF_2025,
            "Favorite": 0,
            "ForDeletion": 0,
            "Unavailable": 0,
            "HasError": 0,
            "NSFW": 0,
            "Type": 0,
        } | columns
        known = [row[1] for row in self.connection.execute('PRAGMA table_info("Image")')]
        kept = {name: value for name, value in values.items() if name in known}
        names = ", ".join(f'"{name}"' for name in kept)
        marks = ", ".join("?" * len(kept))
        return self.run(f'INSERT INTO "Image" ({names}) VALUES ({marks})', *kept.values())

    def change(self, image_id, **columns):
        """Change columns of an image."""
        names = ", ".join(f'"{name}" = ?' for name in columns)
        self.run(f'UPDATE "Image" SET {names} WHERE "Id" = ?', *columns.values(), image_id)

    def tag(self, name, *image_ids):
        """Add a tag and give it to images."""
        tag_id = self.run('INSERT INTO "Tag" ("Name") VALUES (?)', name)
        for image_id in image_ids:
            self.run('INSERT INTO "ImageTag" VALUES (?, ?)', image_id, tag_id)
        return tag_id

    def album(self, name, *image_ids):
        """Make an album of images."""
        album_id = self.run('INSERT INTO "Album" ("Name", "Order", "LastUpdated") VALUES (?, 0, 0)', name)
        for image_id in image_ids:
            self.run('INSERT INTO "AlbumImage" VALUES (?, ?)', album_id, image_id)
        return album_id


def settle(file):
    """Let the file have been written long ago."""
    for path in (f"{file}", f"{file}-wal"):
        if os.path.exists(path):
            before = os.stat(path)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10_000_000_000))


def fill(file, folder, generation="now"):
    """Fill a new file with all pictures of the shelf, drawn below ``folder``; return their ids by name.

    The paths are those of Windows, below ``ROOT``. What the program cannot know (captions, clusters, taggers' tags) is
    not in it.
    """
    ids = {}
    albums = {}
    with Toolkit(file, generation) as toolkit:
        for sample in SHELF:
            data = (folder / sample.name).read_bytes()
            ids[sample.name] = toolkit.image(
                ntpath.join(ROOT, *sample.name.split("/")),
                Width=sample.size[0],
                Height=sample.size[1],
                Rating=sample.rating,
                ForDeletion=int(sample.marked_bad),
                Prompt=sample.prompt or None,
                FileSize=len(data),
                # A scan keeps the hash only where it finds no metadata.
                Hash=None if sample.prompt else hashlib.sha256(data).hexdigest(),
                **_origin(sample.origin),
            )
            for album in sample.albums:
                albums.setdefault(album, []).append(ids[sample.name])
        for name, members in albums.items():
            toolkit.album(name, *members)
    return ids


def ticks(moment):
    """Return a date as the program keeps it: .NET's, in steps of 100 nanoseconds since the year 1."""
    return (moment - datetime.min) // timedelta(microseconds=1) * 10  # noqa: DTZ901


def _origin(origin):
    """A mark that is no mark is NULL, as sqlite-net leaves a column that it has added to old rows."""
    marks = {"Favorite": origin.favorite, "NSFW": origin.nsfw}
    return {name: None if mark is None else int(mark) for name, mark in marks.items()} | {
        "Model": origin.model,
        "ModelHash": origin.model_hash,
        "CreatedDate": ticks(origin.created),
    }
