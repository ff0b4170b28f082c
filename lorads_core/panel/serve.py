"""The panel as a page of its own: served on this machine alone, until it is interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from ..errors import SettingsError
from .desk import Desk
from .routes import WEB, Panel
from .table import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from .desk import Surroundings

HOST = "127.0.0.1"
_LAST_PORT = 65_535
_MOMENT = 0.02  # seconds
_PATIENCE = 1.0  # seconds for what is being answered when it ends


def application(desk: Desk) -> web.Application:
    """Return the panel with its page as an application of aiohttp."""
    panel = Panel(desk)
    found = web.Application()
    found.add_routes([*panel.routes(), *panel.page()])

    async def close(_application: web.Application) -> None:
        desk.close()

    found.on_shutdown.append(close)
    return found


async def serve(surroundings: Surroundings, port: int, ready: Callable[[str], None]) -> None:
    """Serve the panel until this is cancelled; ``ready`` is told its address.

    Raises:
        SettingsError: the port is taken or none, or the page's files are not there.
    """
    if not 0 <= port <= _LAST_PORT:
        raise SettingsError(f"There is no port {port}: give one up to {_LAST_PORT}, or 0 for one that is free.")
    if not (WEB / "panel").is_dir():
        raise SettingsError(f"The panel's page is not in {WEB}: run LoRADS from its own folder (git clone).")
    runner = web.AppRunner(application(Desk(surroundings)), shutdown_timeout=_PATIENCE, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    try:
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"Port {port} of {HOST} cannot be used ({error.strerror}): give another.") from error
        ready(f"http://{HOST}:{runner.addresses[0][1]}{PREFIX}/")
        await asyncio.Event().wait()
    finally:
        if site in runner.sites:
            await site.stop()
        # What was accepted just now is known to the runner a moment later, and what is closed ends a moment later.
        await asyncio.sleep(_MOMENT)
        await runner.cleanup()
        await asyncio.sleep(_MOMENT)
