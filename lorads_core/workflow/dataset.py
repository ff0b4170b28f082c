"""The one story: index -> query -> regularize -> caption -> export; nodes and the command line both tell it."""

from __future__ import annotations

import dataclasses
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from ..errors import LibraryError, SettingsError, TrainerError
from ..export.bucket_report import bucket_facts
from ..export.plan import plan_export
from ..export.write import preview_export, write_export
from ..library import kinds
from ..library.filter import DatasetFilter
from ..library.index import IndexOptions, IndexReport, index_folder
from ..library.kinds.index import IndexedLibrary, IndexKind, index_paths, index_sidecars
from ..library.stored_paths import StoredPaths
from ..library.usable import find_usable
from ..model import Dataset, DatasetImage, Problem, Progress, TrainingConfig, no_progress
from ..problems import counted, format_problems
from ..regularization import find as finder
from ..runs.initial_lora import check_initial_lora
from ..runs.read_export import speed_key
from ..runs.state import check_not_training
from ..store import datasets, runs
from ..store import images as rows
from ..store.connect import Store
from ..store.faults import NotPermittedError
from ..store.migrations import migrate
from ..store.model_tags import tagger_counts
from ..store.search import build_index
from ..store.vectors import coverage, tables_of
from ..trainers import trainer
from ..vision.encoders import open_embedder
from ..vision.encoders.run import embed_library
from ..vision.taggers import open_tagger
from ..vision.taggers.run import tag_library
from .card_fit import last_peak, peak_text
from .last_export import writing_words
from .layer_names import unmatched_layers
from .left_out import left_out
from .parse import sidecar_rule
from .recipe import recipe_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from ..export.plan import ExportOptions, ExportPlan
    from ..export.write import ExportPreview, ExportResult
    from ..library import Library, LibraryReport
    from ..library.usable import UsableImages
    from ..model import ImageRecord
    from ..regularization.rules import FinderResult, FinderRules
    from ..settings import Settings
    from ..vision.encoders.run import EmbedReport
    from ..vision.taggers.run import TagReport


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name, with our schema at its newest version.

    Raises:
        StoreError: it cannot be started, reached or prepared.
    """
    return Store.open(settings.dsn, settings.embedded_folder, migrate, settings.person, settings.name_space)


def open_library(store: Store, settings: Settings, name: str) -> Library:
    """Open the library that a profile names.

    Raises:
        SettingsError: there is no such profile, or an option of it is wrong.
    """
    return kinds.open_library(store, settings.library(name))


def with_indexed(store: Store, settings: Settings) -> Settings:
    """Return the settings with the indexes too that are in the store though ``lorads.toml`` does not name them.

    The samples of `lorads demo` are one, and what was indexed before a table [libraries.NAME] was taken out.
    """
    with store.connection() as connection:
        found = connection.execute(
            "SELECT library FROM lorads.libraries WHERE mirrored = '' AND library <> ALL(%s)"
            " AND EXISTS (SELECT 1 FROM lorads.images WHERE images.library = libraries.library) ORDER BY library",
            [[profile.name for profile in settings.libraries]],
        ).fetchall()
    for (name,) in found:
        settings = settings.with_library(name)
    return settings


def revision(store: Store, settings: Settings, name: str) -> str:
    """Return a text that changes whenever an answer of a library, or our vectors of it, may have changed.

    Raises:
        LibraryError: it cannot be reached.
    """
    with store.connection() as connection:
        ours = rows.revision(connection, name)
    return f"{open_library(store, settings, name).revision()}/{ours}"


def index(
    store: Store,
    settings: Settings,
    library: str,
    folder: Path,
    options: IndexOptions | None = None,
    progress: Progress = no_progress,
) -> IndexReport:
    """Bring a folder's part of a library of our own up to date; see `index_folder`.

    Raises:
        LibraryError: the library is another program's.
    """
    profile = settings.library(library)
    if profile.kind != IndexKind().name:
        raise LibraryError(
            f"Library {library!r} is another program's ({profile.kind}) and is only read here: index into a library of"
            " our own, e.g. --library pictures."
        )
    options = options or IndexOptions()
    options = dataclasses.replace(
        options,
        paths=StoredPaths(index_paths(profile)),
        sidecars=options.sidecars.over(sidecar_rule(index_sidecars(profile))),
    )
    return index_folder(store, profile.name, folder, options, progress)


def own_libraries(settings: Settings) -> list[str]:
    """Return the names of the libraries that images can be indexed into."""
    return [profile.name for profile in settings.libraries if profile.kind == IndexKind().name]


def look_into(store: Store, settings: Settings, name: str) -> LibraryReport:
    """Return what a library has and lacks, our own vectors of its images included.

    Raises:
        LibraryError: it cannot be reached, or is not what its profile says.
    """
    library = open_library(store, settings, name)
    report = library.report()
    if isinstance(library, IndexedLibrary):  # it has counted its vectors itself
        return report
    with store.connection() as connection:
        held = [(f"our vectors in {known.space.name}", known.images) for known in coverage(connection, name)]
        held += [(f"tagged here by {tagger}", images) for tagger, images in tagger_counts(connection, name)]
    ours = tuple((what, f"{images:,} of {report.images:,}") for what, images in held)
    return dataclasses.replace(report, facts=(*report.facts, *ours))


@dataclass(frozen=True, slots=True)
class Queried:
    """A dataset, and what was left out of it, with the reasons."""

    dataset: Dataset
    problems: tuple[Problem, ...] = ()


def query(
    store: Store, library: Library, name: str, wanted: DatasetFilter, progress: Progress = no_progress
) -> Queried:
    """Choose training images; the dataset's name finds its earlier draft again.

    Raises:
        LibraryError: nothing passes the filter, or none of the files is here.
        SettingsError: the name is empty.
    """
    if not name.strip():
        raise SettingsError("The dataset has no name: give one, its captions are saved under it.")
    found = find_usable(library, wanted, progress)
    if not found.passed:
        raise LibraryError(
            f"No image of library {library.name!r} passes the filter: widen it, or index the folder first."
            f"{_reasons(library, wanted)}"
        )
    _check_any_usable(library, found)
    dataset_id, notes = _identified(store, name, library.name)
    images = tuple(DatasetImage(record) for record in found.records)
    return Queried(
        Dataset(dataset_id, name, library.name, images), (*notes, *left_out(library, wanted), *found.problems)
    )


def _reasons(library: Library, wanted: DatasetFilter) -> str:
    """Return what leaves all images out, as sentences; empty where there are none to leave out."""
    return "".join(f" {problem.message}" for problem in left_out(library, wanted))


def _identified(store: Store, name: str, library: str) -> tuple[UUID, tuple[Problem, ...]]:
    """Return the id of a dataset by its name, and what to say of it: others' of the name, or that it is not saved."""
    try:
        with store.connection() as connection:
            dataset_id = datasets.ensure_dataset(connection, name, library, store.owner)
            others = datasets.namesakes(connection, name, store.owner)
    except NotPermittedError as error:
        return uuid4(), (Problem("info", "unsaved", f"The dataset {name!r} is not saved: {error}"),)
    if not others:
        return dataset_id, ()
    listed = ", ".join(f"{owner}/{name}" for owner in others)
    message = (
        f"Other users also have a dataset of this name ({listed}); yours is separate. If one of them is yours,"
        " from before your user or machine was renamed, set owner in lorads.toml."
    )
    return dataset_id, (Problem("info", "namesake", message),)


