"""The files of a layout's folders, sorted out by what their trainer does with them; only names are read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...images.formats import SUFFIXES
from ...library.mask_names import MASK_FOLDER, is_beside_an_image, stem_of
from ...library.walk import suffix_of
from ...system.links import is_link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...library.layouts import ImageFolder, Layout

_MASKS_OF_ONETRAINER = ("-masklabel", "-condlabel")
_TEXTS = frozenset({".txt", ".caption", ".cap", ".json", ".jsonl", ".csv", ".toml", ".yaml", ".yml", ".xmp"})
_OF_PROGRAMS = frozenset({".npz", ".safetensors", ".pt", ".ini", ".db", ".md", ".log", ".lnk"})
"""Caches and lists that programs leave behind."""


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """What is in a folder: ``images`` are those that the trainer takes, by their paths.

    ``masks`` are images that are masks by their names, ``skipped_masks`` those of them that the trainer knows as such
    (they are not in ``images``). ``unread`` are image files of kinds that it does not read, ``below`` those in
    subfolders that it does not look into. ``other`` counts all other files by suffix. ``texts`` are text files.
    """

    folder: ImageFolder
    images: tuple[str, ...]
    masks: frozenset[str]
    skipped_masks: tuple[str, ...]
    unread: tuple[str, ...]
    below: tuple[str, ...]
    texts: frozenset[str]
    other: Mapping[str, int]
    unlisted: tuple[str, ...]


def folder_files(layout: Layout, folder: ImageFolder, trainer: str) -> FolderFiles:
    """Sort out what is in one folder of a layout."""
    unlisted: list[str] = []
    paths = sorted(_files(folder.path, unlisted)) if folder.exists else []
    inside = [path for path in paths if folder.subfolders or os.path.dirname(path) == str(folder.path)]  # noqa: PTH120
    images = [path for path in inside if suffix_of(path) in SUFFIXES]
    masks = frozenset(_masks(images))
    known = _MASKS_OF_ONETRAINER if trainer == "onetrainer" else ()
    skipped = {path for path in masks if known and stem_of(path).endswith(known)}
    read = {path for path in images if _is_read(path, layout, trainer)}
    trained = read - skipped
    others = Counter(suffix_of(path) for path in inside if suffix_of(path) not in SUFFIXES | _TEXTS | _OF_PROGRAMS)
    outside = set(paths) - set(inside)
    return FolderFiles(
        folder,
        tuple(path for path in images if path in trained),
        masks - skipped,
        tuple(sorted(skipped)),
        tuple(path for path in images if path not in read),
        tuple(sorted(path for path in outside if suffix_of(path) in SUFFIXES)),
        frozenset(path for path in inside if suffix_of(path) in _TEXTS),
        others,
        tuple(unlisted),
    )


def outside_files(layout: Layout) -> tuple[str, ...]:
    """Return the images directly in the folder that was given, which none of its numbered folders holds."""
    root = layout.source
    if layout.source in {folder.path for folder in layout.folders} or not root.is_dir():
        return ()
    with os.scandir(root) as entries:
        return tuple(sorted(entry.path for entry in entries if suffix_of(entry.name) in SUFFIXES and entry.is_file()))


def _files(root: Path, unlisted: list[str]) -> Iterator[str]:
    """Yield all files below a folder; links are not followed, and folders that cannot be read are noted."""
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        if not is_link(entry):
                            pending.append(entry.path)
                    elif entry.is_file():
                        yield entry.path
        except OSError:
            unlisted.append(folder)


def _is_read(path: str, layout: Layout, trainer: str) -> bool:
    suffix = path[path.rfind(".") :]
    if suffix.lower() not in layout.suffixes:
        return False
    # sd-scripts has a list of .png and .PNG, and knows no .Png (``IMAGE_EXTENSIONS``, v0.10.1).
    return trainer != "sd-scripts" or suffix in {suffix.lower(), suffix.upper()}


def _masks(images: Sequence[str]) -> Iterator[str]:
    """Yield the images that are masks of others: by the end of the name, or by a folder ``masks`` with their names."""
    stems = {stem_of(path).lower() for path in images}
    for path in images:
        stem = stem_of(path).lower()
        if is_beside_an_image(stem, stems):
            yield path
            continue
        folder, _, name = stem.rpartition(os.sep)
        above, _, last = folder.rpartition(os.sep)
        if last == MASK_FOLDER and f"{above}{os.sep}{name}" in stems:
            yield path
