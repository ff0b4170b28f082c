"""A caption as the rules look at it: split once, with what is known of its parts; it judges nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import CaptionError
from ...model import Trigger
from ...tags import canonical
from ..clean import balanced, is_unbalanced
from ..features import OVERLONG, PROSE, REPEATED, TRIGGER, WORDS, parts_of
from ..tokens import counter
from ..trigger import checked
from ..vocabulary import SHIPPED, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model import Dataset, DatasetImage, Severity
    from ..features import Part
    from ..profiles import CaptionProfile, Kind

_FEW_TAGS = 3  # behind or before prose, so that it is mixed; alone, so that they are a list


@dataclass(frozen=True, slots=True)
class LintRules:
    """The rules that captions are checked by.

    ``flip_aug`` and ``shuffle`` are the training config's. A ``token_limit`` of 0 is the profile's largest.
    A trait that at least ``leak_share`` (0–1) of a concept's training captions name is a leak, unless it is among
    ``flexible``: tags by concept (the empty name in a dataset of one) that are to stay flexible.
    """

    profile: CaptionProfile
    vocabulary: Vocabulary = SHIPPED
    flip_aug: bool = False
    shuffle: bool = False
    token_limit: int = 0
    leak_share: float = 0.8
    flexible: Mapping[str, frozenset[str]] = field(default_factory=dict[str, "frozenset[str]"])

    @property
    def limit(self) -> int:
        """How many tokens a caption may have."""
        return self.token_limit or max(self.profile.limits)


class Called:
    """A trigger, and how it is found in a caption; ``key`` is empty where no tag can be it."""

    __slots__ = ("_pattern", "folded", "key", "trigger")

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.folded = trigger.word.casefold()
        self.key = canonical(trigger.word)
        self._pattern = re.compile(rf"(?<!\w){re.escape(trigger.word)}(?!\w)", re.IGNORECASE)

    def wanted(self) -> bool:
        """Tell whether it is to stand in training captions."""
        return bool(self.trigger.word) and self.trigger.position != "none"

    def times(self, text: str) -> int:
        """Return how often a caption says it, as a word within its text or as a tag in another spelling."""
        if not self.trigger.word:
            return 0
        said = len(self._pattern.findall(text))
        if not self.key or self.key not in _plain(text):
            return said
        other = (part for part in text.split(",") if canonical(part) == self.key and not self._pattern.search(part))
        return said + sum(1 for _ in other)


def _plain(text: str) -> str:
    """Return text so that it holds a tag, however spelled, as it holds its own letters: a quick look, no proof."""
    return text.casefold().replace("_", " ").replace("\\", "") if text.isascii() else text.casefold()


class Look:
    """A caption that is not empty, and what is known of it.

    ``raw`` are its parts between commas, ``keys`` their canonical spellings, ``odd`` those of which there is more to be
    said; ``kind`` is tags, sentences, or both, None where it is too short to tell; ``times`` is how often it says its
    trigger; ``signs`` are those of its parts and its own.
    """

    __slots__ = (
        "_all", "called", "image", "is_training", "keys", "kind", "names", "odd", "raw", "signs", "text", "times",
        "tokens", "triggers",
    )  # fmt: skip

    def __init__(self, image: DatasetImage, text: str, reader: Reader, *, is_training: bool) -> None:
        self.image = image
        self.text = text
        self.is_training = is_training
        self.called = reader.called(image)
        self.triggers = reader.triggers
        self.raw = text.split(",")
        self.keys = reader.parts.keys(self.raw)
        self.names = set(self.keys)
        self.odd = reader.parts.odd(self.raw)
        self._all = reader.parts
        spaced = text.count(", ") == len(self.raw) - 1
        self.tokens = reader.count.of_parts(self.raw) if spaced else reader.count(text)
        self.times = self._times()
        self.signs = self._signs(reader.limit)
        self.kind: Kind | None = self._kind()

    def _times(self) -> int:
        called = self.called
        if not called.trigger.word:
            return 0
        is_once = called.key in self.names and self.keys.count(called.key) == 1
        if is_once and called.key and self.text.casefold().count(called.folded) <= 1:
            return 1
        return called.times(self.text)

    def _signs(self, limit: int) -> int:
        signs = 0 if self.names == {""} else WORDS
        for part in self.odd:
            signs |= part.signs
        if len(self.names) < len(self.keys):
            signs |= REPEATED
        if self.tokens > limit:
            signs |= OVERLONG
        at = -1 if self.called.trigger.position == "append" else 0
        is_right = self.times == 1 and self.keys[at] == self.called.key and len(self.names) > 1
        return signs if is_right and self.is_training else signs | TRIGGER

    @property
    def parts(self) -> list[Part]:
        """What is known of each part."""
        return self._all.parts(self.raw)

    def _kind(self) -> Kind | None:
        if not self.signs & PROSE:
            nothing = ("" in self.names) + (self.called.key != "" and self.called.key in self.names)
            return "tags" if len(self.names) - nothing >= _FEW_TAGS else None
        is_tag = [bool(part.key) and not part.signs & PROSE for part in self.parts if part.key != self.called.key]
        few = is_tag[:_FEW_TAGS], is_tag[-_FEW_TAGS:]
        return "mixed" if any(len(end) == _FEW_TAGS and all(end) for end in few) else "prose"

    def without(self, unwanted: Callable[[Part], bool]) -> str:
        """Return its text without some parts; the others stay as they are."""
        kept = [raw for raw, part in zip(self.raw, self.parts, strict=True) if not unwanted(part)]
        return self.text if len(kept) == len(self.raw) else self.rest(",".join(kept))

    def rest(self, text: str) -> str:
        """Return what is left of its text when some is taken out; a bracket whose other half went goes too."""
        text = text.strip(" ,")
        return text if is_unbalanced(self.text) else balanced(text)


class Reader:
    """What looks at the captions of one dataset share."""

    def __init__(self, dataset: Dataset, rules: LintRules) -> None:
        self.parts = parts_of(rules.vocabulary)
        self.count = counter(rules.profile.tokenizer)
        self.limit = rules.limit
        self._vocabulary = rules.vocabulary
        self._default = Called(_usable(dataset.trigger))
        self._by_concept = {concept.name: Called(_usable(concept.trigger)) for concept in dataset.concepts}
        self.triggers = [each for each in (*self._by_concept.values(), self._default) if each.trigger.word]

    def look(self, image: DatasetImage, text: str, *, is_training: bool) -> Look:
        """Look at the caption of an image."""
        if self.parts.is_full:
            self.parts = parts_of(self._vocabulary)
        return Look(image, text, self, is_training=is_training)

    def called(self, image: DatasetImage) -> Called:
        """Return the trigger of an image's concept."""
        return self._by_concept.get(image.concept, self._default)


def _usable(trigger: Trigger) -> Trigger:
    """Return a trigger as it is looked for, one without a word where it would break captions: that is reported once."""
    try:
        return checked(trigger)
    except CaptionError:
        return Trigger("", "none")


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: a message, and the caption's text as it would be right, where that is known."""

    message: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class CaptionRule:
    """A rule for single captions; ``label`` says what its fix does.

    ``find`` is called where a caption shows one of ``signs``, or always where that is 0.
    """

    code: str
    severity: Severity
    find: Callable[[Look, LintRules], Found | None]
    label: str = ""
    signs: int = 0
