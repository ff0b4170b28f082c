"""Merging of projections: LoRAs of q, k and v become one of the layer in which ComfyUI has them.

That is exact: the matrices of columns stand below each other, those of rows on the diagonal, with zeros around them,
and the alpha is multiplied by how many there are, as the rank is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...checkpoints.header import Tensor
from .modules import PAIRS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .modules import Module

How = Literal["below", "diagonal", "alpha"]


@dataclass(frozen=True, slots=True)
class Merged:
    """A tensor of the new file that is made of several of the old one.

    ``sources`` has an empty name for each part of the layer that the LoRA leaves alone; ``rows`` are those of all
    parts, for matrices on the diagonal. An alpha is one number of type F32.
    """

    name: str
    sources: tuple[str, ...]
    how: How
    rows: tuple[int, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The tensors of the old file that it is made of."""
        return tuple(filter(None, self.sources))

    def tensor(self, old: Mapping[str, Tensor]) -> Tensor:
        """Return its type and sizes by those of the old file."""
        shapes = [old[name].shape for name in self.parts]
        dtype = old[self.parts[0]].dtype
        if self.how == "alpha":
            return Tensor("F32", ())
        if self.how == "below":
            return Tensor(dtype, (sum(shape[0] for shape in shapes), shapes[0][1]))
        return Tensor(dtype, (sum(self.rows), sum(shape[1] for shape in shapes)))

    def blocks(self, old: Mapping[str, Tensor]) -> Iterator[tuple[str, int, int, int]]:
        """Yield of each part in turn its tensor (empty: none), its rows, and the zeros before and behind each of them.

        Of matrices on the diagonal alone.
        """
        widths = [old[name].shape[1] if name else 0 for name in self.sources]
        for place, name in enumerate(self.sources):
            yield name, self.rows[place], sum(widths[:place]), sum(widths[place + 1 :])


def merged(key: str, parts: Sequence[Module | None], rows: tuple[int, ...]) -> list[Merged] | None:
    """Return the tensors of a layer that is merged of LoRAs of its parts, None where that would not be exact.

    Args:
        key: the layer's name in the new file.
        parts: the LoRA of each part, None where there is none; one at least is.
        rows: how many rows each part has.
    """
    found = [each for each in parts if each]
    up, down = next((ends for ends in PAIRS.items() if ends[0] in found[0].tensors), ("", ""))
    if not all(_is_plain(part, up, down, size) for part, size in zip(parts, rows, strict=True) if part):
        return None
    if len({each.tensors[down].shape for each in found}) > 1 or len({".alpha" in each.tensors for each in found}) > 1:
        return None
    made = [
        Merged(key + down, _sources(parts, down), "below"),
        Merged(key + up, _sources(parts, up), "diagonal", rows),
    ]
    return made + ([Merged(key + ".alpha", _sources(parts, ".alpha"), "alpha")] if ".alpha" in found[0].tensors else [])


def _sources(parts: Sequence[Module | None], end: str) -> tuple[str, ...]:
    return tuple(each.name + end if each else "" for each in parts)


def _is_plain(module: Module, up: str, down: str, rows: int) -> bool:
    """Say whether a module is a pair of matrices for a layer with these rows, with an alpha at most."""
    ends = set(module.tensors)
    if module.unread or not {up, down} <= ends or ends - {up, down, ".alpha"}:
        return False
    one, other = module.tensors[up].shape, module.tensors[down].shape
    return len(one) == len(other) == 2 and one == (rows, other[0])  # noqa: PLR2004 - matrices


def alpha_of(values: Iterable[float]) -> float | None:
    """Return the alpha of the merged layer by those of its parts, None where they are not alike."""
    given = list(values)
    return given[0] * len(given) if len(set(given)) == 1 else None
