"""The command that says what model files are: their architecture, base model, precision and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...problems import counted
from ...settings import load_settings
from ..model_list import list_models

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ..console import Screen
    from ..model_list import ListedModel


def _checkpoints(options: argparse.Namespace, screen: Screen) -> int:
    """List model files; the exit code is 1 where one is cut off or damaged."""
    load_settings(options.settings)  # its base models
    notes: list[str] = []
    found = list(list_models(options.paths, notes.append))
    if options.json:
        screen.results_only()
        screen.json([each.facts() for each in found])
    else:
        _show(found, screen)
    for note in notes:
        screen.notice(note)
    return 1 if any(each.is_damaged for each in found) else 0


def _show(found: Sequence[ListedModel], screen: Screen) -> None:
    for each in found:
        if each.is_damaged:
            screen.finding("error", each.fault)
        else:
            screen.line(each.fault or f"{each.path}: {each.text}")  # a fault names the file
    others = sum(each.found is None for each in found)
    counts = counted(len(found) - others, "model"), *([counted(others, "other file")] if others else [])
    screen.line(" and ".join(counts))


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"checkpoints": _checkpoints}
