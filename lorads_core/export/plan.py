"""What an export would be: which pictures under which names, and what speaks against it; no file is touched."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..images.encode import ImagePolicy
from ..model import Dataset, DatasetImage, Problem, TrainingConfig
from ..paths import slug
from ..trainers import Schedule, Subset, trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write: for which trainer, pictures by which policy, with how many threads (0: one per processor).

    ``link`` gives files that would be copied a second name instead, where the drive is the same: quick and small, but
    whoever changes one changes the library's too.
    """

    trainer: str = "sd-scripts"
    policy: ImagePolicy = field(default_factory=ImagePolicy)
    link: bool = False
    workers: int = 0

    @property
    def threads(self) -> int:
        """Threads that write pictures."""
        return self.workers or min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One picture of a plan: where it goes (folder and stem; the suffix follows from what it is) and its caption."""

    image: DatasetImage
    folder: str
    stem: str
    caption: str
    is_regularization: bool


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What would be written, and what speaks against it; ``folders`` are those of training and regularization."""

    dataset: Dataset
    config: TrainingConfig
    options: ExportOptions
    images: tuple[PlannedImage, ...]
    folders: tuple[str, str]
    schedule: Schedule | None
    problems: tuple[Problem, ...]


def plan_export(dataset: Dataset, config: TrainingConfig, options: ExportOptions | None = None) -> ExportPlan:
    """Say what an export would be; nothing is read or written.

    Images without a caption are left out with a problem: sd-scripts would take the folder's name for one.

    Raises:
        TrainerError: there is no such trainer.
    """
    options = options or ExportOptions()
    folders = (
        f"{config.repeats}_{slug(dataset.trigger.word, slug(dataset.name, 'concept'))}",
        f"{config.regularization_repeats}_regularization",
    )
    images = tuple(
        PlannedImage(image, folders[is_regularization], _stem(image), image.caption.text, is_regularization)
        for group, is_regularization in ((dataset.training, False), (dataset.regularization, True))
        for image in group
        if image.caption
    )
    subsets = subsets_of(
        config, folders, [(item, (item.image.record.width, item.image.record.height)) for item in images]
    )
    problems = [*_uncaptioned(dataset), *trainer(options.trainer).problems(config, subsets)]
    refused = any(problem.severity == "error" for problem in problems)
    schedule = None if refused else trainer(options.trainer).schedule(config, subsets)
    return ExportPlan(dataset, config, options, images, folders, schedule, tuple(problems))


def _stem(image: DatasetImage) -> str:
    """Name a picture by its id, which keeps it apart and in place, and a plain form of its own name."""
    name = PurePosixPath(image.record.path.replace("\\", "/")).stem
    return f"{image.record.id:06d}-{slug(name, 'image')}"


def subsets_of(
    config: TrainingConfig, folders: tuple[str, str], images: Sequence[tuple[PlannedImage, tuple[int, int]]]
) -> tuple[Subset, ...]:
    """Return the folders of training and of regularization images, with the sizes of what is in them."""
    by_name = sorted(images, key=lambda item: item[0].stem)
    return tuple(
        Subset(
            folders[is_regularization],
            config.regularization_repeats if is_regularization else config.repeats,
            is_regularization,
            tuple(size for item, size in by_name if item.is_regularization == is_regularization),
        )
        for is_regularization in (False, True)
    )


def _uncaptioned(dataset: Dataset) -> Iterator[Problem]:
    for image in (*dataset.training, *dataset.regularization):
        if not image.caption:
            yield Problem(
                "warning",
                "no-caption",
                "Left out: it has no caption. Choose a source that has one, a fallback, or write one.",
                image.record.path,
            )
