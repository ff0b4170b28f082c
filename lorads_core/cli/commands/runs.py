"""The commands of trainings: started and watched, listed, stopped, their LoRA offered to ComfyUI."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING

from ...errors import TrainerError
from ...lora_tests.archive import SHEET, list_tests
from ...problems import counted
from ...settings import load_settings
from ...system.command import command
from ...workflow import training
from ...workflow.dataset import duration, open_store
from ...workflow.plots import loss_image
from .. import ending
from ..facts import lora_facts, run_facts
from .exports import root_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from ...model import Run
    from ...store.connect import Store
    from ..console import Screen

_PLOT = "loss.png"
_PLOT_EVERY = 15.0  # seconds
_SHORT_ID = 8


def _train(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    profile = training.profile_of(settings, options.profile)
    import_module("matplotlib.figure")  # Ctrl-C during the import would leave half of it to the plot at the end
    with open_store(settings) as store:
        folder = training.exported(root_of(options, settings), options.name)
        run = training.train(store, profile, folder, again=options.again, resume=options.resume)
        resumed = f" from step {run.step:,}" if options.resume and run.step and run.state == "starting" else ""
        screen.step("Run", f"{_id(run)} of {run.name} by {profile.name}: {run.state}{resumed}")
        if run.message and not run.is_over:
            screen.step("Note", run.message)
        if options.background and not run.is_over:
            screen.line("It continues in the background.")
            screen.step("Progress", command("runs", run.name))
            screen.step("Stop", command("stop", run.name))
            return 0
        run = _followed(store, run, options.plot, screen)
        if run.state != "completed" and not training.why_not_resumed(store, folder):
            screen.step("Resume", command("train", options.name, *_out(options), "--resume"))
        return _result(run, screen)


def _out(options: argparse.Namespace) -> tuple[str, ...]:
    return ("--out", str(options.out)) if options.out else ()


def _id(run: Run) -> str:
    return str(run.id)[:_SHORT_ID]


def _followed(store: Store, run: Run, plot: Path | None, screen: Screen) -> Run:
    """Show how a run goes on until it is over; Ctrl-C stops the training, a second one waits for that no more."""
    with screen.training() as show:
        drawn_at = 0.0

        def look(now: Run) -> None:
            nonlocal drawn_at
            show(now)
            if time.monotonic() - drawn_at > _PLOT_EVERY:
                drawn_at = time.monotonic()
                _draw(now, plot)

        try:
            run = training.wait(store, run, look)
        except KeyboardInterrupt:
            ending.wait_longer()
            screen.step("Stop", "requested; the trainer is ending (Ctrl-C again does not wait for it)")
            run = training.stop(store, run)
    screen.step("Plot", str(_draw(run, plot)))
    return run


def _draw(run: Run, plot: Path | None) -> Path:
    """Write the plot of a run's course, and return where."""
    file = plot or run.folder / _PLOT
    try:
        loss_image(run, training.history(run.folder)).save(file)
    except (OSError, ValueError) as error:
        raise TrainerError(f"{file} cannot be written as an image ({error}): name a PNG or JPEG file.") from error
    return file


def _result(run: Run, screen: Screen) -> int:
    """Say how a run ended, and return its exit code."""
    _show_loras(run, screen)
    if run.state == "completed":
        screen.step("Trained", f"{counted(run.step, 'step')}{_took(run)}")
        if run.peak_memory:
            screen.step("Memory", _peak(run))
        return 0
    raise TrainerError(f"{run.sentence} Its log is in {run.folder}.")


def _show_loras(run: Run, screen: Screen) -> None:
    if run.loras:
        screen.step("LoRA", str(run.output / run.loras[-1]))
    if len(run.loras) > 1:
        screen.step("Earlier", f"{run.loras[0]} … {run.loras[-2]}" if len(run.loras) > 2 else run.loras[0])  # noqa: PLR2004


def _took(run: Run) -> str:
    if not (run.started_at and run.ended_at):
        return ""
    return f" in {duration((run.ended_at - run.started_at).total_seconds())}"


