"""The text beside images while a folder is indexed: found by names, marked, read by worker threads, noted once."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...errors import CaptionError
from ...images.files import printable_path
from ...model import Problem
from ...system.links import is_online_only, true_stat
from .folder_lists import Listed, read_list
from .notes import SidecarNotes
from .read import SidecarText, read_sidecar, said_text
from .rule import FOLDER_SUFFIX

if TYPE_CHECKING:
    from ...model import Caption, Tag
    from .beside import Beside, FolderTexts
    from .rule import SidecarRule

_UNREAD = "!"
"""What stands before the mark of an image a sidecar of which could not be read."""


@dataclass(frozen=True, slots=True)
class BesideImage:
    """The text beside an image; ``mark`` changes when it, or what it is read as, does.

    ``listed`` is the list that names the image, with what it says. ``online_only`` is whether a file is on a server
    alone.
    """

    files: tuple[Beside, ...] = ()
    listed: tuple[str, SidecarText] | None = None
    mark: str = ""
    online_only: bool = False

    def is_marked(self, mark: str) -> bool:
        """Say whether an image with this mark had the same text beside it, readable or not."""
        return mark.removeprefix(_UNREAD) == self.mark


NOTHING_BESIDE = BesideImage()


class FoundText(NamedTuple):
    """What the text beside an image says, what came of each file, and what could not be read."""

    tags: tuple[Tag, ...] = ()
    captions: tuple[Caption, ...] = ()
    prompt: str = ""
    negative_prompt: str = ""
    prompt_source: str = ""
    mark: str = ""
    read: tuple[tuple[str, str, str, SidecarText], ...] = ()  # path, suffix, source, what it says
    problems: tuple[Problem, ...] = ()


NOTHING_FOUND = FoundText()


class IndexedTexts:
    """The text files of one run: lists of folders and notes, both used by one thread only."""

    def __init__(self, rule: SidecarRule, *, follow_links: bool, download: bool) -> None:
        self.rule = rule
        self.notes = SidecarNotes()
        self.problems: list[Problem] = []
        self._follow_links = follow_links
        self._download = download
        self._lists: dict[str, list[tuple[str, Listed]]] = {}
        self._source = next((each.source for each in rule.read if each.suffix == FOLDER_SUFFIX), "")

    def open_folder(self, path: str, texts: FolderTexts) -> None:
        """Read the lists of a folder."""
        for entry in texts.lists:
            with suppress(OSError):  # it went away since the folder was listed
                if is_online_only(true_stat(entry)) and not self._download:
                    message = "The list of captions is online-only and was not read: index with --download."
                    self._report(message, entry.path)
                    continue
            try:
                self._lists.setdefault(path, []).append((entry.path, read_list(Path(entry.path))))
            except CaptionError as error:
                self._report(str(error), entry.path)

    def close_folder(self, path: str, texts: FolderTexts, images: list[str]) -> None:
        """Note what of a folder's text files is not read; `beside` was called for each of its images."""
        for name, kind in texts.unclaimed(images):
            self.notes.unclaimed(os.path.join(path, name), kind)  # noqa: PTH118 - a Path for each of many is slow
        for shadowed in texts.shadowed:
            self.notes.shadowed(shadowed)

    def beside(self, path: str, name: str, texts: FolderTexts) -> BesideImage:
        """Return the text beside the image ``path``, by looking at the date of each file."""
        listed = self._listed(path) if self._lists else None
        if not texts and not listed:
            return NOTHING_BESIDE
        files: list[Beside] = []
        marks: list[str] = []
        online_only = False
        for each in texts.of(name):
            if each.entry.is_symlink() and not self._follow_links:
                continue
            try:
                found = true_stat(each.entry)
            except OSError:
                continue  # it went away since the folder was listed: then there is none
            online_only = online_only or is_online_only(found)
            files.append(each)
            marks.append(f"{each.reading.suffix}={each.reading.mark}:{found.st_size}:{found.st_mtime_ns}")
        if listed and any(each.reading.source == self._source for each in files):
            self.notes.shadowed(listed[0])
            listed = None
        if listed:
            marks.append(f"{FOLDER_SUFFIX}={self._source}:{listed[2]}")
        return BesideImage(tuple(files), listed and listed[:2], " ".join(marks), online_only)

    def _listed(self, path: str) -> tuple[str, SidecarText, str] | None:
        """Return what the nearest list at or above an image's folder says of it."""
        folder = os.path.dirname(path)  # noqa: PTH120 - as above
        while folder:
            for name, listed in self._lists.get(folder, ()):
                if found := listed.of(path):
                    return name, said_text(found[0], self._source, "list"), found[1]
            above = os.path.dirname(folder)  # noqa: PTH120
            folder = above if above != folder else ""
        return None

    def again(self, beside: BesideImage, mark: str) -> bool:
        """Say whether an image whose text could not be read is to be read again; reports what still cannot be."""
        if not mark.startswith(_UNREAD):
            return False
        problems = read_beside(beside).problems
        self.problems += problems
        return not problems

    def note(self, found: FoundText) -> None:
        """Count what was read beside an image."""
        for path, suffix, source, text in found.read:
            self.notes.read(path, suffix, source, text)

    def _report(self, message: str, path: str) -> None:
        self.problems.append(Problem("warning", "sidecar", message, printable_path(path)))


def read_beside(beside: BesideImage) -> FoundText:
    """Return what the text beside an image says; run in a worker thread, so a bad file is returned, not raised."""
    if beside is NOTHING_BESIDE:
        return NOTHING_FOUND
    read: list[tuple[str, str, str, SidecarText]] = []
    problems: list[Problem] = []
    for entry, reading, majority in beside.files:
        try:
            read.append((entry.path, reading.suffix, reading.source, read_sidecar(Path(entry.path), reading, majority)))
        except CaptionError as error:  # noqa: PERF203 - each file by itself
            problems.append(Problem("warning", "sidecar", str(error), printable_path(entry.path)))
    if beside.listed:
        read.append((beside.listed[0], FOLDER_SUFFIX, "", beside.listed[1]))
    texts = [text for *_, text in read]
    prompted = next((text for text in texts if text.prompt), None)
    return FoundText(
        tags=tuple(tag for text in texts for tag in text.tags),
        captions=tuple(caption for text in texts for caption in text.captions),
        prompt=prompted.prompt if prompted else "",
        negative_prompt=prompted.negative_prompt if prompted else "",
        prompt_source=prompted.prompt_source if prompted else "",
        mark=_UNREAD + beside.mark if problems else beside.mark,
        read=tuple(read),
        problems=tuple(problems),
    )
