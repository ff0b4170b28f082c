"""Which sidecars belong to which image of a folder, by name: `cat.txt` and `cat.jpg.txt` for `cat.jpg`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .folder_lists import LISTS
from .read import FolderMajority
from .rule import FOLDER_SUFFIX

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from .rule import Reading, SidecarRule

_TEXTS = frozenset({".txt", ".caption", ".captions", ".cap", ".text", ".tags", ".tag", ".json", ".jsonl", ".xmp"})
"""Suffixes of files that may be meant as captions, so that those which are not read are counted."""
_WORDS = frozenset({".txt", ".caption"})
"""Those that are counted whatever they are called; files with the others are too often something else."""


class Beside(NamedTuple):
    """A sidecar of an image, and how it is read."""

    entry: os.DirEntry[str]
    reading: Reading
    majority: FolderMajority


class FolderTexts:
    """The text files of one folder by the image that they are of."""

    def __init__(self, rule: SidecarRule) -> None:
        self._rule = rule
        self._by_end: dict[str, list[Reading]] = {}
        for reading in sorted(rule.read, key=lambda each: -len(each.suffix)):
            self._by_end.setdefault(reading.suffix[reading.suffix.rfind(".") :], []).append(reading)
        self._order = {reading.suffix: n for n, reading in enumerate(rule.read)}
        self._reads_lists = FOLDER_SUFFIX in self._order
        self._exact: dict[str, list[Beside]] = {}
        self._folded: dict[str, list[Beside]] = {}
        self._claimed: set[str] = set()
        self._others: list[str] = []
        self._majorities = {each: FolderMajority(partial(self._paths, each), each.encoding) for each in rule.read}
        self.lists: list[os.DirEntry[str]] = []
        self.shadowed: list[str] = []
        """Files that are not read because an image has another of the same source."""

    def add(self, entry: os.DirEntry[str], suffix: str) -> bool:
        """File an entry under the image that it is of, if it is a text file; ``suffix`` is in lower case.

        Say whether it is one.
        """
        readings = self._by_end.get(suffix)
        if not readings and suffix not in _TEXTS and suffix != ".csv":
            return False
        name = entry.name.lower()
        if self._reads_lists and name in LISTS:
            self.lists.append(entry)
            return True
        reading = next((each for each in readings or () if name.endswith(each.suffix)), None)
        if reading is None:
            self._others.append(entry.name)
            return True
        base = entry.name[: -len(reading.suffix)]
        found = Beside(entry, reading, self._majorities[reading])
        self._exact.setdefault(base, []).append(found)
        self._folded.setdefault(base.lower(), []).append(found)
        return True

    def __bool__(self) -> bool:
        return bool(self._exact)

    def _paths(self, reading: Reading) -> list[Path]:
        """Return the paths of the files that are read in one way, in order of their names."""
        files = (each for files in self._exact.values() for each in files)
        return sorted(Path(each.entry.path) for each in files if each.reading == reading)

    def of(self, name: str) -> list[Beside]:
        """Return the sidecars of an image, one of each source: the rule's order, then `cat.txt` before `cat.jpg.txt`.

        A name in the same case comes before others.
        """
        found: list[Beside] = []
        for base in (name[: name.rfind(".")], name):
            exact = self._exact.get(base, ())
            suffixes = {each.reading.suffix for each in exact}
            others = (each for each in self._folded.get(base.lower(), ()) if each.reading.suffix not in suffixes)
            found += [*exact, *others]
        if len(found) > 1:
            found.sort(key=lambda each: self._order[each.reading.suffix])  # stable: the stem's stay in front
        self._claimed.update(each.entry.name for each in found)
        return list(self._one_of_each(found))

    def _one_of_each(self, found: Iterable[Beside]) -> Iterator[Beside]:
        sources: set[str] = set()
        for each in found:
            if each.reading.source in sources:
                if each.reading.suffix != ".xmp":  # few of them hold words
                    self.shadowed.append(each.entry.path)
            else:
                sources.add(each.reading.source)
                yield each

    def unclaimed(self, images: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield each text file that belongs to no image, with the part of its name behind an image's, if it has one.

        ``images`` are the names of the folder's images, each of which `of` was called for.
        """
        read = [each.entry.name for files in self._exact.values() for each in files]
        left = [name for name in (*read, *self._others) if name not in self._claimed]
        if not left:
            return
        stems = {name[: name.rfind(".")].lower() for name in images}
        for name in sorted(left):
            end = name[name.rfind(".") :].lower()
            behind = _behind(name.lower(), stems)
            if behind or end in _WORDS:
                yield name, behind or end


def _behind(name: str, stems: set[str]) -> str:
    """Return what stands in a name behind the stem of an image, empty where it begins with none."""
    at = name.rfind(".")
    while at > 0:
        if name[:at] in stems:
            return name[at:]
        at = name.rfind(".", 0, at)
    return ""
