"""The vectors of a training set, to score images against: from the store, or computed now."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..model import no_progress
from ..store.vectors import find_table, read_vectors
from ..vision.batches import BatchFeed
from ..workflow.dataset import open_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy import float32
    from numpy.typing import NDArray

    from ..model import DatasetImage, Problem, Progress
    from ..settings import Settings
    from ..store.connect import Store
    from ..vision.batches import PreparedImage
    from ..vision.encoders import Embedder


class TrainingSet(NamedTuple):
    """The vectors (m, d) of images, the names of their files (m), and how many images could not be read."""

    vectors: NDArray[float32]
    names: list[str]
    unread: int


def training_set(
    store: Store,
    settings: Settings,
    images: Iterable[DatasetImage],
    encoder: Embedder,
    progress: Progress = no_progress,
) -> TrainingSet:
    """Return the vectors of images in the encoder's space.

    What the library was embedded with by the same encoder is taken from the store. The rest is embedded as
    ("training", done, total), and not stored: a test changes nothing that later queries would answer otherwise.

    Raises:
        LibraryError: a library cannot be queried.
        SettingsError: a library is not in the settings any more.
    """
    names: dict[str, dict[int, str]] = defaultdict(dict)
    for image in images:
        names[image.record.library][image.record.id] = _file_name(image.record.path)
    found: list[NDArray[float32]] = [np.empty((0, encoder.space.dimensions), np.float32)]
    said: list[str] = []
    for library, files in names.items():
        ids, vectors = _stored(store, library, encoder, list(files))
        missing = sorted(files.keys() - set(ids))
        more_ids, more = _embedded(store, settings, library, encoder, missing, progress)
        found += [vectors, *more]
        said += [files[image_id] for image_id in (*ids, *more_ids)]
    total = sum(map(len, names.values()))
    return TrainingSet(np.concatenate(found), said, total - len(said))


def _file_name(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _stored(store: Store, library: str, encoder: Embedder, ids: Sequence[int]) -> tuple[list[int], NDArray[float32]]:
    with store.connection() as connection:
        table = find_table(connection, library, encoder.space.name)
        if table is None:
            return [], np.empty((0, encoder.space.dimensions), np.float32)
        known, vectors = read_vectors(connection, table, ids)
    return known.tolist(), vectors


def _embedded(
    store: Store, settings: Settings, library: str, encoder: Embedder, ids: Sequence[int], progress: Progress
) -> tuple[list[int], list[NDArray[float32]]]:
    made: list[int] = []
    vectors: list[NDArray[float32]] = []

    def take(batch: Sequence[PreparedImage]) -> Sequence[Problem]:
        made.extend(each.image_id for each in batch)
        vectors.append(encoder.embed([each.image for each in batch]))
        return ()

    if ids:
        BatchFeed(open_library(store, settings, library), encoder, "training", progress, {}, take).run(ids)
    return made, vectors
