"""The commands that tell the whole story, each step with its line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import CaptionError, SettingsError
from ...export.plan import sized_config
from ...library.filter import DatasetFilter
from ...library.index import IndexOptions
from ...problems import counted
from ...regularization.rules import FinderRules
from ...settings import load_settings
from ...system.command import command
from ...workflow.captions import caption, edits_left_behind
from ...workflow.dataset import (
    add_regularization,
    check_config,
    export,
    index,
    open_library,
    open_store,
    preview,
    query,
)
from ...workflow.duplicates import look_for_duplicates
from ...workflow.importing import layout_notes
from ...workflow.parse import CaptionWishes, band_wish, caption_settings, sidecar_rule, vocabulary
from ..better_captions import better_captions
from ..card_steps import card_steps
from ..demo import LIBRARY, SAMPLES, TRIGGER
from ..export_options import export_options
from ..recipes import apply_recipe, recipe_file, recipe_of
from ..training_options import chosen_training, missing_files
from .exports import plot_buckets, rehearsed, root_of, show_export, show_preview
from .library import chosen, find, nsfw_rule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ...export.write import ExportResult
    from ...library.index import IndexReport
    from ...model import Dataset
    from ...settings import Settings
    from ...store.connect import Store
    from ...workflow.captions import Captioned
    from ..console import Screen


def _index(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        for folder in options.folders:
            _index_one(store, settings, folder, options, screen)
    return 0


def _index_one(
    store: Store, settings: Settings, folder: Path, options: argparse.Namespace, screen: Screen
) -> IndexReport:
    reading = IndexOptions(
        sidecars=sidecar_rule(options.sidecar), follow_links=options.follow_links, download=options.download
    )
    with screen.progress() as progress:
        report = index(store, settings, options.library, folder, reading, progress)
    screen.step("Index", report.sentence)
    screen.problems(report.problems)
    return report


def _build(options: argparse.Namespace, screen: Screen) -> int:
    if file := recipe_file(options):
        used, passed_over = apply_recipe(options, file)
        over = f"; {', '.join(passed_over)} of the command line instead" if passed_over else ""
        screen.step("Recipe", f"{file}: {', '.join(used) or 'nothing'}{over}")
    if not options.trigger and not options.name:
        raise SettingsError("The dataset has no name: give a --trigger, or for a dataset without one a --name.")
    if not options.folders and chosen(options) == DatasetFilter():
        raise SettingsError("Nothing is chosen: name a folder, or choose images of the library, e.g. --cluster anna.")
    if options.folders and options.folder:
        raise SettingsError(
            f"Both {options.folders[0]} and --folder {options.folder[0]} choose a folder: leave one out. The first is"
            " indexed and trained whole, --folder chooses among what is indexed already."
        )
    return _tell(options, load_settings(options.settings), screen, recipe_of(options))


def _demo(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    if not options.folders:
        options.folders = [SAMPLES / "subject"]
        options.regularization = options.regularization or SAMPLES / "other"
        options.fallback = options.fallback or ["joycaption"]
    options.trigger = options.trigger or TRIGGER
    options.name = options.name or "demo"
    options.library = LIBRARY
    code = _tell(options, settings.with_library(LIBRARY), screen)
    screen.step("Images", str(options.folders[0]))
    screen.step("Captions", f"{command('panel')} shows and edits them; {command('captions', options.name)} lists them")
    return code


def _tell(
    options: argparse.Namespace, settings: Settings, screen: Screen, recipe: Mapping[str, Any] | None = None
) -> int:
    """Go through the whole story and say what each step has done; ``recipe`` makes the dataset again."""
    chosen_config = chosen_training(options)
    config = chosen_config.config
    for step in chosen_config.steps:
        screen.step(*step)
    captions = caption_settings(
        options.caption,
        options.fallback,
        options.trigger,
        options.trigger_position,
        config.base_model,
        CaptionWishes(
            left_out=",".join(options.leave_out),
            bound=",".join(options.bind),
            uncaptioned=options.uncaptioned,
            class_name=next(iter(options.regularization_class), ""),
        ),
        vocabulary(settings, options.vocabulary),
    )
    writing = export_options(options, settings)
    sidecar_rule(options.sidecar)
    wanted = chosen(options)
    rules = _finder_rules(options, config.repeats)
    check_config(config, writing.trainer, writing.home)
    screen.problems(missing_files(config))
    root = root_of(options, settings)
    with open_store(settings) as store, rehearsed(store, options):
        screen.problems(card_steps(store, chosen_config, writing.trainer))
        folders = [_index_one(store, settings, folder, options, screen).folder for folder in options.folders]
        screen.problems(note for folder in options.folders for note in layout_notes(folder))
        library = open_library(store, settings, options.library)
        queried = query(
            store, library, options.name or options.trigger, replace(wanted, folders=tuple(folders) or wanted.folders)
        )
        dataset = queried.dataset
        screen.step("Query", f"{counted(len(dataset.training), 'training image')}")
        screen.problems(queried.problems)
        with screen.progress() as progress:
            dataset, notes = look_for_duplicates(store, dataset, options.duplicates, progress)
        screen.problems(notes)
        if options.regularization:
            folder = _index_one(store, settings, options.regularization, options, screen).folder
            queried = add_regularization(dataset, library, DatasetFilter(folders=(folder,)))
            dataset = queried.dataset
            screen.step("Query", f"{counted(len(dataset.regularization), 'regularization image')}")
            screen.problems(queried.problems)
        if rules:
            rules = replace(rules, repeats=sized_config(dataset, config, writing).repeats)
            dataset = find(store, settings, dataset, library, rules, screen).dataset
        if not options.dry_run:
            confirm_replacing(store, dataset, screen)
        with screen.progress() as progress:
            captioned = caption(store, settings, dataset, captions, progress, recipe)
        screen.step("Captions", captioned.sentence)
        screen.problems(captioned.problems)
        for line in better_captions(captioned, options, settings):
            screen.notice(line)
        if options.dry_run:
            seen = preview(store, captioned.dataset, config, writing, root)
            _show_problems(seen.result, captioned, screen)
            show_preview(seen, options, screen)
            return 0
        with screen.progress() as progress:
            result = export(store, captioned.dataset, config, writing, root, progress=progress)
    screen.step("Export", str(result.export.folder))
    _show_problems(result, captioned, screen)
    show_export(result, writing, screen)
    plot_buckets(result, options.plot, screen)
    return 0


def _show_problems(result: ExportResult, captioned: Captioned, screen: Screen) -> None:
    """Show the problems of an export that were not shown with its captions."""
    shown = {(problem.code, problem.subject) for problem in captioned.problems}
    screen.problems(problem for problem in result.export.problems if (problem.code, problem.subject) not in shown)


def confirm_replacing(store: Store, dataset: Dataset, screen: Screen) -> None:
    """Ask before images with captions that people edited are replaced; without a terminal, `caption` only says so.

    Raises:
        CaptionError: it is not to be.
    """
    for problem in edits_left_behind(store, dataset):
        if not screen.confirm(problem.message):
            raise CaptionError(f"Nothing was changed in {dataset.name!r}.")


def _finder_rules(options: argparse.Namespace, repeats: int) -> FinderRules | None:
    """Return how to find regularization images among the library's own, None if that is not wanted."""
    if options.find_regularization is None:
        if options.band or options.percentiles:
            raise SettingsError(
                "--band and --percentiles say how to find regularization images: say how many with"
                " --find-regularization."
            )
        return None
    return FinderRules(
        count=options.find_regularization,
        band=band_wish(options.band, options.percentiles),
        wanted=DatasetFilter(
            required_tags=tuple(options.regularization_class),
            minimum_side=options.minimum_side,
            nsfw=nsfw_rule(options),
        ),
        repeats=repeats,
    )


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "index": _index,
    "build": _build,
    "demo": _demo,
}
