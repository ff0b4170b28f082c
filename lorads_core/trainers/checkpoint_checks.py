"""Checks of a config's checkpoint against its base model: family, v-prediction, distilled, other parts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..base_models import BASE_MODELS, base_model
from ..checkpoints import fitting_base_models, is_apart, is_read, like_by_name, read_checkpoint
from ..checkpoints.starts import has_advice
from ..errors import TrainerError
from ..model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..base_models import BaseModel
    from ..checkpoints import Checkpoint
    from ..model import TrainingConfig


def checkpoint_problems(config: TrainingConfig) -> Iterator[Problem]:
    """Yield what contradicts the base model in its file or folder, if it is on this machine.

    What tensors say is certain; what a name or metadata suggests is called a guess, and is never an error.
    """
    if not os.path.isabs(config.checkpoint) or not os.path.exists(config.checkpoint):  # noqa: PTH110, PTH117 - Path's own may raise
        return
    base = base_model(config.base_model)
    try:
        found = read_checkpoint(Path(config.checkpoint))
    except TrainerError as error:
        yield _unread(Path(config.checkpoint), base, error)
        return
    if refused := _refusal(found, base):
        yield Problem("error", "config", refused)
        return
    yield from (Problem("warning", "checkpoint", message) for message in _doubts(found, config, base))
    if not found.architecture:
        yield Problem(
            "info", "checkpoint", f"{found.path} is {found.label}: check that it is a checkpoint of {base.label}."
        )


def _unread(checkpoint: Path, base: BaseModel, error: TrainerError) -> Problem:
    """Say that a checkpoint cannot be read: an error where it is cut off or damaged."""
    if is_read(checkpoint):
        again = "" if has_advice(str(error)) else "Download or copy it again, or "
        advice = f"{again}choose another checkpoint."
        return Problem("error", "config", f"{error} {advice[0].upper()}{advice[1:]}")
    # Trainers read other formats, too, such as .ckpt.
    return Problem("info", "checkpoint", f"The checkpoint could not be checked against {base.label}: {error}")


def _refusal(found: Checkpoint, base: BaseModel) -> str:
    """Return why a file cannot be a checkpoint of a base model, empty where it may be."""
    if found.architecture and base.family.name not in found.families:
        return (
            f"{found.path} is {found.label}, and the base model is {base.label}: choose another file or another base"
            " model in the training config, and export again."
        )
    if is_apart(found):
        what = ", ".join(filter(None, (found.label, found.variant)))
        return (
            f"{found.path} is {what}, which needs more than images and captions to be trained: choose a checkpoint of"
            f" {base.label} (text to video) in the training config, and export again."
        )
    fitting = fitting_base_models(found)
    if found.architecture and base in BASE_MODELS and base not in fitting:
        return (
            f"{found.path} is {found.label}, {found.variant}, and the base model is {base.label}: choose another file,"
            f" or the base model {' or '.join(each.label for each in fitting)}, in the training config, and export"
            " again."
        )
    if found.kind and not found.architecture:
        return (
            f"{found.path} is {found.label}, not a checkpoint: choose a checkpoint of {base.label} in the training"
            " config, and export again."
        )
    return ""


def _doubts(found: Checkpoint, config: TrainingConfig, base: BaseModel) -> Iterator[str]:
    if base.family.is_diffusion and not config.v_prediction:
        yield from _velocity(found)
    guess = found.guess("distilled")
    if base.adapter:
        pass  # it is one, and trained as such
    elif found.distilled_from:
        yield (
            f"{found.path} is {found.label}, {found.variant}: a distilled model, which training spoils. Train on"
            f" {found.distilled_from} instead; a LoRA of that works on both."
        )
    elif guess and found.architecture:
        yield (
            f"{found.path} may be a distilled model, which training spoils (a guess by its {guess.source}): train on"
            " the model that it was distilled from."
        )
    yield from _edits(found, base)
    yield from _other_model(found, base)
    if found.kind == "denoiser" and base.family.text_encoders and not base.family.files:
        yield (
            f"{found.path} is {found.label}, without the text encoder and VAE that trainers read from a checkpoint of"
            f" {base.label}: choose a whole checkpoint."
        )


def _edits(found: Checkpoint, base: BaseModel) -> Iterator[str]:
    """Yield that an edit model is taken for its family's other models, or one of these for it: tensors are alike."""
    fitting = fitting_base_models(found)
    models = [each for each in fitting if each.edits]
    guess = found.guess("edit model")
    named = like_by_name(found.path.stem, (base, *models))
    if base.edits and named != base:
        yield (
            f"{found.path} may be {named.label} (a guess by its file name), and the base model is {base.label}: their"
            " tensors are alike, so choose the one that it is."
        )
    if guess and models and not base.edits:
        yield (
            f"{found.path} may be an edit model (a guess by its {guess.source}), and the base model is {base.label}: if"
            f" it is, choose {' or '.join(each.label for each in models)} as the base model."
        )
    elif base.edits and not guess and len(models) < len(fitting):
        yield (
            f"{found.path} is called nothing that says that it is an edit model, and its tensors do not tell: check"
            f" that it is {base.label}."
        )


def _other_model(found: Checkpoint, base: BaseModel) -> Iterator[str]:
    """Yield that the name of a file says it is another model than the base model, which tensors do not tell."""
    halves = {each.half for each in fitting_base_models(found)} - {""}
    for what in (*sorted(halves - {base.half}), "image to video"):
        if found.architecture and (guess := found.guess(what)):
            yield (
                f"{found.path} may be a model for {what} (a guess by its {guess.source}), and the base model is"
                f" {base.label}: choose the file of that, or another base model."
            )


def _velocity(found: Checkpoint) -> Iterator[str]:
    advice = "turn v-prediction on, else the LoRA is ruined."
    if found.v_prediction:
        yield f"{found.path} predicts velocity, as it says itself, and v-prediction is off: {advice}"
    elif guess := found.guess("v-prediction"):
        yield (
            f"{found.path} may predict velocity (a guess by its {guess.source}), and v-prediction is off: if it does,"
            f" {advice}"
        )
