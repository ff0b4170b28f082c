"""The Regularization Finder itself: picks among candidates, looks at the images of its picks, says why each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LibraryError
from ..images.files import printable_path
from ..library.filter import DatasetFilter
from ..library.tag_names import unknown_tag
from ..model import DatasetImage, Problem, no_progress
from ..vision.similarity.band import share_within
from ..vision.similarity.picking import Candidates, Picker, scores
from .candidates import FILTER, LIKE_TRAINING, MISSING, OUTSIDE, SAME_CLUSTER, SAME_FILE, CandidatePool
from .file_checks import SAME_IMAGE_AS, UNUSABLE, FileChecks
from .rules import FinderResult, LibrarySimilarity, NothingFoundError
from .training_profile import profile_training_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy import float32
    from numpy.typing import NDArray

    from ..library import Library
    from ..model import Dataset, ImageRecord, Progress
    from ..store.connect import Store
    from .candidates import Candidate
    from .rules import FinderRules
    from .training_profile import TrainingProfile

_POOL = 4  # candidates for each pick, to choose among
_SMALLEST_POOL = 500
_MORE = 4
_BEST_RATING = 10

_SHOWN = 24  # images passed over that a sheet shows
TWINS = "too like another pick"
FILLED = "in a cluster that has given as many as it may"
# The reasons as they are said of one image, short enough for a sheet.
_OF_ONE = {
    OUTSIDE: "outside the band",
    FILTER: "does not pass the filter",
    SAME_FILE: "made from a training image",
    SAME_CLUSTER: "in the subject's cluster",
    LIKE_TRAINING: "too like a training image",
    MISSING: "its file is missing",
    SAME_IMAGE_AS: "a copy of another image",
    UNUSABLE: "too small or unreadable",
    TWINS: "too like another pick",
    FILLED: "enough of its cluster",
}
_REMEDIES = (
    (OUTSIDE, "Lower the minimum of the band (--band), or give it in percentiles (--percentiles)."),
    (SAME_CLUSTER, "--allow-same-cluster lets in images of the training images' clusters."),
    (TWINS, "Allow more likeness among picks (--twin)."),
    (FILLED, "Allow more of a cluster (--per-cluster)."),
)


@dataclass(frozen=True, slots=True)
class _Pick:
    candidate: Candidate
    nearest_pick: float


def find_regularization(
    store: Store,
    library: Library,
    dataset: Dataset,
    libraries: Mapping[str, Library],
    rules: FinderRules,
    progress: Progress = no_progress,
) -> FinderResult:
    """Add regularization images from ``library`` to a dataset, exactly as many as requested or a problem that says why.

    ``libraries`` are those that the dataset's images are from, by name.

    Raises:
        LibraryError: the dataset is empty, or nothing can be compared.
        NothingFoundError: not a single image is left; with the reason.
    """
    if not dataset.training:
        raise LibraryError("The dataset has no training images to find others for: query some first.")
    count, capped = _count(dataset, rules)
    known = profile_training_set(store, library, dataset, libraries, rules)
    pool = CandidatePool(store, library, known, rules, dataset)
    looks = FileChecks(store, dataset, rules, progress)
    wanted = max(_POOL * count, _SMALLEST_POOL)
    refused: dict[int, str] = {}
    while True:
        pool.fill(wanted)
        picks, passed_over = _pick(pool, count, looks, refused)
        if len(picks) == count or pool.exhausted:
            break
        wanted *= _MORE
    passed_over += pool.passed_over
    if not picks:
        raise NothingFoundError(
            f"No regularization image was found. {_why(known, passed_over, pool, count)}",
            LibrarySimilarity(known.library, known.own, np.zeros(0, np.float32), known.band),
            _passed_over(pool, refused),
        )
    found = tuple(DatasetImage(looks.record(pick.candidate.record), reason=_reason(pick, known)) for pick in picks)
    near = np.array([pick.candidate.similarity for pick in picks], np.float32)
    return FinderResult(
        dataset=replace(dataset, regularization=(*dataset.regularization, *found)),
        picked=len(picks),
        wanted=count,
        similarity=LibrarySimilarity(known.library, known.own, near, known.band),
        hits=pool.hits,
        passed_over={reason: number for reason, number in passed_over.most_common() if number},
        space=known.table.space.name,
        problems=(
            *known.problems,
            *looks.problems,
            *capped,
            *_subject(known),
            *_unguarded(known),
            *_fewer(len(picks), count, _why(known, passed_over, pool, count - len(picks))),
        ),
    )


def _passed_over(pool: CandidatePool, refused: Mapping[int, str]) -> tuple[DatasetImage, ...]:
    """Return the images that would have been the first ones to be picked, each with the reason why it was not."""
    nearest = pool.nearest_passed_over(_SHOWN)
    records = {record.id: record for record in pool.library.find(DatasetFilter(ids=tuple(nearest)))} if nearest else {}
    reasons = {image_id: reason or refused.get(image_id, TWINS) for image_id, (_, reason) in nearest.items()}
    return tuple(
        DatasetImage(records[each], reason=f"similarity {like:.2f}, {_OF_ONE[reasons[each]]}")
        for each, (like, _) in nearest.items()
        if each in records
    )


def _count(dataset: Dataset, rules: FinderRules) -> tuple[int, tuple[Problem, ...]]:
    """Return how many to find; more than an epoch shows of them would only be disk space."""
    asked = len(dataset.training) if rules.count is None else rules.count
    most = max(1, len(dataset.training) * rules.repeats - len(dataset.regularization))
    if asked <= most:
        return asked, ()
    message = (
        f"{asked:,} regularization images were requested, {most:,} are picked: a trainer shows as many of them as there"
        f" are training images × repeats ({len(dataset.training):,} × {rules.repeats}), the rest never."
    )
    return most, (Problem("info", "regularization-capped", message),)


def _pick(
    pool: CandidatePool, count: int, looks: FileChecks, refused: dict[int, str]
) -> tuple[list[_Pick], Counter[str]]:
    """Return up to ``count`` picks whose images stand up to a look, and why others were refused."""
    candidates = _as_candidates(pool)
    ahead = _Ahead(pool, candidates, looks)
    while True:
        picks, left_out = _pick_once(pool, candidates, count, refused)
        more = looks.refused([pick.candidate.record for pick in picks])
        if not more:
            return picks, Counter(refused.values()) + left_out
        refused |= more | ahead.unusable(len(more))


class _Ahead:
    """A look at files of the best candidates before they are picked, at twice as many each time.

    A refused pick costs all picks after it, and files that are of no use come in herds (a folder, a drive): without
    this there would be as many rounds as there are herds of the size of a pick, now their number is a logarithm.
    """

    def __init__(self, pool: CandidatePool, candidates: Candidates, looks: FileChecks) -> None:
        self._looks = looks
        self._pool = pool
        self._order: list[int] = np.argsort(-candidates.scores, kind="stable").tolist()
        self._at = 0
        self._files = 0

    def unusable(self, refused: int) -> dict[int, str]:
        """Look at more files and return the ids of those of no use; ``refused`` is how many picks just fell."""
        self._files = max(2 * self._files, 2 * refused)
        places = self._order[self._at : self._at + self._files]
        self._at += len(places)
        return self._looks.unusable([self._pool.candidates[place].record for place in places])


def _as_candidates(pool: CandidatePool) -> Candidates:
    found = pool.candidates
    near = np.array([candidate.similarity for candidate in found], np.float32)
    vectors = np.stack([candidate.vector for candidate in found]) if found else np.zeros((0, 0), np.float32)
    quality = _quality([candidate.record for candidate in found])
    return Candidates(
        scores(pool.profile.band, near, quality, pool.rules.quality),
        vectors,
        [candidate.cluster for candidate in found],
    )


def _quality(records: Sequence[ImageRecord]) -> NDArray[float32]:
    """Return 0-1 for each (n), NaN where nothing is known: rating of 10, and rank among the aesthetic scores."""
    rated = np.array([np.nan if r.rating is None else r.rating / _BEST_RATING for r in records], np.float32)
    judged = np.array([np.nan if r.aesthetic is None else r.aesthetic for r in records], np.float32)
    known = judged[~np.isnan(judged)]
    ranks = np.full(len(records), np.nan, np.float32)
    if len(known):
        ranks[~np.isnan(judged)] = np.searchsorted(np.sort(known), known, side="right") / len(known)
    return np.where(np.isnan(rated), ranks, np.where(np.isnan(ranks), rated, (rated + ranks) / 2))


def _pick_once(
    pool: CandidatePool, candidates: Candidates, count: int, refused: Mapping[int, str]
) -> tuple[list[_Pick], Counter[str]]:
    picker = Picker(candidates, pool.rules.diversity, pool.profile.former)
    for place, candidate in enumerate(pool.candidates):
        if candidate.record.id in refused:
            picker.refuse(place)
    picks: list[_Pick] = []
    while len(picks) < count and (place := picker.best()) is not None:
        picks.append(_Pick(pool.candidates[place], picker.nearest(place)))
        picker.take(place)
    return picks, Counter({TWINS: picker.twins, FILLED: picker.filled})


def _reason(pick: _Pick, known: TrainingProfile) -> str:
    record = pick.candidate.record
    said = [f"similarity {pick.candidate.similarity:.2f} ({known.band.lowest:.2f}–{known.band.highest:.2f})"]
    if record.rating is not None:
        said.append(f"rating {record.rating}")
    if record.aesthetic is not None:
        said.append(f"aesthetic {record.aesthetic:.1f}")
    if pick.candidate.cluster:
        said.append(f"of {pick.candidate.cluster}")
    if pick.nearest_pick >= 0:
        said.append(f"nearest other pick {pick.nearest_pick:.2f}")
    return ", ".join(said)


def _subject(known: TrainingProfile) -> tuple[Problem, ...]:
    said = [*(f"tag {tag}" for tag in known.subject_tags), *(f"cluster {name}" for name in sorted(known.clusters))]
    if not said:
        return ()
    return (Problem("info", "subject", f"Left out with the training images' subject: {', '.join(said)}."),)


def _unguarded(known: TrainingProfile) -> tuple[Problem, ...]:
    if known.band.guarded:
        return ()
    message = (
        "The training images are no more alike than the band's minimum, so likeness cannot keep their subject out:"
        " raise the minimum, or name clusters and tags that it is known by."
    )
    return (Problem("warning", "unguarded", message),)


def _fewer(picked: int, wanted: int, why: str) -> tuple[Problem, ...]:
    if picked == wanted:
        return ()
    message = f"{picked:,} of {wanted:,} regularization images were found. {why}"
    return (Problem("warning", "few-regularization", message),)


def _why(known: TrainingProfile, passed_over: Mapping[str, int], pool: CandidatePool, lacking: int) -> str:
    """Return where the images of the library are lost, and what to change; ``lacking`` is how many more were wanted."""
    missing = passed_over.get(MISSING, 0)
    if missing and missing >= lacking:  # with them there would have been enough: the band is not to blame
        return (
            f"{missing:,} images that match are passed over because their files are not on this machine, e.g."
            f" {printable_path(pool.missing_file)}: mount their drive, map their folder to this machine under"
            f" [libraries.{pool.library.name}.paths] in lorads.toml, or index the folder again where they were deleted."
        )
    lost = "; ".join(f"{number:,} {reason}" for reason, number in Counter(passed_over).most_common() if number)
    if not len(known.library):
        return f"The library has no vectors ({known.table.space.name}) but those of the dataset itself: embed more."
    share = share_within(known.band, known.library)
    low, middle, high = np.percentile(known.library, [1, 50, 99])
    band = f"{known.band.lowest:.2f} to {known.band.highest:.2f}{_lowered(known, pool)}"
    return (
        f"{share:.1%} of the library lies in the band {band}; its images go from {low:.2f} over"
        f" {middle:.2f} to {high:.2f}. Passed over: {lost or 'none'}."
        f" {' '.join(_remedies(pool, passed_over))}"
    )


def _remedies(pool: CandidatePool, passed_over: Mapping[str, int]) -> Iterator[str]:
    """Yield what lets more images through, for each reason that some were passed over."""
    if passed_over.get(FILTER):
        for tag in pool.rules.wanted.required_tags:
            if unknown := unknown_tag(pool.library, tag):
                yield f"{unknown} (--class)"
        if tags := pool.profile.subject_tags:
            numbers = (f"{tag} ({pool.library.count(_tagged(tag)):,})" for tag in tags)
            yield (
                f"The filter leaves out images tagged {' or '.join(numbers)}, as the subject is:"
                " --allow-subject-tags (exclude_characters off) lets them in."
            )
        if pool.rules.wanted != DatasetFilter():
            yield "Ask less of the filter (--class, --without, --minimum-quality, --minimum-side)."
    for reason, remedy in _REMEDIES:
        if passed_over.get(reason):
            yield remedy


def _tagged(tag: str) -> DatasetFilter:
    return DatasetFilter(required_tags=(tag,), exclude_marked_bad=False)


def _lowered(known: TrainingProfile, pool: CandidatePool) -> str:
    requested = pool.rules.band
    if requested.unit != "similarity" or known.band.highest >= requested.highest:
        return ""
    return f" (its upper bound lowered from {requested.highest:.2f} to keep the subject out)"
