"""Inborn traits that most images of a concept share: counted, offered, bound to the trigger when a person says so.

What stays unsaid in captions is what the trigger comes to mean. To bind a trait to the trigger is to take its tag out
of the training captions; to keep it flexible is to leave it, so that a prompt can still change it. Nothing is decided
here; `store.traits` remembers what a person decided.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..model import Change, Edit
from ..tags import canonical
from .features import parts_of
from .tag_list import without_parts
from .vocabulary import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..model import Dataset, DatasetImage, ImageKey
    from .features import Part
    from .inherent import Kind
    from .vocabulary import Vocabulary

OFFERED = 0.7
"""The share of a concept's training images from which a trait is offered."""


@dataclass(frozen=True, slots=True)
class Trait:
    """An inborn trait: ``count`` of a concept's ``images`` training images with captions carry its tag.

    ``concept`` is empty in a dataset of one.
    """

    tag: str
    count: int
    images: int
    kind: Kind
    concept: str = ""

    @property
    def share(self) -> float:
        """How many of the images carry it, 0–1."""
        return self.count / self.images


class Tally:
    """Inborn traits while they are counted, per concept."""

    def __init__(self) -> None:
        self._images = Counter[str]()
        self._tags: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._kinds: dict[str, Kind] = {}

    def add(self, concept: str, odd: Iterable[Part]) -> None:
        """Count the traits that the odd parts of one image's caption name."""
        self._images[concept] += 1
        kinds: dict[str, Kind] = {part.tag: part.kind for part in odd if part.kind}
        self._kinds.update(kinds)
        self._tags[concept].update(kinds.keys())

    def traits(self, share: float) -> Iterator[Trait]:
        """Yield those that at least this share (0–1) of a concept's images carry, the most frequent first."""
        for concept, tags in self._tags.items():
            images = self._images[concept]
            least = max(1, math.ceil(share * images - 1e-9))
            for tag, count in sorted(tags.items(), key=lambda item: (-item[1], item[0])):
                if count >= least:
                    yield Trait(tag, count, images, self._kinds[tag], concept)


def offers(dataset: Dataset, vocabulary: Vocabulary = SHIPPED, share: float = OFFERED) -> tuple[Trait, ...]:
    """Return the inborn traits whose tags at least ``share`` (0–1) of a concept's training captions carry.

    A character's tag counts as one, where the vocabulary knows it; the concept's own trigger does not.
    """
    tally, parts = Tally(), parts_of(vocabulary)
    for image in dataset.training:
        if image.caption:
            texts = image.caption.text.split(",")
            parts.keys(texts)
            tally.add(image.concept, parts.odd(texts))
    triggers = {image.concept: canonical(dataset.trigger_of(image).word) for image in _one_each(dataset)}
    return tuple(trait for trait in tally.traits(share) if trait.tag != triggers[trait.concept])


def _one_each(dataset: Dataset) -> Iterable[DatasetImage]:
    return {image.concept: image for image in dataset.training}.values()


def prune(
    dataset: Dataset,
    bound: Collection[str],
    vocabulary: Vocabulary = SHIPPED,
    *,
    concept: str | None = None,
    edited: Collection[ImageKey] = (),
) -> Edit:
    """Return the edit that takes these tags out of training captions, where they are whole parts between commas.

    Args:
        dataset: whose captions; those of regularization images stay as they are.
        bound: the tags, canonical; other spellings and aliases of them go too.
        vocabulary: which aliases there are.
        concept: only the images of this concept; None: of all.
        edited: the images whose captions may change although a person wrote them.

    A caption of which nothing would be left, or nothing but spaces and commas, stays: trainers stop at an empty one.
    """
    tags = _spellings(bound, vocabulary)
    allowed = frozenset(edited)
    changes = [
        change
        for image in dataset.training
        if concept is None or image.concept == concept
        if (change := _pruned(image, tags, allowed))
    ]
    return Edit(f"Bind to the trigger: {', '.join(sorted(bound))}", tuple(changes))


def _spellings(bound: Collection[str], vocabulary: Vocabulary) -> frozenset[str]:
    plain = frozenset(map(canonical, bound)) - {""}
    wanted = plain | {vocabulary.aliases.get(tag, tag) for tag in plain}
    return wanted | {alias for alias, tag in vocabulary.aliases.items() if tag in wanted}


def _pruned(image: DatasetImage, tags: frozenset[str], allowed: frozenset[ImageKey]) -> Change | None:
    caption = image.caption
    if caption is None or (caption.edited and image.key not in allowed):
        return None
    text = without_parts(caption.text, tags)
    if text == caption.text or not text.strip(" ,"):
        return None
    return Change(image.key, caption, replace(caption, text=text, fixed=True))
