"""The commands by name; each takes the words that `cli` has parsed, and says on the screen what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import captions, exports, panel, runs, store
from . import curation as judge
from . import library as curate
from . import workflow as story

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..console import Screen

COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    **story.COMMANDS,
    **captions.COMMANDS,
    **exports.COMMANDS,
    **runs.COMMANDS,
    **panel.COMMANDS,
    **curate.COMMANDS,
    **judge.COMMANDS,
    **store.COMMANDS,
}
