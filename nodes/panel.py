"""The caption panel in ComfyUI: its routes on ComfyUI's server; what they do is the core's matter."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from ..lorads_core.panel.api_spec import TABLE
from . import core, host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from ..lorads_core.panel.routes import Panel


def mount() -> None:
    """Put the panel's routes on ComfyUI's server; nothing is imported or opened before the first request.

    A ComfyUI without a server (a script that imports it) has no panel.
    """
    from server import PromptServer  # noqa: PLC0415 - a module of ComfyUI's own

    server = getattr(PromptServer, "instance", None)
    if server is not None:
        for method, path, name, _ in TABLE:
            server.routes.route(method, path)(_answering(name))


def _answering(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        panel = await asyncio.to_thread(_panel)
        return await panel.handler(name)(request)

    return answer


@cache
def _panel() -> Panel:
    around = core.state.PanelContext(
        "comfyui",
        host.settings,
        host.store,
        host.export_root,
        core.thumbnails.cache_folder(),
        host.free_memory,
        host.models,
    )
    return core.routes.Panel(core.state.PanelState(around))
