"""Bringing a library's vectors up to date: what it holds itself is copied, the rest is embedded; it searches nothing.

How a vector in our store remembers what it is of, by its version (see `store.vectors`):

- above 0: the library's own vector, and a number made of the library's version of it. It is copied again when that
  version changes, deleted when the library has it no more, and never embedded anew: the library answers for it.
- below 0: ours, and a fingerprint of the file's size and date. It is made anew when the file changes; where the library
  comes to hold one itself, the library's takes its place.
- 0: nothing is known of it; it counts as of another file.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ImageError
from ..images.decode import decode
from ..images.files import shown, translated
from ..library.filter import DatasetFilter
from ..model import Problem, no_progress
from ..store.images import bump_revision
from ..store.vectors import (
    Space,
    adopted_version,
    analyze,
    at_length_one,
    coverage,
    delete_vectors,
    file_version,
    find_table,
    prepare_space,
    versions,
    write_vectors,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from PIL import Image

    from ..library import HostSpace, HostVectors, Library
    from ..model import ImageRecord, Progress
    from ..store.connect import Store
    from . import Embedder

ADOPT, EMBED = "adopt", "embed"
_CHUNK = 2_000  # records or deletions at a time
_STRIDE = 64  # images that need no work, for each word of progress
_AHEAD = 2  # batches that are decoded ahead of the model
_GONE = "file-missing"
_UNREADABLE = "unreadable"
_NO_VECTOR = "no-vector"
_REASONS = {
    _GONE: "whose files are missing",
    _UNREADABLE: "that cannot be read",
    _NO_VECTOR: "that the encoder gives no vector for",
}


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What became of a library's vectors, in numbers of images.

    ``adopted`` were copied from the library, ``deleted`` have gone there, ``embedded`` are new by the encoder, ``kept``
    had a vector already. ``spaces`` are those that were looked after. ``problems`` has one for each image without, and
    one for vectors of the library that are of no use.
    """

    library: str
    spaces: tuple[str, ...]
    adopted: int
    deleted: int
    embedded: int
    kept: int
    seconds: float
    problems: tuple[Problem, ...] = ()

    @property
    def without(self) -> int:
        """How many images have no vector after all."""
        return sum(problem.code in _REASONS for problem in self.problems)

    @property
    def sentence(self) -> str:
        """The numbers, in words."""
        if not self.spaces:
            return f"{self.library}: the library holds no vectors of its own, and no encoder was named"
        names = ", ".join(self.spaces)
        rate = self.embedded / self.seconds if self.seconds else 0
        counts = Counter(problem.code for problem in self.problems if problem.code in _REASONS)
        lacking = ", ".join(f"{number:,} {_REASONS[code]}" for code, number in counts.most_common())
        return (
            f"{self.library} in {names}: {self.adopted:,} copied from the library, {self.embedded:,} embedded,"
            f" {self.kept:,} unchanged, {self.deleted:,} deleted; without: {lacking or 'none'}; {self.seconds:.1f} s,"
            f" {rate:,.1f} embedded a second"
        )


def embed_library(
    store: Store,
    library: Library,
    embedder: Embedder | None,
    wanted: DatasetFilter,
    progress: Progress = no_progress,
    space: str = "",
) -> EmbedReport:
    """Copy the library's own vectors into our store, then embed the wanted images that have none or whose file changed.

    Each batch is committed, so that it can be cut off at any time, and the same call goes on. A file that is missing or
    cannot be read costs a problem, and keeps the vector that it had.

    Args:
        store: where the vectors go, under the library's name.
        library: the images; its own vectors of the encoder's space are copied, whatever the filter.
        embedder: the encoder; without one, only the library's own vectors are copied.
        wanted: the images to embed.
        space: which of the library's own vectors to copy without an embedder; the most useful ones where it is empty.
        progress: called as ("adopt", done, total) and ("embed", done, total) with numbers of vectors and images.

    Raises:
        LibraryError: the library cannot be asked.
        SettingsError: the encoder cannot be run.
        StoreError: the store cannot be written, or knows the space with other dimensions.
    """
    started = monotonic()
    wanted_space = embedder.space.name if embedder else space
    own = library.spaces()
    of_pictures = [found for found in own if found.of_pictures]
    held = [found for found in own if found.space == wanted_space] if wanted_space else of_pictures[:1]
    adopting = _Adopting(store, library, progress)
    embedding = _Embedding(store, library, embedder, progress) if embedder else None
    spaces = {space.space for space in held}.union([embedder.space.name] if embedder else [])
    try:
        for found in held:
            adopting.run(found)
        spaces |= adopting.forget_lost({found.space for found in own}, embedder.space.name if embedder else None)
        if embedding:
            embedding.run(wanted, adopting.ids)
    finally:
        # What is committed is there, however this ends.
        if adopting.adopted or adopting.deleted or (embedding and embedding.embedded):
            _tell(store, library.name, spaces)
    return EmbedReport(
        library=library.name,
        spaces=tuple(sorted(spaces)),
        adopted=adopting.adopted,
        deleted=adopting.deleted,
        embedded=embedding.embedded if embedding else 0,
        kept=embedding.kept if embedding else adopting.kept,
        seconds=monotonic() - started,
        problems=(
            *adopting.problems,
            *(embedding.problems if embedding else ()),
            *_not_copied([found for found in of_pictures if found not in held] if embedder is None else []),
        ),
    )


