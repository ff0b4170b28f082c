"""Folders of an export: its final one, the one it is built in, and the checks before one replaces the other.

While it is built, it lies in ``<root>/.lorads/_<hash of its name>``; a folder under its own name is therefore always
whole. The hash keeps paths short: Windows takes 259 characters.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import ExportError
from ..images.files import printable_path
from ..model import Problem
from ..problems import counted
from ..system import files
from ..system.names import true_path
from ..system.paths import EDITED, MANIFEST, OUTPUT, STAGING
from ..system.sync import sync_folder, sync_tree
from .integrity import added_files, edited_texts, files_of, touched_files
from .manifest import is_manifest
from .manifest_paths import path_fault

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ..model import Dataset

MANIFEST_VERSION = 1
_JOURNAL = "journal.jsonl"
_HASH = 8  # hexadecimal digits: of a thousand exports in one folder two share them once in ten thousand such folders


class ExportFolders:
    """The folders of one export: its final place, where it is built, and where older versions wait meanwhile."""

    def __init__(self, root: Path, name: str) -> None:
        try:
            self.root = true_path(root.expanduser())
        except (OSError, RuntimeError, ValueError) as error:
            raise ExportError(
                f"{printable_path(root)} can be no folder of exports ({error}): name another one."
            ) from error
        self.name = name
        self.final = self.root / name
        self.trained = self.root / f"{name}{OUTPUT}"
        self.content = self.root / STAGING / _short(name)
        self.journal = self.content.with_name(f"{self.content.name}.{_JOURNAL}")

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keep every other run away from this export; nobody waits."""
        (self.root / STAGING).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / STAGING / f"{self.name}.lock")
        try:
            with lock.acquire(timeout=0):
                self._take_over_former_layout()
                self.content.mkdir(exist_ok=True)
                yield
        except Timeout as error:
            raise ExportError(
                f"{self.final} is being exported already: wait for it, or choose another name."
            ) from error

    def _take_over_former_layout(self) -> None:
        """Move what an export of LoRADS 0.1 that was cut off left in ``.lorads/<name>``."""
        former = self.root / STAGING / self.name
        if not former.is_dir():
            return
        targets = {"old": self._next_old(), "content": self.content, _JOURNAL: self.journal}
        for name, target in targets.items():
            if (former / name).exists() and not target.exists():
                files.rename(former / name, target)
        files.remove_tree_if_possible(former)

    def recover(self) -> tuple[Problem, ...]:
        """Put the newest older version back that a run moved aside before it was cut off; remove all others.

        Return a problem for each that others have changed meanwhile: it is not removed, see `_remove_olds`.
        """
        if not self.final.exists():
            whole = [old for old in self._olds() if read_manifest(old) is not None]
            if whole:
                files.rename(whole[-1], self.final)
        return self._remove_olds()

    def is_unfinished(self) -> bool:
        """Say whether an export was begun, or an older version moved aside, and not ended."""
        return self.content.exists() or self.journal.exists() or bool(self._olds())

    def _olds(self) -> list[Path]:
        """Return the older versions that were moved aside, the newest last; those without a manifest are remains."""
        named = re.compile(re.escape(self.content.name) + r"-old(\d+)")
        found = {int(match[1]): path for path in self.content.parent.iterdir() if (match := named.fullmatch(path.name))}
        return [found[number] for number in sorted(found)]

    def _next_old(self) -> Path:
        last = self._olds()[-1:]
        number = int(last[0].name.rpartition("-old")[2]) + 1 if last else 1
        return self.content.with_name(f"{self.content.name}-old{number}")

    def check(self, dataset: Dataset) -> dict[str, Any] | None:
        """Refuse to replace anything but an older version of the same dataset, and only what its manifest lists.

        Return the older version's manifest, None where there is none.
        """
        if not self.final.exists():
            return None
        manifest = read_manifest(self.final)
        if manifest is None:
            raise ExportError(f"{self.final} is not an export of LoRADS: choose another name, or move it away.")
        if manifest["dataset"]["id"] != str(dataset.id):
            raise ExportError(
                f"{self.final} holds another dataset, {manifest['dataset']['name']!r} (or one of another LoRADS store):"
                " choose another name, or move it away."
            )
        strangers = added_files(self.final, manifest)
        if strangers:
            raise ExportError(
                f"{self.final} holds {counted(len(strangers), 'file')} that LoRADS did not write, e.g. {strangers[0]}:"
                " move them away, or export under another name."
            )
        edited = edited_texts(self.final, manifest)
        if edited:
            raise ExportError(
                f"{self.final} was edited since it was exported: {counted(len(edited), 'file')}, e.g. {edited[0]}."
                " Move it away, or export under another name; captions that shall last are edited in the dataset."
            )
        return manifest

    def keep_only(self, wanted: set[str]) -> None:
        """Remove from the unfinished export what does not belong to it any more."""
        for file in files_of(self.content) - wanted:
            files.remove(self.content / file)
        for folder in self.content.iterdir():
            if folder.is_dir() and not any(folder.iterdir()):
                files.remove_folder(folder)

    def publish(self) -> None:
        """Put the finished export in its place; the one moment without either version is two renames long.

        Raises:
            OSError: another program has something in it open; the older version is back in its place.
            ExportError: the same, and the older version could not be put back.
        """
        sync_tree(self.content)
        old = self._next_old()
        if self.final.exists():
            files.rename(self.final, old)
        try:
            files.rename(self.content, self.final)
        except BaseException:
            self._put_back(old)
            raise
        sync_folder(self.root)

    def _put_back(self, old: Path) -> None:
        if not old.exists():
            return
        try:
            files.rename(old, self.final)
        except OSError as error:
            raise ExportError(
                f"The new version of {self.final} could not be put in its place, and the one before it lies in {old}"
                f" for now: {files.file_error_reason(error)}. The next export puts it back."
            ) from error

    def clear(self) -> tuple[Problem, ...]:
        """Remove what is left of building it; what cannot be removed now is a problem, and left to the next export."""
        edited = self._remove_olds()
        files.remove_tree_if_possible(self.content)
        files.remove_if_possible(self.journal)
        left = [path for path in (*self._olds(), self.content) if path.exists()]
        message = (
            "Remains of an older version are open in another program (Explorer, a viewer, a terminal) and could not be"
            " removed: close them there; the next export removes them."
        )
        return (*edited, *(Problem("info", "leftover", message, printable_path(path)) for path in left))

    def _remove_olds(self) -> tuple[Problem, ...]:
        """Remove older versions, their manifests first: what lacks one is never put back. What is in use stays.

        A version is looked at when nobody can reach it by its former path any more: what people or programs did to it
        while the new one was written stays, under a name beside the export, and a problem says where.
        """
        edited: list[Problem] = []
        for old in self._olds():
            try:
                touched = _touched(old)
                if touched:
                    edited.append(self._keep(old, touched))
                    continue
            except (OSError, ExportError):  # open in another program: it is looked at by the next export
                continue
            if files.remove_if_possible(old / MANIFEST):
                files.remove_tree_if_possible(old)
        return tuple(edited)

    def _keep(self, old: Path, touched: list[str]) -> Problem:
        """Move an older version that others have changed to a name of its own beside the export."""
        names = (f"{self.name}{EDITED}{number}" for number in ("", *range(2, 1_000_000)))
        target = next(path for path in map(self.root.joinpath, names) if not os.path.lexists(path))
        files.rename(old, target)
        message = (
            f"The version before was edited while the new one was written: {counted(len(touched), 'file')}, e.g."
            f" {touched[0]}."
            " It was not deleted: copy from it what shall last into the dataset, then delete it."
        )
        return Problem("warning", "edited-version", message, printable_path(target))


