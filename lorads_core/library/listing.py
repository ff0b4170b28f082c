"""Listing a folder tree for indexing: images, sidecars and masks of each folder, and what is left out; no file is read.

Only files without a suffix are opened, for their first bytes.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LibraryError
from ..images.files import printable_path
from ..images.formats import LONGEST_MAGIC, SUFFIXES, UNREAD, UnreadKind, is_image_start
from ..model import Problem
from ..problems import counted
from ..system.files import file_error_reason, open_regular
from ..system.links import is_link, is_online_only, true_stat
from ..system.paths import MANIFEST
from .mask_names import MASK_FOLDER, is_beside_an_image, stem_of
from .sidecars.beside import FolderTexts
from .walk import is_own_output, suffix_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from ..model import Severity
    from .sidecars import SidecarRule

_MOST_OPENED = 1000  # files without a suffix; a folder of caches may hold a million
_NO_SUFFIX = UnreadKind(
    "image without an extension", "images without an extension", (), "add one, for instance .jpg, and index again."
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder's images, its text files, and the folders below it; ``stems`` are names that masks have here."""

    path: str
    texts: FolderTexts
    stems: Collection[str] = ()
    images: list[os.DirEntry[str]] = field(default_factory=list["os.DirEntry[str]"])
    below: list[str] = field(default_factory=list[str])

    def take_masks_out(self) -> list[str]:
        """Take what is a mask or conditioning image out of the images, and return the paths."""
        names = {entry.name: stem_of(entry.name).lower() for entry in self.images}
        stems = set(names.values())
        masks = {name for name, stem in names.items() if stem in self.stems or is_beside_an_image(stem, stems)}
        paths = [entry.path for entry in self.images if entry.name in masks]
        if masks:
            self.images[:] = [entry for entry in self.images if entry.name not in masks]
        return paths


class Listing:
    """The folders of a tree; what is left out of them is in ``problems`` when all were listed."""

    def __init__(self, root: Path, sidecars: SidecarRule, *, follow_links: bool) -> None:
        self.problems: list[Problem] = []
        self.unreadable: list[str] = []
        self.masks: list[str] = []
        self._root = root
        self._sidecars = sidecars
        self._follow_links = follow_links
        self._linked: list[str] = []  # folders that were not entered
        self._unread: dict[UnreadKind, list[str]] = {}
        self._opened = 0

    def folders(self) -> Iterator[Folder]:
        """Yield each folder with what matters in it.

        Raises:
            LibraryError: the tree went away meanwhile.
        """
        real = {os.path.realpath(self._root)}
        pending: list[tuple[str, Collection[str]]] = [(str(self._root), ())]
        while pending:
            path, stems = pending.pop()
            listed = self._list(path)
            if not listed:
                continue
            names = [entry.name for entry in listed]
            if is_own_output(path, names):
                if MANIFEST in names:
                    self._report("export", "is an export of LoRADS and was left out.", path, "info")
                continue
            folder = Folder(path, FolderTexts(self._sidecars), stems)
            for entry in listed:
                self._sort_in(entry, folder, real)
            self.masks += folder.take_masks_out()
            pending += [(below, _mask_stems(folder, below)) for below in reversed(folder.below)]
            yield folder

    def report_left_out(self) -> None:
        """Say once what was left out by its kind or by choice, and how to choose otherwise."""
        if self._linked:
            folders = counted(
                len(self._linked),
                "linked folder (junction, symbolic link) was",
                "linked folders (junctions, symbolic links) were",
            )
            message = f"{folders} not followed: index what they point to, or follow links (--follow-links)."
            self._report("linked-folder", message, self._linked[0], "info")
        if self.masks:
            masks = counted(len(self.masks), "mask or conditioning image of another image is", _MASKS_ARE)
            message = (
                f"{masks} not indexed for training; masked loss (--masked-loss sidecar) uses masks. Where one is an"
                " image of its own, rename it."
            )
            self._report("masks", message, self.masks[0], "info")
        for kind, paths in self._unread.items():
            self._report("unread-kind", _of_kind(kind, paths), paths[0], kind.severity)

    def _sort_in(self, entry: os.DirEntry[str], folder: Folder, real: set[str]) -> None:
        suffix = suffix_of(entry.name)
        if self._is_folder(entry):  # first: a folder may be called holiday.png, or notes.txt
            if is_link(entry) and not self._follow_links:
                self._linked.append(entry.path)
            elif self._is_new(entry, real):
                folder.below.append(entry.path)
        elif suffix in SUFFIXES:
            if self._is_wanted(entry):
                folder.images.append(entry)
        elif not folder.texts.add(entry, suffix) and (kind := UNREAD.get(suffix) or self._without_suffix(entry)):
            self._unread.setdefault(kind, []).append(entry.path)

    def _without_suffix(self, entry: os.DirEntry[str]) -> UnreadKind | None:
        """Look into a file without a suffix, which may be an image; what is online-only is not downloaded for that."""
        if "." in entry.name or self._opened >= _MOST_OPENED:
            return None
        self._opened += 1
        try:
            if is_online_only(true_stat(entry)):
                return None
            with open_regular(entry.path) as file:
                return _NO_SUFFIX if is_image_start(file.read(LONGEST_MAGIC)) else None
        except (OSError, ValueError):
            return None

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._unreadable_folder(folder, error)
            return []

    @staticmethod
    def _is_folder(entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:  # a link to itself, say; looking at it as a file will tell
            return False

    def _is_new(self, entry: os.DirEntry[str], real: set[str]) -> bool:
        """Enter each real folder once: a link may lead back up."""
        target = os.path.realpath(entry.path) if self._follow_links else entry.path
        if target in real:
            return False
        if self._follow_links:
            real.add(target)
        return True

    def _is_wanted(self, entry: os.DirEntry[str]) -> bool:
        if entry.is_symlink() and not self._follow_links:
            self._report("link", "is a link and was left out: index what it points to, or follow links.", entry.path)
            return False
        return True

    def _unreadable_folder(self, folder: str, error: OSError) -> None:
        if not self._root.is_dir():
            raise LibraryError(
                f"The folder {self._root} went away while it was indexed: connect its drive and index again;"
                " what was read so far is stored."
            ) from error
        if isinstance(error, FileNotFoundError):
            self._report("vanished", "The folder went away while it was indexed: index again.", folder)
            return
        self.unreadable.append(folder)
        self._report("unreadable-folder", f"The folder cannot be read: {file_error_reason(error)}.", folder)

    def _report(self, code: str, message: str, path: str, severity: Severity = "warning") -> None:
        self.problems.append(Problem(severity, code, message, printable_path(path)))


_MASKS_ARE = "masks or conditioning images of other images are"


def _mask_stems(folder: Folder, below: str) -> Collection[str]:
    """Return the names that masks of a folder's images have in a folder below it."""
    if os.path.basename(below).lower() != MASK_FOLDER:  # noqa: PTH119 - a Path for each of many folders is slow
        return ()
    return {stem_of(entry.name).lower() for entry in folder.images}


def _of_kind(kind: UnreadKind, paths: list[str]) -> str:
    suffixes = Counter(suffix_of(path) for path in paths if kind.suffixes)
    listed = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(suffixes.items()))
    files = counted(len(paths), f"{kind.one} is", f"{kind.many} are")
    return f"{files} not read{f' ({listed})' if len(suffixes) > 1 else ''}: {kind.advice}"
