r"""DiffusionToolkit's PostgreSQL database as the program makes it: its tables, types and habits, in three generations.

After LSDJesus/DiffusionToolkit (PostgreSQLMigrations_V1_Schema.sql and the migrations before it). ``now``: since
2026-01-21; ``clusters``: weeks earlier, with its first tables of faces; ``first``: November 2025, with CLIP vectors of
1,024 dimensions and neither tags nor captions nor faces. Tables that no library reads are left out, and so are ltree
and pgcrypto, which they need.
"""

from __future__ import annotations

import hashlib
import ntpath
import random
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from .shelf import SHELF

ROOT = r"D:\Images"
GENERATIONS = ("now", "clusters", "first")
SOURCES = {"wd": "wdv3large", "joytag": "joytag"}
DAY = datetime(2026, 2, 1, 12, 0)  # noqa: DTZ001 - the program's columns know no time zones

_IMAGE = """
CREATE TABLE image (
    id SERIAL PRIMARY KEY, root_folder_id INT NOT NULL, folder_id INT NOT NULL, path TEXT NOT NULL UNIQUE,
    file_name TEXT {not_null}, prompt TEXT, negative_prompt TEXT, steps INT DEFAULT 0, sampler TEXT,
    cfg_scale DECIMAL(5, 2) DEFAULT 0.0, seed BIGINT DEFAULT 0, width INT DEFAULT 0, height INT DEFAULT 0,
    model_hash TEXT, model TEXT, created_date TIMESTAMP NOT NULL, modified_date TIMESTAMP NOT NULL,
    custom_tags TEXT, rating INT, favorite BOOLEAN DEFAULT FALSE, for_deletion BOOLEAN DEFAULT FALSE,
    nsfw BOOLEAN DEFAULT FALSE, unavailable BOOLEAN DEFAULT FALSE, aesthetic_score DECIMAL(4, 2),
    file_size BIGINT DEFAULT 0, workflow TEXT, has_error BOOLEAN DEFAULT FALSE, hash TEXT,
    prompt_embedding {vector}(1024), negative_prompt_embedding {vector}(1024),
    image_embedding {vector}({dimensions}), clip_l_embedding {vector}(768), clip_g_embedding {vector}(1280),
    created_at TIMESTAMP DEFAULT NOW()
);
CREATE INDEX idx_image_path ON image (path);
CREATE INDEX idx_image_rating ON image (rating);
CREATE TABLE folder (
    id SERIAL PRIMARY KEY, root_folder_id INT NOT NULL, path TEXT NOT NULL UNIQUE, unavailable BOOLEAN DEFAULT FALSE
);
CREATE TABLE album (
    id SERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_updated TIMESTAMP NOT NULL,
    created_at TIMESTAMP DEFAULT NOW()
);
CREATE TABLE album_image (
    id SERIAL PRIMARY KEY, album_id INT NOT NULL REFERENCES album(id) ON DELETE CASCADE,
    image_id INT NOT NULL REFERENCES image(id) ON DELETE CASCADE, added_at TIMESTAMP DEFAULT NOW(),
    UNIQUE(album_id, image_id)
);
"""
_LATER = """
ALTER TABLE image
    ADD COLUMN generated_tags TEXT, ADD COLUMN loras JSONB, ADD COLUMN is_upscaled BOOLEAN DEFAULT false,
    ADD COLUMN base_image_id INTEGER REFERENCES image(id), ADD COLUMN metadata_hash TEXT,
    ADD COLUMN image_uuid UUID DEFAULT gen_random_uuid() UNIQUE NOT NULL, ADD COLUMN image_type VARCHAR(50),
    ADD COLUMN bge_prompt_embedding {vector}(1024), ADD COLUMN clip_vision_embedding {vector}(1280);
CREATE INDEX idx_image_image_embedding ON image USING ivfflat (image_embedding {ops}) WITH (lists = 100);
CREATE TABLE image_embeddings (id SERIAL PRIMARY KEY, image_id INT REFERENCES image(id), embedding_name TEXT);
CREATE TABLE image_tags (
    id SERIAL PRIMARY KEY, image_id INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE, tag TEXT NOT NULL,
    confidence REAL NOT NULL DEFAULT 1.0, source TEXT NOT NULL DEFAULT 'manual', created_at TIMESTAMP DEFAULT NOW(),
    CONSTRAINT unique_image_tag_source UNIQUE(image_id, tag, source)
);
CREATE INDEX idx_image_tags_image_id ON image_tags(image_id);
CREATE INDEX idx_image_tags_tag ON image_tags(tag);
CREATE TABLE image_captions (
    id SERIAL PRIMARY KEY, image_id INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE, caption TEXT NOT NULL,
    source TEXT NOT NULL DEFAULT 'manual', prompt_used TEXT, is_user_edited BOOLEAN DEFAULT FALSE, token_count INTEGER,
    generation_time_ms REAL, created_at TIMESTAMP DEFAULT NOW(), updated_at TIMESTAMP DEFAULT NOW()
);
CREATE INDEX idx_image_captions_image_id ON image_captions(image_id);
"""
_GROUPS = """
CREATE TABLE face_detection (
    id SERIAL PRIMARY KEY, image_id INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
    face_index INTEGER NOT NULL DEFAULT 0, x INTEGER NOT NULL DEFAULT 0, y INTEGER NOT NULL DEFAULT 0,
    confidence REAL NOT NULL DEFAULT 0.0, arcface_embedding {vector}(512), has_embedding BOOLEAN DEFAULT FALSE,
    face_group_id INTEGER
);
CREATE TABLE face_group (
    id SERIAL PRIMARY KEY, name TEXT, representative_face_id INTEGER REFERENCES face_detection(id) ON DELETE SET NULL,
    face_count INTEGER DEFAULT 0, is_manual_group BOOLEAN DEFAULT FALSE
);
CREATE TABLE face_group_member (
    id SERIAL PRIMARY KEY, face_group_id INTEGER NOT NULL REFERENCES face_group(id) ON DELETE CASCADE,
    face_detection_id INTEGER NOT NULL REFERENCES face_detection(id) ON DELETE CASCADE,
    similarity_score REAL DEFAULT 0.0, CONSTRAINT unique_face_in_group UNIQUE (face_detection_id)
);
"""
_CLUSTERS = """
CREATE TABLE face_cluster (
    id SERIAL PRIMARY KEY, label TEXT, representative_face_ids INTEGER[], face_count INTEGER DEFAULT 0,
    is_manual BOOLEAN DEFAULT FALSE
);
CREATE TABLE face_detection (
    id SERIAL PRIMARY KEY, image_id INTEGER REFERENCES image(id) ON DELETE CASCADE, bbox_x INTEGER, bbox_y INTEGER,
    arcface_embedding {vector}(512), confidence REAL,
    face_cluster_id INTEGER REFERENCES face_cluster(id) ON DELETE SET NULL, character_label TEXT,
    manual_label BOOLEAN DEFAULT FALSE
);
ALTER TABLE image ADD COLUMN face_count INTEGER DEFAULT 0, ADD COLUMN primary_character TEXT,
    ADD COLUMN characters_detected TEXT[];
"""


