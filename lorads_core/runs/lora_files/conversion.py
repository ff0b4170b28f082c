"""Conversion of a LoRA that ComfyUI would load in part: modules renamed, fused projections split, others merged.

Both are exact: a renamed module has the same numbers, and the rows of a fused projection are those of its parts one
after the other. What cannot be split exactly, such as a LoKr whose factors lie across the border, is refused. Parts of
a layer that ComfyUI has in one are merged (`merging`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...problems import counted
from .foreign_names import FOREIGN, FUSED, MERGED, SHARES
from .key_table import NATIVE
from .lookup import table_keys
from .merging import Merged, merged
from .modules import PAIRS, TEXT, modules_of
from .names import expand

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from ...checkpoints.header import Tensor
    from .key_table import KeyTable
    from .modules import Module

# What may stand before a module's name, whoever wrote it; taken off one after the other.
_PREFIXES = (
    "base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer.", "unet.", "core.", "core_",
    "lora_unet_", "lora_transformer_", "lycoris_", "model_", "_",
)  # fmt: skip
_MOST_PREFIXES = 3
_ROWS = frozenset({*PAIRS, ".hada_w1_a", ".hada_w2_a", ".diff", ".diff_b"})
_SHARED = frozenset({*PAIRS.values(), ".hada_w1_b", ".hada_w2_b", ".lokr_w2", ".lokr_w2_a", ".lokr_w2_b",
                     ".lokr_w1_b", ".alpha"})  # fmt: skip
_KRONECKER_ROWS = frozenset({".lokr_w1", ".lokr_w1_a"})  # a row of the first factor is as many as the second one has
# Diffusers' own ends, which few programs read, become kohya's.
_ENDS = {
    f"{dot}lora{kind}.{side}.weight": f".lora_{side}.weight"
    for dot, kind in (("_", ""), (".", ""), (".", "_linear_layer"))
    for side in ("up", "down")
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor of the new file: ``source`` in the old one, or its rows from ``rows[0]`` up to before ``rows[1]``."""

    name: str
    source: str
    rows: tuple[int, int] | None = None

    def tensor(self, old: Mapping[str, Tensor]) -> Tensor:
        """Return its type and sizes by those of the old file."""
        given = old[self.source]
        return replace(given, shape=(self.rows[1] - self.rows[0], *given.shape[1:])) if self.rows else given


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a new file has: all tensors of the old one, some by another name, in parts or merged.

    ``refused`` are sentences on what stays as it is though it would not load.
    """

    pieces: tuple[Piece | Merged, ...] = field(repr=False)
    renamed: int = 0
    split: int = 0
    merged: int = 0
    refused: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is done, in a few words."""
        done = [f"{counted(self.renamed, 'module')} renamed"] if self.renamed else []
        done += [f"{counted(self.split, 'fused module')} split"] if self.split else []
        done += [f"{counted(self.merged, 'module')} merged"] if self.merged else []
        return ", ".join(done)

    def tensors(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return types and sizes of the new file's tensors."""
        return {piece.name: piece.tensor(old) for piece in self.pieces}


def convert(
    tensors: Mapping[str, Tensor], tables: tuple[KeyTable, ...], taken: Container[str] | None = None
) -> Conversion | None:
    """Return how a LoRA is made to load; None where nothing of it has to, or can, be changed.

    Args:
        tensors: those of its file.
        tables: the rows of its base model's family.
        taken: the keys that ComfyUI takes for the model; by default those of these rows.
    """
    keys = table_keys(tables) if taken is None else taken
    found, _ = modules_of(tensors)
    layers = _layers(found, tables, keys)
    apart = {each.name for layer in layers for each in layer.modules}
    plans = [_plan(module, tables, keys) for module in found if module.name not in keys and module.name not in apart]
    refused = tuple(
        dict.fromkeys(
            [plan for plan in plans if isinstance(plan, str)] + [each.refusal for each in layers if each.refusal]
        )
    )
    taken_names = {module.name for module in found}
    moved: list[_Plan] = []
    for plan in plans:
        if isinstance(plan, _Plan) and taken_names.isdisjoint(plan.targets):
            taken_names.update(plan.targets)
            moved.append(plan)
    whole = [layer for layer in layers if layer.pieces]
    if not moved and not whole and not refused:
        return None
    split = sum(len(plan.targets) > 1 for plan in moved)
    merged_count = sum(len(layer.modules) for layer in whole)
    return Conversion(tuple(_pieces(tensors, moved, whole)), len(moved) - split, split, merged_count, refused)


def _pieces(
    tensors: Mapping[str, Tensor], moved: Sequence[_Plan], layers: Sequence[_Layer]
) -> Iterator[Piece | Merged]:
    """Yield the tensors of the new file in the order of the old one's."""
    made: dict[str, Sequence[Piece | Merged]] = {source: pieces for plan in moved for source, pieces in plan.pieces()}
    for layer in layers:
        sources = [module.name + end for module in layer.modules for end in module.tensors]
        made |= dict.fromkeys(sources, ()) | {sources[0]: layer.pieces}
    for name in tensors:
        yield from made.get(name, [Piece(name, name)])


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of a module: its new name, or those of its parts with the share of rows that each has."""

    module: Module
    targets: tuple[str, ...]
    shares: tuple[int, ...] = ()

    def pieces(self) -> Iterator[tuple[str, list[Piece]]]:
        """Yield the name of each old tensor with the new ones."""
        for end, tensor in self.module.tensors.items():
            yield self.module.name + end, self._parts(end, tensor)
        for end in self.module.unread:  # of modules with one new name
            yield self.module.name + end, [Piece(self.targets[0] + end, self.module.name + end)]

    def _parts(self, end: str, tensor: Tensor) -> list[Piece]:
        source, own = self.module.name + end, _ENDS.get(end, end)
        if len(self.targets) == 1 or end in _SHARED:
            return [Piece(target + own, source) for target in self.targets]
        borders = [
            tensor.shape[0] * sum(self.shares[:place]) // sum(self.shares) for place in range(len(self.shares) + 1)
        ]
        return [
            Piece(target + own, source, (borders[place], borders[place + 1]))
            for place, target in enumerate(self.targets)
        ]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Modules that are parts of one layer, with what becomes of them, or why nothing can."""

    modules: tuple[Module, ...]
    pieces: tuple[Merged, ...] = ()
    refusal: str = ""


def _layers(found: Sequence[Module], tables: tuple[KeyTable, ...], keys: Container[str]) -> list[_Layer]:
    """Return the layers that have to be merged of several modules."""
    made: dict[str, tuple[list[Module | None], tuple[int, ...]]] = {}
    parts = _parts_of_layers(tables)
    for module in found:
        part = next((parts[name] for name in _bare(module.name) if name in parts), None) if parts else None
        if part and part.key in keys:
            made.setdefault(part.key, ([None] * len(part.rows), part.rows))[0][part.place] = module
    return [_layer(key, modules, rows) for key, (modules, rows) in made.items()]


def _layer(key: str, parts: Sequence[Module | None], rows: tuple[int, ...]) -> _Layer:
    modules = tuple(each for each in parts if each)
    pieces = merged(key, parts, rows)
    if pieces is not None:
        return _Layer(modules, tuple(pieces))
    return _Layer(
        modules,
        refusal=f"{modules[0].name} and its like are parts of one layer that cannot be merged without a change: train a"
        " LoRA with one rank.",
    )


class _Part(NamedTuple):
    """A part of a layer: its key, which part, and the rows of all."""

    key: str
    place: int
    rows: tuple[int, ...]


@lru_cache(maxsize=32)
def _parts_of_layers(tables: tuple[KeyTable, ...]) -> Mapping[str, _Part]:
    """Return the parts of layers that are merged, by their names with underscores."""
    made: dict[str, _Part] = {}
    known = _names(tables)
    for architecture in (each for table in tables for each in table.architectures):
        layers, rows = MERGED.get(architecture, ({}, ()))
        for layer, parts in layers.items():
            for name, key in known.items():
                if match := _pattern(layer).fullmatch(name):
                    made |= {
                        part.replace(".", "_").replace("#", match[1]): _Part(key, place, rows)
                        for place, part in enumerate(parts)
                    }
    return made


def _plan(module: Module, tables: tuple[KeyTable, ...], keys: Container[str]) -> _Plan | str | None:
    """Return what becomes of a module that does not load; why nothing can, and None where its name is unknown."""
    if TEXT.match(module.name):
        return None
    for name in _bare(module.name):
        if (key := _names(tables).get(name)) and key in keys:
            return _Plan(module, (key,))
        for end, parts in FUSED:
            targets = [_names(tables).get(name.removesuffix(end) + part, "") for part in parts]
            if name.endswith(f"_{end}") and all(target and target in keys for target in targets):
                plan = _Plan(module, tuple(targets), _shares(tables, name, len(parts)))
                return plan if _is_exact(module, plan.shares) else _refusal(module)
    return None


def _bare(name: str) -> Iterator[str]:
    """Yield a module's name with underscores, without what may stand before it."""
    yield name.replace(".", "_").replace("_processor_", "_")
    for _ in range(_MOST_PREFIXES):
        prefix = next((each for each in _PREFIXES if name.startswith(each)), "")
        if not prefix:
            return
        name = name[len(prefix) :]
        yield name.replace(".", "_").replace("_processor_", "_")


def _shares(tables: tuple[KeyTable, ...], name: str, parts: int) -> tuple[int, ...]:
    of = {each for table in tables for each in table.architectures}
    return next(
        (shares for each, pattern, shares in SHARES if each in of and re.fullmatch(pattern, name)), (1,) * parts
    )


def _is_exact(module: Module, shares: Sequence[int]) -> bool:
    """Say whether the rows of a fused module can be taken apart without changing what it does."""
    whole = sum(shares)
    return not module.unread and all(_splits(end, each, module, whole) for end, each in module.tensors.items())


def _splits(end: str, tensor: Tensor, module: Module, whole: int) -> bool:
    if end in _SHARED:
        return True
    even = bool(tensor.shape) and tensor.shape[0] % whole == 0
    if end == ".dora_scale":  # a norm for each row; one for each column is of all rows
        size = module.size
        return even and size is not None and tensor.shape[0] == size[0]
    return even and end in _ROWS | _KRONECKER_ROWS


def _refusal(module: Module) -> str:
    return (
        f"{module.name} and its like are fused projections that cannot be split without a change: train without fused"
        " projections."
    )


@lru_cache(maxsize=32)
def _names(tables: tuple[KeyTable, ...]) -> Mapping[str, str]:
    """Return the key to give a module, by its name with underscores."""
    found: dict[str, str] = {}
    known = table_keys(tables)
    for table in tables:
        for names in table.denoiser:
            for name in expand(names.names) if not names.processor else ():
                found.setdefault(name.replace(".", "_"), _key(name, names.forms[0], known))
        for architecture in table.architectures:
            found.update(_foreign(architecture, found))
    return found


def _key(name: str, form: str, known: Container[str]) -> str:
    """Return the key of a module: ComfyUI's own form where it takes that, else the first one that it takes."""
    if (own := NATIVE[0] + name) in known:
        return own
    return form + (name.replace(".", "_") if form.endswith("_") else name)


def _pattern(ours: str) -> re.Pattern[str]:
    return re.compile(re.escape(ours.replace(".", "_")).replace(r"\#", r"(\d+)"))


def _foreign(architecture: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the names of another program, with the keys of the same layers; for every number that the model has."""
    made: dict[str, str] = {}
    for theirs, ours in FOREIGN.get(architecture, {}).items():
        pattern = _pattern(ours)
        for name, key in known.items():
            if match := pattern.fullmatch(name):
                number = match[1] if "#" in ours else ""
                made[theirs.replace(".", "_").replace("#", number)] = key
    return made
