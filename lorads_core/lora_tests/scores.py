"""Scores of a LoRA test's images by their vectors, and the sheet and text that show them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..plots.sheet import Cell, contact_sheet
from ..problems import counted
from ..vision.similarity.likeness import MEMORISED, drift, likeness, memorised_from
from .variants import BASE, NO_TRIGGER, TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from PIL import Image

CONTROLS = (BASE, NO_TRIGGER)
_CONTROL, _WARNING = "#8d99a6", "#b02a2a"
_CELL = 384  # pixels
_WIDEST = 8  # images in a row


@dataclass(frozen=True, slots=True)
class Score:
    """An image of a test and what is known of it; cosines, None where there was nothing to compare it with.

    ``number`` tells images of one label apart, from 1 (0: it is the only one); those of the same number are drawn
    from the same noise. ``nearest`` is the file of the nearest training image, and ``memorised_from`` the cosine from
    which on it counts as drawn by heart.
    """

    label: str
    number: int = 0
    prompt: str = ""
    likeness: float | None = None
    nearest: str = ""
    nearest_cosine: float | None = None
    drift: float | None = None
    memorised_from: float = MEMORISED

    @property
    def is_memorised(self) -> bool:
        """Whether the image is all but a training image."""
        return self.nearest_cosine is not None and self.nearest_cosine >= self.memorised_from

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with."""
        return self.label in CONTROLS

    @property
    def name(self) -> str:
        """The label, and which image of it where there are several."""
        return f"{self.label}, {self.number}" if self.number else self.label


def unscored(labels: Sequence[str], count: int, prompts: Sequence[str] = ()) -> list[Score]:
    """Return a score without numbers for each of ``count`` images; several images of a label follow on each other.

    Raises:
        SettingsError: labels or prompts do not fit.
    """
    if not labels or not count or count % len(labels):
        raise SettingsError(
            f"{counted(count, 'image')} came with {counted(len(labels), 'label')}: wire both from the same LoRA"
            " Variants, and draw as many images for each."
        )
    if prompts and len(prompts) != len(labels):
        raise SettingsError(
            f"{counted(len(prompts), 'prompt')} came with {counted(len(labels), 'label')}: wire both from the same LoRA"
            " Variants."
        )
    each = count // len(labels)
    numbers = range(1, each + 1) if each > 1 else (0,)
    return [
        Score(label, number, prompt)
        for label, prompt in zip(labels, prompts or [""] * len(labels), strict=True)
        for number in numbers
    ]


def score_images(
    found: Sequence[Score],
    images: NDArray[float32],
    training: NDArray[float32] | None = None,
    names: Sequence[str] = (),
) -> list[Score]:
    """Return the scores of images by their vectors.

    Args:
        found: what they are, as `unscored` says it (n).
        images: their vectors (n, d).
        training: those of the training images (m, d) in the same space, where there are any.
        names: the training images' files (m).
    """
    near = likeness(images, training) if training is not None and len(training) else []
    heart = memorised_from(training) if training is not None and len(training) else MEMORISED
    base = {score.number: n for n, score in reversed(list(enumerate(found))) if score.label == BASE}
    made: list[Score] = []
    for n, score in enumerate(found):
        if score.label != BASE and score.number in base:
            (away,) = drift(images[n : n + 1], images[base[score.number]])
            score = replace(score, drift=away)  # noqa: PLW2901 - the same one, with more known of it
        if near:
            each = near[n]
            score = replace(  # noqa: PLW2901 - as above
                score,
                likeness=each.training,
                nearest=names[each.nearest],
                nearest_cosine=each.nearest_cosine,
                memorised_from=heart,
            )
        made.append(score)
    return made


def sheet(images: Sequence[Image.Image], found: Sequence[Score], title: str, note: str = "") -> Image.Image:
    """Return the images of a test with their labels and scores; controls and memorised ones have a frame.

    ``note`` says in a line what else is to be known, such as how much of the LoRA was loaded.

    Of one image each, the strengths of a LoRA are a row; of several, the images of a label are.
    """
    cells = [Cell(picture, _lines(score), _mark(score)) for picture, score in zip(images, found, strict=True)]
    wide = _columns(found)
    controls = sum(score.is_control for score in found)
    if wide and controls % wide and controls < len(cells):
        cells[controls:controls] = [Cell(None)] * (wide - controls % wide)
    return contact_sheet(cells, title, columns=wide, size=_CELL, note=note)


def _columns(found: Sequence[Score]) -> int:
    """Return how many images make a row, 0 where rows would mean nothing."""
    tested = [score for score in found if not score.is_control]
    if any(score.number for score in found):
        rows = [len(list(row)) for _, row in groupby(found, lambda score: score.label)]
    else:
        rows = [len(list(row)) for _, row in groupby(tested, lambda score: score.label.rpartition(TIMES)[0])]
    even = len(set(rows)) == 1 and 1 < rows[0] <= _WIDEST
    return rows[0] if even else 0


def _lines(score: Score) -> tuple[str, ...]:
    lines = [score.name]
    if score.likeness is not None:
        lines.append(f"like the training set {score.likeness:.3f}")
    if score.nearest_cosine is not None:
        lines.append(f"nearest {score.nearest_cosine:.3f} {score.nearest}")
    if score.drift is not None:
        lines.append(f"drift from the base model {score.drift:.3f}")
    return tuple(lines)


def _mark(score: Score) -> str:
    if score.is_memorised:
        return _WARNING
    return _CONTROL if score.is_control else ""


def format_scores(found: Sequence[Score]) -> str:
    """Return scores as text, with a warning for what was memorised."""
    lines = [", ".join(_lines(score)) for score in found]
    lines += [
        f"warning: {score.name} is all but the training image {score.nearest} ({score.nearest_cosine:.3f}): train"
        " fewer steps, or with more images."
        for score in found
        if score.is_memorised and score.label != BASE
    ]
    return "\n".join(lines)
