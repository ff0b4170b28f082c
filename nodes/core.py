"""Lazy imports of the core's heavy modules: a ComfyUI with this pack starts no slower than one without."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from ..lorads_core.export import plan
    from ..lorads_core.images import graph_images
    from ..lorads_core.library import days, index, walk
    from ..lorads_core.library import filter as filters
    from ..lorads_core.lora_tests import archive, scores, training_set, variants
    from ..lorads_core.panel import routes, state, thumbnails
    from ..lorads_core.regularization import rules
    from ..lorads_core.runs import lora_files
    from ..lorads_core.vision.similarity import band, picking
    from ..lorads_core.workflow import captions, dataset, duplicates, parse, plots, training

__all__ = [
    "archive",
    "band",
    "captions",
    "dataset",
    "days",
    "duplicates",
    "filters",
    "graph_images",
    "index",
    "lora_files",
    "parse",
    "picking",
    "plan",
    "plots",
    "routes",
    "rules",
    "scores",
    "state",
    "thumbnails",
    "training",
    "training_set",
    "variants",
    "walk",
]

_MODULES = {
    "archive": "lora_tests.archive",
    "band": "vision.similarity.band",
    "captions": "workflow.captions",
    "dataset": "workflow.dataset",
    "days": "library.days",
    "duplicates": "workflow.duplicates",
    "filters": "library.filter",
    "graph_images": "images.graph_images",
    "index": "library.index",
    "lora_files": "runs.lora_files",
    "parse": "workflow.parse",
    "picking": "vision.similarity.picking",
    "plan": "export.plan",
    "plots": "workflow.plots",
    "routes": "panel.routes",
    "rules": "regularization.rules",
    "scores": "lora_tests.scores",
    "state": "panel.state",
    "thumbnails": "panel.thumbnails",
    "training": "workflow.training",
    "training_set": "lora_tests.training_set",
    "variants": "lora_tests.variants",
    "walk": "library.walk",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"..lorads_core.{_MODULES[name]}", __package__)
