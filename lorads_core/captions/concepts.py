"""Datasets of several concepts: captioned datasets as one, each with its trigger, and repeats that balance them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..model import Concept, Dataset, DatasetImage, Problem
from ..problems import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from ..model import ImageKey

MOST_REPEATS = 100
"""A concept whose images were shown more often in an epoch would be memorized."""


@dataclass(frozen=True, slots=True)
class Share:
    """What an epoch shows of a concept: ``share`` is 0–1 of all training samples."""

    concept: str
    images: int
    repeats: int
    share: float


@dataclass(frozen=True, slots=True)
class Combined:
    """A dataset of several concepts, and what to look at."""

    dataset: Dataset
    problems: tuple[Problem, ...]


def combine(datasets: Sequence[Dataset], dataset_id: UUID, name: str) -> Combined:
    """Return one dataset that teaches what several teach, in their order; captions stay as they are.

    A dataset of several concepts brings all of them along. An image that teaches two of them is taken for the first,
    and one that is a regularization image elsewhere is a training image only.

    Raises:
        CaptionError: there are fewer than two, or two concepts have the same name or trigger.
    """
    concepts = [concept for dataset in datasets for concept in _concepts(dataset)]
    if len(concepts) < 2:  # noqa: PLR2004 - what is to be combined
        raise CaptionError("There is only one dataset: connect two or more to teach several concepts.")
    _check_apart([concept.name for concept in concepts], "are called", "Give the datasets different names.")
    words = [concept.trigger.word.casefold() for concept in concepts if concept.trigger.word]
    _check_apart(words, "have the trigger", "The LoRA could not tell them apart: give each a word of its own.")
    training: dict[ImageKey, DatasetImage] = {}
    offered = [image for dataset in datasets for image in _named(dataset)]
    twice = [image for image in offered if training.setdefault(image.key, image) is not image]
    others = {image.key: image for dataset in datasets for image in dataset.regularization}
    regularization = tuple(image for key, image in others.items() if key not in training)
    libraries = {dataset.library for dataset in datasets}
    return Combined(
        Dataset(
            dataset_id,
            name,
            libraries.pop() if len(libraries) == 1 else "",
            tuple(training.values()),
            regularization,
            concepts=tuple(concepts),
        ),
        tuple(_problems(twice, len(others) - len(regularization))),
    )


def balance(dataset: Dataset, repeats: int) -> Dataset:
    """Return the dataset with repeats for each concept, so that an epoch shows about as much of each.

    The concept with the most images gets ``repeats``, the others more, up to `MOST_REPEATS`.
    """
    counts = _counts(dataset)
    most = max(counts.values(), default=0)
    concepts = tuple(
        replace(each, repeats=min(MOST_REPEATS, max(1, round(repeats * most / counts[each.name]))))
        if counts.get(each.name)
        else each
        for each in dataset.concepts
    )
    return replace(dataset, concepts=concepts)


def shares(dataset: Dataset, repeats: int) -> tuple[Share, ...]:
    """Return what an epoch shows of each concept; ``repeats`` counts for those that have no number of their own."""
    counts = _counts(dataset)
    samples = {each.name: counts.get(each.name, 0) * (each.repeats or repeats) for each in dataset.concepts}
    total = sum(samples.values()) or 1
    return tuple(
        Share(each.name, counts.get(each.name, 0), each.repeats or repeats, samples[each.name] / total)
        for each in dataset.concepts
    )


def _concepts(dataset: Dataset) -> tuple[Concept, ...]:
    return dataset.concepts or (Concept(dataset.name, dataset.trigger),)


def _named(dataset: Dataset) -> Iterator[DatasetImage]:
    for image in dataset.training:
        yield image if dataset.concepts else replace(image, concept=dataset.name)


def _counts(dataset: Dataset) -> dict[str, int]:
    counts: dict[str, int] = {}
    for image in dataset.training:
        counts[image.concept] = counts.get(image.concept, 0) + 1
    return counts


def _check_apart(words: Sequence[str], what: str, advice: str) -> None:
    for word in words:
        if words.count(word) > 1:
            raise CaptionError(f"Two concepts {what} {word!r}. {advice}")


def _problems(twice: Sequence[DatasetImage], demoted: int) -> Iterator[Problem]:
    for image in twice:
        yield Problem(
            "warning",
            "two-concepts",
            f"It teaches two concepts: it is left out of {image.concept!r}. Show it in one of them only, or caption it"
            " with both triggers by hand.",
            image.record.path,
            image.key,
        )
    if demoted:
        yield Problem(
            "info",
            "training-elsewhere",
            f"{counted(demoted, 'image')} left out of regularization: used for training in another concept.",
        )
