"""Checkpoints by their headers: which architecture a model file or folder is, by its tensors; weights are not read."""

from __future__ import annotations

from .recognition import Checkpoint, Guess, read_checkpoint

__all__ = ["Checkpoint", "Guess", "read_checkpoint"]
