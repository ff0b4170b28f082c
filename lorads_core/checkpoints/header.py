"""Headers of model files: names, shapes and types of tensors, and the file's metadata, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type and sizes of a tensor; the type is called as its file's format calls it (``BF16``, ``Q4_K``)."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """Tensors of a model by name, and the metadata of its file."""

    tensors: Mapping[str, Tensor] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
