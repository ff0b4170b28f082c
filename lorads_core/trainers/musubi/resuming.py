"""Resuming a training of musubi-tuner from a saved state; rules of 0.3.4 (``training/trainer_base.py``).

Its ``--resume`` loads the state and no more: it then trains as many epochs as are set, names them from 1 on, in the
place of those that are there, and reckons the schedule of the learning rate with these alone. So what is left is
trained under a name of its own, and the schedule is given the steps of the whole training.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .. import SavedState
from .scripts import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...model import TrainingConfig

_LORA = ".safetensors"
_WHOLE = "random_states_0.pkl"
"""What accelerate writes last into a state (``accelerate/checkpointing.py``, ``save_accelerator_state``)."""


class _Saved(NamedTuple):
    """A saved epoch: how many were done in all, and how many of them before the training was resumed last."""

    epochs: int
    before: int
    path: Path


def saved_state(config: TrainingConfig, output: Path, name: str, steps_per_epoch: int) -> SavedState | None:
    """Return the state of the last saved epoch; see `Trainer.saved_state`.

    Raises:
        OSError: the folder cannot be read.
    """
    states = [each for each in _saved(output, name, "-state") if (each.path / _WHOLE).is_file()]
    if not states:
        return None
    newest = max(states)
    steps, left = newest.epochs * steps_per_epoch, config.epochs - newest.epochs
    follower = f"{name}-after-{newest.epochs:06d}"
    return SavedState(
        newest.path,
        steps,
        newest.epochs,
        arguments=(
            "--resume", str(newest.path), "--max_train_epochs", str(left), "--output_name", follower,
            *_scheduling(config, steps_per_epoch * config.epochs),
        ),
        uncounted_steps=steps,
        uncounted_epochs=newest.epochs,
        checkpoints=(*_earlier(output, name, newest.epochs), *checkpoints(config, left, follower)),
    )  # fmt: skip


def checkpoints(config: TrainingConfig, epochs: int, name: str) -> tuple[str, ...]:
    """Return the LoRA files of a number of epochs: ``NAME-000001.safetensors``, the last one ``NAME.safetensors``."""
    saved = range(config.save_every_epochs, epochs, config.save_every_epochs)
    return (*(f"{name}-{epoch:06d}{_LORA}" for epoch in saved), f"{name}{_LORA}")


def _saved(output: Path, name: str, end: str) -> Iterator[_Saved]:
    """Yield what is saved of epochs under names with this end: ``NAME-000004``, ``NAME-after-000004-000001``."""
    pattern = re.compile(rf"{re.escape(name)}(?:-after-(\d{{6}}))?-(\d{{6}}){re.escape(end)}")
    for path in output.iterdir() if output.is_dir() else ():
        if found := pattern.fullmatch(path.name):
            before = int(found[1] or 0)
            yield _Saved(before + int(found[2]), before, path)


def _earlier(output: Path, name: str, epochs: int) -> Iterator[str]:
    """Yield the LoRA of each epoch up to the state; where one was trained twice, that of the training resumed last."""
    found = sorted(each for each in _saved(output, name, _LORA) if each.epochs <= epochs)
    yield from {each.epochs: each.path.name for each in found}.values()


def _scheduling(config: TrainingConfig, steps: int) -> tuple[str, ...]:
    """Return the options that make the learning rate go on as if the training had not been stopped.

    What musubi-tuner takes as ``--lr_scheduler_type`` may be any function of a Python package. accelerate steps it once
    for each process (``accelerate/scheduler.py``).
    """
    scheduler = SCHEDULERS[config.scheduler]
    if not scheduler.function:
        return ()
    counted = steps * config.processes
    numbers = [f"num_warmup_steps={int(config.warmup * counted)}"]
    if scheduler.counts_steps:
        numbers.append(f"num_training_steps={counted}")
    return ("--lr_scheduler_type", f"transformers.optimization.{scheduler.function}", "--lr_scheduler_args", *numbers)
