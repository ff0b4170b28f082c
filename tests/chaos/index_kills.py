"""Kills while pictures are indexed: the next command indexes all of them, and no row is half there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tally import MISSES, LostError
from .world import libraries, make_pictures

if TYPE_CHECKING:
    from .tally import Tally
    from .world import World

VICTIMS = ("command", "server", "both", "backend")
PICTURES = 600
# Each library's rows of all tables, as one text; the libraries hold the same pictures under ids of their own.
ROWS = """
SELECT i.library, count(*), md5(string_agg(concat_ws(' ', path, file_size, mtime_ns, hash, format, width, height,
    (SELECT string_agg(source || tag, ',' ORDER BY source, tag) FROM lorads.tags t
        WHERE (t.library, t.image_id) = (i.library, i.image_id)),
    (SELECT string_agg(source || caption, ',' ORDER BY source) FROM lorads.captions c
        WHERE (c.library, c.image_id) = (i.library, i.image_id)),
    (SELECT string_agg(each, ',' ORDER BY each) FROM lorads.tag_sets s, unnest(s.tags) AS each
        WHERE (s.library, s.image_id) = (i.library, i.image_id))), ';' ORDER BY path))
FROM lorads.images i GROUP BY i.library
"""


def attack(world: World, tally: Tally) -> None:
    """Index the same pictures into a new library in each round."""
    pictures = make_pictures(world.root / "pictures", PICTURES)
    world.set(libraries("first", "second", *(f"round{number}" for number in range(MISSES * tally.wanted))))

    def words(library: str) -> tuple[object, ...]:
        return ("index", pictures, "--library", library, "--sidecar", ".txt=wd", "--sidecar", ".caption=joycaption")

    world.must(*words("first"))
    duration = world.timed(*words("second"))

    def one(number: int) -> bool:
        delay = world.random.uniform(0.1, 0.7) * duration
        _, hit = world.strike(words(f"round{number}"), VICTIMS[number % len(VICTIMS)], delay)
        world.must(*words(f"round{number}"))
        world.ended_store()
        return hit

    tally.repeat(one)
    tally.check("rows", lambda: check_rows(world))


def check_rows(world: World) -> None:
    """Compare the rows of all libraries with those of one that was never interrupted."""
    with world.connected() as connection:
        found = {library: rest for library, *rest in connection.execute(ROWS).fetchall()}
    if found["first"][0] != PICTURES:
        raise LostError(f"the library that nobody interrupted has {found['first'][0]} of {PICTURES} pictures")
    other = {library: count for library, (count, rows) in found.items() if [count, rows] != found["first"]}
    if other:
        raise LostError(f"libraries with other rows than the first, by their pictures: {other}")
