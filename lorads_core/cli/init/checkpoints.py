"""Checkpoints of ComfyUI's folders, its ``extra_model_paths.yaml`` included, and the base model that each is like.

ComfyUI, folder_paths.py and utils/extra_config.py (2026-08): each table of the YAML names folders below its
``base_path``, several of one kind a line each; paths are relative to the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...base_models import BASE_MODELS, checkpoint_folders
from ...checkpoints import read_checkpoint
from ...errors import LoradsError
from ...library.layouts.document import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...base_models import BaseModel

EXTRA_PATHS = "extra_model_paths.yaml"
_OLD_NAMES = {"diffusion_models": ("unet",)}  # folder_paths.map_legacy
_MOST = 2_000  # files whose header is read: about 1 ms each
_OTHER_FORMATS = frozenset({".ckpt", ".pt", ".pth", ".gguf", ".sft"})
# What derivatives of a base model are called besides its own name.
_ALSO_CALLED = {"illustrious": ("illu", "wai"), "pony": ("pdxl",), "noobai": ("noob",)}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file and the base model that it is like; ``v_prediction`` says that it predicts velocity."""

    file: Path
    like: BaseModel
    v_prediction: bool = False


@dataclass(slots=True)
class Checkpoints:
    """Checkpoints whose family is known, how many files are of no known one, and what could not be read."""

    known: list[Checkpoint] = field(default_factory=list[Checkpoint])
    unknown: list[Path] = field(default_factory=list[Path])
    notes: list[str] = field(default_factory=list[str])


def checkpoints(comfyui: Iterable[Path]) -> Checkpoints:
    """Return the checkpoints of installations of ComfyUI."""
    found = Checkpoints()
    folders = [folder for home in comfyui for folder in _model_folders(home, found)]
    files = list(dict.fromkeys(file for folder in dict.fromkeys(folders) for file in _files(folder)))
    if len(files) > _MOST:
        found.notes.append(f"{len(files):,} model files were found; the first {_MOST:,} were looked at.")
    for file in files[:_MOST]:
        each = _checkpoint(file)
        if each:
            found.known.append(each)
        else:
            found.unknown.append(file)
    return found


def _model_folders(home: Path, found: Checkpoints) -> Iterator[Path]:
    kinds = [(kind, name) for kind in checkpoint_folders() for name in (kind, *_OLD_NAMES.get(kind, ()))]
    for _, name in kinds:
        yield home / "models" / name
    file = home / EXTRA_PATHS
    if file.is_file():
        try:
            yield from _extra_folders(file, {name for _, name in kinds})
        except LoradsError as error:
            found.notes.append(str(error))


def _extra_folders(file: Path, names: set[str]) -> Iterator[Path]:
    """Yield the folders of checkpoints that ``extra_model_paths.yaml`` names."""
    for table in _tables(read_document(file)):
        base = _path(table.get("base_path")) or Path()
        for name in names & table.keys():
            for line in str(table[name]).splitlines():
                if path := _path(line.strip()):
                    yield file.parent / base / path


def _tables(document: object) -> Iterator[Mapping[str, object]]:
    for table in cast("Mapping[str, object]", document).values() if isinstance(document, dict) else ():
        if isinstance(table, dict):
            yield cast("Mapping[str, object]", table)


def _path(text: object) -> Path | None:
    """Return a path as ComfyUI reads it, with ``~`` and variables of the environment."""
    return Path(os.path.expanduser(os.path.expandvars(text))) if isinstance(text, str) and text else None  # noqa: PTH111 - Path's own raises


def _files(folder: Path) -> list[Path]:
    """Return the model files of a folder and those below it, by name."""
    files: list[Path] = []
    for base, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        suffixes = {".safetensors", *_OTHER_FORMATS}
        files += [Path(base, name) for name in sorted(names) if Path(name).suffix.lower() in suffixes]
        if len(files) > _MOST:
            break
    return files


def _checkpoint(file: Path) -> Checkpoint | None:
    try:
        found = read_checkpoint(file)
    except LoradsError:  # of another format, or cut off: it is counted
        return None
    # Of one that can be two families, tensors do not tell which; another part of a model is no checkpoint.
    rows = [each for each in BASE_MODELS if found.families == (each.family.name,)]
    return Checkpoint(file, like_by_name(file.stem, rows), v_prediction=found.v_prediction) if rows else None


def like_by_name(stem: str, rows: list[BaseModel]) -> BaseModel:
    """Return the base model that a file's name points to, else the first of its family."""
    name = stem.lower()
    for each in rows[1:]:
        if any(word in name for word in (each.name, *_ALSO_CALLED.get(each.name, ()))):
            return each
    return rows[0]
