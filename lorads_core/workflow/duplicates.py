"""Near-duplicates within a dataset: found by vectors and pixels; only the best of a group stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..export.plan import duplicates_problem
from ..library.phash_cache import image_hashes
from ..model import Problem, no_progress
from ..problems import counted
from ..store.vectors import find_table, read_vectors, tables_of
from ..vision.similarity.duplicates import ImageFeatures, duplicate_report, is_same_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy import bool_, float32, int64
    from numpy.typing import NDArray

    from ..model import Dataset, ImageRecord, Progress
    from ..store.connect import Store

Duplicates = Literal["report", "drop", "keep"]
"""What to do with duplicates: say so, leave all but the best out, or nothing."""
MOST_COMPARED = 2000
"""Images that are decoded by default, at 10 to 50 ms each; later runs know their prints."""


@dataclass(frozen=True, slots=True)
class WithoutDuplicates:
    """A dataset with the best of each group of near-duplicates, the groups, and what was said of each image left out.

    A group has its best image first. ``summary`` says the same in one line for identical files and one for
    near-duplicates.
    """

    dataset: Dataset
    groups: tuple[tuple[ImageRecord, ...], ...]
    problems: tuple[Problem, ...]
    summary: tuple[Problem, ...] = ()

    @property
    def left_out(self) -> tuple[ImageRecord, ...]:
        """All but the best of each group."""
        return tuple(record for _, *others in self.groups for record in others)

    @property
    def sentence(self) -> str:
        """How many were left out."""
        return f"{counted(len(self.left_out), 'duplicate')} left out"


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
    groups = tuple((records[group.best], *(records[twin.index] for twin in group.duplicates)) for group in told.groups)
    gone = {(record.library, record.id) for _, *others in groups for record in others}
    training = tuple(image for image in dataset.training if (image.record.library, image.record.id) not in gone)
    pairs = [(record, best) for best, *others in groups for record in others]
    return WithoutDuplicates(
        replace(dataset, training=training), groups, (*found.problems, *told.problems), tuple(_summary(pairs))
    )


def look_for_duplicates(
    store: Store, dataset: Dataset, wanted: Duplicates, progress: Progress = no_progress
) -> tuple[Dataset, tuple[Problem, ...]]:
    """Return a dataset with or without its duplicates, and what to say of them.

    To report near-duplicates, at most `MOST_COMPARED` images are decoded; identical files an export names anyway.
    """
    count = len(dataset.training)
    if wanted == "keep":
        return dataset, ()
    if wanted == "report" and count > MOST_COMPARED:
        message = (
            f"{count:,} images are too many to look for near-duplicates by the way: lorads query --duplicates report"
            " does, and drop (--duplicates drop) leaves them out."
        )
        return dataset, (Problem("info", "not-compared", message),)
    found = without_duplicates(store, dataset, progress)
    if wanted == "report":
        return dataset, tuple(problem for problem in found.summary if problem.code == "near-duplicates")
    if not found.left_out:
        return dataset, ()
    left_out = tuple(replace(each, severity="info") for each in found.summary)
    return found.dataset, (Problem("info", "duplicates", f"{found.sentence}, as chosen (duplicates: drop)."), *left_out)


def _summary(pairs: Sequence[tuple[ImageRecord, ImageRecord]]) -> Iterator[Problem]:
    """Say in one line each how many images are identical to better ones, and nearly the same, with two examples."""
    same = [pair for pair in pairs if is_same_file(*pair)]
    near = [pair for pair in pairs if not is_same_file(*pair)]
    kinds = (
        ("identical-files", same, ("image is identical to another", "images are identical to others")),
        ("near-duplicates", near, ("image is nearly the same as another", "images are nearly the same as others")),
    )
    for code, found, what in kinds:
        if found:
            yield duplicates_problem(code, found, what)


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