def fill(conninfo, folder, *, schema="public", generation="now", dimensions=1280, without=()):
    r"""Make the program's tables in ``schema`` of a database and fill them from SHELF; return image ids by name.

    ``folder`` is where `shelf.draw` has put the pictures, which the program knows as ``D:\Images\…``; sizes and
    hashes are read from those that are there. ``without`` names tables that are dropped at the end.
    """
    with psycopg.connect(conninfo) as connection:
        if schema != "public":
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        create(connection, schema, generation, dimensions)
        ids = {sample.name: _add_image(connection, folder, sample, dimensions, generation) for sample in SHELF}
        for sample in SHELF:
            _add_albums(connection, ids[sample.name], sample)
            if generation != "first":
                _add_words(connection, ids[sample.name], sample)
                _add_clusters(connection, ids[sample.name], sample, generation)
        for table in without:
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
    return ids


def create(connection, schema="public", generation="now", dimensions=1280):
    """Make the tables in a schema that is there, and look into it from now on."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
    connection.execute("SELECT set_config('search_path', %s, false)", [sql.Identifier(schema).as_string(connection)])
    home = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace AS home ON home.oid = extnamespace WHERE extname = 'vector'"
    ).fetchone()[0]
    tables = _IMAGE + {"now": _LATER + _GROUPS, "clusters": _LATER + _CLUSTERS, "first": ""}[generation]
    connection.execute(
        sql.SQL(tables).format(
            vector=sql.Identifier(home, "vector"),
            ops=sql.Identifier(home, "vector_cosine_ops"),
            dimensions=sql.Literal(dimensions),
            not_null=sql.SQL("" if generation == "first" else "NOT NULL"),
        )
    )


def windows_path(name):
    """Return the path that the program knows a picture of the shelf by."""
    return ntpath.join(ROOT, *name.split("/"))


def add_row(connection, table, **values):
    """Add a row; return its id."""
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    return connection.execute(query, list(values.values())).fetchone()[0]


def add_image(connection, path, **values):
    """Add an image by its path there; return its id."""
    known = {"root_folder_id": 1, "folder_id": 1, "file_name": ntpath.basename(path), "path": path}
    return add_row(connection, "image", **known | {"created_date": DAY, "modified_date": DAY} | values)


def vector(seed, dimensions):
    """Return a vector in pgvector's text, another one for each seed."""
    chosen = random.Random(seed)
    return str([round(chosen.gauss(0, 1), 4) for _ in range(dimensions)])


