"""Sidecars: the text files beside images, from `cat.txt` to `metadata.jsonl`; they are read, and none is written."""

from __future__ import annotations

from .read import read_sidecar
from .rule import Reading, SidecarRule

__all__ = ["Reading", "SidecarRule", "read_sidecar"]
