"""Stores as older versions of LoRADS left them: their schema by their own migrations, filled as they did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import sql

from lorads_core.images.facts import read_facts
from lorads_core.store import migrations
from lorads_core.store.vectors import partition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

DATASET = UUID(int=7)
LIBRARY, SPACE = "pictures", "small"
WITH_HISTORY = 7  # the version that brought edits, concepts, traits and tags made here
WITH_RUNS = 8
WITH_PANEL = 9
EDITED, PLAIN = "tom, written by hand", "tom, cat {}"


def make(connection: psycopg.Connection, version: int) -> None:
    """Make the schema as it was at a version; steps of migrations are never changed once they were in use."""
    with connection.transaction():
        migrations._prepare(connection)
        for number, (name, statements) in enumerate(migrations.MIGRATIONS[:version], 1):
            connection.execute(statements)
            connection.execute("INSERT INTO lorads.migrations (number, name) VALUES (%s, %s)", [number, name])


def fill(connection: psycopg.Connection, version: int, pictures: Sequence[Path]) -> None:
    """Index pictures and make a dataset of them; the first caption is edited by hand, the second one by a bulk edit."""
    with connection.transaction():
        _index(connection, pictures)
        _vectors(connection, len(pictures))
        _dataset(connection, pictures)
        if version >= WITH_HISTORY:
            _history(connection)
        if version >= WITH_RUNS:
            _run(connection)
        if version >= WITH_PANEL:
            _rejected(connection)


def _index(connection: psycopg.Connection, pictures: Sequence[Path]) -> None:
    connection.execute("INSERT INTO lorads.libraries (library, revision, indexed_at) VALUES (%s, 1, now())", [LIBRARY])
    for number, path in enumerate(pictures, 1):
        facts = read_facts(path)
        connection.execute(
            "INSERT INTO lorads.images (library, image_id, path, folder, file_size, mtime_ns, hash, format, width,"
            " height, trainer_ready, rating) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, true, 8)",
            [
                *(LIBRARY, number, str(path), str(path.parent), facts.file_size, facts.mtime_ns, facts.sha256),
                *(facts.format, facts.width, facts.height),
            ],
        )
        connection.execute(
            "INSERT INTO lorads.tags (library, image_id, source, tag, confidence) VALUES (%s, %s, 'wd', %s, 0.5)",
            [LIBRARY, number, f"cat {number}"],
        )
        connection.execute(
            "INSERT INTO lorads.captions (library, image_id, source, caption) VALUES (%s, %s, 'joycaption', %s)",
            [LIBRARY, number, f"A cat, number {number}."],
        )
    connection.execute(
        "INSERT INTO lorads.tag_sets SELECT library, image_id, array_agg(DISTINCT tag) FROM lorads.tags GROUP BY 1, 2"
    )
    connection.execute("INSERT INTO lorads.groups (library, kind, name) VALUES (%s, 'album', 'best')", [LIBRARY])
    connection.execute(
        "INSERT INTO lorads.group_images (library, kind, name, image_id) VALUES (%s, 'album', 'best', 1)", [LIBRARY]
    )


def _vectors(connection: psycopg.Connection, count: int) -> None:
    connection.execute("INSERT INTO lorads.spaces (space, dimensions, origin) VALUES (%s, 3, 'a test')", [SPACE])
    query = sql.SQL("CREATE TABLE {} PARTITION OF lorads.vectors FOR VALUES FROM ({}, {}) TO ({}, {})")
    bounds = map(sql.Literal, (LIBRARY, SPACE, LIBRARY, SPACE + "\x01"))
    connection.execute(query.format(partition(LIBRARY, SPACE), *bounds))
    for number in range(1, count + 1):
        connection.execute(
            "INSERT INTO lorads.vectors (library, space, image_id, version, embedding) VALUES (%s, %s, %s, 1, %s)",
            [LIBRARY, SPACE, number, f"[{number},1,0]"],
        )


def _dataset(connection: psycopg.Connection, pictures: Sequence[Path]) -> None:
    connection.execute(
        "INSERT INTO lorads.lora_datasets (dataset_id, name, library, trigger_word, training_count, caption_revision)"
        " VALUES (%s, 'tom', %s, 'tom', %s, 2)",
        [DATASET, LIBRARY, len(pictures)],
    )
    for number, path in enumerate(pictures, 1):
        connection.execute(
            "INSERT INTO lorads.lora_dataset_images (dataset_id, library, image_id, position, path, hash, caption,"
            " caption_source, was_edited, reason) SELECT %s, library, image_id, %s, path, hash, %s, %s, %s, 'why not'"
            " FROM lorads.images WHERE library = %s AND path = %s",
            [
                *(DATASET, number - 1, EDITED if number == 1 else PLAIN.format(number)),
                *("custom" if number == 1 else "wd", number == 1, LIBRARY, str(path)),
            ],
        )


def _history(connection: psycopg.Connection) -> None:
    bulk = f"{PLAIN.format(2)}, sitting"
    connection.execute(
        "UPDATE lorads.lora_dataset_images SET was_edited = true, by_hand = false, caption = %s WHERE image_id = 2",
        [bulk],
    )
    edits = (
        ("Write a caption", [LIBRARY, 1, [PLAIN.format(1), "wd", False, False], [EDITED, "custom", True, True]]),
        ("Add tags", [LIBRARY, 2, [PLAIN.format(2), "wd", False, False], [bulk, "wd", False, True]]),
    )
    for label, change in edits:
        connection.execute(
            "INSERT INTO lorads.caption_edits (dataset_id, label, changes) VALUES (%s, %s, %s)",
            [DATASET, label, json.dumps([change])],
        )
    connection.execute(
        "INSERT INTO lorads.trait_decisions (dataset_id, tag, decision) VALUES (%s, 'grey fur', 'bind')", [DATASET]
    )
    connection.execute(
        "INSERT INTO lorads.made_tags (library, image_id, source, version, tags, scores)"
        " VALUES (%s, 1, 'wd', 1, '{cat}', '{0.9}')",
        [LIBRARY],
    )


def _run(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO lorads.runs (run_id, name, dataset_id, manifest_hash, trainer, profile, kind, folder, output,"
        " state, step, total_steps)"
        " VALUES (%s, 'tom', %s, 'abc', 'sd-scripts', 'local', 'k', '/gone', '/gone', 'completed', 9, 9)",
        [UUID(int=8), DATASET],
    )


def _rejected(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO lorads.rejected_images (dataset_id, library, image_id) VALUES (%s, %s, 3)", [DATASET, LIBRARY]
    )
