"""Indexing a folder into our own library: find, read and write what is new or changed."""

from __future__ import annotations

import os
import stat
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import ImageError, LibraryError
from ..images.decode import UNUSABLE_COLOURS, is_ready
from ..images.facts import read_facts
from ..images.files import printable_path
from ..model import FileStamp, Problem, Progress, no_progress
from ..problems import counted
from ..store import images as rows
from ..system.files import file_error_reason
from ..system.links import is_online_only, true_stat
from ..system.names import is_text
from .exchanged import exchange_known
from .listing import Listing
from .moved import Moved, move_known
from .respelling import KnownFolders, respell_files
from .sidecars import SidecarRule
from .sidecars.indexing import NOTHING_FOUND, BesideImage, FoundText, IndexedTexts, read_beside
from .stored_paths import StoredPaths
from .walk import count_images, real_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Severity
    from ..store.connect import Store
    from .listing import Folder

_LONGEST_PATH = 2000  # bytes; PostgreSQL's index entries end at 2,704
_BATCH = 500
_CHUNK = 16  # files that a thread reads before it reports; one by one, threads would spend their time on handing over
_AHEAD = _BATCH // _CHUNK  # chunks that are read while a batch is written


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How to index: ``workers`` threads read files; links are left alone unless ``follow_links``.

    Files whose content is on a server alone (OneDrive, iCloud) are read with ``download`` only. ``paths`` is how paths
    are stored, where machines share the index.
    """

    sidecars: SidecarRule = field(default_factory=SidecarRule)
    follow_links: bool = False
    download: bool = False
    workers: int = 0
    paths: StoredPaths = field(default_factory=StoredPaths)

    @property
    def threads(self) -> int:
        """Threads to read with; more than processors would only wait for each other."""
        return self.workers or max(2, min(16, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What indexing did, in numbers of images, with one problem per bad file."""

    folder: str
    found: int
    new: int
    changed: int
    unchanged: int
    missing: int
    seconds: float
    problems: tuple[Problem, ...]
    masks: int = 0  # not among the images
    moved: int = 0  # known images whose file lies elsewhere now; they are neither new nor gone

    @property
    def sentence(self) -> str:
        """The numbers, in words."""
        rate = self.found / self.seconds if self.seconds else 0
        moved = f", {self.moved:,} moved" if self.moved else ""
        masks = f" and {counted(self.masks, 'mask')}" if self.masks else ""
        return (
            f"{counted(self.found, 'image')}{masks} in {self.folder}: {self.new:,} new, {self.changed:,} changed,"
            f" {self.unchanged:,} unchanged, {self.missing:,} gone{moved}; {counted(len(self.problems), 'problem')};"
            f" {self.seconds:.1f} s, {rate:,.0f} a second"
        )


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    folder: str
    stamp: FileStamp
    beside: BesideImage
    online_only: bool  # the file, or a sidecar of it


