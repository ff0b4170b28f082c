"""The commands for the captions of a dataset that was built before: looked at, linted, edited, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...captions.analysis import analyse, facts, tag_table
from ...captions.caption import coverage
from ...captions.operations import Bulk, Selection
from ...captions.profiles import profile, trial_prompt
from ...captions.tokens import counter
from ...captions.traits import offers
from ...errors import CaptionError
from ...model import TrainingConfig
from ...plots.sheet import save_png
from ...problems import counted, severity_counts
from ...settings import load_settings
from ...system.rights import common_rights
from ...tags import canonical
from ...workflow.captions import (
    caption_materials,
    decide_traits,
    draft,
    edit_history,
    edit_target,
    keep_bulk,
    lint_dataset,
    redo_edit,
    undo_edit,
)
from ...workflow.dataset import open_store
from ...workflow.parse import caption_settings, vocabulary
from ...workflow.plots import caption_image
from ..caption_options import chosen_operation, selection
from ..demo import LIBRARY
from ..facts import caption_facts, problem_facts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from ...captions.caption import CaptionSettings
    from ...model import Dataset, Decision, Problem
    from ...settings import Settings
    from ...store.connect import Store
    from ..console import Screen


def _captions(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)
    if options.plain or options.json:
        screen.results_only()
    with open_store(settings) as store:
        found = draft(store, settings, options.name)
        screen.problems(found.problems)
        for view in (_history, _taken_back, _decided, _sources, _analysed):
            if view(options, store, settings, found.dataset, screen):
                return 0
        config = TrainingConfig(base_model=options.base_model)
        if _edited(options, store, settings, found.dataset, config, lambda now: selection(options, now), screen):
            return 0
        if options.plain:
            for image in found.dataset.images:
                screen.row(image.record.path, image.caption.text if image.caption else "")
        elif options.json:
            screen.json(caption_facts(found.dataset))
        else:
            _show(found.dataset, options, screen)
    return 0


def _settings_of(options: argparse.Namespace, settings: Settings, dataset: Dataset) -> CaptionSettings:
    known = vocabulary(settings, options.vocabulary)
    trigger = dataset.trigger
    return caption_settings("combined", (), trigger.word, trigger.position, options.base_model, known=known)


def _history(options: argparse.Namespace, store: Store, _settings: Settings, dataset: Dataset, screen: Screen) -> bool:
    if options.history:
        for kept in edit_history(store, dataset):
            undone = f" (undone{_by(kept.undone_by)})" if kept.undone else ""
            when = f"{kept.made_at:%Y-%m-%d %H:%M}"
            screen.line(f"{when}  {kept.changes:>6,} captions  {kept.label}{_by(kept.made_by)}{undone}")
    return options.history


def _by(person: str) -> str:
    return f" by {person}" if person else ""


def _taken_back(
    options: argparse.Namespace, store: Store, _settings: Settings, dataset: Dataset, screen: Screen
) -> bool:
    if not options.undo and not options.redo:
        return False
    edit = undo_edit(store, dataset) if options.undo else redo_edit(store, dataset)
    if edit is None:
        raise CaptionError(f"There is nothing to {'undo' if options.undo else 'redo'} in {dataset.name!r}.")
    screen.step("Undo" if options.undo else "Redo", f"{edit.label}: {counted(len(edit.changes), 'caption')}")
    return True


def _decided(options: argparse.Namespace, store: Store, _settings: Settings, dataset: Dataset, screen: Screen) -> bool:
    if not options.bind and not options.keep:
        return False
    decided: dict[str, Decision | None] = {canonical(tag): "bind" for tag in options.bind}
    decided |= {canonical(tag): "keep" for tag in options.keep}
    decide_traits(store, dataset, decided, options.of)
    screen.step("Traits", "saved; captions follow when they are built the next time, or by --remove-tag")
    return True


def _sources(options: argparse.Namespace, store: Store, settings: Settings, dataset: Dataset, screen: Screen) -> bool:
    if options.sources:
        materials = caption_materials(store, settings, dataset)
        rules = _settings_of(options, settings, dataset).rules
        rows = [
            (each.source, f"{counted(each.images, 'image')}, {each.without:,} without")
            for each in coverage(materials, rules)
        ]
        screen.summary(rows)
    return options.sources


def _analysed(
    options: argparse.Namespace, _store: Store, _settings: Settings, dataset: Dataset, screen: Screen
) -> bool:
    if not options.analysis and not options.plot:
        return False
    written_for = profile(options.base_model)
    found = analyse(dataset, counter(written_for.tokenizer))
    if options.analysis:
        screen.summary(facts(found))
        for line in tag_table(found):
            screen.line(line)
    if options.plot:
        rights = common_rights(image.record.path for image in dataset.images)
        save_png(caption_image(dataset, found, written_for.limits), options.plot, rights)
        screen.step("Plot", str(options.plot))
    return True


def _edited(
    options: argparse.Namespace,
    store: Store,
    settings: Settings,
    dataset: Dataset,
    config: TrainingConfig,
    which: Callable[[Dataset], Selection],
    screen: Screen,
) -> bool:
    """Show or do the bulk operation of a command line on the captions ``which`` selects; return whether it has one."""
    chosen = chosen_operation(options)
    if not chosen:
        return False
    operation, arguments = chosen

    def bulk(now: Dataset) -> Bulk:
        captions = _settings_of(options, settings, now)
        return operation.edit(edit_target(store, settings, now, captions, which(now), config), arguments)

    def again() -> tuple[Dataset, Bulk]:
        now = draft(store, settings, options.name).dataset
        return now, bulk(now)

    _edit(options, store, dataset, bulk(dataset), again, screen)
    return True


def _edit(
    options: argparse.Namespace,
    store: Store,
    dataset: Dataset,
    bulk: Bulk,
    again: Callable[[], tuple[Dataset, Bulk]],
    screen: Screen,
) -> None:
    """Show what an edit does, and do it if it is to be done; ``again`` works it out for captions as they are then."""
    paths = {image.key: image.record.path for image in dataset.images}
    for change in bulk.edit.changes[: options.show]:
        screen.change(
            paths[change.image],
            change.before.text if change.before else "",
            change.after.text if change.after else "",
        )
    if len(bulk.edit.changes) > options.show:
        screen.line(f"… and {len(bulk.edit.changes) - options.show:,} more")
    if bulk.emptied:
        screen.line(f"{counted(len(bulk.emptied), 'caption')} would be empty, or without such a source: not changed.")
    if not bulk.edit.changes:
        screen.step("Edit", f"{bulk.edit.label}: nothing changes, as no caption has what is to be changed")
        return
    if not options.apply:
        screen.step("Preview", f"{bulk.edit.label}: {counted(len(bulk.edit.changes), 'caption')}; --apply does it")
        return
    bulk = keep_bulk(store, dataset, bulk, again)
    screen.step("Edit", f"{bulk.edit.label}: {counted(len(bulk.edit.changes), 'caption')}; --undo undoes it")


def _show(dataset: Dataset, options: argparse.Namespace, screen: Screen) -> None:
    for what, images in (("training", dataset.training), ("regularization", dataset.regularization)):
        if images and options.only in {"all", what}:
            screen.step(what.capitalize(), f"{counted(len(images), 'image')}")
            screen.captions(images[: options.show], len(images))
    first = next((image.caption for image in dataset.training if image.caption), None)
    if first:
        screen.step("Try", trial_prompt(first.text, profile(options.base_model)))
    offered = offers(dataset)
    if offered:
        listed = ", ".join(f"{trait.tag} ({trait.count:,} of {trait.images:,})" for trait in offered)
        screen.step("Traits", f"{listed}: --bind TAG to the trigger, or --keep TAG")


def _lint(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)
    config = TrainingConfig(
        base_model=options.base_model, flip_aug=options.flip_aug, shuffle_caption=options.shuffle_caption
    )
    with open_store(settings) as store:
        found = draft(store, settings, options.name)
        every = Selection(by_hand=True)
        if _edited(options, store, settings, found.dataset, config, lambda _now: every, screen):
            return 0
        rules = _settings_of(options, settings, found.dataset)
        problems = (*found.problems, *lint_dataset(store, found.dataset, rules, config))
    if options.json:
        screen.json(problem_facts(problems))
        return _lint_code(problems)
    screen.problems(problems, options.show)
    fixable = sorted({problem.code for problem in problems if problem.fix})
    captions = counted(sum(image.caption is not None for image in found.dataset.images), "caption")
    screen.step("Lint", f"{captions}, {severity_counts(problems) or 'no problems'}")
    if fixable:
        screen.line(f"{' '.join(f'--fix {code}' for code in fixable)} would fix some of it")
    return _lint_code(problems)


def _lint_code(problems: Iterable[Problem]) -> int:
    return 1 if any(problem.severity == "error" for problem in problems) else 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "captions": _captions,
    "lint": _lint,
}
