"""The commands that back up the embedded store and restore it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...settings import load_settings
from ...store.backup import restore_backup, write_backup

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from ..console import Screen


def _embedded_folder(options: argparse.Namespace) -> Path | None:
    settings = load_settings(options.settings)
    if settings.dsn is not None:
        raise SettingsError(
            f"The store {settings.store!r} is a server of its own: back it up with its own pg_dump, as its other"
            " databases."
        )
    return settings.embedded_folder


def _backup(options: argparse.Namespace, screen: Screen) -> int:
    write_backup(_embedded_folder(options), options.file)
    screen.step("Backup", f"{options.file}, {options.file.stat().st_size:,} bytes")
    return 0


def _restore(options: argparse.Namespace, screen: Screen) -> int:
    restore_backup(_embedded_folder(options), options.file)
    screen.step("Restored", str(options.file))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"backup": _backup, "restore": _restore}
