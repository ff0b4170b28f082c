"""Folder of all exports: where commands write and look for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from ..settings import Settings


def root_of(options: argparse.Namespace, settings: Settings) -> Path:
    """Return the folder of all exports."""
    return options.out or usual_root(settings)


def usual_root(settings: Settings) -> Path:
    """Return the folder of all exports where a command names none."""
    return settings.export_root or Path("lorads-exports")
