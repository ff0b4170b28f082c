"""The output folder of a run: the one that its export's configs name, or a new one beside it where earlier runs saved.

What a run has saved stays where it is: ComfyUI may have loaded a LoRA from there, and Windows renames no folder in
which a file is open.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..errors import TrainerError
from ..system import files

if TYPE_CHECKING:
    from pathlib import Path

    from .read_export import TrainableExport

_CONFIGS = frozenset({".toml", ".json"})


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


def configs_of(export: TrainableExport, output: Path, folder: Path) -> Path:
    """Return where the config files lie that name ``output``: in the export, or copied into ``folder`` with that name.

    Only the files that name an output are copied; they name the others by whole paths.

    Raises:
        TrainerError: no config of the export names an output.
        OSError: they cannot be read or written.
    """
    if output == export.output:
        return export.folder
    # "Tom_lora/f40b35eb10d0" as it stands in JSON or TOML, on Windows with doubled backslashes.
    named = re.compile(rf'{re.escape(output.parent.name)}(?:/|\\\\){re.escape(export.output.name)}(?=["/\\])')
    folder.mkdir(parents=True)
    copied = 0
    for name in (name for name in export.manifest["texts"] if PurePosixPath(name).suffix in _CONFIGS):
        text = files.read_text(export.folder / name)
        changed = named.sub(lambda found: found[0].removesuffix(export.output.name) + output.name, text)
        if changed != text:
            (folder / name).write_text(changed, encoding="utf-8", newline="\n")
            copied += 1
    if not copied:
        raise TrainerError(f"No config of {export.folder} names {export.output}: export it again.")
    return folder
