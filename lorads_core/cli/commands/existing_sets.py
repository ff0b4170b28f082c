"""The commands for training sets that people already have: audit one, or import it as a dataset."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from ...library.layouts import read_layout
from ...problems import counted
from ...settings import load_settings
from ...system.command import command
from ...training_fields import TRAINING_FIELDS
from ...workflow.check.plot import audit_plot
from ...workflow.check.read_set import SECONDS
from ...workflow.check.report import as_json, audit, figures, folder_rows
from ...workflow.dataset import open_store
from ...workflow.importing import gather, save
from ..training_options import given_options
from .exports import save_plot
from .workflow import confirm_replacing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from ...workflow.check.report import Audit
    from ..console import Screen


def _check(options: argparse.Namespace, screen: Screen) -> int:
    """Audit a training set; the exit code is 1 where a finding is an error."""
    layout = read_layout(options.path)
    words = [options.trigger] if options.trigger else []
    seconds = inf if options.compare_all else SECONDS
    with screen.progress() as progress:
        found = audit(layout, given_options(options), options.trainer, progress, words, seconds)
    if options.json:
        screen.results_only()
        screen.json(as_json(found))
    else:
        _show(found, screen)
    if options.plot:
        save_plot(audit_plot(found), options.plot, "Plot", screen)
    return 1 if found.failed else 0


def _show(found: Audit, screen: Screen) -> None:
    screen.summary([*figures(found.checked), *folder_rows(found.checked)])
    for each in found.findings:
        screen.finding(each.severity, each.line)
    if not found.findings:
        screen.line("Nothing is wrong with it.")


def _import(options: argparse.Namespace, screen: Screen) -> int:
    """Make a dataset of a training set, and say how to go on."""
    settings = load_settings(options.settings)
    layout = read_layout(options.path)
    with open_store(settings) as store, screen.progress() as progress:
        imported, found = gather(store, settings, layout, options.name, options.library, options.trigger, progress)
        confirm_replacing(store, imported.dataset, screen)
        imported = save(store, settings, imported, found, progress)
    for report in imported.reports:
        screen.step("Index", report.sentence)
        screen.problems(report.problems)
    dataset = imported.dataset
    screen.step(
        "Import",
        f"{layout.label}: {counted(len(dataset.training), 'training image')},"
        f" {counted(len(dataset.regularization), 'regularization image')}",
    )
    for concept in dataset.concepts:
        images = sum(image.concept == concept.name for image in dataset.training)
        screen.step("Concept", f"{concept.name}: {counted(images, 'image')} × {counted(concept.repeats, 'repeat')}")
    screen.problems(imported.problems)
    screen.line(
        f"\nExport it with:\n  {command('export', dataset.name, *_export_words(layout.trainer, imported.options))}"
    )
    return 0


def _export_words(trainer: str, values: Mapping[str, Any]) -> list[str]:
    """Return the options of `lorads export` that the config of a set sets."""
    words = ["--trainer", trainer] if trainer else []
    known = {each.name: each for each in TRAINING_FIELDS}
    for name, value in values.items():
        if name in known:
            words += [known[name].flag] if value is True else [known[name].flag, f"{value}"]
    return words


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "check": _check,
    "import": _import,
}
