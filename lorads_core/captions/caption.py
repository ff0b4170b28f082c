"""The one way to captions: source and fallbacks, then the trigger; captions that people wrote stay as they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..images.files import printable_path
from ..model import Caption, Problem, Progress, Trigger, no_progress
from ..problems import counted
from ..tags import one_line, safe_text
from .clean import uncertain_parts
from .merge import MergeRules
from .profiles import CaptionProfile, profile
from .sources import CaptionMaterial, source, sources
from .tag_list import without_parts
from .trigger import add_trigger, checked, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..images.prompts import Part
    from ..model import Dataset, DatasetImage, ImageRecord

_LONGEST_EXAMPLE = 60  # characters of a prompt in a message
_EVERY = 100  # images between two calls of progress


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How to caption: a source, those to try where it has nothing, the trigger, and how tags are merged.

    ``trigger`` is that of a dataset of one concept; several have triggers of their own. ``left_out`` are tags that no
    caption gets, ``bound`` the traits that a concept's trigger is to stand for, so that its training captions leave
    them unsaid, by concept (those of the empty name: of all). Both are canonical, and hold for every source.
    """

    source: str = "sidecar"
    fallback: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)
    rules: MergeRules = field(default_factory=MergeRules)
    profile: CaptionProfile = field(default_factory=lambda: profile("sdxl"))
    left_out: frozenset[str] = frozenset()
    bound: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What to look at besides the captions themselves (`lint` does that), and how many came from which source."""

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
    problems = (*_uncaptioned(captioned, materials, settings), *_uncertain(captioned, materials, settings))
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
            text = one_line(each.text(material, self._rules))
            text = self._for_training(text, image) if is_training else self._for_regularization(text)
            if text:
                return Caption(text, each.name)
        return None

    def _for_training(self, text: str, image: DatasetImage) -> str:
        return add_trigger(
            without_parts(text, self._unsaid.get(image.concept, self._unsaid[""])),
            self._triggers.get(image.concept, self._own),
        )

    def _for_regularization(self, text: str) -> str:
        text = without_parts(text, self._left_out)
        for trigger in self._all:
            text = remove_trigger(text, trigger)
        return text


def _uncertain(
    images: Iterable[DatasetImage], materials: Iterable[CaptionMaterial], settings: CaptionSettings
) -> Iterator[Problem]:
    """Say once how many prompts hold words that may not be in the image, which captions leave out."""
    if "prompt" not in (settings.source, *settings.fallback):
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


def _uncaptioned(
    images: Iterable[DatasetImage], materials: Iterable[CaptionMaterial], settings: CaptionSettings
) -> Iterator[Problem]:
    """Say how many images have no caption, and which sources have something for them."""
    pairs = zip(images, materials, strict=True)
    lacking = [material for image, material in pairs if not image.caption]
    if not lacking:
        return
    tried = ", ".join((settings.source, *settings.fallback))
    found = [each for each in coverage(lacking, settings.rules) if each.images]
    has = ", ".join(f"{each.source} for {each.images:,}" for each in found)
    advice = (
        f"Sources that have something: {has}. Add a fallback."
        if has
        else "No source has anything for them: write some, or tag."
    )
    yield Problem(
        "warning",
        "fallbacks",
        f"{counted(len(lacking), 'image has', 'images have')} no caption (tried: {tried}). {advice}",
    )
