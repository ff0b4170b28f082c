"""Model files that the form of training options offers, by their names in ComfyUI's folders, and what a checkpoint is.

A request names a file as it was offered, never a path; no path is shown to the page either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..base_models import base_model, base_model_names
from ..checkpoints import base_model_for, read_checkpoint
from ..errors import TrainerError
from ..trainers.checkpoint_checks import checkpoint_problems
from ..trainers.defaults import make_config
from ..training_fields import TRAINING_FIELDS, training_field
from .responses import bad_request
from .view import file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..checkpoints import BaseModelChoice
    from ..model import TrainingConfig
    from ..training_fields import TrainingField
    from . import json_types

    FindModels = Callable[[Sequence[str]], Mapping[str, Path]]
    """Returns the model files in ComfyUI's folders of some kinds, by the names that ComfyUI lists them by."""

FILE_FIELDS = tuple(each for each in TRAINING_FIELDS if each.kind == "file")


def no_models(_folders: Sequence[str]) -> Mapping[str, Path]:
    """Return none: no ComfyUI is known."""
    return {}


class ModelFiles:
    """The model files that can be chosen, looked up once for each training option."""

    def __init__(self, find: FindModels = no_models) -> None:
        self._find = find
        self._found: dict[str, Mapping[str, Path]] = {}

    def names(self) -> dict[str, list[str]]:
        """Return the names that each option that is a file offers."""
        return {each.name: list(self._of(each)) for each in FILE_FIELDS}

    def path(self, each: TrainingField, name: str) -> str:
        """Return the file of a name.

        Raises:
            RefusedError: 400, it is not among those that the option offers.
        """
        found = self._of(each).get(name)
        if found is None:
            folders = " or ".join(each.folders)
            raise bad_request(f"There is no file {name!r:.120} in ComfyUI's folder {folders}: choose one of the list.")
        return str(found)

    def name(self, each: TrainingField, config: TrainingConfig) -> str | None:
        """Return the name of the file that a config has for an option; None without one, or where it is not offered."""
        path = chosen_file(each, config)
        return next((name for name, file in self._of(each).items() if str(file) == path), None) if path else None

    def _of(self, each: TrainingField) -> Mapping[str, Path]:
        if each.name not in self._found:
            self._found[each.name] = self._find(each.folders)
        return self._found[each.name]


def chosen_file(each: TrainingField, config: TrainingConfig) -> str:
    """Return the path that a config has for an option that is a file, empty where none is chosen."""
    return config.model_files.get(each.name, "") if each.is_part else getattr(config, each.name)


def checkpoint_facts(files: ModelFiles, name: str, base: str) -> json_types.CheckpointFacts:
    """Return which base model is taken for a checkpoint, and what is to be known of it.

    Args:
        files: those that are offered.
        name: of the checkpoint among them.
        base: the base model so far, which stays where the checkpoint can be one of it.

    Raises:
        RefusedError: 400, there is no such file or base model.
    """
    if base not in base_model_names():
        raise bad_request(f"There is no base model {base!r:.40}.")
    path = files.path(training_field("checkpoint"), name)
    try:
        chosen = base_model_for(read_checkpoint(Path(path)), base)
    except TrainerError:  # its problems say why
        chosen = None
    taken = chosen.base.name if chosen else base
    problems = checkpoint_problems(make_config({"base_model": taken, "checkpoint": path}))
    return {
        "base_model": chosen.base.name if chosen else None,
        "is_guess": bool(chosen and chosen.others),
        "message": _sentence(chosen) if chosen else f"It does not say its base model: is it {base_model(base).label}?",
        "problems": [{"severity": each.severity, "message": without_path(each.message, path)} for each in problems],
    }


def _sentence(chosen: BaseModelChoice) -> str:
    if not chosen.others:
        return f"{chosen.base.label}, as the file says."
    others = ", ".join(each.label for each in chosen.others)
    return f"{chosen.base.label}, a guess: {others} may have the same tensors."


def without_path(message: str, path: str) -> str:
    """Return a message with the name of a file in the place of its path."""
    return message.replace(path, file_name(path)) if path else message
