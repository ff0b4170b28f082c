"""Kills around a training, with a stand-in for the trainer: its watcher, the command that launched it, the trainer."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from lorads_core.runs import run_folder
from lorads_core.system.paths import RUNS, STAGING

from .. import standin_trainer
from .tally import LostError, StuckError
from .world import PATIENCE, kill, make_pictures, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .tally import Tally
    from .world import Command, World

STEPS = 120
PAUSE = 0.05  # seconds a step: a training takes some six


def make(world: World) -> None:
    """Write settings with the stand-in, and an export to train."""
    trainer = standin_trainer.install(world.root / "trainer")
    world.set(
        f"[trainers.standin]\nkind = 'sd-scripts'\nfolder = '''{trainer}'''\npython = '''{sys.executable}'''\n"
        f"stop_seconds = 1\n[trainers.standin.environment]\nSTANDIN_STEPS = '{STEPS}'\nSTANDIN_PAUSE = '{PAUSE}'\n"
    )
    standin_trainer.write_model(world.root / "base.safetensors")
    words = ("--minimum-side", 0, "--epochs", 2, "--repeats", 2, "--checkpoint", world.root / "base.safetensors")
    world.must("build", make_pictures(world.root / "pictures", 3, (128, 128)), "--trigger", "tom", *words)


def runs(world: World) -> set[Path]:
    """Return the folders of all runs."""
    return set((world.exports / STAGING / RUNS).glob("*"))


def begun(world: World, before: set[Path], command: Command) -> Path:
    """Wait until a new run has taken a step; return its folder."""

    def steps() -> bool:
        return any(status.step >= 1 for folder in runs(world) - before if (status := run_folder.read_status(folder)))

    if not wait_until(lambda: steps() or (not command.runs and command.process.code), PATIENCE):
        raise StuckError(f"the training does not begin: {command.text[-300:]!r}")
    if not runs(world) - before:
        raise LostError(f"no training was begun: {command.text[-300:]!r}")
    (folder,) = runs(world) - before
    wait_until(lambda: False, world.random.uniform(0, 0.7 * STEPS * PAUSE))
    return folder


def check_progress(folder: Path) -> None:
    """Check that a run is completed with each of its steps and its LoRA."""
    status = run_folder.read_status(folder)
    steps = [point.step for point in run_folder.read_history(folder)]
    if (status.state, status.step, steps) != ("completed", STEPS, list(range(1, STEPS + 1))):
        raise LostError(f"it is {status.state} at step {status.step} with {len(steps)} steps: {status.message}")
    if not status.loras:
        raise LostError("it has no LoRA")


def watchers(world: World, tally: Tally) -> None:
    """Kill the watcher: the training lives, and the next look at it has all its progress."""
    make(world)

    def one(_number: int) -> bool:
        before = runs(world)
        command = world.start("train", "tom", "--background", "--again")
        folder = begun(world, before, command)
        status = run_folder.read_status(folder)
        hit = status.state == "running" and kill(status.watcher.id)
        command.end()
        if not hit:
            return False
        world.must("runs", "tom")  # a trainer that died with its watcher lacks steps below
        until_over(world, folder)
        check_progress(folder)
        return True

    tally.repeat(one)


def until_over(world: World, folder: Path) -> None:
    """Look at a run again and again, as a person does, until it is over."""
    for _ in range(30):
        if wait_until(lambda: run_folder.read_status(folder).state not in {"starting", "running"}, 4):
            return
        world.must("runs", "tom")
    raise StuckError(f"the run is not over: {json.dumps(run_folder.read_status(folder), default=str)[:300]}")


def launchers(world: World, tally: Tally) -> None:
    """Kill the command that waits for a training: it goes on, and the next command finds it."""
    make(world)

    def one(_number: int) -> bool:
        before = runs(world)
        command = world.start("train", "tom", "--again")
        folder = begun(world, before, command)
        hit = kill(command.process.pid) and run_folder.read_status(folder).state == "running"
        command.end()
        world.must("train", "tom")
        if runs(world) - before != {folder}:
            raise LostError("the next command began another training")
        check_progress(folder)
        return hit

    tally.repeat(one)


def trainers(world: World, tally: Tally) -> None:
    """Kill the trainer: the run says so, and the next one completes."""
    make(world)

    def one(_number: int) -> bool:
        before = runs(world)
        command = world.start("train", "tom", "--again")
        folder = begun(world, before, command)
        hit = kill(run_folder.read_status(folder).trainer.id)
        ended = command.end()
        status = run_folder.read_status(folder)
        if hit and (ended.code == 0 or status.state != "failed" or "killed" not in status.message):
            raise LostError(f"a killed trainer is {status.state} ({ended.code}): {status.message}")
        before = runs(world)
        world.must("train", "tom", "--again")
        (again,) = runs(world) - before
        check_progress(again)
        return hit

    tally.repeat(one)