def _check_any_usable(library: Library, found: UsableImages) -> None:
    if not found.records:
        first = f"{found.problems[0].subject}: {found.problems[0].message}"
        raise LibraryError(
            f"Of the {found.passed:,} images of library {library.name!r} that pass the filter none can be used. The"
            f" first is {first} Where the paths are another machine's, add [libraries.{library.name}.paths] to"
            " lorads.toml."
        )


def add_regularization(
    dataset: Dataset, library: Library, wanted: DatasetFilter, progress: Progress = no_progress
) -> Queried:
    """Add regularization images; whatever is in the dataset already, or is the same file, is passed over.

    Raises:
        LibraryError: nothing is left to add.
    """
    taken = {(image.record.library, image.record.id) for image in (*dataset.training, *dataset.regularization)}
    hashes = {image.record.hash for image in dataset.training if image.record.hash}

    def is_new(record: ImageRecord) -> bool:
        return (record.library, record.id) not in taken and record.hash not in hashes

    found = find_usable(library, wanted, progress, is_new)
    if not found.passed:
        raise LibraryError(
            f"No regularization image of library {library.name!r} passes the filter that is not a training image too:"
            f" widen it, or keep the folders of the two apart.{_reasons(library, wanted)}"
        )
    _check_any_usable(library, found)
    added = tuple(DatasetImage(record) for record in found.records)
    problems = (*left_out(library, wanted), *found.problems)
    return Queried(dataclasses.replace(dataset, regularization=(*dataset.regularization, *added)), problems)


