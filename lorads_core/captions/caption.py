"""The one way to captions: source and fallbacks, then the trigger; captions that people wrote stay as they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..model import Caption, DatasetImage, Problem, Progress, Trigger, no_progress
from .merge import MergeRules
from .sources import CaptionMaterial, CaptionSource, source
from .trigger import add_trigger, checked, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Dataset

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
    """What to look at, and how many captions came from which source, most first."""

    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]


def caption_dataset(
    dataset: Dataset,
    materials: Sequence[CaptionMaterial],
    settings: CaptionSettings,
    progress: Progress = no_progress,
) -> tuple[Dataset, CaptionReport]:
    """Give every image of a dataset its final caption.

    Args:
        dataset: what to caption.
        materials: one per image, training images first, then regularization images, in the dataset's order.
        settings: how to caption; the trigger becomes the dataset's.
        progress: called as ("captions", done, total).

    Returns:
        The captioned dataset and a report. An image for which no source has anything keeps None and is a problem.

    Raises:
        CaptionError: the trigger cannot stand in a caption.
        SettingsError: there is no such source.
    """
    trigger = checked(settings.trigger)
    order = [source(name) for name in (settings.source, *settings.fallback)]
    problems = list(_trigger_problems(trigger))
    counts: Counter[str] = Counter()
    images: list[DatasetImage] = []
    for number, material in enumerate(materials):
        caption = _caption(material, order, settings.rules, trigger, is_training=number < len(dataset.training))
        images.append(DatasetImage(material.record, caption))
        if caption:
            counts[caption.source] += 1
        else:
            problems.append(_nothing(material, order))
        if number % _EVERY == 0:
            progress("captions", number, len(materials))
    progress("captions", len(materials), len(materials))
    training = len(dataset.training)
    captioned = replace(
        dataset, training=tuple(images[:training]), regularization=tuple(images[training:]), trigger=trigger
    )
    return captioned, CaptionReport(tuple(problems), tuple(counts.most_common()))


def _caption(
    material: CaptionMaterial, order: Sequence[CaptionSource], rules: MergeRules, trigger: Trigger, *, is_training: bool
) -> Caption | None:
    if material.edited:
        # A person has had the last word, trigger or not; only line ends could break the file.
        return replace(material.edited, text=source("custom").text(material, rules))
    for each in order:
        text = each.text(material, rules)
        text = add_trigger(text, trigger) if is_training else remove_trigger(text, trigger)
        if text:
            return Caption(text, each.name)
    return None


def _nothing(material: CaptionMaterial, order: Sequence[CaptionSource]) -> Problem:
    tried = ", ".join(each.name for each in order)
    return Problem(
        "warning",
        "no-caption",
        f"Nothing to make a caption of (tried: {tried}): add a fallback source, or write one.",
        material.record.path,
    )


def _trigger_problems(trigger: Trigger) -> list[Problem]:
    if trigger.word or trigger.position == "none":
        return []
    return [
        Problem(
            "warning",
            "no-trigger",
            "There is no trigger: the LoRA will have no word that calls it. Give one, or set its position to none.",
        )
    ]
