"""The one way to captions: source and fallbacks, then the trigger; captions that people wrote stay as they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..errors import CaptionError
from ..images.files import printable_path
from ..model import Caption, Problem, Progress, Trigger, no_progress
from ..problems import counted
from ..tags import one_line, safe_text
from .clean import uncertain_parts
from .merge import MergeRules
from .profiles import CaptionProfile, profile
from .sources import CaptionMaterial, source, sources
from .subject import regularization_subject, training_subject
from .tag_list import without_parts
from .trigger import checked, place_trigger, remove_placeholder, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..images.prompts import Part
    from ..model import Dataset, DatasetImage, ImageRecord

TRIGGER = "trigger"
"""The source of captions that say the trigger alone."""
Uncaptioned = Literal["trigger", "leave-out"]
_MOST_NAMED = 2  # captions that a message quotes
_LONGEST_EXAMPLE = 60  # characters of a prompt in a message
_EVERY = 100  # images between two calls of progress


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How to caption: a source, those to try where it has nothing, the trigger, and how tags are merged.

    ``trigger`` is that of a dataset of one concept; several have triggers of their own. ``left_out`` are tags that no
    caption gets, ``bound`` the traits that a concept's trigger is to stand for, so that its training captions leave
    them unsaid, by concept (those of the empty name: of all). Both are canonical, and hold for every source.
    ``uncaptioned`` says what becomes of images that no source has anything for; ``class_name`` is what they and
    regularization images show, where it is known.
    """

    source: str = "sidecar"
    fallback: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)
    rules: MergeRules = field(default_factory=MergeRules)
    profile: CaptionProfile = field(default_factory=lambda: profile("sdxl"))
    left_out: frozenset[str] = frozenset()
    bound: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    uncaptioned: Uncaptioned = "leave-out"
    class_name: str = ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The sources that were chosen, in their order."""
        return (self.source, *self.fallback)

    @property
    def order(self) -> tuple[str, ...]:
        """The sources to try, in their order, with what is done for images of which the chosen ones know nothing."""
        last = (TRIGGER,) if self.uncaptioned == TRIGGER else ()
        return tuple(dict.fromkeys((*self.chosen, *last)))


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What to look at besides the captions themselves (`lint` does that), and how many came from which source.

    ``better`` are the sources that have something for images that got none of their own.
    """

    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]
    better: tuple[Coverage, ...] = ()


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
        The captioned dataset and a report. An image for which no source has anything gets None.

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
    lacking, better = _lacking(captioned, materials, settings)
    problems = (*_uncaptioned(lacking, better, settings), *_uncertain(captioned, materials, settings))
    return done, CaptionReport(problems, tuple(counts.most_common()), better)


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
        self._order = tuple(source(name) for name in settings.order)
        self._class_name = settings.class_name
        self._dataset = dataset
        self._rules = settings.rules
        self._left_out = settings.left_out
        self._triggers = {concept.name: concept.trigger for concept in dataset.concepts}
        nothing = frozenset[str]()
        of_all = settings.left_out | settings.bound.get("", nothing)
        self._unsaid = {name: of_all | settings.bound.get(name, nothing) for name in ("", *self._triggers)}
        self._own = dataset.trigger
        self._all = tuple(self._triggers.values()) or (dataset.trigger,)

    def caption(self, image: DatasetImage, material: CaptionMaterial, *, is_training: bool) -> Caption | None:
        """Return the final caption of an image, None where there is nothing to make it of."""
        if material.fixed:
            # An edit has had the last word, trigger or not; only line ends could break the file.
            text = safe_text(material.fixed.text)
            return replace(material.fixed, text=text, fixed=True) if text else None
        for each in self._order:
            if each.name == TRIGGER:
                material = replace(material, subject=self._subject(image, is_training=is_training))
            text = one_line(each.text(material, self._rules))
            text = self._for_training(text, image) if is_training else self._for_regularization(text)
            if text:
                return Caption(text, each.name)
        return None

    def _subject(self, image: DatasetImage, *, is_training: bool) -> str:
        if not is_training:
            return regularization_subject(self._class_name, image.record)
        trigger = self._triggers.get(image.concept, self._own)
        return training_subject(trigger, self._class_name, image.record, self._dataset)

    def _for_training(self, text: str, image: DatasetImage) -> str:
        return place_trigger(
            without_parts(text, self._unsaid.get(image.concept, self._unsaid[""])),
            self._triggers.get(image.concept, self._own),
        )

    def _for_regularization(self, text: str) -> str:
        text = without_parts(text, self._left_out)
        for trigger in self._all:
            text = remove_trigger(text, trigger)
        return remove_placeholder(text)


