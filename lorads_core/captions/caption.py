"""The one way to captions: source and fallbacks, then the trigger; captions that people wrote stay as they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..model import Caption, Problem, Progress, Trigger, no_progress
from ..tags import one_line
from .merge import MergeRules
from .parts import without_parts
from .profiles import CaptionProfile, profile
from .sources import CaptionMaterial, source, sources
from .trigger import add_trigger, checked, mentions, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model import Dataset, DatasetImage

_EVERY = 100  # images between two calls of progress


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How to caption: a source, those to try where it has nothing, the trigger, and how tags are merged.

    ``trigger`` is that of a dataset of one concept; several have triggers of their own. ``left_out`` are tags that no
    caption gets, ``bound`` the traits that the trigger is to stand for, so that training captions leave them unsaid;
    both are canonical, and hold for every source.
    """

    source: str = "sidecar"
    fallback: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)
    rules: MergeRules = field(default_factory=MergeRules)
    profile: CaptionProfile = field(default_factory=lambda: profile("sdxl"))
    left_out: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What to look at, and how many captions came from which source, most first."""

    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of how many images a source has something, and of how many it has nothing."""

    source: str
    images: int
    without: int


def coverage(materials: Sequence[CaptionMaterial], rules: MergeRules) -> tuple[Coverage, ...]:
    """Say of each source for how many images it has something, so that a fallback is a choice."""
    found: list[Coverage] = []
    for name, each in sources().items():
        images = sum(bool(each.text(material, rules)) for material in materials)
        found.append(Coverage(name, images, len(materials) - images))
    return tuple(found)


def caption_dataset(
    dataset: Dataset,
    materials: Sequence[CaptionMaterial],
    settings: CaptionSettings,
    progress: Progress = no_progress,
) -> tuple[Dataset, CaptionReport]:
    """Give every image of a dataset its final caption: one line, never empty.

    Args:
        dataset: what to caption.
        materials: one per image, training images first, then regularization images, in the dataset's order.
        settings: how to caption; the trigger becomes the dataset's.
        progress: called as ("captions", done, total).

    Returns:
        The captioned dataset and a report. An image for which no source has anything gets None and is a problem.

    Raises:
        CaptionError: the trigger cannot stand in a caption, or the dataset's concepts have triggers of their own.
        SettingsError: there is no such source.
        ValueError: the materials are not those of the dataset's images.
    """
    if [material.record.id for material in materials] != [image.record.id for image in dataset.images]:
        raise ValueError("materials must be those of the dataset's images, in their order")
    dataset = _with_trigger(dataset, settings)
    writer = _Writer(settings, dataset)
    captioned: list[DatasetImage] = []
    for number, (image, material) in enumerate(zip(dataset.images, materials, strict=True)):
        caption = writer.caption(image, material, is_training=number < len(dataset.training))
        captioned.append(replace(image, caption=caption))
        if number % _EVERY == 0:
            progress("captions", number, len(materials))
    progress("captions", len(materials), len(materials))
    training, regularization = captioned[: len(dataset.training)], captioned[len(dataset.training) :]
    done = replace(dataset, training=tuple(training), regularization=tuple(regularization))
    counts = Counter(image.caption.source for image in captioned if image.caption)
    problems = (*_trigger_problems(done, writer), *_nothing(captioned, materials, settings))
    return done, CaptionReport(problems, tuple(counts.most_common()))


def _with_trigger(dataset: Dataset, settings: CaptionSettings) -> Dataset:
    trigger = checked(settings.trigger)
    if not dataset.concepts:
        return replace(dataset, trigger=trigger)
    if trigger.word:
        names = ", ".join(concept.name for concept in dataset.concepts)
        raise CaptionError(
            f"The dataset {dataset.name!r} has several concepts with triggers of their own ({names}): leave the trigger"
            f" {trigger.word!r} out here."
        )
    return replace(dataset, concepts=tuple(replace(each, trigger=checked(each.trigger)) for each in dataset.concepts))


