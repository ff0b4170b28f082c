"""Full disks: a command that cannot write says so in a sentence, loses nothing, and does its work when it can again."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .export_kills import check_whole
from .tally import MISSES, LostError
from .world import libraries, make_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .tally import Tally
    from .world import Ended, World

PICTURES = 200
KB, MB = 1024, 1024**2
STORE = 256 * MB  # what a new store and some libraries take, with room to fill


def attack(world: World, tally: Tally) -> None:
    """Limit the size of files, which everybody may; fill a small file system, where one can be mounted."""
    pictures = make_pictures(world.root / "pictures", PICTURES, (160, 128))
    world.set(libraries(*(f"limited{number}" for number in range(MISSES * tally.wanted))))
    ways: list[Callable[[int], bool]] = [_limited(world, pictures)]
    with mounted(world) as small:
        if small is None:
            tally.notes.append(
                "NO SMALL FILE SYSTEM CAN BE MOUNTED HERE (root of a whole machine can): files were limited"
            )
        else:
            ways += [_full_export(world, small / "exports", pictures), _full_store(world, tally, small)]
        tally.repeat(lambda number: ways[number % len(ways)](number // len(ways)))


def _limited(world: World, pictures: Path) -> Callable[[int], bool]:
    """Index and export with a limit on the size of each file, PostgreSQL's files included."""
    sizes = (8 * KB, 32 * KB, 64 * KB, 300 * KB, MB)
    world.must("build", pictures, "--trigger", "tom", "--minimum-side", 0)

    def one(number: int) -> bool:
        limit = sizes[number % len(sizes)]
        words = (
            ("index", pictures, "--library", f"limited{number}"),
            ("export", "tom", "--epochs", number + 3),
        )[number % 2]
        ended = world.run(*words, largest_file=limit)
        honest(ended)
        world.must(*words)
        world.must("verify", "tom")
        return ended.code != 0

    return one


def _full_export(world: World, exports: Path, pictures: Path) -> Callable[[int], bool]:
    """Export to a disk that is nearly full; half an export must not show."""

    def one(number: int) -> bool:
        words = ("build", pictures, "--trigger", "small", "--minimum-side", 0, "--out", exports, "--epochs", number + 2)
        filler = exports.parent / "filler"
        fill(filler, leaving=world.random.randrange(20 * KB, MB))
        ended = world.run(*words)
        honest(ended)
        if (exports / "small").exists():
            check_whole(exports / "small", None)
        filler.unlink()
        world.must(*words)
        check_whole(exports / "small", None, epochs=number + 2)
        return ended.code != 0

    return one


def _full_store(world: World, tally: Tally, small: Path) -> Callable[[int], bool]:
    """Index into a store whose disk gets full."""
    settings = world.root / "small.toml"
    names = libraries("first", *(f"full{number}" for number in range(MISSES * tally.wanted)))
    settings.write_text(f"[embedded]\nfolder = '''{small / 'store'}'''\n{names}", encoding="utf-8")
    pictures = make_pictures(world.root / "more pictures", 4 * PICTURES)
    world.must("index", pictures, "--library", "first", "--settings", settings)

    def one(number: int) -> bool:
        words = ("index", pictures, "--library", f"full{number}", "--settings", settings)
        filler = small / "filler"
        fill(filler, leaving=world.random.randrange(0, 300 * KB))
        ended = world.run(*words)
        honest(ended)
        filler.unlink()
        world.must(*words)
        shown = world.must("query", "--library", "first", "--paths", "--settings", settings)
        if shown.count(".png") < 4 * PICTURES:
            raise LostError(f"the library of before shows {shown.count('.png')} pictures")
        return ended.code != 0

    return one


def honest(ended: Ended) -> None:
    """Check that a command that failed says so in a sentence with a remedy; tracebacks are counted elsewhere."""
    if ended.code and "error:" not in ended.text:
        raise LostError(f"it ended with {ended.code} and says no error: {ended.text[-300:]!r}")
    if ended.code < 0:
        raise LostError(f"it was ended by signal {-ended.code}")


def fill(file: Path, leaving: int) -> None:
    """Fill a file system but for some bytes."""
    with file.open("wb", buffering=0) as writer:
        for size in (MB, 64 * KB, 4 * KB):
            with suppress(OSError):
                while True:
                    writer.write(bytes(size))
        writer.truncate(max(0, writer.tell() - leaving))


@contextmanager
def mounted(world: World) -> Iterator[Path | None]:
    """Mount a small file system of memory; None where that is not possible."""
    folder = world.root / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={STORE},mode=755", "lorads-chaos", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
