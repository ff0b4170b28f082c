"""Checkpoints of ComfyUI's folders, and the base model that each is like."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...base_models import checkpoint_folders
from ...checkpoints import base_model_of, read_checkpoint
from ...errors import LoradsError
from ..comfyui_folders import MOST_FILES, model_files, model_folders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...base_models import BaseModel


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file and the base model that it is like; ``v_prediction`` says that it predicts velocity."""

    file: Path
    like: BaseModel
    v_prediction: bool = False


@dataclass(slots=True)
class Checkpoints:
    """Checkpoints whose family is known, how many files are of no known one, and what could not be read."""

    known: list[Checkpoint] = field(default_factory=list[Checkpoint])
    unknown: list[Path] = field(default_factory=list[Path])
    notes: list[str] = field(default_factory=list[str])


def checkpoints(comfyui: Iterable[Path]) -> Checkpoints:
    """Return the checkpoints of installations of ComfyUI."""
    found = Checkpoints()
    folders = [folder for home in comfyui for folder in model_folders(home, checkpoint_folders(), found.notes.append)]
    files = list(dict.fromkeys(file for folder in dict.fromkeys(folders) for file in model_files(folder)))
    if len(files) > MOST_FILES:
        found.notes.append(f"{len(files):,} model files were found; the first {MOST_FILES:,} were looked at.")
    for file in files[:MOST_FILES]:
        each = _checkpoint(file)
        if each:
            found.known.append(each)
        else:
            found.unknown.append(file)
    return found


def _checkpoint(file: Path) -> Checkpoint | None:
    try:
        found = read_checkpoint(file)
    except LoradsError:  # of another format, or cut off: it is counted
        return None
    # Of one that can be two families, tensors do not tell which; another part of a model is no checkpoint.
    chosen = base_model_of(found)
    return Checkpoint(file, chosen.base, v_prediction=found.v_prediction) if chosen else None
