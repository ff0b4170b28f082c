"""The command that opens the caption panel as a page of its own."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...panel.access import Access
from ...panel.serve import serve
from ...panel.state import PanelContext
from ...panel.thumbnails import cache_folder
from ...settings import load_settings
from ...workflow.dataset import open_store
from .. import ending
from ..comfyui_folders import named_models
from ..demo import LIBRARY
from .exports import root_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine

    from ...panel.access import Addresses
    from ..console import Screen


_COLLECT_AFTER = 10_000
"""New objects after which the collector looks; with Python's 700 (2,000 from 3.13) it takes a third of a bulk edit."""

_TURN = 0.001
"""Seconds that a thread computes while others wait, in place of Python's 0.005: an edit asks the store some 20 things,
and may wait so long after each. While the summary of 10,000 images is worked out it takes 40 ms, not 70."""


def _panel(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings).with_library(LIBRARY)
    # The process is ours; ComfyUI's is not.
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    sys.setswitchinterval(_TURN)

    def ready(addresses: Addresses) -> None:
        screen.step("Panel", f"{addresses.printed} (Ctrl-C ends it)")
        if not options.no_browser:
            # A browser of the terminal's keeps its caller waiting, while the page waits for us.
            threading.Thread(target=webbrowser.open, args=[addresses.once], daemon=True).start()

    with open_store(settings) as store:
        context = PanelContext(
            "page",
            lambda: settings,
            lambda: store,
            lambda: root_of(options, settings).resolve(),
            cache_folder(),
            models=named_models,
        )
        with suppress(KeyboardInterrupt, asyncio.CancelledError):  # the usual end: what was written is in the store
            asyncio.run(_until_interrupted(serve(context, Access(), options.port, ready)))
    return 0


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Do what a coroutine does until this program is to end."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end() -> None:
        with suppress(RuntimeError):  # the loop is closed: it has ended already
            loop.call_soon_threadsafe(lambda: task and task.cancel())

    with ending.announced(end):
        await work


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"panel": _panel}
