"""Missing rights: folders that may not be written, files that may not be read, a role that may only read."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from lorads_core.store.embedded import attach

from .export_kills import check_whole
from .full_disks import honest
from .tally import LostError
from .world import make_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .tally import Tally
    from .world import World


def attack(world: World, tally: Tally) -> None:
    """Take rights away, run commands, give them back and see them work."""
    pictures = make_pictures(world.root / "pictures", 20)
    world.must("build", pictures, "--trigger", "tom", "--minimum-side", 0)
    new = make_pictures(world.root / "new pictures", 3)
    ways: list[Callable[[int], bool]] = [lambda number: reading_role(world, new, number)]
    if can_be_protected(world):
        ways += [
            lambda number: read_only_exports(world, number),
            lambda _number: read_only_store(world, pictures),
            lambda number: read_only_pictures(world, number),
        ]
    else:
        tally.notes.append("NO FOLDER CAN BE PROTECTED HERE (root without the right to mount): only a role was tried")
    tally.repeat(lambda number: ways[number % len(ways)](number))


def reading_role(world: World, new: Path, number: int) -> bool:
    """Use the store by a role with SELECT alone: looking works, writing is refused in a sentence."""
    with attach(world.home) as client:
        with psycopg.connect(client.conninfo, autocommit=True) as connection:
            role = f"reader{number}"
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
            connection.execute(f"GRANT USAGE ON SCHEMA lorads TO {role}")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA lorads TO {role}")
        dsn = make_conninfo(client.conninfo, user=role, password="secret")
        settings = world.root / "reader.toml"
        settings.write_text(f"store = 'shared'\n[stores.shared]\ndsn = '''{dsn}'''\n", encoding="utf-8")
        if "tag 3" not in world.must("captions", "tom", "--plain", "--settings", settings):
            raise LostError("a role that may read does not see the captions")
        for words in (
            ("captions", "tom", "--add-tag", "x", "--apply"),
            ("index", new),
        ):
            ended = world.run(*words, "--settings", settings)
            honest(ended)
            if ended.code == 0 or "secret" in ended.text:
                raise LostError(f"{words[0]} by a role that may only read ended with {ended.code}: {ended.text!r:.300}")
    return True


def read_only_exports(world: World, number: int) -> bool:
    """Export into a folder that may not be written; the version of before stays whole."""
    words = ("export", "tom", "--epochs", number + 3)
    with protected(world.exports):
        ended = world.run(*words)
        honest(ended)
        check_whole(world.exports / "tom", None)
    world.must(*words)
    check_whole(world.exports / "tom", None, epochs=number + 3)
    return ended.code != 0


def read_only_store(world: World, pictures: Path) -> bool:
    """Index into a store whose folder may not be written."""
    words = ("index", pictures)
    with protected(world.home):
        ended = world.run(*words)
        honest(ended)
    world.must(*words)
    world.ended_store()
    return ended.code != 0


def read_only_pictures(world: World, number: int) -> bool:
    """Index and export pictures of a folder that may not be written: that is all right."""
    folder = make_pictures(world.root / f"shared {number}", 5, (320, 256))
    with protected(folder):
        name = f"shared{number}"
        world.must("build", folder, "--trigger", name, "--minimum-side", 0)
        check_whole(world.exports / name, None)
    return True


def is_root() -> bool:
    """Whether modes do not bind us."""
    return sys.platform != "win32" and os.geteuid() == 0


def can_be_protected(world: World) -> bool:
    """Whether a folder can be made read-only for us: by its mode, as root by a mount."""
    folder = world.root / "probe"
    folder.mkdir()
    with protected(folder):
        try:
            (folder / "probe").touch()
        except OSError:
            return True
    return False


@contextmanager
def protected(folder: Path) -> Iterator[None]:
    """Make a folder read-only for a while."""
    if not is_root():
        mode = folder.stat().st_mode
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(mode)
        return
    mounts = (["mount", "--bind", folder, folder], ["mount", "-o", "remount,bind,ro", folder])
    mounted = [subprocess.run(command, capture_output=True, check=False).returncode for command in mounts]
    try:
        yield
    finally:
        if mounted[0] == 0:
            subprocess.run(["umount", "-l", folder], check=False)
