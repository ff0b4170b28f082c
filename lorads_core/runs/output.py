"""The output folder of a run: the one that its export's configs name, or a new one beside it where earlier runs saved.

What a run has saved stays where it is: ComfyUI may have loaded a LoRA from there, and Windows renames no folder in
which a file is open.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_output(wanted: Path) -> Path:
    """Make an empty folder to train into and return it: ``wanted``, or ``wanted.2`` and so on if that has files in it.

    Raises:
        OSError: it cannot be made.
    """
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}")
        if _is_free(folder):
            return folder
    raise AssertionError  # there is always another number


def _is_free(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return folder.is_dir() and not os.listdir(folder)  # noqa: PTH208 - whether there is anything
    return True
