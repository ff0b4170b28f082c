"""A library's images through a model, batch by batch: threads decode, the caller's thread runs it; it keeps nothing."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from ..errors import ImageError
from ..images.decode import decode
from ..images.files import os_error_reason, printable_path
from ..library.filter import DatasetFilter
from ..model import FileStamp, Problem
from ..store.vectors import file_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from PIL import Image

    from ..library import Library
    from ..model import ImageRecord, Progress

GONE = "file-missing"
UNREADABLE = "unreadable"
REASONS = {GONE: "whose files are missing", UNREADABLE: "that cannot be read"}
_CHUNK = 2_000  # records at a time
_BLOCK = 128  # images, before each of which is looked what other programs have done meanwhile
_STRIDE = 64  # images that need no work, for each word of progress
_AHEAD = 2  # batches that are decoded ahead of the model

Item = TypeVar("Item")


class ImageModel(Protocol):
    """A model that looks at images, as much of it as a feed needs.

    Images are made fit by the threads that decode them, so that never more than a few lie in memory at full size.
    """

    @property
    def batch_size(self) -> int:
        """How many images to show it at once."""
        ...

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an upright image (8-bit RGB, sRGB) in the size that the model sees; any thread may call it."""
        ...


class PreparedImage(NamedTuple):
    """An image that is ready for the model; ``version`` is that of the file it was read from."""

    image_id: int
    path: str
    version: int
    image: Image.Image


def wanted_ids(library: Library, wanted: DatasetFilter) -> list[int]:
    """Return the ids of the wanted images: in the filter's order where it has a maximum, else sorted."""
    if wanted.maximum_images is None:
        return sorted(library.ids(wanted))
    return [record.id for record in library.find(wanted)]  # the first ones, not any


def record_version(record: ImageRecord) -> int:
    """Return the version of the file that a record was made of, 0 where the record does not know its file."""
    return file_version(record.stamp) if record.mtime_ns else 0


def current_version(path: str) -> int:
    """Return the version of the file that is there now.

    Raises:
        OSError: there is none.
        ValueError: the path is one that no file can have.
    """
    found = os.stat(path)  # noqa: PTH116 - Path's has no other meaning, and makes an object of each path
    return file_version(FileStamp.of(found))


def _nobody(_records: Sequence[ImageRecord]) -> Collection[int]:
    return ()


def _nothing_new(_ids: Sequence[int]) -> Mapping[int, int]:
    return {}


