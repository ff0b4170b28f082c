"""Lookup of key tables: by a family of ours, or by the keys that a model of ComfyUI takes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ...checkpoints.architectures import ARCHITECTURES
from .key_table import NATIVE
from .key_tables import KEY_TABLES
from .names import expand

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from .key_table import KeyTable

_FEW = 0.25  # of a row's modules: klein has half the blocks of FLUX.2 dev


def key_table(architecture: str) -> KeyTable | None:
    """Return the row of an architecture; None where there is none."""
    return next((each for each in KEY_TABLES if architecture in each.architectures), None)


def family_tables(family: str) -> tuple[KeyTable, ...]:
    """Return the rows of a family's architectures; none where ComfyUI's keys for it are not known."""
    names = {each.name for each in ARCHITECTURES if family in each.families}
    return tuple(table for table in KEY_TABLES if names.intersection(table.architectures))


def model_tables(keys: Container[str]) -> tuple[KeyTable, ...]:
    """Return the row whose modules a model of ComfyUI has, by the keys that it takes; none where it has few of any."""
    shares = [(_share(table, keys), len(expand(table.native)), table) for table in KEY_TABLES]
    best, _, table = max(shares, key=lambda each: each[:2])  # where one has all modules of another, the larger one
    return (table,) if best >= _FEW else ()


def _share(table: KeyTable, keys: Container[str]) -> float:
    names = expand(table.native)
    return sum(NATIVE[0] + name in keys for name in names) / len(names)


@lru_cache(maxsize=32)
def table_keys(tables: tuple[KeyTable, ...]) -> Mapping[str, None]:
    """Return the keys that ComfyUI takes by these rows, for the largest variant of each."""
    named = (names for table in tables for names in (*table.denoiser, *table.texts))
    return dict.fromkeys(key for names in named for key in names.keys())  # noqa: SIM118 - it is no dict
