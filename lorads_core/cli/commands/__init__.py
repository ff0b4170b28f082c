"""The commands by name; each takes the words that `cli` has parsed, and says on the screen what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import captions, curation, exports, library, panel, runs, store, workflow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..console import Screen

COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    **workflow.COMMANDS,
    **captions.COMMANDS,
    **exports.COMMANDS,
    **runs.COMMANDS,
    **panel.COMMANDS,
    **library.COMMANDS,
    **curation.COMMANDS,
    **store.COMMANDS,
}
