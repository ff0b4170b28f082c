"""Masks by their names: which files beside images are masks or conditioning images of them, and no training images."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ..images.formats import SUFFIXES
from .walk import suffix_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..model import ImageRecord

# The first one counts where an image has several. "-masklabel" and "-condlabel" are OneTrainer's (mgds 3a6994a), which
# never trains on files that end so.
_MASKS = ("-masklabel", "-mask", "_mask")
_OF_AN_IMAGE = (*_MASKS, "-condlabel")
MASK_FOLDER = "masks"
"""Folder beside the images in which masks have the images' own names."""


def is_beside_an_image(stem: str, stems: Collection[str]) -> bool:
    """Tell a mask or conditioning image by its stem; ``stems`` are those of its folder, all in lower case."""
    if not stem.endswith(_OF_AN_IMAGE):
        return False
    return any(stem.endswith(end) and stem[: -len(end)] in stems for end in _OF_AN_IMAGE)


def masks_of(images: Iterable[ImageRecord]) -> dict[str, str]:
    """Return the path of the mask of each image that has one, by the image's path; each folder is listed once.

    It is the one that the library knows of, while it is there; else ``NAME-masklabel``, ``NAME-mask`` or ``NAME_mask``
    beside the image, or ``NAME`` in a folder ``masks`` there, in any image format.
    """
    listed: dict[str, dict[str, str]] = {}
    found: dict[str, str] = {}
    for record in images:
        image = record.path
        if record.mask and os.path.isfile(record.mask):  # noqa: PTH113 - a Path for each of many images is slow
            found[image] = record.mask
            continue
        folder, name = os.path.split(image)
        if folder not in listed:
            listed[folder] = _masks_in(folder)
        stem = stem_of(name).lower()
        wanted = (*(stem + end for end in _MASKS), f"{MASK_FOLDER}/{stem}")
        if mask := next((listed[folder][each] for each in wanted if each in listed[folder]), None):
            found[image] = mask
    return found


def masks_in_folder(images: Iterable[str], root: str, folder: str) -> dict[str, str]:
    """Return the masks of images below ``root`` that another folder holds, by the images' paths.

    A mask has the place of its image below that folder (SimpleTuner), or its name alone in the folder itself
    (sd-scripts, ai-toolkit, diffusion-pipe), in any image format.
    """
    listed: dict[str, dict[str, str]] = {}
    found: dict[str, str] = {}
    for image in images:
        below, name = os.path.split(os.path.relpath(image, root))
        stem = stem_of(name).lower()
        for place in dict.fromkeys((os.path.join(folder, below) if below else folder, folder)):  # noqa: PTH118
            if place not in listed:
                listed[place] = dict(_files(place))
            if stem in listed[place]:
                found[image] = listed[place][stem]
                break
    return found


def images_below(folder: str) -> set[str]:
    """Return the paths of all files of a folder and those below it that are named as images."""
    return {path for place, _, _ in os.walk(folder) for _, path in _files(place)}


def _masks_in(folder: str) -> dict[str, str]:
    """Return the paths of what may be masks by their lower-case names without suffix; PNG before other formats."""
    within = os.path.join(folder, MASK_FOLDER)  # noqa: PTH118 - a Path for each of many images is slow
    found = {f"{MASK_FOLDER}/{stem}": path for stem, path in _files(within) if not stem.endswith(_OF_AN_IMAGE)}
    return found | {stem: path for stem, path in _files(folder) if stem.endswith(_MASKS)}


def _files(folder: str) -> list[tuple[str, str]]:
    files: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        files = [entry.path for entry in entries if suffix_of(entry.name) in SUFFIXES and entry.is_file()]
    files.sort(key=lambda path: (path.lower().endswith(".png"), path))  # the last one of a name stays
    return [(stem_of(os.path.basename(path)).lower(), path) for path in files]  # noqa: PTH119 - as above


def stem_of(name: str) -> str:
    """Return a name without its suffix; a Path for each of a million names would take most of the time."""
    end = name.rfind(".")
    return name[:end] if end > 0 else name
