"""The panel as a standalone web server (``lorads panel``), on localhost only."""

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
from .state import PanelState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access import Access, Addresses
    from .state import PanelContext

HOST = "127.0.0.1"
_LAST_PORT = 65_535
_TURNS = 10  # of the event loop; accepting and closing take three or four
_PATIENCE = 1.0  # seconds for open requests at shutdown


def application(state: PanelState, access: Access) -> web.Application:
    """Return the panel and its page as an aiohttp application that only ``access`` opens."""
    panel = Panel(state, access)
    found = web.Application()
    found.add_routes([*panel.routes(), *panel.page()])

    async def close(_application: web.Application) -> None:
        state.close()

    async def finish(_application: web.Application) -> None:
        await asyncio.to_thread(panel.finish)

    found.on_shutdown.append(close)
    found.on_cleanup.append(finish)
    return found


async def serve(context: PanelContext, access: Access, port: int, ready: Callable[[Addresses], None]) -> None:
    """Serve the panel until cancelled; ``ready`` is called with the addresses that open its page.

    Raises:
        SettingsError: the port is in use or invalid, or the page's files are missing.
    """
    if not 0 <= port <= _LAST_PORT:
        raise SettingsError(f"{port} is not a valid port: use one up to {_LAST_PORT}, or 0 for a free one.")
    if not (WEB / "panel").is_dir():
        raise SettingsError(f"The panel's page is not in {WEB}: install LoRADS again, or clone it again.")
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise SettingsError(f"Port {port} of {HOST} cannot be used ({error.strerror}): choose another.") from error
    with listening:
        state = PanelState(context)
        runner = web.AppRunner(application(state, access), shutdown_timeout=_PATIENCE, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            ready(access.addresses(f"http://{HOST}:{listening.getsockname()[1]}{PREFIX}/"))
            state.store_pool.submit(look_ahead, state)
            await asyncio.Event().wait()
        finally:
            await _end(runner, listening)


async def _end(runner: web.AppRunner, listening: socket.socket) -> None:
    """Stop accepting and close all connections; asyncio leaves just accepted ones open (Python 3.11)."""
    with suppress(NotImplementedError):  # Windows' loop
        asyncio.get_running_loop().remove_reader(listening)
    await _turns()
    transports = [each.transport for each in runner.server.connections] if runner.server else []
    await runner.cleanup()
    for transport in transports:
        if transport:
            transport.abort()  # close() would wait for a reader that may be gone
    await _turns()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
