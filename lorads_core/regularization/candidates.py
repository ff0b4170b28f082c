"""Candidates for regularization, the most similar first: found by vectors, filtered by every exclusion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..library.files import missing_files
from ..library.filter import DatasetFilter
from ..store import search
from ..store import vectors as store_vectors
from ..vision.similarity.centres import similarity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy import float32, int64
    from numpy.typing import NDArray

    from ..library import Library
    from ..model import Dataset, ImageRecord
    from ..store.connect import Store
    from ..store.search import Hits
    from .rules import FinderRules
    from .training_profile import TrainingProfile

_FIRST_HITS = 10_000
_MORE = 8
_MARGIN = 1.3
_BLOCK = 1_000
_FEW = 20_000  # candidates that are compared one by one, whatever their likeness

TRAINING = "in the dataset already"
OUTSIDE = "less or more like the training set than the band"
FILTER = "do not pass the filter"
SAME_FILE = "same file, settings or base image as a training image"
SAME_CLUSTER = "in a cluster of a training image"
LIKE_TRAINING = "too like one of the training images"
MISSING = "whose files are not on this machine"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be picked, with its cosine to the training set, its vector (d) and its first cluster."""

    record: ImageRecord
    similarity: float
    vector: NDArray[float32]
    cluster: str


@dataclass
class CandidatePool:
    """Candidates as far as they have been looked at; `fill` looks at more."""

    store: Store
    library: Library
    profile: TrainingProfile
    rules: FinderRules
    dataset: Dataset
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    passed_over: Counter[str] = field(default_factory=Counter[str])
    exhausted: bool = False
    missing_file: str = ""
    """The first file that is not here, as an example."""
    reasons: dict[int, str] | None = None
    """Why each image was passed over, while that is written down (`nearest_passed_over`)."""

    def __post_init__(self) -> None:
        images = (*self.dataset.training, *self.dataset.regularization)
        self._taken = {image.record.id for image in images if image.record.library == self.library.name}
        self._known = _Known.of([image.record for image in self.dataset.training])
        excluded = (*self.rules.wanted.excluded_tags, *self.profile.subject_tags)
        self._wanted = replace(self.rules.wanted, excluded_tags=excluded, maximum_images=None, order="path")
        self.hits, self._blocks = self._search()

    def fill(self, enough: int) -> None:
        """Look at more until there are ``enough`` candidates, or no more."""
        while len(self.candidates) < enough and not self.exhausted:
            block = next(self._blocks, None)
            if block is None:
                self.exhausted = True
            else:
                self._sift(*block)

    def nearest_passed_over(self, count: int) -> dict[int, tuple[float, str]]:
        """Return the images nearest to the training set with their cosine and why they are passed over.

        Images of the dataset itself are left out; an image without a reason is a candidate. They are looked at again,
        which only a search that found nothing is worth.
        """
        before = self.passed_over.copy(), list(self.candidates)
        self.reasons = {}
        hits = self._nearest(count + len(self._taken))
        others = ~np.isin(hits.ids, list(self._taken))
        ids, near = hits.ids[others][:count], hits.similarities[others][:count]
        within = self._within(near)
        self.reasons |= dict.fromkeys(ids[~within].tolist(), OUTSIDE)
        self._sift(ids[within], near[within])
        found = {
            image_id: (like, self.reasons.get(image_id, ""))
            for image_id, like in zip(ids.tolist(), near.tolist(), strict=True)
        }
        self.passed_over, self.candidates = before
        self.reasons = None
        return found

    def _search(self) -> tuple[Hits, Iterator[tuple[NDArray[int64], NDArray[float32]]]]:
        """Return the first hits, and blocks of ids and cosines from them and from what lies behind them."""
        few = self._few()
        with self.store.connection() as connection:
            if few is not None:
                hits = search.nearest_among(connection, self.profile.table, self.profile.centres, few)
                self.passed_over[FILTER] += self.profile.total - len(hits.ids)
            else:
                hits = self._nearest(self._rank_of_band() + _FIRST_HITS)
        return hits, self._in_blocks(hits)

    def _rank_of_band(self) -> int:
        """Return about how many images are more like the training set than the band, which a search meets first."""
        above = self.profile.library >= self.profile.band.highest
        return int(_MARGIN * above.mean() * self.profile.total) if len(above) else 0

    def _few(self) -> list[int] | None:
        """Return the ids of all that pass the filter where they are few: then no search can pass by them."""
        if _restricts_nothing(self._wanted):
            return None
        ids = self.library.ids(replace(self._wanted, maximum_images=_FEW + 1))
        return ids if len(ids) <= _FEW else None

    def _nearest(self, limit: int) -> Hits:
        with self.store.connection() as connection:
            return search.nearest(
                connection, self.profile.table, self.profile.centres, limit, self.profile.total, self.rules.way
            )

    def _in_blocks(self, hits: Hits) -> Iterator[tuple[NDArray[int64], NDArray[float32]]]:
        seen: set[int] = set()
        while True:
            fresh = np.array([image_id not in seen for image_id in hits.ids.tolist()], bool)
            ids, near = hits.ids[fresh], hits.similarities[fresh]
            seen.update(ids.tolist())
            others = ~np.isin(ids, list(self._taken))
            self.passed_over[TRAINING] += int((~others).sum())
            lowest = float(near.min(initial=1))
            ids, near = ids[others], near[others]
            within = self._within(near)
            self.passed_over[OUTSIDE] += int((~within).sum())
            for at in range(0, int(within.sum()), _BLOCK):
                yield ids[within][at : at + _BLOCK], near[within][at : at + _BLOCK]
            if hits.complete or not fresh.any() or self._past(lowest):
                return
            self.hits = hits = self._nearest(len(seen) * _MORE)

    def _within(self, near: NDArray[float32]) -> NDArray[np.bool_]:
        if self.rules.mode == "nearest":  # the cosine to a centre says little of that to the nearest image
            return np.ones(len(near), bool)
        return (near >= self.profile.band.lowest) & (near < self.profile.band.highest)

    def _past(self, lowest: float) -> bool:
        return self.rules.mode == "centres" and lowest < self.profile.band.lowest

    def _sift(self, ids: NDArray[int64], near: NDArray[float32]) -> None:
        """Put a block through the exclusions; the vectors first, as most fall by them."""
        similarities = dict(zip(ids.tolist(), near.tolist(), strict=True))
        vectors = self._compare(similarities)
        records = {record.id: record for record in self.library.find(replace(self._wanted, ids=tuple(similarities)))}
        self._keep(similarities, set(records), FILTER)
        if self.rules.exclude_same_settings:
            self._keep(similarities, {i for i in similarities if not self._known.knows(records[i])}, SAME_FILE)
        clusters = self._clusters([records[i] for i in similarities])
        others = {i for i in similarities if not clusters.get(i, set()) & self.profile.clusters}
        self._keep(similarities, others, SAME_CLUSTER)
        self._leave_out_missing([records[i] for i in similarities], similarities)
        self.candidates += [
            Candidate(records[i], like, vectors[i], min(clusters.get(i, set()), default=""))
            for i, like in similarities.items()
        ]

    def _leave_out_missing(self, records: Sequence[ImageRecord], similarities: dict[int, float]) -> None:
        """Leave out what is not here before anything is picked: each pick that fell later would cost all others."""
        missing = missing_files(record.path for record in records)
        self.missing_file = self.missing_file or next(
            (record.path for record, is_missing in zip(records, missing, strict=True) if is_missing), ""
        )
        there = {record.id for record, is_missing in zip(records, missing, strict=True) if not is_missing}
        self._keep(similarities, there, MISSING)

    def _keep(self, similarities: dict[int, float], kept: set[int], reason: str) -> None:
        for image_id in [image_id for image_id in similarities if image_id not in kept]:
            del similarities[image_id]
            self.passed_over[reason] += 1
            if self.reasons is not None:
                self.reasons[image_id] = reason

    def _clusters(self, records: Sequence[ImageRecord]) -> dict[int, set[str]]:
        groups = self.library.groups(records)
        return {
            image_id: {group.name for group in of_image if group.kind == "cluster"}
            for image_id, of_image in groups.items()
        }

    def _compare(self, similarities: dict[int, float]) -> dict[int, NDArray[float32]]:
        """Keep those that are not too like a single training image, however far the centres are; return their vectors.

        In mode "nearest" the similarities become those to the nearest training image.
        """
        with self.store.connection() as connection:
            ids, vectors = store_vectors.read_vectors(connection, self.profile.table, list(similarities))
        band = self.profile.band
        nearest = similarity(vectors, self.profile.vectors)
        within = np.ones(len(ids), bool)
        if self.rules.mode == "nearest":
            within = (nearest >= band.lowest) & (nearest < band.highest)
            similarities.update(zip(ids.tolist(), nearest.tolist(), strict=True))
        self._keep(similarities, set(ids[within | (nearest >= band.ceiling)].tolist()), OUTSIDE)
        self._keep(similarities, set(ids[nearest < band.ceiling].tolist()), LIKE_TRAINING)
        return dict(zip(ids.tolist(), vectors, strict=True))


def _restricts_nothing(wanted: DatasetFilter) -> bool:
    return replace(wanted, exclude_marked_bad=True, excluded_tags=(), seed=0) == DatasetFilter()


@dataclass(frozen=True, slots=True)
class _Known:
    """What would betray an image to be a training image in another guise: never two empty values alike."""

    hashes: frozenset[str]
    paths: frozenset[str]
    settings: frozenset[str]
    families: frozenset[tuple[str, int]]

    @classmethod
    def of(cls, records: Sequence[ImageRecord]) -> _Known:
        families = {(record.library, record.id) for record in records}
        families |= {(record.library, record.base_id) for record in records if record.base_id is not None}
        return cls(
            frozenset(record.hash for record in records if record.hash),
            frozenset(record.path for record in records),
            frozenset(record.metadata_hash for record in records if record.metadata_hash),
            frozenset(families),
        )

    def knows(self, record: ImageRecord) -> bool:
        return (
            record.hash in self.hashes
            or record.path in self.paths
            or record.metadata_hash in self.settings
            or (record.library, record.id) in self.families
            or (record.base_id is not None and (record.library, record.base_id) in self.families)
        )
