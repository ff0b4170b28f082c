"""The commands that choose images: look into libraries, query, embed, tag, find regularization images."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import LibraryError
from ...library.filter import DatasetFilter
from ...model import MARKS
from ...plots.sheet import save_png
from ...problems import counted
from ...regularization.rules import FinderRules, NothingFoundError
from ...settings import load_settings
from ...system.names import true_path
from ...system.rights import common_rights
from ...vision.similarity.picking import DiversityRules
from ...workflow.dataset import (
    embed,
    find_regularization,
    look_into,
    open_library,
    open_store,
    query,
    tag,
    with_indexed,
)
from ...workflow.duplicates import without_duplicates
from ...workflow.parse import band_wish
from ...workflow.plots import histogram, sheet
from ..facts import image_facts, library_facts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL import Image

    from ...library import Library, LibraryReport
    from ...model import Dataset, DatasetImage
    from ...regularization.rules import FinderResult, LibrarySimilarity
    from ...settings import Settings
    from ...store.connect import Store
    from ..console import Screen

_LISTED = 12


def _paths(folder: Path) -> Iterator[str]:
    """Yield a folder's path as it is written, as other programs know it, and its real one, as our index does."""
    yield os.path.abspath(folder)  # noqa: PTH100 - links stay as they are
    with suppress(OSError, RuntimeError, ValueError):
        yield str(true_path(folder))


def chosen(options: argparse.Namespace) -> DatasetFilter:
    """Return the filter that the words for choosing make."""
    return DatasetFilter(
        cluster=options.cluster,
        album=options.album,
        folders=tuple(dict.fromkeys(path for folder in options.folder for path in _paths(folder))),
        minimum_rating=options.minimum_rating,
        exclude_marked_bad=not options.with_marked_bad,
        required_tags=tuple(options.require),
        excluded_tags=tuple(options.exclude),
        minimum_side=options.minimum_side,
        maximum_images=options.maximum_images,
        ids=tuple(options.id),
        order=options.order,
        seed=options.seed,
        favorite=MARKS[options.favorite],
        nsfw=MARKS[options.nsfw],
        models=tuple(options.models),
        loras=tuple(options.loras),
        created_since=options.created_since,
        created_before=options.created_before,
    )


def nsfw_rule(options: argparse.Namespace, among: str = "") -> bool | None:
    """Return what holds for regularization images: who wants no NSFW image trained wants none of them either.

    Another library than that of the training images may not know the mark.
    """
    return False if MARKS[options.nsfw] is False and among in ("", options.library) else None


