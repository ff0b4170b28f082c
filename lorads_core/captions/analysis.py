"""What a dataset's captions are made of: tags, what goes along with the trigger, lengths, sources; it judges nothing.

Tags are counted where a caption is a list of tags, and behind the last full stop of one that is sentences and then
tags. Other sentences have a length and a source; their words are not counted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar, cast

from ..problems import counted
from ..tags import canonical, is_prose, parse_tag_list
from .trigger import mentions, remove_trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..model import Dataset, DatasetImage, ImageKey, Trigger

CaptionKind = Literal["tags", "mixed", "prose"]
_Name = TypeVar("_Name", bound=str)

_MOST_PARTS = 200_000  # parts of captions that are remembered, so that each is looked at once
_LONG = 200  # characters; a longer part is hardly there twice
_LAST_STOP = re.compile(r"^.*(?:\w[\"')\]]*|…)[.!?][\"')\]]*(?=[\s,]|$)[\s,]*", re.DOTALL)
_WIDEST_TAG = 40
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often each length is there: pairs of a length and a number of captions, the shortest first."""

    counts: tuple[tuple[int, int], ...] = ()

    @property
    def total(self) -> int:
        """How many captions there are."""
        return sum(count for _, count in self.counts)

    @property
    def longest(self) -> int:
        """The greatest length, 0 where there is no caption."""
        return self.counts[-1][0] if self.counts else 0

    def below(self, share: float) -> int:
        """Return the least length that such a share (0–1) of the captions does not exceed; 0.5 gives the median."""
        wanted = share * self.total
        seen = 0
        for length, count in self.counts:
            seen += count
            if seen >= wanted:
                return length
        return 0

    def above(self, limit: int) -> int:
        """Return how many captions are longer than a limit."""
        return sum(count for length, count in self.counts if length > limit)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long captions are, in parts between commas, in characters and, where something counts them, in tokens."""

    parts: Distribution = Distribution()
    characters: Distribution = Distribution()
    tokens: Distribution | None = None


@dataclass(frozen=True, slots=True)
class CaptionSet:
    """The training images or the regularization images: how many, and what their captions are and come from.

    ``tagged`` is how many captions have their tags counted; ``kinds`` and ``sources`` are the most frequent first.
    """

    images: int = 0
    captions: int = 0
    tagged: int = 0
    edited: int = 0
    kinds: tuple[tuple[CaptionKind, int], ...] = ()
    sources: tuple[tuple[str, int], ...] = ()
    lengths: Lengths = Lengths()


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many captions hold a tag; ``share`` (0–1) is that of the training captions whose tags are counted."""

    tag: str
    training: int
    regularization: int
    share: float


@dataclass(frozen=True, slots=True)
class Together:
    """A tag beside a trigger: ``share`` (0–1) of the captions with the trigger hold it.

    ``lift`` is that share against the share of all other captions, those of regularization images included: 1 is no
    bond at all, infinity a tag that is nowhere else, None where there are no others.
    """

    tag: str
    count: int
    share: float
    lift: float | None


