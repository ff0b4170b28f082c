"""Amount of training: repeats and epochs by the size of a dataset or by a number of steps, and advice on steps.

A *sample* is one showing of one training image: images × repeats × epochs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..captions.concepts import MOST_REPEATS
from ..model import Problem
from ..problems import counted
from ..trainers import Subset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..buckets import Size
    from ..model import Dataset, TrainingConfig
    from ..trainers import Schedule, Trainer

SAMPLES = 2_000
"""Samples of a concept: guides of sd-scripts, OneTrainer and ai-toolkit give 1,500 to 2,500 for a subject."""
FEW_STEPS, MANY_STEPS = 400, 6_000
"""Steps of a concept, below and above which a training hardly learns or learns the images by heart."""
FEW_SAMPLES = 1_000
"""Samples of a concept from which on fewer steps than `FEW_STEPS` are enough, in large batches."""
_EPOCHS = 10  # so that there are epochs to choose from
_MOST_EPOCHS = 100
_MOST_BY_STEPS = 10_000  # repeats, where a number of steps is wanted of very few images
_SMALL_SHARE = 0.25  # of the steps


@dataclass(frozen=True, slots=True)
class Images:
    """What is trained, by size in pixels: the images of each concept with its own repeats (0: the config's), others."""

    concepts: tuple[tuple[int, tuple[Size, ...]], ...]
    regularization: tuple[Size, ...]

    def subsets(self, config: TrainingConfig) -> list[Subset]:
        """Return them as a trainer sees them under a config."""
        found = [
            Subset(f"{place}", own or config.repeats, is_regularization=False, sizes=sizes)
            for place, (own, sizes) in enumerate(self.concepts)
        ]
        return [
            *found,
            Subset("others", config.regularization_repeats, is_regularization=True, sizes=self.regularization),
        ]

    def of_epoch(self, config: TrainingConfig) -> int:
        """Return the samples of an epoch, without those of regularization images."""
        return sum((own or config.repeats) * len(sizes) for own, sizes in self.concepts)


def images_of(dataset: Dataset, sizes: Sequence[Size]) -> Images:
    """Return what is trained of a dataset: captioned images; ``sizes`` are those of `Dataset.images`."""
    own = {concept.name: concept.repeats for concept in dataset.concepts}
    of_concept: dict[str, list[Size]] = {}
    others: list[Size] = []
    for place, (image, size) in enumerate(zip(dataset.images, sizes, strict=True)):
        if image.caption:
            (of_concept.setdefault(image.concept, []) if place < len(dataset.training) else others).append(size)
    concepts = tuple((own.get(name, 0), tuple(found)) for name, found in of_concept.items())
    return Images(concepts, tuple(others))


def sized(config: TrainingConfig, images: Images, chosen: Trainer) -> TrainingConfig:
    """Return a config whose repeats and epochs, where nobody set them, suit the images or the wanted steps."""
    free = [name for name in ("repeats", "epochs") if name in config.automatic]
    if not free or not images.concepts:
        return config
    if config.steps and all(place.usable for place in chosen.placements(config, images.subsets(config))):
        return _by_steps(config, images, chosen, free)
    return _by_samples(config, images, free)


def _by_samples(config: TrainingConfig, images: Images, free: Sequence[str]) -> TrainingConfig:
    wanted = SAMPLES * len(images.concepts)
    if "epochs" in free:
        config = replace(config, epochs=_EPOCHS)
    following = sum(len(sizes) for own, sizes in images.concepts if not own)
    if "repeats" in free and following:
        own = sum(repeats * len(sizes) for repeats, sizes in images.concepts)
        repeats = round((wanted / config.epochs - own) / following)
        config = replace(config, repeats=min(MOST_REPEATS, max(1, repeats)))
    if "epochs" in free:
        config = replace(config, epochs=min(_MOST_EPOCHS, max(1, round(wanted / images.of_epoch(config)))))
    return config


def _by_steps(config: TrainingConfig, images: Images, chosen: Trainer, free: Sequence[str]) -> TrainingConfig:
    def total(tried: TrainingConfig) -> int:
        return chosen.schedule(tried, images.subsets(tried)).total_steps

    def distance(tried: TrainingConfig) -> int:
        return abs(total(tried) - config.steps)

    if "epochs" in free:
        config = replace(config, epochs=_EPOCHS)
    if "repeats" in free and any(not own for own, _ in images.concepts):
        near = round(config.steps / max(1, total(replace(config, repeats=1))))
        tried = sorted({min(_MOST_BY_STEPS, max(1, near + more)) for more in (-1, 0, 1)})
        config = min((replace(config, repeats=repeats) for repeats in tried), key=distance)
    if "epochs" in free:
        near = round(config.steps / max(1, total(replace(config, epochs=1))))
        config = replace(config, epochs=min(_MOST_BY_STEPS, max(1, near)))
    return config


def amount_problems(
    given: TrainingConfig, config: TrainingConfig, images: Images, chosen: Trainer, schedule: Schedule
) -> Iterator[Problem]:
    """Yield what was chosen for a config as it was ``given``, what regularization gets, and steps out of range."""
    samples = images.of_epoch(config) * config.epochs
    if set(given.automatic) & {"repeats", "epochs"}:
        count = sum(len(sizes) for _, sizes in images.concepts)
        why = f"the {given.steps:,} steps" if given.steps else "the number of images"
        message = (
            f"{counted(config.repeats, 'repeat')} and {counted(config.epochs, 'epoch')} were chosen by {why}:"
            f" {samples:,} samples of {counted(count, 'image')}. Set repeats, epochs or steps for others."
        )
        yield Problem("info", "amount", message)
    yield from _range(images, schedule, samples)
    yield from _share(config, images, chosen, schedule)


def _range(images: Images, schedule: Schedule, samples: int) -> Iterator[Problem]:
    concepts = len(images.concepts)
    steps = schedule.total_steps
    what = f"{steps:,} steps ({samples:,} samples)"
    if steps < FEW_STEPS * concepts and samples < FEW_SAMPLES * concepts:
        message = f"{what} are few to learn from, {FEW_STEPS * concepts:,} or more are usual: raise repeats or epochs."
        yield Problem("warning", "few-steps", message)
    if steps > MANY_STEPS * concepts:
        doubled = " regularization images included," if images.regularization else ""
        message = (
            f"{what} are many,{doubled} up to {MANY_STEPS * concepts:,} are usual: a LoRA learns its images by heart."
            " Lower repeats or epochs, or set steps."
        )
        yield Problem("warning", "many-steps", message)


def _share(config: TrainingConfig, images: Images, chosen: Trainer, schedule: Schedule) -> Iterator[Problem]:
    """Yield which share of the steps regularization images get, which differs much between trainers."""
    if not images.regularization or not schedule.total_steps:
        return
    alone = chosen.schedule(config, images.subsets(config)[:-1]).total_steps
    share = max(0.0, 1 - alone / schedule.total_steps)
    more = ""
    if 0 < share < _SMALL_SHARE:
        balanced = round(config.regularization_repeats * (1 - share) / share)
        more = f" About {balanced:,} regularization repeats would give them half."
    message = f"Regularization images get {share:.0%} of the {schedule.total_steps:,} steps with {chosen.label}.{more}"
    yield Problem("info", "regularization-share", message)
