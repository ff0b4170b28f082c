"""Perceptual hashes (pHash) of images: from the store where their files are unchanged, else computed and stored."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.files import os_error_reason, printable_path
from ..images.phash import read_phash
from ..model import FileStamp, Problem, no_progress
from ..store.faults import NotPermittedError
from ..store.phash import StoredHash, read_hashes, write_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import ImageRecord, Progress
    from ..store.connect import Store

STEP = "prints"
_CHUNK = 64
_FLAT = 0  # as kept in the store: no image has this print, since half of the bits of one are set
_MISSING = "The file is not there any more: index its folder again, or see where its library says that it is."

ImageKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class HashReport:
    """Prints by library and image id; ``flat`` images have none that would mean anything, ``problems`` no file."""

    by_key: dict[ImageKey, int] = field(default_factory=dict[ImageKey, int])
    flat: set[ImageKey] = field(default_factory=set[ImageKey])
    problems: list[Problem] = field(default_factory=list[Problem])


def image_hashes(store: Store, records: Sequence[ImageRecord], progress: Progress = no_progress) -> HashReport:
    """Return the prints of images of any libraries; one problem for each whose file cannot be read.

    What was read is stored chunk by chunk, so that a run that is cut off goes on from there; not so in a store that is
    only to be read.

    Raises:
        StoreError: the store cannot be read or written.
    """
    by_library: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        by_library[record.library].append(record)
    found = HashReport()
    done = 0
    with ThreadPoolExecutor(min(16, os.cpu_count() or 2)) as pool:
        for library, of_library in by_library.items():
            for at in range(0, len(of_library), _CHUNK):
                chunk = of_library[at : at + _CHUNK]
                _chunk(store, library, chunk, pool, found)
                done += len(chunk)
                progress(STEP, done, len(records))
    return found


def _chunk(
    store: Store, library: str, chunk: Sequence[ImageRecord], pool: ThreadPoolExecutor, found: HashReport
) -> None:
    with store.connection() as connection:
        known = read_hashes(connection, library, [record.id for record in chunk])
    fresh: dict[int, StoredHash] = {}
    before = [known.get(record.id) for record in chunk]
    for record, outcome in zip(chunk, pool.map(_read, chunk, before), strict=True):
        key = library, record.id
        if isinstance(outcome, Problem):
            found.problems.append(outcome)
            continue
        if outcome.phash == _FLAT:
            found.flat.add(key)
        else:
            found.by_key[key] = outcome.phash
        if outcome is not known.get(record.id):
            fresh[record.id] = outcome
    if fresh:
        with suppress(NotPermittedError), store.connection() as connection:  # they are read again the next time
            write_hashes(connection, library, fresh)


def _read(record: ImageRecord, known: StoredHash | None) -> StoredHash | Problem:
    """Return the print of an image, or why there is none; run in a worker thread, so nothing is raised."""
    try:
        there = FileStamp.of(Path(record.path).stat())
        if known and (known.path, known.file_size, known.mtime_ns) == (record.path, *there):
            return known
        value = read_phash(record.path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a path that no system could have
        return Problem("warning", "missing-file", _MISSING, printable_path(record.path))
    except OSError as error:
        return Problem("warning", "unreadable", str(os_error_reason(record.path, error)), printable_path(record.path))
    except ImageError as error:
        return Problem("warning", "unreadable", str(error), printable_path(record.path))
    return StoredHash(record.path, *there, _FLAT if value is None else value)
