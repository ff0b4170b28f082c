"""The commands by name, and the module of each: only the module of the command that runs is imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..console import Screen

# Importing all of them takes half a second longer, most of it for the web server of the panel.
MODULES: dict[str, tuple[str, ...]] = {
    "workflow": ("index", "build", "demo"),
    "existing_sets": ("check", "import"),
    "captions": ("captions", "lint"),
    "datasets": ("datasets", "rename", "remove"),
    "exports": ("combine", "export", "diff", "verify"),
    "runs": ("train", "runs", "stop", "offer", "lora"),
    "checkpoints": ("checkpoints",),
    "trainers": ("trainers",),
    "panel": ("panel",),
    "library": ("libraries", "query", "embed", "tag", "regularize"),
    "curation": ("rate", "mark", "album", "cluster", "unindex"),
    "store": ("backup", "restore"),
    "init": ("init",),
    "completion": ("completion",),
}
COMMANDS: dict[str, str] = {command: module for module, commands in MODULES.items() for command in commands}
"""The module of each command."""


def run(options: argparse.Namespace, screen: Screen) -> int:
    """Run the command that was parsed into ``options``, and say on the screen what it does; return its exit code."""
    name: str = options.name_of_command
    module = import_module(f".{COMMANDS[name]}", __name__)
    command: Callable[[argparse.Namespace, Screen], int] = module.COMMANDS[name]
    return command(options, screen)
