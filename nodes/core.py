"""The core's heavy modules, imported when a node first runs: with us, ComfyUI starts no slower than without."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from ..lorads_core.export import plan
    from ..lorads_core.images import graph_images as kept_pictures
    from ..lorads_core.library import filter as filters
    from ..lorads_core.library import index, walk
    from ..lorads_core.lora_tests import archive as kept
    from ..lorads_core.lora_tests import scores, training_set, variants
    from ..lorads_core.panel import routes as panel
    from ..lorads_core.panel import state as desk
    from ..lorads_core.panel import thumbnails
    from ..lorads_core.regularization import rules as finder
    from ..lorads_core.vision.similarity import band, picking
    from ..lorads_core.workflow import captions as captioning
    from ..lorads_core.workflow import dataset as build
    from ..lorads_core.workflow import parse as inputs
    from ..lorads_core.workflow import plots as drawn
    from ..lorads_core.workflow import training

__all__ = [
    "band",
    "build",
    "captioning",
    "desk",
    "drawn",
    "filters",
    "finder",
    "index",
    "inputs",
    "kept",
    "kept_pictures",
    "panel",
    "picking",
    "plan",
    "scores",
    "thumbnails",
    "training",
    "training_set",
    "variants",
    "walk",
]

_MODULES = {
    "band": "selection.band",
    "build": "build",
    "captioning": "captioning",
    "desk": "panel.desk",
    "drawn": "drawn",
    "filters": "library.filter",
    "finder": "finder.rules",
    "index": "library.index",
    "inputs": "inputs",
    "kept": "trials.kept",
    "kept_pictures": "images.kept",
    "panel": "panel.routes",
    "picking": "selection.picking",
    "plan": "export.plan",
    "scores": "trials.scores",
    "thumbnails": "panel.thumbnails",
    "training": "training",
    "training_set": "trials.training_set",
    "variants": "trials.variants",
    "walk": "library.walk",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"..lorads_core.{_MODULES[name]}", __package__)
