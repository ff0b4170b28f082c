"""The command that opens the caption panel as a page of its own."""

from __future__ import annotations

import asyncio
import webbrowser
from typing import TYPE_CHECKING

from ..build import open_store
from ..demo import LIBRARY
from ..panel.desk import Surroundings
from ..panel.serve import serve
from ..panel.thumbnails import cache_folder
from ..settings import load_settings
from .exports import root_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..show import Screen


def _panel(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)

    def ready(address: str) -> None:
        screen.step("Panel", f"{address} (Ctrl-C ends it)")
        if not options.no_browser:
            webbrowser.open(address)

    with open_store(settings) as store:
        surroundings = Surroundings(
            "page", lambda: settings, lambda: store, lambda: root_of(options, settings).resolve(), cache_folder()
        )
        asyncio.run(serve(surroundings, options.port, ready))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"panel": _panel}
