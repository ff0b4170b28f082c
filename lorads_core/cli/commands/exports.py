"""The commands that go on from drafted datasets: combine, export, compare versions of an export, verify its files."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ...base_models import base_model
from ...errors import ExportError, SettingsError
from ...export.integrity import check_integrity
from ...export.layout import refused_manifest
from ...export.manifest_paths import link_fault
from ...export.start_script import what_to_set
from ...export.versions import compare, find_version, list_versions, read_current
from ...images.files import printable_path
from ...problems import counted
from ...settings import load_settings
from ...system.command import quoted
from ...system.files import file_error_reason
from ...trainers import trainer
from ...workflow.captions import combine, draft
from ...workflow.dataset import check_config, export, open_store, preview, summary
from ...workflow.last_export import find_last_export, last_config
from ...workflow.plots import bucket_image
from ...workflow.training import exported
from ...workflow.writing import WRITING
from ..card_steps import card_steps
from ..demo import LIBRARY
from ..export_options import export_options
from ..facts import version_facts
from ..training_options import chosen_trainer, chosen_training, missing_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from PIL import Image

    from ...export.plan import ExportOptions
    from ...export.versions import Version
    from ...export.write import ExportPreview, ExportResult
    from ...model import TrainingConfig
    from ...settings import Settings
    from ...store.connect import Store
    from ..console import Screen


def root_of(options: argparse.Namespace, settings: Settings) -> Path:
    """Return the folder of all exports."""
    return options.out or settings.command_exports


def rehearsed(store: Store, options: argparse.Namespace) -> AbstractContextManager[None]:
    """Return what undoes all that a dry run writes into the store."""
    return store.rehearsal() if options.dry_run else nullcontext()


def show_export(result: ExportResult, writing: ExportOptions, screen: Screen) -> None:
    """Say what was exported, and how it is trained."""
    screen.tree(result.export.folder)
    screen.summary(summary(result))
    if result.script is None:
        screen.line("\nTrain it in ComfyUI: Dataset to Images, Make Training Dataset, Train LoRA.")
        return
    words = [str(result.script)] if result.script.suffix == ".bat" else ["sh", str(result.script)]
    label = trainer(writing.trainer).label
    screen.line(f"\nTrain it with {label}:\n  {quoted(words)}")
    if writing.installed is None:
        screen.line(what_to_set(label))


def show_preview(found: ExportPreview, options: argparse.Namespace, screen: Screen) -> None:
    """Say what an export would be, and that it is none."""
    screen.step("Export", f"{found.result.export.folder} {found.sentence}")
    screen.summary(summary(found.result))
    plot = "; --plot needs a build or an export without it" if options.plot else ""
    screen.line(f"\nNothing was written (--dry-run){plot}.")


def plot_buckets(result: ExportResult, file: Path | None, screen: Screen) -> None:
    """Write the plot of an export's buckets, if one was requested."""
    if file is not None:
        save_plot(bucket_image(result), file, "Buckets", screen)


def save_plot(plot: Image.Image, file: Path, title: str, screen: Screen) -> None:
    """Write a plot to a file of the format that its name says, and say where.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        plot.save(file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be written as an image ({error}): name a PNG or JPEG file.") from error
    screen.step(title, str(file))


def _combine(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)
    with open_store(settings) as store:
        found = [draft(store, settings, name) for name in options.datasets]
        for each in found:
            screen.problems(each.problems)
        datasets = [each.dataset for each in found]
        result = combine(store, datasets, options.name, options.repeats, balanced=not options.no_balance)
    screen.problems(result.problems)
    for sentence in result.sentences:
        screen.step("Concept", sentence)
    return 0


def _export(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)
    with open_store(settings) as store, rehearsed(store, options):
        last = None if options.fresh else find_last_export(store, options.name)
        known = last_config(last) if last else None
        before = {**WRITING, **(last.writing if last else {})}
        chosen = chosen_training(options, known, chosen_trainer(options, before), before["trainer"])
        config = chosen.config
        for step in chosen.steps:
            screen.step(*step)
        writing = export_options(options, settings, last.writing if last else None)
        check_config(config, writing.trainer, writing.home)
        screen.problems(card_steps(store, chosen, writing.trainer))
        if last and known:
            screen.step("Settings", _settings_sentence(known, last.writing))
        screen.problems(missing_files(config))
        found = draft(store, settings, options.name)
        screen.problems(found.problems)
        if options.dry_run:
            seen = preview(store, found.dataset, config, writing, root_of(options, settings))
            screen.problems(seen.result.export.problems)
            show_preview(seen, options, screen)
            return 0
        with screen.progress() as progress:
            result = export(store, found.dataset, config, writing, root_of(options, settings), progress=progress)
    screen.step("Export", str(result.export.folder))
    screen.problems(result.export.problems)
    show_export(result, writing, screen)
    plot_buckets(result, options.plot, screen)
    return 0


def _settings_sentence(config: TrainingConfig, writing: Mapping[str, Any]) -> str:
    """Say how the last export was made, from which this one goes on."""
    name = writing.get("trainer", WRITING["trainer"])
    return (
        f"as in the last export ({trainer(name).label}, {base_model(config.base_model).label}) but for the options"
        " given here; --fresh starts from the defaults"
    )


def _diff(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    root = root_of(options, settings)
    if not options.versions:
        found = list_versions(root, options.name)
        if not found:
            exported(root, options.name)  # says what there is not
        _show_versions(found, options, screen)
        return 0
    first, *more = options.versions
    new = find_version(root, options.name, more[0]) if more else read_current(root / options.name)
    old = find_version(root, options.name, first)
    screen.line(compare(old, new).text)
    return 0


def _show_versions(found: Sequence[Version], options: argparse.Namespace, screen: Screen) -> None:
    if options.json:
        screen.json([version_facts(each) for each in found])
        return
    for each in found:
        when = datetime.fromtimestamp(each.written, timezone.utc).astimezone()
        screen.line(f"{each.short}  {when:%Y-%m-%d %H:%M}  {counted(each.images, 'image')}")


def _verify(options: argparse.Namespace, screen: Screen) -> int:
    """Check all files of an export by their hashes; a fault is an error that counts them."""
    folder = exported(root_of(options, load_settings(options.settings)), options.name)
    manifest = read_current(folder)
    if fault := link_fault(folder, manifest):
        raise ExportError(refused_manifest(folder, fault))
    try:
        with screen.progress() as progress:
            found = check_integrity(folder, manifest, progress)
    except OSError as error:
        raise ExportError(f"{error.filename or folder} cannot be read: {file_error_reason(error)}.") from error
    faults = {"missing": found.missing, "changed": found.changed, "additional": found.added}
    for fault, files in faults.items():
        for file in files:
            screen.line(f"{fault:<10}  {printable_path(file)}")
    if found.unknown:
        unhashed = counted(len(found.unknown), "file exists but has", "files exist but have")
        screen.step("No hash", f"{unhashed} no hash (export by an older LoRADS)")
    if not found:
        counts = ", ".join(f"{len(files):,} {fault}" for fault, files in faults.items() if files)
        raise ExportError(f"{folder} is not as it was exported: {counts}. Export the dataset again to repair it.")
    screen.step("Verified", f"{folder}: all {found.files:,} files are as they were exported")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "combine": _combine,
    "export": _export,
    "diff": _diff,
    "verify": _verify,
}
