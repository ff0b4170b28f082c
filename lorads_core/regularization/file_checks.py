"""A look at the files of picks: they must be there, large enough, and no copy of what is in the dataset already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..library.files import read_file_facts
from ..library.phash_cache import image_hashes
from ..model import Problem
from ..vision.similarity.duplicates import SAME_IMAGE, nearest_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..model import Dataset, ImageRecord, Progress
    from ..store.connect import Store
    from .rules import FinderRules

SAME_IMAGE_AS = "the same image as a training image or another pick"
UNUSABLE = "files that are too small or cannot be read"


class FileChecks:
    """Checks of candidates' files, read when first needed."""

    def __init__(self, store: Store, dataset: Dataset, rules: FinderRules, progress: Progress) -> None:
        self._store = store
        self._known = [image.record for image in (*dataset.training, *dataset.regularization)]
        self._rules = rules
        self._progress = progress
        self._records: dict[int, ImageRecord | None] = {}
        self._prints: dict[int, int | None] = {}
        self._own: NDArray[np.int64] | None = None
        self.problems: tuple[Problem, ...] = ()
        """What could not be looked at in the dataset itself."""

    def record(self, record: ImageRecord) -> ImageRecord:
        """Return a pick's record with what its file says."""
        return self._records.get(record.id) or record

    def refused(self, records: Sequence[ImageRecord]) -> dict[int, str]:
        """Return the ids of picks that cannot stay, with the reason."""
        unusable = self.unusable(records)
        there = [record.id for record in records if self._prints.get(record.id) is not None]
        if not there:
            return unusable
        values = np.array([self._prints[image_id] for image_id in there], np.int64)
        same = (nearest_hashes(values, self._of_dataset()) <= SAME_IMAGE) | _like_former(values)
        return unusable | {image_id: SAME_IMAGE_AS for image_id, is_same in zip(there, same, strict=True) if is_same}

    def unusable(self, records: Sequence[ImageRecord]) -> dict[int, str]:
        """Return the ids of images whose files are of no use, with the reason; each file is read once."""
        self._find([record for record in records if record.id not in self._records])
        if self._rules.compare_pictures:
            there = [record for record in records if self._records[record.id] is not None]
            self._check_files([record for record in there if record.id not in self._prints])
        return {record.id: UNUSABLE for record in records if self._records[record.id] is None}

    def _find(self, records: Sequence[ImageRecord]) -> None:
        found, _ = read_file_facts(records, self._rules.wanted.minimum_side, self._progress)
        there = {record.id: record for record in found if _is_file(record.path)}
        self._records |= {record.id: there.get(record.id) for record in records}

    def _check_files(self, records: Sequence[ImageRecord]) -> None:
        found = image_hashes(self._store, records, self._progress)
        for record in records:
            key = record.library, record.id
            if key in found.by_key or key in found.flat:
                self._prints[record.id] = found.by_key.get(key)
            else:
                self._records[record.id] = None

    def _of_dataset(self) -> NDArray[np.int64]:
        if self._own is None:
            found = image_hashes(self._store, self._known, self._progress)
            self._own = np.array(list(found.by_key.values()), np.int64)
            blind = len(self._known) - len(found.by_key)
            if blind:
                message = (
                    f"{blind:,} of {len(self._known):,} images of the dataset are missing, broken or of one colour:"
                    " picks were not compared with their images, only with their vectors."
                )
                self.problems = (Problem("warning", "not-compared", message),)
        return self._own


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _like_former(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each print (n) whether it is of the same image as one before it."""
    like = np.zeros(len(values), bool)
    for n in range(1, len(values)):
        like[n] = nearest_hashes(values[n : n + 1], values[:n][~like[:n]])[0] <= SAME_IMAGE
    return like
