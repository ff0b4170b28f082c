"""The command ``completion``: prints a shell's completion script, and for such a script the user's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base_models import base_model_names
from ...settings import load_settings
from ...system.paths import MANIFEST
from ..completion import commands_of
from ..completion.shells import SCRIPTS
from ..parser import parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from ...settings import Settings
    from ..completion import ListName
    from ..console import Screen


def _completion(options: argparse.Namespace, screen: Screen) -> int:
    if options.list:
        for name in LISTS[options.list](load_settings(options.settings)):
            screen.row(name)
        return 0
    screen.out.file.write(SCRIPTS[options.shell](commands_of(parser(_completion, _completion))))
    return 0


def _exports(settings: Settings) -> list[str]:
    """Return the names of the exports in the folder of all exports, none where it cannot be listed."""
    try:
        return sorted(each.name for each in settings.command_exports.iterdir() if (each / MANIFEST).is_file())
    except OSError:
        return []


LISTS: dict[ListName, Callable[[Settings], Iterable[str]]] = {
    "base-models": lambda _: base_model_names(),
    "embedders": lambda settings: (each.name for each in settings.embedders),
    "exports": _exports,
    "libraries": lambda settings: (each.name for each in settings.libraries),
    "taggers": lambda settings: (each.name for each in settings.taggers),
    "trainers": lambda settings: (each.name for each in settings.trainers),
    "vocabularies": lambda settings: (each.name for each in settings.vocabularies),
}
"""What ``--list`` prints: only what the settings file and a folder say. Datasets are not, as they need the store."""

COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"completion": _completion}
