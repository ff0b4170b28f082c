"""What the Regularization Finder has to know of a training set before it searches: vectors, centres, band, subject."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LibraryError
from ..model import Problem
from ..store import vectors as store_vectors
from ..system.command import command
from ..vision.similarity import band as bands
from ..vision.similarity.centres import centres, own_similarity, similarity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from numpy import float32, int64
    from numpy.typing import NDArray

    from ..library import Library
    from ..model import Dataset, DatasetImage, ImageRecord
    from ..store.connect import Store
    from ..store.vectors import VectorTable
    from ..vision.similarity.band import Band
    from .rules import FinderRules

_SAMPLE = 1_000
_BLOCK = 1_000
_TAG_SAMPLE = 500
# A tag of the subject: most training images have it and hardly any other has, be it a name or what only it wears.
_SUBJECTS = 0.5
_OTHERS = 0.02
_FEWEST_OTHERS = 50
_FEWEST_WITH_TAG = 3


@dataclass(frozen=True, slots=True)
class TrainingProfile:
    """A training set as it is compared with others.

    ``vectors`` (n, d) are those of its images that have one, ``former`` (j, d) those of its regularization images so
    far, ``centres`` (k, d) their centres, ``own`` (n) how like each
    other its images are, ``library`` (m) how like them a sample of the library is.
    """

    table: VectorTable
    total: int
    vectors: NDArray[float32]
    former: NDArray[float32]
    centres: NDArray[float32]
    own: NDArray[float32]
    library: NDArray[float32]
    band: Band
    subject_tags: tuple[str, ...]
    clusters: frozenset[str]
    problems: tuple[Problem, ...]


def profile_training_set(
    store: Store, library: Library, dataset: Dataset, libraries: Mapping[str, Library], rules: FinderRules
) -> TrainingProfile:
    """Look at a dataset's training images; ``libraries`` are those that its images are from, by name.

    Raises:
        LibraryError: no training image, or no image of the library, has a vector in the space.
    """
    table, vectors, problems = _training_vectors(store, library, dataset, rules)
    found = centres(vectors)
    with store.connection() as connection:
        total = store_vectors.count_vectors(connection, table)
        ids, sample = store_vectors.sample_vectors(connection, table, _SAMPLE, total)
        former = _vectors(connection, table.space.name, _by_library(dataset.regularization))
    training = {image.record.id for image in dataset.training if image.record.library == library.name}
    others = ~np.isin(ids, list(training))
    anchors = vectors if rules.mode == "nearest" else found
    near = similarity(sample[others], anchors)
    nearest = _nearest_other(vectors)
    own = nearest if rules.mode == "nearest" else own_similarity(vectors, found)
    by_library = _by_library(dataset.training)
    return TrainingProfile(
        table=table,
        total=total,
        vectors=vectors,
        former=former,
        centres=found,
        own=own,
        library=near,
        band=bands.resolve_band(rules.band, near, own, nearest),
        subject_tags=_subject_tags(library, libraries, by_library, ids[others], rules),
        clusters=_clusters(library, by_library.get(library.name, ())) if rules.exclude_clusters else frozenset(),
        problems=problems,
    )


def _nearest_other(vectors: NDArray[float32]) -> NDArray[float32]:
    """Return the cosine of each vector (n) to the nearest other one."""
    nearest = np.ones(len(vectors), np.float32)
    for at in range(0, len(vectors) if len(vectors) > 1 else 0, _BLOCK):
        near: NDArray[float32] = np.inner(vectors[at : at + _BLOCK], vectors)
        near[np.arange(len(near)), np.arange(at, at + len(near))] = -1
        nearest[at : at + _BLOCK] = near.max(axis=1)
    return nearest


def _by_library(images: Sequence[DatasetImage]) -> dict[str, list[ImageRecord]]:
    records: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for image in images:
        records[image.record.library].append(image.record)
    return records


def _training_vectors(
    store: Store, library: Library, dataset: Dataset, rules: FinderRules
) -> tuple[VectorTable, NDArray[float32], tuple[Problem, ...]]:
    """Return where the library's vectors lie, and those of the training images in the same space."""
    by_library = _by_library(dataset.training)
    with store.connection() as connection:
        tables = store_vectors.tables_of(connection, library.name)
        if rules.space:
            tables = [table for table in tables if table.space.name == rules.space]
        best: tuple[VectorTable, NDArray[float32]] | None = None
        for table in tables:
            vectors = _vectors(connection, table.space.name, by_library)
            if len(vectors) > (len(best[1]) if best else 0):
                best = table, vectors
    if best is None:
        raise LibraryError(_without(library.name, [table.space.name for table in tables], rules.space))
    return *best, _missing(len(best[1]), len(dataset.training), best[0].space.name)


def _vectors(
    connection: psycopg.Connection, space: str, records: Mapping[str, Sequence[ImageRecord]]
) -> NDArray[float32]:
    """Return the vectors (n, d) of images by library in a space; those without are left out."""
    parts = [
        store_vectors.read_vectors(connection, table, [record.id for record in of_library])[1]
        for name, of_library in records.items()
        if (table := store_vectors.find_table(connection, name, space))
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _without(library: str, spaces: Sequence[str], wanted: str) -> str:
    embed = command("embed", "--library", library)
    if wanted and not spaces:
        return f"Library {library!r} has no vectors of the space {wanted!r}: run {embed}, or name another space."
    if not spaces:
        return (
            f"Library {library!r} has no vectors, so nothing can be compared: run {embed}, or"
            " wire a CLIP_VISION into Index Images."
        )
    return (
        f"None of the training images has a vector in {', '.join(spaces)}, in which library {library!r} has some: run"
        f" {command('embed')} for the library that they are from."
    )


def _missing(found: int, images: int, space: str) -> tuple[Problem, ...]:
    if found == images:
        return ()
    message = (
        f"{images - found:,} of {images:,} training images have no vector ({space}), so nothing is compared with them:"
        f" run {command('embed')}."
    )
    return (Problem("warning", "no-vectors", message),)


def _clusters(library: Library, records: Sequence[ImageRecord]) -> frozenset[str]:
    """Return the clusters of the training images of this library: another's may have the same names for others."""
    groups = library.groups(records).values()
    return frozenset(group.name for of_image in groups for group in of_image if group.kind == "cluster")


def _subject_tags(
    library: Library,
    libraries: Mapping[str, Library],
    records: Mapping[str, Sequence[ImageRecord]],
    others: NDArray[int64],
    rules: FinderRules,
) -> tuple[str, ...]:
    """Return the tags that name the subject: characters by their source, and what hardly any other image has."""
    if not rules.exclude_characters:
        return ()
    images = sum(map(len, records.values()))
    counted: defaultdict[str, int] = defaultdict(int)
    named: set[str] = set()
    for name, of_library in records.items():
        for found in libraries[name].tag_counts([record.id for record in of_library]):
            counted[found.tag] += found.images
            if found.character:
                named.add(found.tag)
    common = {tag for tag, count in counted.items() if count >= max(_FEWEST_WITH_TAG, _SUBJECTS * images)}
    rare = common & _rare(library, others[:: max(1, len(others) // _TAG_SAMPLE)], common)
    return tuple(sorted((named | rare) - set(rules.wanted.required_tags)))


def _rare(library: Library, others: NDArray[int64], common: set[str]) -> set[str]:
    if len(others) < _FEWEST_OTHERS:
        return set()
    elsewhere = {found.tag: found.images for found in library.tag_counts(others.tolist())}
    return {tag for tag in common if elsewhere.get(tag, 0) <= _OTHERS * len(others)}
