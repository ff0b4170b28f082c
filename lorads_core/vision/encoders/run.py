"""Bringing a library's vectors up to date: what it holds itself is copied, the rest is embedded.

How a vector in our store remembers what it is of, by its version (see `store.vectors`):

- above 0: the library's own vector, and a number made of the library's version of it. It is copied again when that
  version changes, deleted when the library has it no more, and never embedded here: the library answers for it.
- below 0: ours, and a fingerprint of the file's size and date. It is recomputed when the file changes; where the
  library comes to hold one itself, the library's takes its place.
- 0: nothing is known of it; it counts as of another file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ...model import Problem, no_progress
from ...problems import counted
from ...store.images import bump_revision
from ...store.vectors import (
    Space,
    adopted_version,
    analyze,
    coverage,
    delete_vectors,
    find_table,
    normalize,
    prepare_space,
    versions,
    write_vectors,
)
from ..batches import REASONS, BatchFeed, problem, wanted_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ...library import HostSpace, HostVectors, Library
    from ...library.filter import DatasetFilter
    from ...model import Progress
    from ...store.connect import Store
    from ..batches import PreparedImage
    from . import Embedder

ADOPT, EMBED = "adopt", "embed"
_CHUNK = 2_000  # deletions at a time
_NO_VECTOR = "no-vector"
_REASONS = {**REASONS, _NO_VECTOR: "that the encoder gives no vector for"}


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What became of a library's vectors, in numbers of images.

    ``copied`` came from the library's own vectors, ``deleted`` are gone there, ``embedded`` were computed by the
    encoder, ``unchanged`` had a vector already. ``spaces`` are those that were updated. ``problems`` has one for each
    image without a vector, and one for vectors of the library that cannot be used.
    """

    library: str
    spaces: tuple[str, ...]
    copied: int
    deleted: int
    embedded: int
    unchanged: int
    seconds: float
    problems: tuple[Problem, ...] = ()

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
            f"{self.library} in {names}: {self.copied:,} copied from the library, {self.embedded:,} embedded,"
            f" {self.unchanged:,} unchanged, {self.deleted:,} deleted"
            f"; without: {lacking or 'none'}; {self.seconds:.1f} s,"
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
        LibraryError: the library cannot be queried.
        SettingsError: the encoder cannot be run.
        StoreError: the store cannot be written, or knows the space with other dimensions.
    """
    started = monotonic()
    wanted_space = embedder.space.name if embedder else space
    own = library.spaces()
    of_images = [found for found in own if found.of_images]
    held = [found for found in own if found.space == wanted_space] if wanted_space else of_images[:1]
    adopting = _HostVectorCopy(store, library, progress)
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
            _bump_and_analyze(store, library.name, spaces)
    return EmbedReport(
        library=library.name,
        spaces=tuple(sorted(spaces)),
        copied=adopting.adopted,
        deleted=adopting.deleted,
        embedded=embedding.embedded if embedding else 0,
        unchanged=embedding.kept if embedding else adopting.kept,
        seconds=monotonic() - started,
        problems=(
            *adopting.problems,
            *(embedding.problems if embedding else ()),
            *_not_copied([found for found in of_images if found not in held] if embedder is None else []),
        ),
    )


def _not_copied(others: Iterable[HostSpace]) -> Iterator[Problem]:
    for found in others:
        message = (
            f"{counted(found.count, 'vector')} of the space {found.space} not copied: name the space to copy them."
        )
        yield Problem("info", "not-copied", message)


def _bump_and_analyze(store: Store, library: str, spaces: Iterable[str]) -> None:
    """Invalidate cached answers, and let the server plan with the new counts."""
    with store.connection() as connection:
        bump_revision(connection, library)
        for name in spaces:
            table = find_table(connection, library, name)
            if table:
                analyze(connection, table)


class _HostVectorCopy:
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
        _, sound = normalize(batch.vectors)
        dated = [adopted_version(version) for version in batch.versions[sound].tolist()]
        with self.store.connection() as connection:
            write_vectors(connection, self.library.name, space, batch.ids[sound], batch.vectors[sound], dated)
        self.ids.update(batch.ids[sound].tolist())
        self.adopted += len(dated)
        return len(dated)


class _Embedding:
    """Embedding images, and writing what comes of it."""

    def __init__(self, store: Store, library: Library, embedder: Embedder, progress: Progress) -> None:
        self.store = store
        self.library = library
        self.embedder = embedder
        self.progress = progress
        self.problems: Sequence[Problem] = ()
        self.embedded = self.kept = 0

    def run(self, wanted: DatasetFilter, adopted: set[int]) -> None:
        """Embed the wanted images; those ``adopted`` just now are not counted as unchanged."""
        with self.store.connection() as connection:
            prepare_space(connection, self.library.name, self.embedder.space)
            known = versions(connection, self.library.name, self.embedder.space.name)
        ids = wanted_ids(self.library, wanted)
        undone = [image_id for image_id in ids if known.get(image_id, 0) <= 0]
        feed = BatchFeed(self.library, self.embedder, EMBED, self.progress, known, self._write, look=self._look)
        feed.run(undone, len(ids) - len(undone))
        self.problems = feed.problems
        self.kept = len(ids) - len(undone) - len(adopted.intersection(ids)) + feed.kept

    def _look(self, ids: Sequence[int]) -> dict[int, int]:
        with self.store.connection() as connection:
            return versions(connection, self.library.name, self.embedder.space.name, ids)

    def _write(self, batch: Sequence[PreparedImage]) -> list[Problem]:
        """Embed a batch and commit it."""
        vectors = self.embedder.embed([fitted.image for fitted in batch])
        ids, dated = [fitted.image_id for fitted in batch], [fitted.version for fitted in batch]
        with self.store.connection() as connection:
            unsound = set(write_vectors(connection, self.library.name, self.embedder.space, ids, vectors, dated))
        self.embedded += len(batch) - len(unsound)
        return [
            problem(
                _NO_VECTOR,
                fitted.path,
                "The encoder gives no vector for it (NaN or zero): leave it out, or use a model in 32 bits.",
            )
            for fitted in batch
            if fitted.image_id in unsound
        ]
