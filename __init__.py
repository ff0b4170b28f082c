"""What ComfyUI loads: the nodes and the folder of browser modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> ComfyExtension:
    """Return our nodes, as ComfyUI's V3 API asks for them."""
    from .nodes import LoradsExtension  # noqa: PLC0415 - the pack must be importable, e.g. by a test, without ComfyUI

    return LoradsExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
