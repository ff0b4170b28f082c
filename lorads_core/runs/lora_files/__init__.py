"""LoRA files by their keys: what ComfyUI will load of them, and how those that load in part are converted."""

from __future__ import annotations

from .conversion import Conversion, Piece, convert
from .coverage import Coverage, KindCount, coverage, coverage_of_facts
from .loading import Loading, loading
from .lookup import family_tables, model_tables, table_keys
from .merging import Merged, alpha_of

__all__ = [
    "Conversion", "Coverage", "KindCount", "Loading", "Merged", "Piece", "alpha_of",
    "convert", "coverage", "coverage_of_facts",
    "family_tables", "loading", "model_tables", "table_keys",
]  # fmt: skip
