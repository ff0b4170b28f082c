"""A trained LoRA put to the test: which variants are drawn, how they are laid out, and what is kept of it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .errors import SettingsError, TrainerError
from .pictures.sheet import Cell, contact_sheet, save_png
from .runs import folder as files
from .selection.likeness import MEMORISED, drift, likeness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray
    from PIL import Image

    from .model import Run

_TESTS = "tests"
_SHEET, _RESULTS = "sheet.png", "results.json"
_MOST = 64
_CONTROL, _WARNING = "#8d99a6", "#b02a2a"
_CELL = 384  # pixels
BASE = "base model"
NO_TRIGGER = "without trigger"


@dataclass(frozen=True, slots=True)
class Variant:
    """What one picture of a test is drawn with: a LoRA's file (None is the base model), its strength, the prompt."""

    label: str
    prompt: str
    file: Path | None = None
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """What is known of a picture of a test; cosines, None where there was nothing to compare it with.

    ``nearest`` is the file of the nearest training image.
    """

    label: str
    likeness: float | None = None
    nearest: str = ""
    nearest_cosine: float | None = None
    drift: float | None = None

    @property
    def is_memorised(self) -> bool:
        """Whether the picture is all but a training image."""
        return self.nearest_cosine is not None and self.nearest_cosine >= MEMORISED


def strengths(text: str) -> list[float]:
    """Return the numbers in ``0.6, 0.8, 1``.

    Raises:
        SettingsError: one is none, or there is none.
    """
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    try:
        found = [float(word) for word in words]
    except ValueError as error:
        raise SettingsError(f"{text!r} are no strengths: write e.g. 0.6, 0.8, 1.") from error
    if not found or not all(abs(each) <= 20 for each in found):  # noqa: PLR2004 - ComfyUI's own bound; false for NaN too
        raise SettingsError(f"{text!r} are no strengths: write e.g. 0.6, 0.8, 1.")
    return found


def variants(
    runs: Sequence[Run], epochs: str, weights: Sequence[float], prompt: str, *, controls: bool = True
) -> list[Variant]:
    """Return what a test draws, the controls first.

    Args:
        runs: those whose LoRAs are tested; with two of them their variants stand beside each other.
        epochs: ``last``, ``all``, or parts of file names by comma.
        weights: the strengths.
        prompt: with the trigger in it.
        controls: draw with the base model alone, and with the last LoRA but without the trigger.

    Raises:
        TrainerError: a run has no LoRA yet, or none of that name.
        SettingsError: that would be more than 64 pictures.
    """
    found: list[Variant] = []
    loras = [(run, name) for run in runs for name in _chosen(run, epochs)]
    if controls:
        last = runs[0].output / runs[0].loras[-1]
        found = [Variant(BASE, prompt), Variant(NO_TRIGGER, without_trigger(prompt, runs), last)]
    for run, name in loras:
        said = f"{run.name} {run.manifest_hash[:6]}" if len(runs) > 1 else ""
        for weight in weights:
            label = " ".join(filter(None, (said, _epoch(run, name), f"× {weight:g}")))
            found.append(Variant(label, prompt, run.output / name, weight))
    if len(found) > _MOST:
        raise SettingsError(f"That are {len(found)} pictures: choose fewer epochs or strengths, {_MOST} at most.")
    return found


def _chosen(run: Run, epochs: str) -> list[str]:
    if not run.loras:
        raise TrainerError(f"The training of {run.name} has saved no LoRA yet ({run.state}). {run.message}".strip())
    words = [word.strip() for word in epochs.split(",") if word.strip()] or ["last"]
    if words == ["all"]:
        return list(run.loras)
    names = [name for word in words for name in _named(run, word)]
    return list(dict.fromkeys(names))


def _named(run: Run, word: str) -> list[str]:
    if word == "last":
        return [run.loras[-1]]
    found = [name for name in run.loras if word in name]
    if not found:
        raise TrainerError(f"No LoRA of {run.name} has {word!r} in its name; there are: {', '.join(run.loras)}.")
    return found


