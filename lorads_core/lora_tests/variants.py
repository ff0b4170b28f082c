"""What a test draws: LoRAs of runs or files at several strengths, behind two controls; it draws nothing itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SettingsError, TrainerError
from ..runs import run_folder as files
from ..runs.lora_file import read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ..model import Run

BASE = "base model"
NO_TRIGGER = "without trigger"
TIMES = " × "
"""Between a LoRA and its strength, in a label."""
TRIGGER = "{trigger}"
"""Stands for a LoRA's own trigger, in a prompt."""
_MOST = 64
_STRONGEST = 20.0  # ComfyUI's own bound (nodes.py, LoraLoader)
_TRIGGERS = ("lorads.trigger", "modelspec.trigger_phrase")
_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A LoRA to test: its file, what tells it from the others, and the words that call it where they are known."""

    file: Path
    label: str
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """What one image of a test is drawn with: a LoRA's file (None is the base model), its strength, the prompt."""

    label: str
    prompt: str
    file: Path | None = None
    strength: float = 1.0


def strengths(text: str) -> list[float]:
    """Return the numbers in ``0.6, 0.8, 1``.

    Raises:
        SettingsError: one is none, or there is none.
    """
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    try:
        found = [float(word) for word in words]
    except ValueError as error:
        raise SettingsError(f"{text!r:.80} are no strengths: write e.g. 0.6, 0.8, 1.") from error
    if not found or not all(abs(each) <= _STRONGEST for each in found):  # false for NaN too
        raise SettingsError(f"{text!r:.80} are no strengths: write e.g. 0.6, 0.8, 1.")
    return list(dict.fromkeys(found))


def candidates_of_runs(runs: Sequence[Run], epochs: str) -> list[list[Candidate]]:
    """Return the LoRAs to test of each run; with several, labels say which run.

    Args:
        runs: the same one twice counts once.
        epochs: ``last``, ``all``, or comma-separated parts of file names.

    Raises:
        TrainerError: a run has no LoRA yet, or none of that name.
    """
    several = {run.id: run for run in runs}
    return [_of_run(run, epochs, named=len(several) > 1) for run in several.values()]


def _of_run(run: Run, epochs: str, *, named: bool) -> list[Candidate]:
    said = f"{run.name} {run.manifest_hash[:6]} " if named else ""
    trigger = trigger_of(run)
    return [Candidate(run.output / name, f"{said}{_epoch(run, name)}", trigger) for name in _chosen(run, epochs)]


def _chosen(run: Run, epochs: str) -> list[str]:
    if not run.loras:
        raise TrainerError(f"The training of {run.name} has saved no LoRA yet. {run.sentence}")
    words = [word.strip() for word in epochs.split(",") if word.strip()] or ["last"]
    if words == ["all"]:
        return list(run.loras)
    return list(dict.fromkeys(name for word in words for name in _named(run, word)))


def _named(run: Run, word: str) -> list[str]:
    if word == "last":
        return [run.loras[-1]]
    found = [name for name in run.loras if word in name]
    if not found:
        raise TrainerError(f"No LoRA of {run.name} has {word!r:.80} in its name; there are: {', '.join(run.loras)}.")
    return found


def _epoch(run: Run, name: str) -> str:
    """Return what tells a LoRA from the others of its run."""
    if name == run.loras[-1]:
        return "last"
    return name.rsplit("/", 1)[-1].removesuffix(_SUFFIX).removeprefix(run.name).strip("-_ ") or name


def candidates_of_files(named: Iterable[tuple[str, Path]]) -> list[Candidate]:
    """Return LoRAs by their names and files, such as one that ComfyUI's own trainer has saved.

    Raises:
        TrainerError: a file is not a whole safetensors file.
    """
    return [Candidate(file, name.removesuffix(_SUFFIX), _trigger_in(file)) for name, file in dict(named).items()]


def _trigger_in(file: Path) -> str:
    """Return the trigger that a LoRA's metadata names; only our own and those that follow ModelSpec do."""
    if file.suffix.lower() != _SUFFIX:
        return ""
    metadata = read_header(file).metadata
    return next((metadata[key] for key in _TRIGGERS if metadata.get(key)), "")


def variants(
    sources: Sequence[Sequence[Candidate]], weights: Sequence[float], prompt: str, *, controls: bool = True
) -> list[Variant]:
    """Return what a test draws, the controls first.

    Args:
        sources: the LoRAs of each run, or of files; each of them has at least one.
        weights: the strengths.
        prompt: with the trigger in it, or with ``{trigger}`` for the one of each LoRA; empty for the trigger alone.
        controls: draw with the base model alone, and with the first source's last LoRA at the greatest strength but
            without the trigger. The second is left out where no trigger is known or the prompt has none.

    Raises:
        SettingsError: that would be more than 64 images, or there is neither a prompt nor a trigger.
    """
    loras = [lora for source in sources for lora in source]
    words = prompt.strip() or (TRIGGER if loras[0].trigger else "")
    if not words:
        raise SettingsError("Write a prompt: the LoRA's file does not say which word calls it.")
    first = sources[0][-1]
    found = list(_controls(first, loras, max(weights, key=abs), words)) if controls else []
    found += [
        Variant(f"{lora.label}{TIMES}{weight:g}", words.replace(TRIGGER, lora.trigger), lora.file, weight)
        for lora in loras
        for weight in weights
    ]
    if len(found) > _MOST:
        raise SettingsError(f"That would draw {len(found)} images: choose fewer epochs or strengths, {_MOST} at most.")
    return found


def _controls(first: Candidate, loras: Sequence[Candidate], weight: float, prompt: str) -> Iterator[Variant]:
    said = prompt.replace(TRIGGER, first.trigger)
    yield Variant(BASE, said)
    without = remove_triggers(said, (lora.trigger for lora in loras))
    if without != _tidy(said):
        yield Variant(NO_TRIGGER, without, first.file, weight)


def trigger_of(run: Run) -> str:
    """Return the trigger words of a run, comma-separated."""
    return files.read_order(run.folder).trigger


def remove_triggers(prompt: str, triggers: Iterable[str]) -> str:
    """Return a prompt without triggers (each one or more comma-separated words), and without the commas left over."""
    for word in dict.fromkeys(word for trigger in triggers for word in trigger.split(", ") if word):
        prompt = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "", prompt, flags=re.IGNORECASE)
    return _tidy(prompt)


def _tidy(prompt: str) -> str:
    parts = (re.sub(r"\s+", " ", part).strip() for part in prompt.split(","))
    return ", ".join(part for part in parts if part)


def check_file(file: Path) -> None:
    """Refuse a LoRA file that is cut off; of other formats than safetensors nothing is known before it is loaded.

    Raises:
        TrainerError: it is not a whole safetensors file.
    """
    if file.suffix.lower() == _SUFFIX:
        read_header(file)
