"""What a trainer is to LoRADS: one module each, found by a scan of this folder; none is started from here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from ..errors import TrainerError
from ..parts import parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..buckets import Size
    from ..model import Problem, TrainingConfig


@dataclass(frozen=True, slots=True)
class Subset:
    """One folder of an export: ``sizes`` are the pictures' sizes in pixels, in the order of their file names."""

    folder: str
    repeats: int
    is_regularization: bool
    sizes: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the trainer will do with the subsets: its buckets with their pictures (repeats counted), and its steps.

    ``regularization_used`` is how many of the regularization pictures are trained on at all.
    """

    buckets: tuple[tuple[Size, int], ...]
    epochs: int
    steps_per_epoch: int
    total_steps: int
    regularization_used: int


class Trainer(Protocol):
    """A program that trains a LoRA from what `export` writes."""

    @property
    def name(self) -> str:
        """What widgets, settings and the command line call it."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Problem]:
        """Return all that the trainer would refuse, ignore or do badly; an error means: do not write this."""
        ...

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return the buckets and steps that the trainer will make of it."""
        ...

    def files(
        self, config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str
    ) -> Mapping[str, str]:
        """Return the trainer's config files, name to text, for a dataset that will lie in ``folder``.

        Trained files shall go to ``output`` under ``name``.
        """
        ...

    def command(self, config: TrainingConfig, folder: Path) -> list[str]:
        """Return the arguments that start the training, to be run in the trainer's own folder by its own Python."""
        ...


@cache
def trainers() -> dict[str, Trainer]:
    """Return every trainer by name."""
    found: list[Trainer] = parts(__name__, __path__, "TRAINER")
    return {trainer.name: trainer for trainer in found}


def trainer(name: str) -> Trainer:
    """Return the trainer called ``name``.

    Raises:
        TrainerError: there is none; the message names those there are.
    """
    known = trainers()
    if name not in known:
        raise TrainerError(f"There is no trainer {name!r}; known are: {', '.join(known)}.")
    return known[name]