def _uncertain(
    images: Iterable[DatasetImage], materials: Iterable[CaptionMaterial], settings: CaptionSettings
) -> Iterator[Problem]:
    """Say once how many prompts hold words that may not be in the image, which captions leave out."""
    if "prompt" not in settings.chosen:
        return
    found: list[tuple[ImageRecord, tuple[Part, ...]]] = []
    for image, material in zip(images, materials, strict=True):
        record = material.record
        if image.caption and image.caption.source != "prompt":
            continue
        if parts := uncertain_parts(record.prompt, record.prompt_source, record.prompt_uncertain):
            found.append((record, parts))
    if found:
        record, parts = found[0]
        yield Problem(
            "info",
            "uncertain-prompts",
            f"{counted(len(found), 'prompt holds', 'prompts hold')} words that may not be in the image (one of several,"
            " replaced on the way, drawn or written when it was made, or excluded), and captions leave them out:"
            f" {_example(parts)}. Add what is in the image by hand, or use a tagger.",
            printable_path(record.path),
        )


def _example(parts: Sequence[Part]) -> str:
    """Name the first uncertain part of a prompt, shortened, and why it is one."""
    text = " ".join(parts[0].text.split())
    return f"\u201c{text[:_LONGEST_EXAMPLE]}{'…' if len(text) > _LONGEST_EXAMPLE else ''}\u201d ({parts[0].certainty})"


def _lacking(
    images: Iterable[DatasetImage], materials: Iterable[CaptionMaterial], settings: CaptionSettings
) -> tuple[list[DatasetImage], tuple[Coverage, ...]]:
    """Return the images that no chosen source has anything for, and which other sources have something for them."""
    by_trigger = "" if TRIGGER in settings.chosen else TRIGGER
    pairs = [
        (image, material)
        for image, material in zip(images, materials, strict=True)
        if not image.caption or image.caption.source == by_trigger
    ]
    found = coverage([material for _, material in pairs], settings.rules) if pairs else ()
    return [image for image, _ in pairs], tuple(each for each in found if each.images and each.source != TRIGGER)


def _uncaptioned(
    lacking: Sequence[DatasetImage], better: Sequence[Coverage], settings: CaptionSettings
) -> Iterator[Problem]:
    """Say how many images have no caption of their own, what is done with them, and how to do better."""
    what = f"no caption (tried: {', '.join(settings.chosen)})"
    has = ", ".join(f"{each.source} for {each.images:,}" for each in better)
    advice = (
        f"Sources that have something: {has}. Choose one (--caption {better[0].source}), or add it as a fallback"
        f" (--fallback {better[0].source})."
        if has
        else "No other source has anything for them: write some, or tag."
    )
    named = [image.caption.text for image in lacking if image.caption]
    if without := len(lacking) - len(named):
        count = counted(without, "image has", "images have")
        yield Problem("warning", "fallbacks", f"{count} {what} and will be left out of an export. {advice}")
    if named:
        count = counted(len(named), "image has", "images have")
        words = list(dict.fromkeys(named))
        listed = ", ".join(map(repr, words[:_MOST_NAMED])) + (" …" if len(words) > _MOST_NAMED else "")
        message = f"{count} {what}: the trigger, class or folder name alone is used ({listed}). {advice}"
        yield Problem("warning", "trigger-alone", message)