def _not_copied(others: Iterable[HostSpace]) -> Iterator[Problem]:
    for found in others:
        message = f"{found.count:,} vectors of the space {found.space} were not copied: name it if you want these."
        yield Problem("info", "not-copied", message)


def _tell(store: Store, library: str, spaces: Iterable[str]) -> None:
    """Have whoever asked before ask again, and the server plan with the new numbers."""
    with store.connection() as connection:
        bump_revision(connection, library)
        for name in spaces:
            table = find_table(connection, library, name)
            if table:
                analyze(connection, table)


class _Adopting:
    """Copying a library's own vectors."""

    def __init__(self, store: Store, library: Library, progress: Progress) -> None:
        self.store = store
        self.library = library
        self.progress = progress
        self.ids: set[int] = set()
        self.problems: list[Problem] = []
        self.adopted = self.deleted = self.kept = 0

    def run(self, host: HostSpace) -> None:
        """Bring our copy of a space up to date."""
        space = Space(host.space, host.dimensions, host.origin)
        with self.store.connection() as connection:
            prepare_space(connection, self.library.name, space)
            ours = versions(connection, self.library.name, space.name)
        theirs = self.library.vector_versions(space.name)
        self._delete(space.name, [image for image, version in ours.items() if version > 0 and image not in theirs])
        wanted = [image_id for image_id, version in theirs.items() if ours.get(image_id) != adopted_version(version)]
        self.kept += len(theirs) - len(wanted)
        self._copy(space, wanted)

    def forget_lost(self, held: Collection[str], only: str | None) -> set[str]:
        """Delete what was copied of spaces that are not among those that the library holds; return their names."""
        with self.store.connection() as connection:
            kept = [only] if only else [known.space.name for known in coverage(connection, self.library.name)]
            copied = {
                name: [
                    image_id
                    for image_id, version in versions(connection, self.library.name, name).items()
                    if version > 0
                ]
                for name in kept
                if name not in held
            }
        for name, gone in copied.items():
            self._delete(name, gone)
        return {name for name, gone in copied.items() if gone}

    def _delete(self, space: str, gone: list[int]) -> None:
        for at in range(0, len(gone), _CHUNK):
            with self.store.connection() as connection:
                delete_vectors(connection, self.library.name, space, gone[at : at + _CHUNK])
            self.deleted += len(gone[at : at + _CHUNK])

    def _copy(self, space: Space, wanted: list[int]) -> None:
        if not wanted:
            return
        done = unsound = 0
        self.progress(ADOPT, done, len(wanted))
        for batch in self.library.vectors(space.name, wanted):
            unsound += len(batch.ids) - self._write(space, batch)
            done += len(batch.ids)
            self.progress(ADOPT, done, max(done, len(wanted)))
        if unsound:
            message = f"{unsound:,} of the library's own vectors are of no use (NaN or zero): they were not copied."
            self.problems.append(Problem("warning", "library-vectors", message, space.name))

    def _write(self, space: Space, batch: HostVectors) -> int:
        """Keep what is sound, and return how many that are; the others must not take the place of one that we have."""
        _, sound = at_length_one(batch.vectors)
        dated = [adopted_version(version) for version in batch.versions[sound].tolist()]
        with self.store.connection() as connection:
            write_vectors(connection, self.library.name, space, batch.ids[sound], batch.vectors[sound], dated)
        self.ids.update(batch.ids[sound].tolist())
        self.adopted += len(dated)
        return len(dated)


class _Fitted(NamedTuple):
    """An image that is ready for the encoder."""

    image_id: int
    path: str
    version: int
    picture: Image.Image


