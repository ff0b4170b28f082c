"""Our socket types: what flows between our nodes; the values are the core's."""

from __future__ import annotations

from typing import NamedTuple

from comfy_api.latest import io

CATEGORY = "LoRADS"

LibrarySocket = io.Custom("LORADS_LIBRARY")
DatasetSocket = io.Custom("LORADS_DATASET")
ConfigSocket = io.Custom("LORADS_CONFIG")
ExportSocket = io.Custom("LORADS_EXPORT")
RunSocket = io.Custom("LORADS_RUN")


class LibraryFolder(NamedTuple):
    """A folder of a library: what Index Images has just brought up to date."""

    library: str
    folder: str