def _libraries(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    named = {profile.name for profile in settings.libraries}
    failed = False
    reports: list[LibraryReport] = []
    with open_store(settings) as store:
        settings = with_indexed(store, settings)
        for name in [options.name] if options.name else [profile.name for profile in settings.libraries]:
            try:
                report = look_into(store, settings, name)
            except LibraryError as error:
                screen.fault(str(error))
                failed = True
                continue
            reports.append(report)
            if options.json:
                continue
            screen.step(report.name, f"{report.kind}, {counted(report.images, 'image')}, {report.where}")
            screen.summary(report.facts)
            screen.problems(report.problems)
            if name not in named:
                screen.notice(f"To select images of it (--library {name}), add [libraries.{name}] to lorads.toml.")
    if options.json:
        screen.json([library_facts(report) for report in reports])
    return LibraryError.exit_code if failed else 0


def _query(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    if options.paths or options.json:
        screen.results_only()
    with open_store(settings) as store:
        library = open_library(store, settings, options.library)
        dataset = _chosen_dataset(options, store, library, screen)
        _list(dataset.training, options, screen)
        if options.sheet:
            picture = sheet(
                dataset.training, f"{dataset.name}: {counted(len(dataset.training), 'image')} of {library.name}"
            )
            _save(picture, options.sheet, "Sheet", screen, dataset.training)
    return 0


def _chosen_dataset(options: argparse.Namespace, store: Store, library: Library, screen: Screen) -> Dataset:
    with screen.progress() as progress:
        queried = query(store, library, options.name, chosen(options), progress)
    screen.step("Query", f"{counted(len(queried.dataset.training), 'image')} of library {library.name}")
    screen.problems(queried.problems)
    if options.duplicates == "keep":
        return queried.dataset
    with screen.progress() as progress:
        lone = without_duplicates(store, queried.dataset, progress)
    screen.step(
        "Duplicates",
        lone.sentence if options.duplicates == "drop" else f"{counted(len(lone.left_out), 'duplicate')} found",
    )
    screen.problems(lone.problems)
    return lone.dataset if options.duplicates == "drop" else queried.dataset


def _embed(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store, screen.progress() as progress:
        library = open_library(store, settings, options.library)
        report = embed(
            store, settings, library, options.embedder, chosen(options), progress, with_index=options.with_index
        )
    screen.step("Embed", report.sentence)
    screen.problems(report.problems)
    return 0


def _tag(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store, screen.progress() as progress:
        library = open_library(store, settings, options.library)
        report = tag(store, settings, library, options.tagger, chosen(options), progress, again=options.again)
    screen.step("Tag", report.sentence)
    screen.problems(report.problems)
    return 0


def _regularize(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    rules = finder_rules(options)
    if options.paths or options.json:
        screen.results_only()
    with open_store(settings) as store:
        library = open_library(store, settings, options.library)
        dataset = _chosen_dataset(options, store, library, screen)
        pool = open_library(store, settings, options.among) if options.among else library
        try:
            found = find(store, settings, dataset, pool, rules, screen)
        except NothingFoundError as error:  # when one needs the pictures most
            if options.sheet and error.passed_over:
                title = f"Passed over as regularization images for {dataset.name}"
                _save(sheet(error.passed_over, title), options.sheet, "Sheet", screen, error.passed_over)
            _save_histogram(error.similarity, dataset.name, options, screen)
            raise
        picks = found.dataset.regularization
        _list(picks, options, screen)
        if options.sheet:
            picture = sheet(picks, f"{counted(len(picks), 'regularization image')} for {dataset.name}")
            _save(picture, options.sheet, "Sheet", screen, picks)
        _save_histogram(found.similarity, dataset.name, options, screen)
    return 0


def _save_histogram(similarity: LibrarySimilarity, name: str, options: argparse.Namespace, screen: Screen) -> None:
    if options.histogram:
        _save(histogram(similarity, name), options.histogram, "Histogram", screen)


def find(
    store: Store, settings: Settings, dataset: Dataset, library: Library, rules: FinderRules, screen: Screen
) -> FinderResult:
    """Find regularization images, and say how."""
    with screen.progress() as progress:
        found = find_regularization(store, settings, dataset, library, rules, progress)
    screen.step("Regularize", found.sentence)
    screen.problems(found.problems)
    return found


def finder_rules(options: argparse.Namespace) -> FinderRules:
    """Return how to find regularization images, from the words of `lorads regularize`."""
    return FinderRules(
        count=options.count,
        band=band_wish(options.band, options.percentiles),
        mode=options.mode,
        wanted=DatasetFilter(
            required_tags=tuple(options.regularization_class),
            excluded_tags=tuple(options.without),
            minimum_rating=options.minimum_quality,
            minimum_side=options.minimum_side,
            nsfw=nsfw_rule(options, options.among),
        ),
        quality=options.quality,
        diversity=DiversityRules(
            diversity=options.diversity, max_similarity=options.twin, per_group=options.per_cluster
        ),
        exclude_clusters=not options.allow_same_cluster,
        exclude_characters=not options.allow_subject_tags,
        compare_pictures=not options.vectors_only,
        repeats=options.repeats,
        space=options.space,
        way=options.search,
    )


def _list(images: Sequence[DatasetImage], options: argparse.Namespace, screen: Screen) -> None:
    """Print the paths alone or all facts for other programs, or a few rows for a person."""
    if options.json:
        screen.json([image_facts(image) for image in images])
        return
    if options.paths:
        for image in images:
            screen.path(image.record.path, "\0" if options.null else "\n")
        return
    screen.images(images[:_LISTED], len(images))


def _save(picture: Image.Image, path: Path, title: str, screen: Screen, shown: Sequence[DatasetImage] = ()) -> None:
    save_png(picture, path, common_rights(image.record.path for image in shown))
    screen.step(title, str(path))


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "libraries": _libraries,
    "query": _query,
    "embed": _embed,
    "tag": _tag,
    "regularize": _regularize,
}