def embed(
    store: Store,
    settings: Settings,
    library: Library,
    embedder: str,
    wanted: DatasetFilter,
    progress: Progress = no_progress,
    *,
    with_index: bool = False,
) -> EmbedReport:
    """Bring a library's vectors up to date: its own are copied, by the encoder called ``embedder`` the rest are made.

    Without an embedder only the library's own are copied. ``with_index`` builds what makes searches of millions fast.

    Raises:
        SettingsError: there is no such embedder, or its model cannot be used.
    """
    encoder = open_embedder(settings.embedder(embedder)) if embedder else None
    report = embed_library(store, library, encoder, wanted, progress)
    if with_index:
        with store.connection() as connection:
            for table in tables_of(connection, library.name):
                build_index(connection, table)
    return report


def tag(
    store: Store,
    settings: Settings,
    library: Library,
    tagger: str,
    wanted: DatasetFilter,
    progress: Progress = no_progress,
    *,
    again: bool = False,
) -> TagReport:
    """Tag the wanted images that have no tags of the kind of the tagger called ``tagger``; see `tag_library`.

    Raises:
        SettingsError: there is no such tagger, or its model cannot be used.
    """
    return tag_library(store, library, open_tagger(settings.tagger(tagger)), wanted, progress, again=again)


def find_regularization(
    store: Store,
    settings: Settings,
    dataset: Dataset,
    library: Library,
    rules: FinderRules,
    progress: Progress = no_progress,
) -> FinderResult:
    """Add regularization images that look like the dataset and do not show its subject; see `finder.find`."""
    names = {library.name, *(image.record.library for image in dataset.training)}
    libraries = {name: open_library(store, settings, name) for name in names} | {library.name: library}
    for each in libraries.values():
        if not isinstance(each, IndexedLibrary):  # its vectors are in our store anyway
            embed_library(store, each, None, DatasetFilter(), progress, space=rules.space)
    return finder.find_regularization(store, library, dataset, libraries, rules, progress)


def check_config(config: TrainingConfig, name: str, home: Path | None = None) -> None:
    """Refuse a config that the trainer would, before any work is done for it.

    Raises:
        TrainerError: what is wrong, all of it.
    """
    problems = trainer(name).problems(config, (), home)
    refused = [problem.message for problem in problems if problem.severity == "error" and problem.code == "config"]
    if refused:
        raise TrainerError(" ".join(refused))
    _check_initial_lora(config, name)


def _check_initial_lora(config: TrainingConfig, name: str) -> None:
    """Refuse a LoRA to start from that does not fit; one that is not here may be on the trainer's own machine."""
    if config.initial_lora and os.path.isfile(config.initial_lora):  # noqa: PTH113 - Path's own may raise
        check_initial_lora(config, name)