def index_folder(
    store: Store,
    library: str,
    folder: Path,
    options: IndexOptions | None = None,
    progress: Progress = no_progress,
) -> IndexReport:
    """Bring the index of ``folder`` and all below it up to date; each batch is committed, so it can be cut off.

    Args:
        store: where the index lives.
        library: the name under which the images are stored.
        folder: any folder that can be read.
        options: how to index.
        progress: called as ("index", done, total) with numbers of images.

    Raises:
        LibraryError: the folder is missing, no folder, cannot be read, or went away meanwhile.
        StoreError: the store cannot be written.
    """
    root = real_folder(folder)
    return _Indexing(store, library, root, options or IndexOptions(), progress).run()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of reading a file: its row, None where it is no image, and what was wrong."""

    path: str
    row: rows.ImageRow | None
    problems: tuple[Problem, ...] = ()
    text: FoundText = NOTHING_FOUND


class _Indexing:
    """One run; the numbers it counts are read from one thread only, files are read by several."""

    def __init__(self, store: Store, library: str, root: Path, options: IndexOptions, progress: Progress) -> None:
        self.store = store
        self.library = library
        self.root = root
        self.options = options
        self.paths = options.paths
        self.texts = IndexedTexts(options.sidecars, follow_links=options.follow_links, download=options.download)
        self.progress = progress
        self.problems: list[Problem] = []
        self.visited: set[str] = set()
        self.listing = Listing(root, options.sidecars, follow_links=options.follow_links)
        self.online_only: list[str] = []  # files that were not read
        self.known_ids: dict[str, int] = {}  # of changed files under way
        self.former: set[str] = set()  # sources that changed files had words from before
        self.by_older = 0  # files that are read once more
        self.done = self.total = self.new = self.changed = self.unchanged = self.missing = 0
        self.moved: set[int] = set()  # images whose file lies elsewhere now
        self.marked: set[int] = set()  # images that this run has marked as missing
        self.chunk: list[_File] = []
        self.waiting: deque[Future[list[_Outcome]]] = deque()
        self.batch: list[rows.ImageRow] = []

    def run(self) -> IndexReport:
        started = monotonic()
        self.total = count_images(str(self.root))
        self.progress("index", 0, self.total)
        with self.store.connection() as connection:
            self.known_folders = KnownFolders(connection, self.library, str(self.root))
        executor = ThreadPoolExecutor(self.options.threads, thread_name_prefix="lorads-index")
        try:
            for folder in self.listing.folders():
                self._one_folder(executor, folder)
            self._submit(executor)
            self._drain(0)
            self._write()
            self._report_skipped()
            self.problems += [*self.texts.problems, *self.texts.notes.problems()]
            self.progress("index", self.done, self.done)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        self._mark_folders()
        return IndexReport(
            folder=str(self.root),
            found=self.new + self.changed + self.unchanged + len(self.moved),
            new=self.new,
            changed=self.changed,
            unchanged=self.unchanged,
            missing=self.missing,
            seconds=monotonic() - started,
            problems=tuple(self.problems),
            masks=len(self.listing.masks),
            moved=len(self.moved),
        )

    # Reading

    def _one_folder(self, executor: ThreadPoolExecutor, folder: Folder) -> None:
        if not is_text(folder.path):
            self._report("name", "The folder's name is not valid UTF-8: rename it.", folder.path)
            self._advance(len(folder.images))
            return
        self.visited.add(folder.path)
        with self.store.connection() as connection:
            if self.paths.is_plain:  # a map says itself how paths are spelled
                self.known_folders.respell(connection, folder.path)
            known = self.paths.local_files(rows.known_files(connection, self.library, self.paths.folder(folder.path)))
            if self.paths.is_plain:
                respell_files(connection, self.library, known, [entry.path for entry in folder.images])
        self.texts.open_folder(folder.path, folder.texts)
        gone = dict(known)
        back: list[int] = []
        for entry in folder.images:
            file = self._look(entry, folder)
            before = gone.pop(file.path, None) if file else None
            if file is None or not self._needs_reading(file, before, back):
                self._advance(1)
                continue
            if before:
                self.known_ids[file.path] = before.image_id
                self.former |= {mark.partition("=")[2].partition(":")[0] for mark in before.sidecars.split(" ") if mark}
            self.chunk.append(file)
            if len(self.chunk) == _CHUNK:
                self._submit(executor)
        self.texts.close_folder(folder.path, folder.texts, [entry.name for entry in folder.images])
        self._mark(back, [file.image_id for file in gone.values() if not file.missing])

    def _needs_reading(self, file: _File, before: rows.KnownFile | None, back: list[int]) -> bool:
        """Say whether a file is new or changed and may be read; one that is back unchanged goes to ``back``."""
        is_same = (
            before and (before.file_size, before.mtime_ns) == file.stamp and file.beside.is_marked(before.sidecars)
        )
        if before and is_same and before.by_older and not (file.online_only and not self.options.download):
            self.by_older += 1
        elif before and is_same and not self.texts.again(file.beside, before.sidecars):
            self.unchanged += 1
            if before.missing:
                back.append(before.image_id)
            return False
        if file.online_only and not self.options.download:
            self.online_only.append(file.path)
            return False
        return True

    def _look(self, entry: os.DirEntry[str], folder: Folder) -> _File | None:
        """Stat an image and its sidecars, nothing more; None with a problem where that fails."""
        if not is_text(entry.path) or len(os.fsencode(entry.path)) > _LONGEST_PATH:
            self._report("name", "The name is not valid UTF-8 or over 2,000 bytes long: rename it.", entry.path)
            return None
        try:
            found = true_stat(entry)
        except OSError as error:
            self._report("vanished", f"The file went away or cannot be read: {file_error_reason(error)}.", entry.path)
            return None
        if not stat.S_ISREG(found.st_mode):
            self._report("no-file", "is not a regular file and was left out.", entry.path)
            return None
        beside = self.texts.beside(entry.path, entry.name, folder.texts)
        return _File(entry.path, folder.path, FileStamp.of(found), beside, beside.online_only or is_online_only(found))

    def _submit(self, executor: ThreadPoolExecutor) -> None:
        self.waiting.append(executor.submit(_read_all, self.chunk))
        self.chunk = []
        self._drain(2 * self.options.threads + _AHEAD)

    # Writing

    def _drain(self, most: int) -> None:
        """Take finished chunks in order, and wait for some until at most ``most`` are under way."""
        while self.waiting and (len(self.waiting) > most or self.waiting[0].done()):
            for outcome in self.waiting.popleft().result():
                self.problems += outcome.problems
                self.texts.note(outcome.text)
                if outcome.row:
                    self.batch.append(outcome.row)
                else:
                    self._mark_unreadable(outcome.path)
                self._advance(1)
            if len(self.batch) >= _BATCH:
                self._write()

    def _mark_unreadable(self, path: str) -> None:
        """Offer a file no longer that could be read before."""
        image_id = self.known_ids.pop(path, None)
        if image_id is not None:
            with self.store.connection() as connection:
                rows.mark_missing(connection, self.library, [image_id])

    def _count(self, row: rows.ImageRow) -> None:
        if self.known_ids.pop(row.path, None) is None:
            self.new += 1
        else:
            self.changed += 1

    def _write(self) -> None:
        if self.batch:
            sources = sorted(self.options.sidecars.sources | self.former)
            stored = self.paths.rows(self.batch)
            with self.store.connection() as connection:
                exchanged = exchange_known(connection, self.library, stored, self.paths.paths)
                moved = exchanged.moved + move_known(connection, self.library, stored, self.paths.paths)
                overwritten = set(exchanged.gone) - {each.image_id for each in moved}
                self.missing += rows.mark_missing(connection, self.library, list(overwritten))
                refused = rows.write_images(connection, self.library, stored, sources)
            reasons = {each.position: each.reason for each in refused}
            self._note_moved(moved)
            moved_here = {each.path for each in moved}
            for index, row in enumerate(self.batch):
                if index in reasons:
                    self._refused(row, reasons[index])
                elif stored[index].path not in moved_here:
                    self._count(row)
            self.batch = []

    def _note_moved(self, moved: Iterable[Moved]) -> None:
        ids = {each.image_id for each in moved}
        self.moved |= ids
        self.missing -= len(ids & self.marked)

    def _refused(self, row: rows.ImageRow, reason: str) -> None:
        message = f"The store does not take what this file says ({reason}): save the image and its text files again."
        self._report("refused", message, row.path, "error")
        self._mark_unreadable(row.path)

    def _mark(self, back: list[int], gone: list[int]) -> None:
        gone = [image_id for image_id in gone if image_id not in self.moved]
        self.marked.update(gone)
        if back or gone:
            with self.store.connection() as connection:
                rows.clear_missing(connection, self.library, back)
                self.missing += rows.mark_missing(connection, self.library, gone)

    def _mark_folders(self) -> None:
        """Mark what lay in folders that are gone; folders that only could not be read keep what is known of them."""
        if not self.root.is_dir():
            raise LibraryError(f"The folder {self.root} went away while it was indexed: connect its drive.")
        with self.store.connection() as connection:
            stored = rows.known_folders(connection, self.library, self.paths.folder(str(self.root)))
            known = self.paths.local_folders(stored)
            gone = [
                known[folder]
                for folder in known.keys() - self.visited
                if not any(Path(folder).is_relative_to(unreadable) for unreadable in self.listing.unreadable)
            ]
            if gone:
                self.missing += rows.mark_folders_missing(connection, self.library, gone)

    def _advance(self, count: int) -> None:
        self.done += count
        self.total = max(self.total, self.done)  # files may have come since they were counted
        self.progress("index", self.done, self.total)

    def _report_skipped(self) -> None:
        """Say once what was left out by choice, and how to choose otherwise."""
        self.listing.report_left_out()
        self.problems += self.listing.problems
        if self.by_older:
            images = counted(self.by_older, "image was", "images were")
            message = (
                f"{images} read once more, as this version of LoRADS reads the prompts of more programs; the next run"
                " reads only what is new or changed."
            )
            self._report("read-again", message, str(self.root), "info")
        if self.online_only:
            count = len(self.online_only)
            images = f"{count:,} images were" if count > 1 else "1 image was"
            message = (
                f"{images} not read because the file, or a text file next to it, is online-only (OneDrive, iCloud …):"
                " make the folder available offline, or index with --download."
            )
            self._report("online-only", message, self.online_only[0])

    def _report(self, code: str, message: str, path: str, severity: Severity = "warning") -> None:
        self.problems.append(Problem(severity, code, message, printable_path(path)))


def _read_all(files: list[_File]) -> list[_Outcome]:
    return [_read(file) for file in files]


def _read(file: _File) -> _Outcome:
    """Read one image and the text beside it; run in a worker thread, so a bad file is returned, not raised.

    A bad sidecar costs its words only, and leaves a mark, so that the next run looks at it again.
    """
    try:
        facts = read_facts(file.path)
    except ImageError as error:
        return _Outcome(file.path, None, (Problem("error", "unreadable", str(error), printable_path(file.path)),))
    colours = ()
    if facts.profile == "unusable":
        colours = (Problem("warning", "colours", f"It {UNUSABLE_COLOURS}", printable_path(file.path)),)
    text = read_beside(file.beside)
    row = rows.ImageRow(
        path=file.path,
        folder=file.folder,
        file_size=facts.file_size,
        mtime_ns=facts.mtime_ns,
        sidecars=text.mark,
        hash=facts.sha256,
        format=facts.format,
        width=facts.width,
        height=facts.height,
        orientation=facts.orientation,
        frames=facts.frames,
        ready=is_ready(facts),
        rating=facts.rating,
        marked_bad=facts.marked_bad,
        prompt=facts.prompt or text.prompt,
        negative_prompt=facts.negative_prompt if facts.prompt else text.negative_prompt or facts.negative_prompt,
        prompt_source=facts.prompt_source if facts.prompt else text.prompt_source or facts.prompt_source,
        prompt_uncertain=facts.prompt_uncertain,
        tags=text.tags,
        captions=text.captions,
    )
    return _Outcome(file.path, row, (*text.problems, *colours), text)
