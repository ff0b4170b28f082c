"""ComfyUI's folders of models, its ``extra_model_paths.yaml`` included, and the model files in them.

ComfyUI, folder_paths.py and utils/extra_config.py (2026-08): each table of the YAML names folders below its
``base_path``, several of one kind a line each; paths are relative to the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import LoradsError
from ..library.layouts.document import read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

COMFYUI_FILES = ("main.py", "folder_paths.py", "comfy/sd.py")
"""Files by which ComfyUI's folder is recognised."""
EXTRA_PATHS = "extra_model_paths.yaml"
MOST_FILES = 2_000
"""Files whose header is read: about 1 ms each."""
SUFFIXES = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".gguf", ".sft"})
_OLD_NAMES = {"diffusion_models": ("unet",), "text_encoders": ("clip",)}  # folder_paths.map_legacy
_PATH = "COMFYUI_PATH"


def known_comfyui() -> Path | None:
    """Return the ComfyUI that we lie in, or that the environment variable ``COMFYUI_PATH`` names; None without one."""
    ours = Path(__file__).resolve().parents[2]
    folders = [ours.parents[1]] if ours.parent.name == "custom_nodes" else []
    folders += [Path(os.environ[_PATH])] if os.environ.get(_PATH) else []
    return next((folder for folder in folders if is_comfyui(folder)), None)


def is_comfyui(folder: Path) -> bool:
    """Say whether a folder is ComfyUI's."""
    return all(os.path.isfile(folder / name) for name in COMFYUI_FILES)  # noqa: PTH113 - Path's own may raise


def model_folders(home: Path, kinds: Sequence[str], note: Callable[[str], None]) -> Iterator[Path]:
    """Yield the folders that a ComfyUI has for these kinds of models; what cannot be read goes to ``note``."""
    names = [name for kind in kinds for name in (kind, *_OLD_NAMES.get(kind, ()))]
    for name in names:
        yield home / "models" / name
    file = home / EXTRA_PATHS
    if file.is_file():
        try:
            yield from _extra_folders(file, set(names))
        except LoradsError as error:
            note(str(error))


def _extra_folders(file: Path, names: set[str]) -> Iterator[Path]:
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


def named_models(kinds: Sequence[str]) -> dict[str, Path]:
    """Return the model files in the known ComfyUI's folders of these kinds, by their names; none without a ComfyUI."""
    home = known_comfyui()
    found: dict[str, Path] = {}
    for folder in model_folders(home, kinds, _ignore) if home else ():
        for file in model_files(folder):
            found.setdefault(str(file.relative_to(folder)), file)
    return found


def _ignore(_note: str) -> None:
    """Say nothing of a settings file that cannot be read: ``lorads doctor`` does."""


def model_files(folder: Path, *, below: bool = True) -> list[Path]:
    """Return the model files of a folder and of those below it, by name; about `MOST_FILES` at most."""
    files: list[Path] = []
    for base, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(base, name) for name in sorted(names) if Path(name).suffix.lower() in SUFFIXES]
        if len(files) > MOST_FILES or not below:
            break
    return files
