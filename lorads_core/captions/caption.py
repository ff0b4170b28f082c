"""The one way to captions: source and fallbacks, then the trigger; captions that people wrote stay as they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..model import Caption, Problem, Progress, Trigger, no_progress
from ..tags import one_line
from .merge import MergeRules
from .sources import CaptionMaterial, source
from .trigger import add_trigger, checked, mentions, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model import Dataset, DatasetImage

_EVERY = 100  # images between two calls of progress


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How to caption: a source, those to try where it has nothing, the trigger, and how tags are merged."""

    source: str = "sidecar"
    fallback: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)
    rules: MergeRules = field(default_factory=MergeRules)


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What to look at, how many captions came from which source, most first, and how many images have none."""

    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]
    without: int = 0


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
        CaptionError: the trigger cannot stand in a caption.
        SettingsError: there is no such source.
        ValueError: the materials are not those of the dataset's images.
    """
    images = (*dataset.training, *dataset.regularization)
    if [material.record.id for material in materials] != [image.record.id for image in images]:
        raise ValueError("materials must be those of the dataset's images, in their order")
    writer = _Writer(settings)
    captioned: list[DatasetImage] = []
    for number, (image, material) in enumerate(zip(images, materials, strict=True)):
        caption = writer.caption(material, is_training=number < len(dataset.training))
        captioned.append(replace(image, caption=caption))
        if number % _EVERY == 0:
            progress("captions", number, len(images))
    progress("captions", len(images), len(images))
    training, regularization = captioned[: len(dataset.training)], captioned[len(dataset.training) :]
    counts = Counter(image.caption.source for image in captioned if image.caption)
    problems = (
        *_trigger_problems(writer.trigger, training, regularization),
        *(_nothing(image, settings) for image in captioned if not image.caption),
    )
    done = replace(dataset, training=tuple(training), regularization=tuple(regularization), trigger=writer.trigger)
    return done, CaptionReport(problems, tuple(counts.most_common()), len(captioned) - counts.total())


class _Writer:
    """The settings, checked; it writes captions one after another."""

    def __init__(self, settings: CaptionSettings) -> None:
        self.trigger = checked(settings.trigger)
        self._order = tuple(source(name) for name in dict.fromkeys((settings.source, *settings.fallback)))
        self._rules = settings.rules

    def caption(self, material: CaptionMaterial, *, is_training: bool) -> Caption | None:
        """Return the final caption of an image, None where there is nothing to make it of."""
        if material.edited:
            # A person has had the last word, trigger or not; only line ends could break the file.
            text = source("custom").text(material, self._rules)
            return replace(material.edited, text=text, source="custom", edited=True) if text else None
        for each in self._order:
            text = one_line(each.text(material, self._rules))
            text = add_trigger(text, self.trigger) if is_training else remove_trigger(text, self.trigger)
            if text:
                return Caption(text, each.name)
        return None


def _nothing(image: DatasetImage, settings: CaptionSettings) -> Problem:
    tried = ", ".join((settings.source, *settings.fallback))
    return Problem(
        "warning",
        "no-caption",
        f"Nothing to make a caption of (tried: {tried}): add a fallback source, or write one.",
        image.record.path,
    )


def _trigger_problems(
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
