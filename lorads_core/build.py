"""The one story: index → query → regularize → caption → export; nodes and the command line both tell it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .captions.caption import caption_dataset
from .captions.sources import CaptionMaterial
from .errors import LibraryError, SettingsError, TrainerError
from .export.plan import plan_export
from .export.write import write_export
from .library.index import IndexOptions, IndexReport, index_folder
from .library import kinds
from .model import Dataset, DatasetImage, Problem, Progress, TrainingConfig, no_progress
from .store import datasets
from .store.connect import Store
from .store.migrations import migrate
from .trainers import trainer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .captions.caption import CaptionSettings
    from .export.plan import ExportOptions
    from .export.write import ExportResult
    from .library import Library
    from .library.filter import DatasetFilter
    from .model import Tag
    from .settings import Settings


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name, with our schema at its newest version.

    Raises:
        StoreError: it cannot be started, reached or prepared.
    """
    return Store.open(settings.dsn, settings.embedded_folder, prepare=migrate)


def open_library(store: Store, settings: Settings, name: str) -> Library:
    """Open the library that a profile names.

    Raises:
        SettingsError: there is no such profile, or an option of it is wrong.
    """
    return kinds.open_library(store, settings.library(name))


def index(
    store: Store,
    settings: Settings,
    library: str,
    folder: Path,
    options: IndexOptions | None = None,
    progress: Progress = no_progress,
) -> IndexReport:
    """Bring a folder's part of a library up to date; see `index_folder`."""
    return index_folder(store, settings.library(library).name, folder, options, progress)


def query(store: Store, library: Library, name: str, wanted: DatasetFilter) -> Dataset:
    """Choose training images; the dataset's name finds its earlier draft again.

    Raises:
        LibraryError: nothing passes the filter.
        SettingsError: the name is empty.
    """
    if not name.strip():
        raise SettingsError("The dataset has no name: give one, its captions are kept under it.")
    found = library.find(wanted)
    if not found:
        raise LibraryError(
            f"No image of library {library.name!r} passes the filter: widen it, or index the folder first."
        )
    with store.connection() as connection:
        dataset_id = datasets.dataset_id(connection, name, library.name)
    return Dataset(dataset_id, name, library.name, tuple(DatasetImage(record) for record in found))


def add_regularization(dataset: Dataset, library: Library, wanted: DatasetFilter) -> Dataset:
    """Add regularization images; whatever is in the dataset already, or is the same file, is passed over.

    Raises:
        LibraryError: nothing is left to add.
    """
    taken = {(image.record.library, image.record.id) for image in (*dataset.training, *dataset.regularization)}
    hashes = {image.record.hash for image in dataset.training if image.record.hash}
    found = [
        DatasetImage(record)
        for record in library.find(wanted)
        if (record.library, record.id) not in taken and record.hash not in hashes
    ]
    if not found:
        raise LibraryError(
            f"No regularization image of library {library.name!r} passes the filter that is not a training image too:"
            " widen it, or keep the folders of the two apart."
        )
    return dataclasses.replace(dataset, regularization=(*dataset.regularization, *found))


@dataclass(frozen=True, slots=True)
class Captioned:
    """A dataset with its captions, what speaks against them, and how many came from where."""

    dataset: Dataset
    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """How many captions came from which source."""
        images = len(self.dataset.training) + len(self.dataset.regularization)
        captions = ", ".join(f"{count} from {source}" for source, count in self.counts) or "none"
        return f"captions for {images} images: {captions}"


def caption(
    store: Store,
    settings: Settings,
    dataset: Dataset,
    captions: CaptionSettings,
    progress: Progress = no_progress,
) -> Captioned:
    """Give every image its caption and keep the dataset as a draft; captions that people wrote stay as they are.

    Raises:
        CaptionError: the trigger cannot be used.
    """
    with store.connection() as connection:
        edits = datasets.edited_captions(connection, dataset.id)
    images = (*dataset.training, *dataset.regularization)
    tags = _tags(store, settings, images)
    materials = [CaptionMaterial(image.record, tags.get(_key(image), ()), edits.get(_key(image))) for image in images]
    captioned, report = caption_dataset(dataset, materials, captions, progress)
    with store.connection() as connection:
        datasets.save_draft(connection, captioned)
    return Captioned(captioned, report.problems, report.counts)


def _key(image: DatasetImage) -> tuple[str, int]:
    return image.record.library, image.record.id


def _tags(store: Store, settings: Settings, images: Sequence[DatasetImage]) -> dict[tuple[str, int], Sequence[Tag]]:
    """Return the tags of images of any libraries, by library and image id."""
    found: dict[tuple[str, int], Sequence[Tag]] = {}
    for name in {image.record.library for image in images}:
        library = open_library(store, settings, name)
        of_library = [image.record for image in images if image.record.library == name]
        found |= {(name, image_id): tags for image_id, tags in library.tags(of_library).items()}
    return found


def edits_mark(store: Store) -> str:
    """Return a text that changes whenever a caption was edited by hand in any dataset."""
    with store.connection() as connection:
        return str(datasets.edits(connection))


def check_config(config: TrainingConfig, name: str) -> None:
    """Refuse a config that the trainer would, before any work is done for it.

    Raises:
        TrainerError: what is wrong, all of it.
    """
    problems = trainer(name).problems(config, ())
    refused = [problem.message for problem in problems if problem.severity == "error" and problem.code == "config"]
    if refused:
        raise TrainerError(" ".join(refused))


def export(
    store: Store,
    dataset: Dataset,
    config: TrainingConfig,
    options: ExportOptions,
    root: Path,
    name: str = "",
    progress: Progress = no_progress,
) -> ExportResult:
    """Write a captioned dataset under ``root`` and note it in the store; see `write_export`."""
    result = write_export(plan_export(dataset, config, options), root, name, progress)
    with store.connection() as connection:
        datasets.mark_exported(connection, result.export, config, result.files)
    return result


def summary(result: ExportResult) -> list[tuple[str, str]]:
    """Return what an export is, as names and figures."""
    exported, schedule = result.export, result.schedule
    buckets = ", ".join(f"{width}×{height}: {count}" for (width, height), count in schedule.buckets)
    return [
        ("Training images", f"{exported.training_images:,}"),
        (
            "Regularization images",
            f"{exported.regularization_images:,}, of which {schedule.regularization_used:,} used",
        ),
        ("Buckets", f"{len(schedule.buckets)} (images with repeats: {buckets})"),
        ("Steps per epoch", f"{schedule.steps_per_epoch:,}"),
        ("Total steps", f"{schedule.total_steps:,} in {schedule.epochs} epochs"),
    ]


def summary_text(result: ExportResult) -> str:
    """Return the summary and the problems of an export, a line each."""
    lines = [f"{name}: {value}" for name, value in summary(result)]
    lines += [f"{problem.severity}: {problem.message}" for problem in result.export.problems]
    return "\n".join([str(result.export.folder), *lines])