@dataclass(frozen=True, slots=True)
class ConceptAnalysis:
    """What goes along with the trigger of a concept, whose name is empty in a dataset of one.

    ``captions`` is how many captions hold the trigger, ``tagged`` those of them whose tags are counted, ``without`` are
    the concept's training images whose caption does not hold it.
    """

    concept: str
    trigger: str
    captions: int
    tagged: int
    without: tuple[ImageKey, ...]
    together: tuple[Together, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a dataset's captions are made of; ``tags`` and ``together`` have the most frequent first."""

    training: CaptionSet
    regularization: CaptionSet
    tags: tuple[TagCount, ...]
    concepts: tuple[ConceptAnalysis, ...]


def analyse(dataset: Dataset, count_tokens: Callable[[str], int] | None = None) -> Analysis:
    """Return what the captions of a dataset are made of; triggers are not among the tags.

    Args:
        dataset: with captions; images without one count as images only.
        count_tokens: gives the number of tokens of a caption; without it no tokens are counted.
    """
    triggers = _triggers(dataset)
    reader = _Reader([trigger for _, trigger in triggers])
    training = [reader.read(image) for image in dataset.training]
    regularization = [reader.read(image) for image in dataset.regularization]
    both = _counted(training), _counted(regularization)
    tagged = _tagged(training)
    return Analysis(
        _caption_set(training, count_tokens),
        _caption_set(regularization, count_tokens),
        tuple(_frequencies(*both, tagged)),
        tuple(
            _concept(name, trigger, dataset, training, regularization, both[0] + both[1]) for name, trigger in triggers
        ),
    )


def _triggers(dataset: Dataset) -> list[tuple[str, Trigger]]:
    """Return the concepts' names and triggers, of those that have a trigger."""
    named = [(concept.name, concept.trigger) for concept in dataset.concepts] or [("", dataset.trigger)]
    return [(name, trigger) for name, trigger in named if trigger.word and trigger.position != "none"]


# Reading captions


class _Read(NamedTuple):
    """A caption as it was read: ``tags`` are None where they are not counted; no caption has an empty ``text``."""

    image: DatasetImage
    text: str
    kind: CaptionKind
    parts: int
    tags: frozenset[str] | None


class _Parts(dict[str, "str | None"]):
    """The tag that a part between commas is, None where it is prose: looked at once, as most are in many captions."""

    def __missing__(self, text: str) -> str | None:
        tag = None if is_prose(text) else canonical(text)
        if len(text) <= _LONG:
            if len(self) >= _MOST_PARTS:
                self.clear()
            self[text] = tag
        return tag


class _Reader:
    """Reads captions of one dataset, whose triggers are no tags."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self._triggers = triggers
        self._words = {canonical(trigger.word) for trigger in triggers} | {""}
        self._parts = _Parts()

    def read(self, image: DatasetImage) -> _Read:
        text = image.caption.text if image.caption else ""
        if not text.strip():
            return _Read(image, "", "prose", 0, None)
        known = self._parts
        # Of tags with an escaped comma the pieces are not the tags.
        found = [known[part] for part in (parse_tag_list(text) if "\\," in text else text.split(","))]
        count = len(found) - found.count("")
        if None not in found:
            return _Read(image, text, "tags", count, frozenset(cast("list[str]", found)) - self._words)
        tags = self._behind_sentences(text)
        return _Read(image, text, "mixed" if tags else "prose", count, tags or None)

    def _behind_sentences(self, text: str) -> frozenset[str]:
        """Return the tags behind the last full stop; words that go on as a sentence does are none."""
        for trigger in self._triggers:
            text = remove_trigger(text, trigger)
        stop = _LAST_STOP.match(text)
        rest = text[stop.end() :] if stop else ""
        if not rest or rest[0].isupper() or is_prose(rest):
            return frozenset()
        return frozenset(parse_tag_list(rest)) - self._words


# Counting


def _caption_set(read: Sequence[_Read], count_tokens: Callable[[str], int] | None) -> CaptionSet:
    captioned = [each for each in read if each.text]
    captions = [each.image.caption for each in captioned if each.image.caption]
    return CaptionSet(
        images=len(read),
        captions=len(captioned),
        tagged=_tagged(read),
        edited=sum(caption.edited for caption in captions),
        kinds=_most_first(each.kind for each in captioned),
        sources=_most_first(caption.source for caption in captions),
        lengths=Lengths(
            _distribution(each.parts for each in captioned),
            _distribution(len(each.text) for each in captioned),
            _distribution(count_tokens(each.text) for each in captioned) if count_tokens else None,
        ),
    )


def _most_first(names: Iterable[_Name]) -> tuple[tuple[_Name, int], ...]:
    return tuple(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _distribution(lengths: Iterable[int]) -> Distribution:
    return Distribution(tuple(sorted(Counter(lengths).items())))


def _tagged(read: Iterable[_Read]) -> int:
    return sum(each.tags is not None for each in read)


def _counted(read: Iterable[_Read]) -> Counter[str]:
    return Counter(chain.from_iterable(each.tags for each in read if each.tags))


def _frequencies(training: Counter[str], regularization: Counter[str], tagged: int) -> list[TagCount]:
    tags = [
        TagCount(tag, training[tag], regularization[tag], training[tag] / tagged if tagged else 0.0)
        for tag in training.keys() | regularization.keys()
    ]
    return sorted(tags, key=lambda each: (-each.training, -each.regularization, each.tag))


def _concept(
    name: str,
    trigger: Trigger,
    dataset: Dataset,
    training: Sequence[_Read],
    regularization: Sequence[_Read],
    counts: Counter[str],
) -> ConceptAnalysis:
    """Return what goes along with a trigger; ``counts`` are the tags of all captions."""
    with_it: list[_Read] = []
    rest: list[_Read] = []
    for each in (*training, *regularization):
        (with_it if mentions(each.text, trigger) else rest).append(each)
    # The fewer ones are counted, the others are what is left.
    beside = counts - _counted(rest) if len(rest) < len(with_it) else _counted(with_it)
    tagged, others = _tagged(with_it), _tagged(rest)
    together = [
        Together(tag, count, count / tagged, _lift(count / tagged, counts[tag] - count, others))
        for tag, count in beside.items()
    ]
    together.sort(key=lambda each: (-each.count, -(each.lift or 0.0), each.tag))
    lacking = {id(each) for each in rest if each.text}
    own = [each for each in training if each.image.concept == name or not dataset.concepts]
    without = tuple(each.image.key for each in own if id(each) in lacking)
    return ConceptAnalysis(name, trigger.word, len(with_it), tagged, without, tuple(together))


def _lift(share: float, elsewhere: int, others: int) -> float | None:
    if not others:
        return None
    return share / (elsewhere / others) if elsewhere else math.inf


# As text


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """Return the figures of an analysis with their names."""
    rows = _set_facts("Training", analysis.training)
    if analysis.regularization.images:
        rows += _set_facts("Regularization", analysis.regularization)
    for concept in analysis.concepts:
        missing = f", missing in {counted(len(concept.without), 'training caption')}" if concept.without else ""
        name = f"Trigger {concept.trigger}" + (f" ({concept.concept})" if concept.concept else "")
        rows.append((name, f"in {counted(concept.captions, 'caption')}{missing}"))
    return rows


def _set_facts(name: str, found: CaptionSet) -> list[tuple[str, str]]:
    sources = ", ".join(f"{count:,} from {source}" for source, count in found.sources) or "none"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds)
    lengths = found.lengths
    measures = [("parts", lengths.parts), ("characters", lengths.characters), ("tokens", lengths.tokens)]
    rows = [(f"{name} images", f"{found.images:,}, {found.captions:,} with a caption"), (f"{name} captions", sources)]
    if found.captions:
        said = [f"{each.below(0.5):,} {unit} (longest {each.longest:,})" for unit, each in measures if each]
        rows += [(f"{name} kinds", kinds), (f"{name} lengths", f"half of them up to {', '.join(said)}")]
    return rows


def tag_table(analysis: Analysis, most: int = _LISTED) -> list[str]:
    """Return the most frequent tags as lines of a table, each with its counts and its lift beside each trigger."""
    from rich.cells import cell_len  # noqa: PLC0415 - Eastern letters are two columns wide; nodes print no tables

    listed = analysis.tags[:most]
    if not listed:
        return ["no tags: the captions are prose, or there are none"]
    lifts = [{each.tag: each for each in concept.together} for concept in analysis.concepts]
    names = [short(concept.trigger, 12) for concept in analysis.concepts]
    heads = ["tag", "training", "share", "regularization", *(f"lift {name}" for name in names)]
    rows = [
        [
            short(each.tag, _WIDEST_TAG),
            f"{each.training:,}",
            f"{100 * each.share:.0f} %",
            f"{each.regularization:,}",
            *(_lift_text(lift[each.tag]) if each.tag in lift else "" for lift in lifts),
        ]
        for each in listed
    ]
    widths = [max(cell_len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [_aligned(row, widths) for row in [heads, *rows]]
    if len(analysis.tags) > most:
        lines.append(f"… and {counted(len(analysis.tags) - most, 'more tag')}")
    return lines


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    from rich.cells import set_cell_size  # noqa: PLC0415 - see above

    numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([set_cell_size(row[0], widths[0]), *numbers]).rstrip()


def _lift_text(found: Together) -> str:
    if found.lift is None:
        return "-"
    return "only" if math.isinf(found.lift) else f"{found.lift:.1f}"


def short(text: str, most: int) -> str:
    """Return a text, or its beginning with an ellipsis, in at most ``most`` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