def export(
    store: Store,
    dataset: Dataset,
    config: TrainingConfig,
    options: ExportOptions,
    root: Path,
    name: str = "",
    progress: Progress = no_progress,
) -> ExportResult:
    """Write a captioned dataset under ``root`` and note it in the store; see `write_export`.

    How long its training will take is known from earlier ones of the kind on this machine.
    """
    plan = _plan(store, dataset, config, options)
    result = write_export(plan, root, name, progress, guard=lambda folder: check_not_training(store, folder))
    with store.connection() as connection:
        datasets.mark_exported(connection, result.export, config, result.files, writing_words(options))
    return _with_speed(store, result, config, options)


def preview(
    store: Store, dataset: Dataset, config: TrainingConfig, options: ExportOptions, root: Path
) -> ExportPreview:
    """Return what `export` would do with a captioned dataset; nothing is written."""
    plan = _plan(store, dataset, config, options)
    found = preview_export(plan, root, guard=lambda folder: check_not_training(store, folder))
    return dataclasses.replace(found, result=_with_speed(store, found.result, config, options))


def _plan(store: Store, dataset: Dataset, config: TrainingConfig, options: ExportOptions) -> ExportPlan:
    _check_initial_lora(config, options.trainer)
    plan = plan_export(dataset, config, options)
    more = () if plan.schedule is None else tuple(unmatched_layers(options.trainer, plan.config))
    recipe = _recipe(store, dataset, config, options)
    return dataclasses.replace(plan, problems=(*plan.problems, *more), recipe=recipe)


def _with_speed(store: Store, result: ExportResult, config: TrainingConfig, options: ExportOptions) -> ExportResult:
    with store.connection() as connection:
        speed = runs.median_speed(connection, speed_key(options.trainer, config), socket.gethostname())
    peak = last_peak(store, options.trainer, config)
    return dataclasses.replace(
        result,
        seconds_a_step=speed.seconds_a_step if speed else None,
        graphics_memory=f"at most {peak_text(peak)} in the last training of the kind" if peak else "",
    )


def _recipe(store: Store, dataset: Dataset, config: TrainingConfig, options: ExportOptions) -> str:
    with store.connection() as connection:
        standing = datasets.dataset_state(connection, dataset.id)
    return recipe_text(standing.recipe, dataset.name, config, options) if standing else ""


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
        *bucket_facts(result.placements),
        ("Steps per epoch", f"{schedule.steps_per_epoch:,}"),
        ("Total steps", f"{schedule.total_steps:,} in {counted(schedule.epochs, 'epoch')}"),
        ("Estimated time", _estimate(result)),
        *([("Graphics memory", result.graphics_memory)] if result.graphics_memory else []),
        *([("Dropped", f"{schedule.dropped:,} images of an epoch, which fill no batch")] if schedule.dropped else []),
        ("Saved LoRAs", _listed(result.checkpoints)),
    ]


def _estimate(result: ExportResult) -> str:
    if result.seconds_a_step is None:
        return "unknown: nothing of the kind was trained on this machine yet"
    return f"{duration(result.seconds_a_step * result.schedule.total_steps)}, by earlier trainings of the kind"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes = round(seconds / 60)
    if minutes >= 60:  # noqa: PLR2004 - an hour
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{max(round(seconds), 0)} s"


def _listed(names: Sequence[str]) -> str:
    """Return a few names in full, of many the first and the last."""
    few = names if len(names) < 4 else (names[0], "…", names[-1])  # noqa: PLR2004 - what a line holds
    return f"{len(names):,} ({', '.join(few)})"


def summary_text(result: ExportResult) -> str:
    """Return the summary and the problems of an export, a line each."""
    lines = [f"{name}: {value}" for name, value in summary(result)]
    return "\n".join([str(result.export.folder), *lines, format_problems(result.export.problems)]).strip()
