"""The panel as a page of its own: served on this machine alone, until it is interrupted."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from ..errors import SettingsError
from .api_spec import PREFIX
from .reading import look_ahead
from .routes import WEB, Panel
from .state import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import Surroundings

HOST = "127.0.0.1"
_LAST_PORT = 65_535
_TURNS = 10  # of the loop; what is accepted or closed has gone all its ways after three or four
_PATIENCE = 1.0  # seconds for what is being answered when it ends


def application(desk: Desk) -> web.Application:
    """Return the panel with its page as an application of aiohttp."""
    panel = Panel(desk)
    found = web.Application()
    found.add_routes([*panel.routes(), *panel.page()])

    async def close(_application: web.Application) -> None:
        desk.close()

    async def finish(_application: web.Application) -> None:
        await asyncio.to_thread(panel.finish)

    found.on_shutdown.append(close)
    found.on_cleanup.append(finish)
    return found


async def serve(surroundings: Surroundings, port: int, ready: Callable[[str], None]) -> None:
    """Serve the panel until this is cancelled; ``ready`` is told its address.

    Raises:
        SettingsError: the port is taken or none, or the page's files are not there.
    """
    if not 0 <= port <= _LAST_PORT:
        raise SettingsError(f"There is no port {port}: give one up to {_LAST_PORT}, or 0 for one that is free.")
    if not (WEB / "panel").is_dir():
        raise SettingsError(f"The panel's page is not in {WEB}: install LoRADS again, or clone it again.")
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise SettingsError(f"Port {port} of {HOST} cannot be used ({error.strerror}): give another.") from error
    with listening:
        desk = Desk(surroundings)
        runner = web.AppRunner(application(desk), shutdown_timeout=_PATIENCE, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            ready(f"http://{HOST}:{listening.getsockname()[1]}{PREFIX}/")
            desk.threads.submit(look_ahead, desk)
            await asyncio.Event().wait()
        finally:
            await _end(runner, listening)


async def _end(runner: web.AppRunner, listening: socket.socket) -> None:
    """Accept nobody any more, and close what is open; asyncio leaves open what it has just accepted (Python 3.11)."""
    with suppress(NotImplementedError):  # Windows' loop
        asyncio.get_running_loop().remove_reader(listening)
    await _turns()
    transports = [each.transport for each in runner.server.connections] if runner.server else []
    await runner.cleanup()
    for transport in transports:
        if transport:
            transport.abort()  # its reader may be gone, and it would wait for it
    await _turns()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