class _Embedding:
    """Embedding images: threads decode, the caller's thread runs the encoder and writes."""

    def __init__(self, store: Store, library: Library, embedder: Embedder, progress: Progress) -> None:
        self.store = store
        self.library = library
        self.embedder = embedder
        self.progress = progress
        self.problems: list[Problem] = []
        self.embedded = self.kept = self.done = self.total = 0
        self.known: dict[int, int] = {}
        self.waiting: deque[Future[_Fitted | Problem | None]] = deque()
        self.ready: list[_Fitted] = []

    def run(self, wanted: DatasetFilter, adopted: set[int]) -> None:
        """Embed the wanted images; those ``adopted`` just now are not counted as kept."""
        ids = self._prepare(wanted)
        undone = [image_id for image_id in ids if self.known.get(image_id, 0) <= 0]
        self.total, self.done = len(ids), len(ids) - len(undone)
        self.kept = self.done - len(adopted.intersection(ids))
        self.progress(EMBED, self.done, self.total)
        threads = max(2, min(16, os.cpu_count() or 1))
        executor = ThreadPoolExecutor(threads, thread_name_prefix="lorads-embed")
        try:
            for record in self._records(undone):
                self._submit(executor, record)
                self._drain(_AHEAD * self.embedder.batch_size + threads)
            self._drain(0)
            self._write()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        self.progress(EMBED, self.total, self.total)

    def _prepare(self, wanted: DatasetFilter) -> list[int]:
        """Make room for vectors, see which there are, and return the ids of the wanted images."""
        with self.store.connection() as connection:
            prepare_space(connection, self.library.name, self.embedder.space)
            self.known = versions(connection, self.library.name, self.embedder.space.name)
        if wanted.maximum_images is None:
            return sorted(self.library.ids(wanted))
        return [record.id for record in self.library.find(wanted)]  # the first ones, not any

    def _records(self, ids: Sequence[int]) -> Iterator[ImageRecord]:
        rest = iter(ids)
        while chunk := tuple(islice(rest, _CHUNK)):
            found = self.library.find(DatasetFilter(ids=chunk, exclude_marked_bad=False))
            self.done += len(chunk) - len(found)  # gone from the library since they were counted
            yield from found

    def _submit(self, executor: ThreadPoolExecutor, record: ImageRecord) -> None:
        known = self.known.get(record.id, 0)
        if record.mtime_ns and file_version(record.file_size, record.mtime_ns) == known:
            self._pass_over(None)  # as its library last saw it: no need to look at the file
        else:
            self.waiting.append(executor.submit(_read, record, known, self.embedder))

    def _drain(self, most: int) -> None:
        """Take what the threads give, in order, until at most ``most`` are under way."""
        while len(self.waiting) > most:
            outcome = self.waiting.popleft().result()
            if not isinstance(outcome, _Fitted):
                self._pass_over(outcome)
                continue
            self.ready.append(outcome)
            if len(self.ready) == self.embedder.batch_size:
                self._write()

    def _pass_over(self, problem: Problem | None) -> None:
        if problem is None:
            self.kept += 1
        else:
            self.problems.append(problem)
        self.done += 1
        if self.done % _STRIDE == 0:
            self.progress(EMBED, self.done, self.total)

    def _write(self) -> None:
        """Embed what is ready and commit it."""
        batch, self.ready = self.ready, []
        if not batch:
            return
        vectors = self.embedder.embed([fitted.picture for fitted in batch])
        ids, dated = [fitted.image_id for fitted in batch], [fitted.version for fitted in batch]
        with self.store.connection() as connection:
            unsound = set(write_vectors(connection, self.library.name, self.embedder.space, ids, vectors, dated))
        self.problems += [
            _problem(
                _NO_VECTOR,
                fitted.path,
                "The encoder gives no vector for it (NaN or zero): leave it out, or use a model in 32 bits.",
            )
            for fitted in batch
            if fitted.image_id in unsound
        ]
        self.embedded += len(batch) - len(unsound)
        self.done += len(batch)
        self.progress(EMBED, self.done, self.total)


def _read(record: ImageRecord, known: int, embedder: Embedder) -> _Fitted | Problem | None:
    """Return a picture as the encoder wants it, None where its vector is of the same file; run in a worker thread."""
    try:
        found = os.stat(record.path)  # noqa: PTH116 - Path's has no other meaning, and makes an object of each path
        version = file_version(found.st_size, found.st_mtime_ns)
        if version == known:
            return None
        return _Fitted(record.id, record.path, version, embedder.fit(decode(record.path, first_frame=True)))
    except (FileNotFoundError, NotADirectoryError):
        return _problem(
            _GONE,
            record.path,
            f"The file is not there: index its folder again, or map its folder in [libraries.{record.library}.paths].",
        )
    except OSError as error:
        return _problem(_UNREADABLE, record.path, str(translated(record.path, error)))
    except ImageError as error:
        return _problem(_UNREADABLE, record.path, str(error))


def _problem(code: str, path: str, message: str) -> Problem:
    return Problem("warning", code, message, shown(path))
