"""Kills while a store of an older schema is migrated: the next command has the newest schema and every caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from lorads_core.store.embedded import attach
from lorads_core.store.migrations import MIGRATIONS
from lorads_core.store.postmaster import running

from ..store import old_schema
from .tally import LostError
from .world import PATIENCE, make_pictures, wait_until

if TYPE_CHECKING:
    from .tally import Tally
    from .world import World

VICTIMS = ("command", "server", "both", "backend")
VERSIONS = (6, 8, 9)
PICTURES = 40
LOOK = ("captions", "tom", "--plain")
WINDOW = 0.4  # seconds after the server takes connections in which the migrations run


def attack(world: World, tally: Tally) -> None:
    """Make an older store in each round, and kill the command that opens it."""
    pictures = sorted(make_pictures(world.root / "pictures", PICTURES).glob("*.png"))
    halves = 0

    def one(number: int) -> bool:
        nonlocal halves
        version = VERSIONS[number % len(VERSIONS)]
        with world.connected() as connection:
            connection.execute("DROP SCHEMA IF EXISTS lorads CASCADE")
            old_schema.make(connection, version)
            old_schema.fill(connection, version, pictures)
            expected = captions(connection)
        world.ended_store()
        hit = strike(world, VICTIMS[number % len(VICTIMS)])
        halves += version < version_of(world) < len(MIGRATIONS)
        printed = world.must(*LOOK)
        check(world, expected, printed)
        return hit

    tally.repeat(one)
    tally.notes.append(f"{halves} times between two of its steps")


def strike(world: World, victim: str) -> bool:
    """Open the store by a command, and kill just after the server takes connections."""
    command = world.start(*LOOK)
    wait_until(lambda: not command.runs or is_ready(world), PATIENCE)
    wait_until(lambda: not command.runs, world.random.uniform(0, WINDOW))
    hit = world.kill_while_it_runs(victim, command)
    command.end()
    return hit


def is_ready(world: World) -> bool:
    """Whether the server takes connections, as it says itself."""
    found = running(world.cluster)
    return found is not None and found.status == "ready"


def version_of(world: World) -> int:
    """Return the schema's version."""
    with attach(world.home) as client, psycopg.connect(client.conninfo) as connection:
        row = connection.execute("SELECT max(number) FROM lorads.migrations").fetchone()
    return int(row[0]) if row else 0


def captions(connection: psycopg.Connection) -> list[tuple]:
    """Return what the dataset holds of each image, by columns that every version has."""
    return connection.execute(
        "SELECT image_id, path, hash, caption, caption_source, was_edited FROM lorads.lora_dataset_images ORDER BY 1"
    ).fetchall()


def check(world: World, expected: list[tuple], printed: str) -> None:
    """Compare the migrated store with what was in the older one."""
    if (version := version_of(world)) != len(MIGRATIONS):
        raise LostError(f"the schema is at version {version} after the next command")
    with world.connected() as connection:
        if captions(connection) != expected:
            raise LostError("the captions are other ones")
    if old_schema.EDITED not in printed:
        raise LostError(f"the command does not show the caption that was written by hand: {printed[-300:]!r}")
