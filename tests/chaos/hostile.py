"""Hostile files: indexed and built with good pictures among them; manifests, LoRAs and settings are read one by one."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from .hostile_files import make_corpus
from .tally import LostError, StuckError
from .world import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from .tally import Tally
    from .world import World


def attack(world: World, tally: Tally) -> None:
    """Make the corpus, index and build it, and read the rest of it."""
    made = make_corpus(world.root / "corpus", tally.wanted, world.random)
    before = len(tally.why)
    tally.check("pictures", lambda: index(world, world.root / "corpus"))
    if len(tally.why) == before:
        tally.survive(made["pictures"] + made["sidecars"])
    paths = [
        *sorted((world.root / "corpus" / "manifests").rglob("manifest.json")),
        *sorted((world.root / "corpus" / "LoRAs").iterdir()),
        *sorted((world.root / "corpus" / "settings").iterdir()),
    ]
    Readers(world, tally).read(paths)
    tally.notes.append(", ".join(f"{number} {kind}" for kind, number in made.items()))


def index(world: World, corpus: Path) -> None:
    """Index all, and check that each good picture is there; then build a dataset of them."""
    world.must("index", corpus)
    good = {str(path) for path in (*(corpus / "pictures").rglob("good.png"), *(corpus / "sidecars").glob("*.png"))}
    with world.connected() as connection:
        found = {path for (path,) in connection.execute("SELECT path FROM lorads.images")}
    if missing := sorted(good - found):
        raise LostError(f"{len(missing)} of {len(good)} good pictures are not indexed, e.g. {missing[0]}")
    world.must("build", corpus, "--trigger", "tom", "--minimum-side", 0, "--fallback", "joycaption")
    names = " ".join(path.name for path in world.exports.glob("tom/*_tom/*.png"))
    if names.count("good") < len([path for path in good if path.endswith("good.png")]):
        raise LostError(f"good pictures are missing in the export: {names[:300]}")


class Readers:
    """A process that reads files; it is started again where one of them ends or stops it."""

    def __init__(self, world: World, tally: Tally) -> None:
        self._world, self._tally = world, tally

    def read(self, paths: list[Path]) -> None:
        """Read all; count what became of each."""
        while paths:
            paths = self._read_until_it_ends(paths)

    def _read_until_it_ends(self, paths: list[Path]) -> list[Path]:
        """Read files until the process ends; return those that are left."""
        command = [sys.executable, "-m", "tests.chaos.read_each"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**self._world.environment, "PYTHONIOENCODING": "utf-8:backslashreplace"},
            cwd=self._world.environment["PYTHONPATH"],
        ) as process:
            try:
                for number, path in enumerate(paths, 1):
                    if not self._read_one(process, path):
                        return paths[number:]
                return []
            finally:
                process.kill()

    def _read_one(self, process: subprocess.Popen[str], path: Path) -> bool:
        """Read a file; return whether the process still lives."""
        stuck = threading.Timer(PATIENCE, process.kill)
        stuck.start()
        try:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            said = process.stdout.readline()
        except OSError:
            said = ""
        finally:
            timely = stuck.is_alive()
            stuck.cancel()
        label = f"{path.parent.name}/{path.name}"
        if said.startswith(("good", "refused")):
            self._tally.survive()
        elif not timely:
            self._tally.fail(label, StuckError(f"it was not read within {PATIENCE:.0f} s"))
        else:
            self._tally.crash(label, said.strip() or "its reader died")
        return bool(said)
