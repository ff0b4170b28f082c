"""What is wrong with the captions and triggers of a dataset, and what would fix it; it changes nothing itself.

Rules for single captions are rows in `single`, those for triggers in `triggers`; `several` takes captions together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...model import Change, Edit, Problem
from ...tags import one_line
from ..features import WORDS
from .parsed_caption import CaptionRule, Found, LintRules, Look, Reader
from .several import Gathered
from .single import CAPTION_RULES
from .triggers import TRIGGER_RULES, trigger_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model import Caption, Dataset, DatasetImage

__all__ = ["CAPTION_RULES", "TRIGGER_RULES", "LintRules", "Looked", "lint", "looked_at"]


def lint(dataset: Dataset, rules: LintRules) -> tuple[Problem, ...]:
    """Return what to look at: first what concerns the dataset, then caption by caption, then captions together.

    A problem of one caption names its image, and has a fix where mending needs no judgement; captions that a person
    wrote are looked at like others. A problem of a concept has its name as subject. No text raises anything.
    """
    gathered = Gathered()
    of_captions: list[Problem] = []
    for each in looked_at(dataset, rules):
        of_captions += each.problems
        if each.look:
            gathered.add(each.look)
    return (*trigger_problems(dataset, rules), *_of_dataset(dataset), *of_captions, *gathered.problems(rules))


class Looked(NamedTuple):
    """An image, its caption looked at (None without one), and what is wrong with that by itself."""

    image: DatasetImage
    look: Look | None
    problems: tuple[Problem, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the caption."""
        return self.look.tokens if self.look else 0


def looked_at(dataset: Dataset, rules: LintRules) -> Iterator[Looked]:
    """Yield every image of a dataset in order, with what its caption says by itself."""
    reader, due = Reader(dataset, rules), _Due()
    for number, image in enumerate(dataset.images):
        look = _look(image, reader, is_training=number < len(dataset.training))
        problems = _problems(look, rules, due[look.signs]) if look else (_nothing(image),)
        yield Looked(image, look, tuple(problems))


class _Due(dict[int, tuple[CaptionRule, ...]]):
    """The rules that a caption is held to, by its signs."""

    def __missing__(self, signs: int) -> tuple[CaptionRule, ...]:
        due = tuple(rule for rule in CAPTION_RULES if not rule.signs or rule.signs & signs)
        self[signs] = due
        return due


def _look(image: DatasetImage, reader: Reader, *, is_training: bool) -> Look | None:
    if image.caption is None:
        return None
    look = reader.look(image, image.caption.text, is_training=is_training)
    return look if look.signs & WORDS else None


def _nothing(image: DatasetImage) -> Problem:
    if image.caption is None:
        return Problem("warning", "no-caption", "It has no caption: write one.", image.record.path, image.key)
    message = "Its caption is empty, at which trainers stop: write one, or leave the image out."
    return Problem("error", "empty-caption", message, image.record.path, image.key)


def _problems(look: Look, rules: LintRules, due: tuple[CaptionRule, ...]) -> Iterator[Problem]:
    for rule in due:
        found = rule.find(look, rules)
        if found:
            image = look.image
            fix = _fix(image, rule, found)
            yield Problem(rule.severity, rule.code, found.message, image.record.path, image.key, fix)


def _fix(image: DatasetImage, rule: CaptionRule, found: Found) -> Edit | None:
    """Return the edit that sets the caption right, None where it would leave nothing of it."""
    before: Caption | None = image.caption
    if before is None or found.text is None or found.text == before.text or not one_line(found.text):
        return None
    return Edit(rule.label, (Change(image.key, before, replace(before, text=found.text, fixed=True)),))


def _of_dataset(dataset: Dataset) -> Iterator[Problem]:
    if dataset.training and not dataset.regularization:
        yield Problem(
            "info",
            "no-regularization",
            "There are no regularization images: the base model may forget what else the class of the subject can be.",
        )
    known = {concept.name for concept in dataset.concepts}
    for image in dataset.training if known else ():
        if image.concept not in known:
            message = f"Its concept {image.concept!r} is none of the dataset's, so that it has no trigger."
            yield Problem("warning", "no-concept", message, image.record.path, image.key)