class _Writer:
    """The settings, checked; it writes captions one after another."""

    def __init__(self, settings: CaptionSettings, dataset: Dataset) -> None:
        self._order = tuple(source(name) for name in dict.fromkeys((settings.source, *settings.fallback)))
        self._rules = settings.rules
        self._left_out = settings.left_out
        self._unsaid = settings.left_out | settings.bound
        self._triggers = {concept.name: concept.trigger for concept in dataset.concepts}
        self._own = dataset.trigger
        self.triggers = tuple(self._triggers.values()) or (dataset.trigger,)

    def trigger(self, image: DatasetImage) -> Trigger:
        """Return the trigger of a training image."""
        return self._triggers.get(image.concept, self._own)

    def caption(self, image: DatasetImage, material: CaptionMaterial, *, is_training: bool) -> Caption | None:
        """Return the final caption of an image, None where there is nothing to make it of."""
        if material.edited:
            # A person has had the last word, trigger or not; only line ends could break the file.
            text = source("custom").text(material, self._rules)
            return replace(material.edited, text=text, source="custom", edited=True) if text else None
        for each in self._order:
            text = one_line(each.text(material, self._rules))
            text = self._for_training(text, image) if is_training else self._for_regularization(text)
            if text:
                return Caption(text, each.name)
        return None

    def _for_training(self, text: str, image: DatasetImage) -> str:
        return add_trigger(without_parts(text, self._unsaid), self.trigger(image))

    def _for_regularization(self, text: str) -> str:
        text = without_parts(text, self._left_out)
        for trigger in self.triggers:
            text = remove_trigger(text, trigger)
        return text


def _nothing(
    images: Iterable[DatasetImage], materials: Sequence[CaptionMaterial], settings: CaptionSettings
) -> Iterator[Problem]:
    """Name the images without a caption, and the sources that have something for them."""
    tried = ", ".join((settings.source, *settings.fallback))
    lacking: list[CaptionMaterial] = []
    for image, material in zip(images, materials, strict=True):
        if not image.caption:
            lacking.append(material)
            yield Problem(
                "warning",
                "no-caption",
                f"Nothing to make a caption of (tried: {tried}): add a fallback source, or write one.",
                image.record.path,
                image.key,
            )
    if not lacking:
        return
    found = [each for each in coverage(lacking, settings.rules) if each.images]
    has = ", ".join(f"{each.source} has something for {each.images:,}" for each in found) or "no source has anything"
    yield Problem("info", "fallbacks", f"Of the {len(lacking):,} images without a caption: {has}.")


def _trigger_problems(dataset: Dataset, writer: _Writer) -> Iterator[Problem]:
    by_trigger: defaultdict[Trigger, list[DatasetImage]] = defaultdict(list)
    for image in dataset.training:
        by_trigger[writer.trigger(image)].append(image)
    for trigger, training in by_trigger.items():
        yield from _problems_of(trigger, training, dataset.regularization)


def _problems_of(
    trigger: Trigger, training: Sequence[DatasetImage], regularization: Sequence[DatasetImage]
) -> Iterator[Problem]:
    if trigger.position == "none":
        return
    if not trigger.word:
        yield Problem(
            "warning",
            "no-trigger",
            "There is no trigger: the LoRA will have no word that calls it. Give one, or set its position to none.",
        )
        return
    without = [image for image in training if image.caption and not mentions(image.caption.text, trigger)]
    if without:
        yield Problem(
            "warning",
            "trigger-missing",
            f"{len(without)} captions written by hand do not hold the trigger {trigger.word!r}: add it to them, or the"
            " LoRA answers to it less.",
            without[0].record.path,
        )
    holding = [image for image in regularization if image.caption and mentions(image.caption.text, trigger)]
    if holding:
        yield Problem(
            "warning",
            "trigger-in-regularization",
            f"{len(holding)} captions of regularization images hold the trigger {trigger.word!r} within their text:"
            " take it out, or choose a rarer word, as these images teach what it does not mean.",
            holding[0].record.path,
        )
