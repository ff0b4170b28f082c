"""Near-duplicates within a dataset: found by vectors and pixels; only the best of a group stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..library.phash_cache import image_hashes
from ..model import no_progress
from ..store.vectors import find_table, read_vectors, tables_of
from ..vision.similarity.duplicates import ImageFeatures, duplicate_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float32, int64
    from numpy.typing import NDArray

    from ..model import Dataset, ImageRecord, Problem, Progress
    from ..store.connect import Store


@dataclass(frozen=True, slots=True)
class WithoutDuplicates:
    """A dataset with the best of each group of near-duplicates, what was left out, and what each of those is like."""

    dataset: Dataset
    left_out: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]


def without_duplicates(store: Store, dataset: Dataset, progress: Progress = no_progress) -> WithoutDuplicates:
    """Find near-duplicates among a dataset's training images, by their files and, where there are, their vectors."""
    records = [image.record for image in dataset.training]
    found = image_hashes(store, records, progress)
    values = [found.by_key.get((record.library, record.id)) for record in records]
    vectors, has_vector = _vectors(store, records)
    alike = ImageFeatures(
        vectors,
        has_vector,
        np.array([value or 0 for value in values], np.int64),
        np.array([value is not None for value in values], bool),
    )
    told = duplicate_report(records, alike)
    left_out = tuple(records[twin.index] for group in told.groups for twin in group.duplicates)
    gone = {(record.library, record.id) for record in left_out}
    training = tuple(image for image in dataset.training if (image.record.library, image.record.id) not in gone)
    return WithoutDuplicates(replace(dataset, training=training), left_out, (*found.problems, *told.problems))


def _vectors(store: Store, records: Sequence[ImageRecord]) -> tuple[NDArray[float32], NDArray[bool_]]:
    """Return vectors (n, d) of the space that most of the images have, and which have one (n)."""
    places: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for place, record in enumerate(records):
        places[record.library][record.id] = place
    best_vectors, most = np.zeros((len(records), 1), np.float32), np.zeros(len(records), bool)
    with store.connection() as connection:
        spaces = {table.space for library in places for table in tables_of(connection, library)}
        for space in sorted(spaces):
            vectors, there = np.zeros((len(records), space.dimensions), np.float32), np.zeros(len(records), bool)
            for library, of_library in places.items():
                table = find_table(connection, library, space.name)
                if table:
                    ids, found = read_vectors(connection, table, list(of_library))
                    rows: list[int] = [of_library[image_id] for image_id in _plain(ids)]
                    vectors[rows], there[rows] = found, True
            if there.sum() > most.sum():
                best_vectors, most = vectors, there
    return best_vectors, most


def _plain(ids: NDArray[int64]) -> list[int]:
    return ids.tolist()
