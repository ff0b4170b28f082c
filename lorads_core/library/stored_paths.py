"""Paths of our own index by ``[libraries.NAME.paths]``: stored as one machine writes them, used as they are here.

A share that machines mount at different paths is so one set of images. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .pathmap import PathMap, is_windows_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeVar

    from ..store.images import ImageRow

    V = TypeVar("V")


@dataclass(frozen=True)
class StoredPaths:
    """What is stored for paths here, and the other way round; without rules both are the same."""

    paths: PathMap = field(default_factory=PathMap)

    @property
    def is_plain(self) -> bool:
        """Whether paths are stored as they are here."""
        return not self.paths.rules

    def folder(self, here: str) -> str:
        """Return what is stored for a folder here."""
        return _folder(self.paths.inverse, here)

    def local_folders(self, stored: Iterable[str]) -> dict[str, str]:
        """Return stored folders by what they are here."""
        return {_folder(self.paths, folder): folder for folder in stored}

    def local_files(self, stored: Mapping[str, V]) -> dict[str, V]:
        """Return values by what their stored paths are here."""
        return {self.paths.local(path): value for path, value in stored.items()}

    def rows(self, here: list[ImageRow]) -> list[ImageRow]:
        """Return rows as they are to be stored."""
        if self.is_plain:
            return here
        inverse = self.paths.inverse
        return [replace(row, path=inverse.local(row.path), folder=_folder(inverse, row.folder)) for row in here]


def _folder(paths: PathMap, folder: str) -> str:
    """Map a folder by a file in it: rules are for files."""
    separator = "\\" if is_windows_path(folder) else "/"
    file = f"{folder.rstrip(separator)}{separator}x"
    mapped = paths.local(file)
    return folder if mapped == file else mapped[:-2] or mapped[:1]
