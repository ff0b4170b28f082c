"""Checkpoints by their headers: which architecture a model file or folder is, by its tensors; weights are not read."""

from __future__ import annotations

from .base_model import (
    BaseModelChoice,
    base_model_for,
    base_model_of,
    fitting_base_models,
    is_apart,
    like_by_name,
)
from .parts import known_part_label
from .recognition import Checkpoint, Guess, found_at, is_read, read_checkpoint

__all__ = [
    "BaseModelChoice", "Checkpoint", "Guess", "base_model_for", "base_model_of", "fitting_base_models", "found_at",
    "is_apart", "is_read", "known_part_label", "like_by_name", "read_checkpoint",
]  # fmt: skip