class BatchFeed:
    """One run; its numbers are read from one thread only.

    ``known`` has the versions of the files that were looked at before: what has not changed is counted. ``spare``
    returns, for some thousand records at a time, which of them the model need not see. ``write`` stores
    what the model says of a batch, and returns what was wrong.

    ``look`` returns the versions of images as they are now. Where another program does the same work on the same
    library, the two share it: from then on one of them takes what is left from its end.
    """

    def __init__(
        self,
        library: Library,
        viewer: ImageModel,
        step: str,
        progress: Progress,
        known: Mapping[int, int],
        write: Callable[[Sequence[PreparedImage]], Sequence[Problem]],
        spare: Callable[[Sequence[ImageRecord]], Collection[int]] = _nobody,
        look: Callable[[Sequence[int]], Mapping[int, int]] = _nothing_new,
    ) -> None:
        self.library = library
        self.viewer = viewer
        self.step = step
        self.progress = progress
        self.known = dict(known)
        self.write = write
        self.spare = spare
        self.look = look
        self.from_end = False
        self.problems: list[Problem] = []
        self.kept = self.spared = self.done = self.total = 0
        self.waiting: deque[Future[PreparedImage | Problem | None]] = deque()
        self.ready: list[PreparedImage] = []

    def run(self, ids: Sequence[int], done: int = 0) -> None:
        """Show these images to the model; ``done`` more count as done already."""
        self.total, self.done = len(ids) + done, done
        self.progress(self.step, self.done, self.total)
        threads = max(2, min(16, os.cpu_count() or 1))
        executor = ThreadPoolExecutor(threads, thread_name_prefix=f"lorads-{self.step}")
        try:
            for record in self._records(ids):
                self.waiting.append(executor.submit(_read, record, self.known.get(record.id, 0), self.viewer))
                self._drain(_AHEAD * self.viewer.batch_size + threads)
            self._drain(0)
            self._write()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        self.progress(self.step, self.total, self.total)

    def _records(self, ids: Sequence[int]) -> Iterator[ImageRecord]:
        """Yield the records of those images that the model has to see."""
        rest = deque(ids)
        while chunk := self._taken(rest, _CHUNK):
            found = self.library.find(DatasetFilter(ids=chunk, exclude_marked_bad=False))
            self.done += len(chunk) - len(found)  # gone from the library since they were counted
            undone = [record for record in found if not self._is_known(record)]
            self._pass_over(len(found) - len(undone))
            spared = self.spare(undone)
            self.spared += len(spared)
            self._pass_over(len(spared), kept=0)
            undone = deque(record for record in undone if record.id not in spared)
            while block := self._taken(undone, _BLOCK):
                self._notice(block)
                yield from block

    def _taken(self, rest: deque[Item], most: int) -> tuple[Item, ...]:
        take = rest.pop if self.from_end else rest.popleft
        return tuple(take() for _ in range(min(most, len(rest))))

    def _notice(self, block: Sequence[ImageRecord]) -> None:
        """See what another program has done of images that were not done when this one began."""
        now = self.look([record.id for record in block])
        new = {image_id: version for image_id, version in now.items() if version != self.known.get(image_id)}
        self.from_end = self.from_end or bool(new)
        self.known |= new

    def _is_known(self, record: ImageRecord) -> bool:
        """Tell a file that is as its library last saw it: there is no need to look at it."""
        version = record_version(record)
        return version != 0 and version == self.known.get(record.id)

    def _drain(self, most: int) -> None:
        """Take what the threads give, in order, until at most ``most`` are under way."""
        while len(self.waiting) > most:
            outcome = self.waiting.popleft().result()
            if isinstance(outcome, PreparedImage):
                self.ready.append(outcome)
                if len(self.ready) == self.viewer.batch_size:
                    self._write()
                continue
            if outcome is not None:
                self.problems.append(outcome)
            self._pass_over(1, kept=outcome is None)

    def _pass_over(self, count: int, kept: int | None = None) -> None:
        """Count images that need no work, and say so at every stride."""
        self.kept += count if kept is None else kept
        before, self.done = self.done, self.done + count
        if before // _STRIDE != self.done // _STRIDE:
            self.progress(self.step, self.done, self.total)

    def _write(self) -> None:
        """Run the model on what is ready, and write its results."""
        batch, self.ready = self.ready, []
        if not batch:
            return
        self.problems += self.write(batch)
        self.done += len(batch)
        self.progress(self.step, self.done, self.total)


def _read(record: ImageRecord, known: int, viewer: ImageModel) -> PreparedImage | Problem | None:
    """Return an image as the model wants it, None where it has seen the same file; run in a worker thread."""
    try:
        version = current_version(record.path)
        if version == known:
            return None
        return PreparedImage(record.id, record.path, version, viewer.fit(decode(record.path, first_frame=True)))
    except (FileNotFoundError, NotADirectoryError):
        return problem(
            GONE,
            record.path,
            f"The file is not there: index its folder again, or map its folder in [libraries.{record.library}.paths].",
        )
    except OSError as error:
        return problem(UNREADABLE, record.path, str(os_error_reason(record.path, error)))
    except ImageError as error:
        return problem(UNREADABLE, record.path, str(error))


def problem(code: str, path: str, message: str) -> Problem:
    """Return what is wrong with one image."""
    return Problem("warning", code, message, printable_path(path))
