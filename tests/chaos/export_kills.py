"""Kills while an export is written over an older version: never half an export, no litter, edits by hand survive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lorads_core.export.integrity import check_integrity
from lorads_core.export.layout import ExportFolders, read_manifest
from lorads_core.system import files

from .tally import LostError
from .world import make_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from .tally import Tally
    from .world import World

VICTIMS = ("command", "server", "both", "backend")
PICTURES = 60
REFUSED = 8  # exit code of a command that would have overwritten an edit
NAME = "tom"


def attack(world: World, tally: Tally) -> None:
    """Export with other epochs in each round, which makes another version; edit captions before or meanwhile."""
    pictures = make_pictures(world.root / "pictures", PICTURES, (320, 256))
    world.must("build", pictures, "--trigger", NAME, "--minimum-side", 0, "--epochs", 2)
    duration = world.timed("export", NAME, "--epochs", 3)
    rounds = _Rounds(world, duration)
    tally.repeat(rounds.one)
    tally.notes.append(f"{rounds.edited} captions edited by hand meanwhile, {rounds.before} before")


class _Rounds:
    """The rounds of the attack, and how many captions were edited by hand."""

    def __init__(self, world: World, duration: float) -> None:
        self.world, self.duration = world, duration
        self.folders = ExportFolders(world.exports, NAME)
        self.edited = self.before = 0

    def one(self, number: int) -> bool:
        """Kill an export, check what it left, and export again."""
        words = ("export", NAME, "--epochs", number + 4)
        edit = _Edit(self.folders, f"tom, by hand in round {number}")
        if number % 5 == 0:
            edit.make()
            self.before += 1
        meanwhile = edit.make_while_written if number % 5 in {1, 2} else None
        # A command that finds the edit ends early; and one that has written prints for a while.
        lowest, highest = (0.1, 0.3) if edit.made else (0.2, 0.6)
        delay = self.world.random.uniform(lowest, highest) * self.duration
        _, hit = self.world.strike(words, VICTIMS[number % len(VICTIMS)], delay, meanwhile)
        self.edited += edit.made and number % 5 != 0
        self.check_half(edit)
        self.complete(words, edit)
        return hit

    def check_half(self, edit: _Edit) -> None:
        """Check that what lies under the export's name is whole, if there is something."""
        if self.folders.final.exists():
            check_whole(self.folders.final, edit)
        elif not any(read_manifest(old) for old in self.folders._olds()):
            raise LostError("neither a version under its name nor an older one beside it")

    def complete(self, words: tuple[object, ...], edit: _Edit) -> None:
        """Export again; where that is refused because of the edit, the edit must be there."""
        ended = self.world.run(*words)
        if ended.code == REFUSED and edit.made and "was edited since" in ended.text:
            edit.check(self.world.exports)
            edit.take_back()
            ended = self.world.run(*words)
        elif edit.made:
            edit.check(self.world.exports)
        if ended.code:
            raise LostError(f"the next export ended with {ended.code}: {ended.text[-300:]!r}")
        check_whole(self.folders.final, None, epochs=int(str(words[-1])))
        self.check_litter()

    def check_litter(self) -> None:
        """Check that nothing of the killed export is left; versions that were edited by hand are not litter."""
        if self.folders.is_unfinished():
            raise LostError(f"left behind: {[path.name for path in (self.world.exports / '.lorads').iterdir()]}")
        for path in self.world.exports.iterdir():
            if path.name.startswith(f"{NAME}_edited"):
                files.remove_tree_if_possible(path)
            elif path.name not in {NAME, ".lorads"}:
                raise LostError(f"left behind: {path.name}")


def check_whole(folder: Path, edit: _Edit | None, epochs: int | None = None) -> None:
    """Check an export by its hashes; only the caption that was edited by hand may differ."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise LostError(f"{folder.name} has no manifest")
    found = check_integrity(folder, manifest)
    changed = [file for file in found.changed if not edit or file != edit.file]
    if found.missing or changed or found.added:
        raise LostError(f"{folder.name} is not whole: {found}")
    if epochs and json.loads((folder / "manifest.json").read_text())["config"]["epochs"] != epochs:
        raise LostError(f"{folder.name} is not the version that was exported last")


class _Edit:
    """A caption of the export that is edited by hand."""

    def __init__(self, folders: ExportFolders, text: str) -> None:
        self._folders, self.text = folders, text
        self.path = min(folders.final.glob("*_*/*.txt"))
        self.file = self.path.relative_to(folders.final).as_posix()
        self._former = self.path.read_text(encoding="utf-8")
        self.made = False

    def make(self) -> None:
        """Write another caption."""
        self.path.write_text(self.text, encoding="utf-8")
        self.made = True

    def make_while_written(self) -> None:
        """Write another caption if the new version is being written; by then the old one has been checked for edits."""
        if self._folders.journal.exists() and self._folders.final.exists():
            try:
                self.make()
            except FileNotFoundError:  # just between the two renames
                return

    def check(self, exports: Path) -> None:
        """Check that the edit is in some version under a name."""
        if not any(self.text in path.read_text(encoding="utf-8") for path in exports.glob("tom*/*_*/*.txt")):
            raise LostError(f"the caption edited by hand is gone: {self.text!r}")

    def take_back(self) -> None:
        """Write the former caption again."""
        self.path.write_text(self._former, encoding="utf-8")