def _touched(old: Path) -> list[str]:
    """Return what others did to an older version; nothing where it is remains only."""
    manifest = read_manifest(old)
    return [] if manifest is None else touched_files(old, manifest)


def _short(name: str) -> str:
    """Return a short name for where an export is built; no export can be called so, since a slug has no ``_``."""
    # Where the file system takes "Tom" and "tom" for one folder, they are one export.
    alike = name.casefold() if sys.platform in {"win32", "darwin"} else name
    return f"_{hashlib.sha256(alike.encode()).hexdigest()[:_HASH]}"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of an export, None where there is none that is ours and whole.

    Raises:
        ExportError: there is one, and it cannot be read, or a path in it leads out of where it belongs.
    """
    try:
        manifest = parsed_manifest(files.read_text(folder / MANIFEST))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise ExportError(f"{folder / MANIFEST} cannot be read: {files.file_error_reason(error)}.") from error
    if manifest is not None and (fault := path_fault(manifest)):
        raise ExportError(refused_manifest(folder, fault))
    return manifest


def refused_manifest(folder: Path, fault: str) -> str:
    """Return the message for a manifest with a path that leads elsewhere."""
    return (
        f"{folder / MANIFEST} is refused: {fault}. LoRADS has not written it so: export the dataset again, or ask for"
        " the export where it is from."
    )


def parsed_manifest(text: str) -> dict[str, Any] | None:
    """Return a manifest, None where it is not one of ours, or is damaged."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_known = is_manifest(manifest) and manifest.get("manifest") == MANIFEST_VERSION
    named = is_known and all((manifest["dataset"]["name"], manifest["plan"], manifest["files"]))
    return manifest if named else None