def _add_image(connection, folder, sample, dimensions, generation):
    n = SHELF.index(sample)
    file = Path(folder) / sample.name
    data = file.read_bytes() if file.is_file() else b""
    width, height = sample.size
    return add_image(
        connection,
        windows_path(sample.name),
        width=width,
        height=height,
        rating=sample.rating,
        for_deletion=sample.marked_bad,
        prompt=sample.prompt or None,
        file_size=len(data),
        hash=hashlib.sha256(data).hexdigest() if data else None,
        image_embedding=vector(n, dimensions) if n < len(SHELF) - 1 else None,
        **_origin(sample.origin, generation),
    )


def _origin(origin, generation):
    known = {"favorite": origin.favorite, "nsfw": origin.nsfw, "model": origin.model, "model_hash": origin.model_hash}
    if origin.loras and generation != "first":
        known["loras"] = Jsonb([{"Name": name, "Strength": 1.0} for name in origin.loras])
    return known | {"created_date": origin.created}


def _add_albums(connection, image_id, sample):
    for name in sample.albums:
        connection.execute("INSERT INTO album (name, last_updated) VALUES (%s, now()) ON CONFLICT DO NOTHING", [name])
        connection.execute(
            "INSERT INTO album_image (album_id, image_id) SELECT id, %s FROM album WHERE name = %s", [image_id, name]
        )


def _add_words(connection, image_id, sample):
    """Its taggers write a space for each underscore, also where it is part of a face."""
    for tag, source, confidence in sample.tags:
        spelt = tag.replace("_", " ")
        add_row(
            connection, "image_tags", image_id=image_id, tag=spelt, source=SOURCES[source], confidence=confidence or 1.0
        )
    for n, (text, source, edited) in enumerate(sample.captions):
        when = DAY + timedelta(hours=n)
        add_row(
            connection,
            "image_captions",
            image_id=image_id,
            caption=text,
            source=source,
            is_user_edited=edited,
            created_at=when,
            updated_at=when,
        )


def _add_clusters(connection, image_id, sample, generation):
    table, column = {"now": ("face_group", "name"), "clusters": ("face_cluster", "label")}[generation]
    for name in sample.clusters:
        found = connection.execute(
            sql.SQL("SELECT id FROM {} WHERE {} = %s").format(sql.Identifier(table), sql.Identifier(column)), [name]
        ).fetchone()
        cluster = found[0] if found else add_row(connection, table, **{column: name})
        add_face(connection, image_id, cluster, generation)


def add_face(connection, image_id, cluster, generation="now", **values):
    """Add a face of an image to a group or cluster."""
    if generation == "clusters":
        return add_row(connection, "face_detection", image_id=image_id, face_cluster_id=cluster, **values)
    face = add_row(connection, "face_detection", image_id=image_id, face_group_id=cluster, **values)
    return add_row(connection, "face_group_member", face_group_id=cluster, face_detection_id=face)