def _epoch(run: Run, name: str) -> str:
    """Return what tells a LoRA from the others of its run."""
    if name == run.loras[-1]:
        return "last"
    return name.rsplit("/", 1)[-1].removesuffix(".safetensors").removeprefix(run.name).strip("-_ ") or name


def trigger_of(run: Run) -> str:
    """Return the words that call what a run has trained, by comma."""
    return files.read_order(run.folder).trigger


def without_trigger(prompt: str, runs: Sequence[Run]) -> str:
    """Return a prompt without the triggers of runs, and without the commas that are left over."""
    for run in runs:
        for word in filter(None, trigger_of(run).split(", ")):
            prompt = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "", prompt, flags=re.IGNORECASE)
    parts = (re.sub(r"\s+", " ", part).strip() for part in prompt.split(","))
    return ", ".join(part for part in parts if part)


def scores(
    labels: Sequence[str],
    pictures: NDArray[float32],
    training: NDArray[float32] | None = None,
    names: Sequence[str] = (),
) -> list[Score]:
    """Return the scores of pictures by their vectors (n, d).

    Args:
        labels: of the pictures; the first one called like the base model is the control.
        pictures: their vectors.
        training: those of the training images (m, d) in the same space, where they are known.
        names: the training images' files.
    """
    near = likeness(pictures, training) if training is not None and len(training) else None
    away = drift(pictures, pictures[labels.index(BASE)]) if BASE in labels else None
    return [
        Score(
            label,
            near[n].training if near else None,
            names[near[n].nearest] if near and names else "",
            near[n].nearest_cosine if near else None,
            away[n] if away and label != BASE else None,
        )
        for n, label in enumerate(labels)
    ]


def sheet(pictures: Sequence[Image.Image], found: Sequence[Score], title: str) -> Image.Image:
    """Return the pictures of a test with their labels and scores; controls and memorised ones have a frame."""
    cells = [Cell(picture, _lines(score), _mark(score)) for picture, score in zip(pictures, found, strict=True)]
    return contact_sheet(cells, title, size=_CELL)


def _lines(score: Score) -> tuple[str, ...]:
    lines = [score.label]
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
    return _CONTROL if score.label in {BASE, NO_TRIGGER} else ""


def told(found: Sequence[Score]) -> str:
    """Return scores as text, with a warning for what was learnt by heart."""
    lines = [", ".join(_lines(score)) for score in found]
    copied = [score for score in found if score.is_memorised]
    lines += [
        f"warning: {score.label} is all but the training image {score.nearest} ({score.nearest_cosine:.3f}): train"
        " fewer steps, or with more pictures."
        for score in copied
    ]
    return "\n".join(lines)


def keep(run: Run, picture: Image.Image, found: Sequence[Score], details: dict[str, Any]) -> Path:
    """Keep a test with its run, and return its folder.

    Raises:
        TrainerError: the run's folder is gone or cannot be written.
    """
    tests = run.folder / _TESTS
    try:
        tests.mkdir(exist_ok=True)
        number = 1 + max((int(each.name) for each in tests.iterdir() if each.name.isdecimal()), default=0)
        place = tests / f"{number:04}"
        place.mkdir()
        save_png(picture, place / _SHEET)
        text = json.dumps({**details, "scores": [asdict(score) for score in found]}, ensure_ascii=False, indent=1)
        whole = place / f".{_RESULTS}"
        whole.write_text(text, encoding="utf-8")
        os.replace(whole, place / _RESULTS)  # noqa: PTH105 - it replaces on every system, and says so
    except OSError as error:
        raise TrainerError(f"The test cannot be kept in {tests} ({error.strerror}): mend its rights.") from error
    return place


def kept(run: Run) -> list[dict[str, Any]]:
    """Return what was kept of the tests of a run, the newest first; each says its folder."""
    found = [_read(file) for file in sorted((run.folder / _TESTS).glob(f"*/{_RESULTS}"), reverse=True)]
    return [each for each in found if each]


def _read(file: Path) -> dict[str, Any]:
    try:
        return {**json.loads(file.read_text(encoding="utf-8")), "folder": str(file.parent)}
    except (OSError, ValueError, TypeError):
        return {}
