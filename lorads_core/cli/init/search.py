"""Search for installed programs: trainers, ComfyUI and taggers, by the files of each; folders are only listed."""

from __future__ import annotations

import os
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...trainers import trainers
from ...vision.taggers.labels import FILES
from ...vision.taggers.onnx import MODEL
from ..comfyui_folders import COMFYUI_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MOST_FOLDERS = 20_000  # looked at: a few seconds on a disk, and more than the first three levels of most home folders
_DEPTH = 3  # below the folders that are searched: ~/ai/kohya_ss/sd-scripts
_DEPTH_IN_PROGRAM = 3  # custom_nodes/NODE/models/TAGGER
# Large folders without programs, hidden ones (those that begin with a dot) besides.
_LEFT_OUT = frozenset({
    "$recycle.bin", "__pycache__", "appdata", "applications", "library", "node_modules", "program files",
    "program files (x86)", "programdata", "site-packages", "snap", "system volume information", "venv", "windows",
})  # fmt: skip
_FOLDERS_OF_PROGRAMS = ("/opt", "/srv", "/workspace", "/content", "/data")  # the last three: rented machines


@dataclass(slots=True)
class Found:
    """What is installed, each in the order in which it was found; ``is_whole`` says whether every folder was seen."""

    trainers: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])
    comfyui: list[Path] = field(default_factory=list[Path])
    taggers: list[Path] = field(default_factory=list[Path])
    folders: int = 0
    is_whole: bool = True


def usual_folders() -> list[Path]:
    """Return where programs are usually installed: the ComfyUI that we lie in, home, drives, folders of programs."""
    ours = Path(__file__).resolve().parents[3]
    here = [ours.parents[1]] if ours.parent.name == "custom_nodes" else []
    named = [Path(folder) for folder in _FOLDERS_OF_PROGRAMS if sys.platform != "win32"]
    return [folder for folder in dict.fromkeys([*here, Path.home(), *named, *_drives()]) if folder.is_dir()]


def _drives() -> list[Path]:
    """Return the other disks of this machine; the system's own is looked at by the folders above, but on Windows."""
    import psutil  # noqa: PLC0415 - nothing else here needs it

    mounted = [Path(each.mountpoint) for each in psutil.disk_partitions(all=False) if "cdrom" not in each.opts]
    if sys.platform == "win32":
        return mounted
    return [each for each in mounted if each.parts[1:2] and each.parts[1] in {"mnt", "media", "run", "Volumes"}]


def search(folders: Iterable[Path], cache: Path | None = None) -> Found:
    """Look for programs in folders and three levels below them, the upper levels first.

    Within a program only taggers are looked for. ``cache`` is Hugging Face's, with what other programs have downloaded.
    """
    found = Found()
    waiting = deque((folder, _DEPTH, False) for folder in folders)
    seen: set[str] = set()
    while waiting and found.is_whole:
        folder, levels, is_inside = waiting.popleft()
        true = os.path.realpath(folder)
        if true in seen:
            continue
        seen.add(true)
        found.is_whole = len(seen) < _MOST_FOLDERS
        if is_tagger(folder):
            found.taggers.append(folder)
        elif not is_inside and _is_program(folder, found):
            levels, is_inside = _DEPTH_IN_PROGRAM, True
        if levels:
            waiting.extend((each, levels - 1, is_inside) for each in _folders_in(folder))
    found.folders = len(seen)
    found.taggers += [folder for folder in _snapshots(cache) if is_tagger(folder)]
    return found


def _folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in entries if _is_worthwhile(each))
    except OSError:
        return []
    return [folder / name for name in names]


def _is_worthwhile(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.name.lower() not in _LEFT_OUT and entry.is_dir()
    except OSError:
        return False


def _snapshots(cache: Path | None) -> Iterator[Path]:
    """Yield the newest snapshot of each model in Hugging Face's cache: ``models--OWNER--NAME/snapshots/COMMIT``."""
    for model in _folders_in(cache) if cache else ():
        snapshots = _folders_in(model / "snapshots")
        if snapshots:
            yield max(snapshots, key=lambda each: (each.stat().st_mtime_ns, each.name))


def hugging_face_cache() -> Path:
    """Return the folder of models that Hugging Face's library has downloaded (huggingface_hub, constants.py)."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def _is_program(folder: Path, found: Found) -> bool:
    """Note what is installed in a folder; say whether anything is."""
    if has_files(folder, COMFYUI_FILES):
        found.comfyui.append(folder)
        return True
    kind = next((kind for kind, each in trainers().items() if has_files(folder, each.install_files)), "")
    if kind:
        found.trainers.append((kind, folder))
    return bool(kind)


def has_files(folder: Path, files: Sequence[str]) -> bool:
    """Say whether a folder has all of some files; none at all are no sign of anything."""
    return bool(files) and all(os.path.isfile(folder / name) for name in files)  # noqa: PTH113 - Path's own may raise


def is_tagger(folder: Path) -> bool:
    """Say whether a folder holds a tagger as it is published: a model and its list of tags."""
    return has_files(folder, (MODEL,)) and any(has_files(folder, (name,)) for name in FILES.values())
