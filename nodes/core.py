"""The core's heavy modules, imported when a node first runs: with us, ComfyUI starts no slower than without."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from ..lorads_core import build, captioning, drawn, inputs, training, trials
    from ..lorads_core.export import plan
    from ..lorads_core.finder import rules as finder
    from ..lorads_core.library import filter as filters
    from ..lorads_core.library import index, walk
    from ..lorads_core.selection import band, picking

__all__ = [
    "band",
    "build",
    "captioning",
    "drawn",
    "filters",
    "finder",
    "index",
    "inputs",
    "picking",
    "plan",
    "training",
    "trials",
    "walk",
]

_MODULES = {
    "band": "selection.band",
    "build": "build",
    "captioning": "captioning",
    "drawn": "drawn",
    "filters": "library.filter",
    "finder": "finder.rules",
    "index": "library.index",
    "inputs": "inputs",
    "picking": "selection.picking",
    "plan": "export.plan",
    "training": "training",
    "trials": "trials",
    "walk": "library.walk",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"..lorads_core.{_MODULES[name]}", __package__)
