"""The rules that take several captions together: likeness, length against the rest, traits that leak."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ...model import Problem
from ..features import PROSE
from ..traits import Tally
from .alike import first_with_same, marks_of, nearly_same, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model import DatasetImage
    from ..profiles import Kind
    from .parsed_caption import Called, LintRules, Look

_WORD = re.compile(r"\w+")
_LEAST_WORDS = 8  # or tags, so that captions that differ by one are nearly the same
_LEAST_CAPTIONS = 10  # so that there is a usual length
_LEAST_IMAGES = 5  # of a concept, so that what most of them share says something
_TIMES = 4  # as long, or as short, as is usual
_LEAST_MEDIAN = 16  # tokens; captions that are short anyway are not short against others


class Gathered:
    """What the rules for several captions need of each, in order: marks of its words, its length, its traits."""

    def __init__(self) -> None:
        self._images: list[DatasetImage] = []
        self._training = 0
        self._words: list[int] = []
        self._ends = [0]
        numbers = count()
        self._number: defaultdict[str, int] = defaultdict(numbers.__next__)
        self._tokens: list[int] = []
        self._tally = Tally()
        self._triggers: dict[str, Called] = {}
        self._kinds: dict[bool, Counter[Kind]] = {True: Counter(), False: Counter()}

    def add(self, look: Look) -> None:
        """Take in a caption, its look being over; those to train on come first."""
        self._images.append(look.image)
        if look.kind:
            self._kinds[look.is_training][look.kind] += 1
        self._tokens.append(look.tokens)
        self._words += map(self._number.__getitem__, _words(look))
        self._ends.append(len(self._words))
        if look.is_training:
            self._training += 1
            self._tally.add(look.image.concept, look.odd)
            self._triggers.setdefault(look.image.concept, look.called)

    def problems(self, rules: LintRules) -> Iterator[Problem]:
        """Yield what is to be said of the captions together, then of those among them that stand out."""
        yield from self._other_kind()
        yield from self._leaks(rules)
        yield from self._alike()
        yield from self._lengths()

    def _other_kind(self) -> Iterator[Problem]:
        training, others = (self._kinds[is_training].most_common(1) for is_training in (True, False))
        if training and others and training[0][0] != others[0][0]:
            yield Problem(
                "warning",
                "regularization-kind",
                f"Most training captions are {training[0][0]}, most regularization captions {others[0][0]}: build both"
                " from the same source, or the LoRA learns the way of writing instead of the subject.",
            )

    def _leaks(self, rules: LintRules) -> Iterator[Problem]:
        for trait in self._tally.traits(rules.leak_share):
            called = self._triggers[trait.concept]
            is_known = trait.tag == called.key or trait.tag in rules.flexible.get(trait.concept, ())
            if is_known or not called.wanted() or trait.images < _LEAST_IMAGES:
                continue
            yield Problem(
                "warning",
                "identity-leak",
                f"{trait.count:,} of {trait.images:,} captions say {trait.tag!r}, so that this word and not the trigger"
                " calls the look: bind it to the trigger, which takes it out of them, or keep it flexible.",
                trait.concept,
            )

    def _alike(self) -> Iterator[Problem]:
        marks, ends = marks_of(np.asarray(self._words, np.int64)), np.asarray(self._ends)
        sums = sums_of(marks, ends)
        same = first_with_same(sums)
        for at, first in same.items():
            yield self._is_like(at, first, "identical-captions", "It says the same as")
        large = np.flatnonzero(np.diff(ends) >= _LEAST_WORDS).tolist()
        alone = [at for at in large if at not in same]
        for at, first in nearly_same(marks, ends, sums, alone).items():
            yield self._is_like(at, first, "similar-captions", "But for one word or tag it says the same as")

    def _is_like(self, at: int, first: int, code: str, says: str) -> Problem:
        image, other = self._images[at], self._images[first]
        message = f"{says} that of {other.record.path}: say what is different in the image."
        return Problem("info", code, message, image.record.path, image.key)

    def _lengths(self) -> Iterator[Problem]:
        lengths = self._tokens[: self._training]
        if len(lengths) < _LEAST_CAPTIONS:
            return
        usual = median(lengths)
        for image, tokens in zip(self._images, lengths, strict=False):
            short = usual >= _LEAST_MEDIAN and tokens * _TIMES < usual
            if short or tokens > max(usual, _LEAST_MEDIAN) * _TIMES:
                yield Problem(
                    "info",
                    "unusual-length",
                    f"It has {tokens} tokens, where captions of this dataset usually have {usual:.0f}: look at it.",
                    image.record.path,
                    image.key,
                )


def _words(look: Look) -> set[str]:
    """Return what a caption says, apart from its trigger: tags, or the words of prose. It takes the look's own set."""
    said = set(_WORD.findall(look.text.lower())) if look.signs & PROSE or len(look.raw) == 1 else look.names
    said.discard("")
    said.discard(look.called.key)
    return said