def _runs(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        if options.name:
            run = training.run_called(store, options.name)
            if options.json:
                screen.json(run_facts(run, training.lora_loads(run)))
                return 0
            _show(run, training.run_to_offer(store, options.name), options, screen)
            return 0
        found = training.runs(store)
    if options.json:
        screen.json([run_facts(run) for run in found])
        return 0
    for run in found:
        screen.line(_row(run))
    if not found:
        screen.line(f"No run yet: {command('train', 'EXPORT')} starts one.")
    return 0


def _row(run: Run) -> str:
    when = run.started_at.astimezone().strftime("%Y-%m-%d %H:%M") if run.started_at else "just now"
    progress = run.progress if run.stage else f"{run.step:,}/{run.total_steps:,}"
    left = f", {duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    loss = f", loss {run.loss:.4g}" if run.loss is not None else ""
    return f"{_id(run)}  {when}  {run.state:<9}  {run.name}  {progress}{loss}{left}"


def _show(run: Run, offered: Run, options: argparse.Namespace, screen: Screen) -> None:
    screen.line(_row(run))
    facts = [
        ("Trainer", f"{run.trainer}, profile {run.profile} on {run.host}"),
        ("Version", run.manifest_hash[:12]),
        ("Message", run.message or "-"),
        ("Output", str(run.output)),
        ("LoRAs", ", ".join(run.loras) or "none yet"),
        *_loads(run),
        *([("Memory", _peak(run))] if run.peak_memory else []),
        *([("Offered", f"the LoRA of run {_id(offered)}, {offered.state}")] if offered.id != run.id else []),
        ("Plot", str(_draw(run, options.plot)) if run.folder.is_dir() else "-"),
        ("Log folder", str(run.folder)),
    ]
    screen.summary(facts)
    for test in list_tests(run):
        screen.step("Test", f"{test.at.astimezone():%Y-%m-%d %H:%M}  {test.title or 'untitled'}: {test.folder / SHEET}")
    for line in training.log_tail(run, options.lines):
        screen.line(f"  {line}")


def _loads(run: Run) -> list[tuple[str, str]]:
    """Return what ComfyUI loads of the newest LoRA, as a row; none where that is not known."""
    kept = training.lora_loads(run)
    found = kept.get(run.loras[-1]) if run.loras else None
    return [("Loads", f"{found.text}, by {found.source}")] if found else []


def _peak(run: Run) -> str:
    """Say how much graphics memory a run held at most."""
    return f"at most {run.graphics_memory} on the graphics card"


def _stop(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        run = training.run_called(store, options.name)
        if run.is_over:
            screen.line(f"{run.name} is not being trained: it {run.state_clause}.")
            return 0
        run = training.stop(store, run)
    when = "" if run.stage else f" after {counted(run.step, 'step')}"
    screen.step("Stop", f"{run.name} {run.state_clause}{when}. {run.message}")
    _show_loras(run, screen)
    return 0


def _offer(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    if not options.make and not options.folder.is_dir():
        raise TrainerError(
            f"There is no folder {options.folder}: give ComfyUI's models/loras, or add --make to create it."
        )
    with open_store(settings) as store:
        run = training.run_to_offer(store, options.name)
    offered = training.offer_lora(
        run,
        options.folder.resolve(),
        name=options.called,
        epoch=options.epoch,
        link=options.link,
        without_paths=options.without_paths,
        handling="unchanged" if options.as_it_is else "whole",
    )
    screen.step("LoRA", f"{offered.file} {offered.message}".strip())
    if offered.loading:
        screen.step("Loads", offered.loading.as_it_is.text if options.as_it_is else offered.loading.text)
    screen.step("Run", f"{_id(run)} of {run.name}: {run.state}")
    return 0


def _lora(options: argparse.Namespace, screen: Screen) -> int:
    """Say what ComfyUI loads of LoRA files; the exit code is 1 where that is not all of one, and no copy was made."""
    load_settings(options.settings)  # its base models
    found = [(file, _checked_lora(file, options)) for file in options.files]
    if options.json:
        screen.json([_lora_json(file, each) for file, each in found])
    for file, each in found if not options.json else ():
        _show_lora(file, each, options, screen)
    whole = all(
        not isinstance(each, TrainerError) and (each.loading.as_it_is.is_full or each.written) for _, each in found
    )
    return 0 if whole else 1


def _checked_lora(file: Path, options: argparse.Namespace) -> training.CheckedLora | TrainerError:
    """Return what is to be said of a file, or why nothing can be: others are looked at all the same."""
    try:
        return training.check_lora(file, options.base_model, write=options.convert)
    except TrainerError as error:
        return error


def _lora_json(file: Path, found: training.CheckedLora | TrainerError) -> dict[str, object]:
    if isinstance(found, TrainerError):
        return {"file": str(file), "error": str(found)}
    return {**lora_facts(file, found)}


def _show_lora(
    file: Path, found: training.CheckedLora | TrainerError, options: argparse.Namespace, screen: Screen
) -> None:
    if isinstance(found, TrainerError):
        screen.finding("error", str(found))
        return
    screen.step("File", f"{file}, of {found.family.label}")
    screen.step("Loads", found.loading.text)
    if found.loading.reason:
        screen.finding("error", found.loading.reason)
    if found.written:
        screen.step("Converted", str(found.written))
    elif found.loading.converted and not options.convert:
        screen.step("Convert", command("lora", str(file), "--convert"))


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "train": _train,
    "runs": _runs,
    "stop": _stop,
    "offer": _offer,
    "lora": _lora,
}
