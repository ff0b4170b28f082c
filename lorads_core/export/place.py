"""Where an export lies, where it is built, and what may not be in its way; it knows nothing of pictures.

While it is built, everything lies in ``<root>/.lorads/<name>/``; a folder under its own name is therefore always whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import ExportError
from ..paths import MANIFEST, OUTPUT, STAGING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ..model import Dataset

MANIFEST_VERSION = 1
_JOURNAL = "journal.jsonl"
# What trainers leave among the images: latents (sd-scripts, ai-toolkit), sizes and buckets (SimpleTuner, ai-toolkit).
# They are checked by size only, or not at all, so that a changed picture would be trained from its old latents: they go
# with the version they were made from.
_CACHES = (".npz",)
_CACHE_NAMES = ("aspect_ratio_bucket_*.json", ".aitk_size.json")
_CACHE_FOLDERS = frozenset({"cache", "_latent_cache", "_t_e_cache", "_clip_vision_cache"})


class Place:
    """The folders of one export: its final place, where it is built, and where an older version waits meanwhile."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root.expanduser().resolve()
        self.name = name
        self.final = self.root / name
        self.trained = self.root / f"{name}{OUTPUT}"
        self.staging = self.root / STAGING / name
        self.content = self.staging / "content"
        self.old = self.staging / "old"
        self.journal = self.staging / _JOURNAL

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keep every other run away from this export; nobody waits."""
        (self.root / STAGING).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / STAGING / f"{self.name}.lock")
        try:
            with lock.acquire(timeout=0):
                self.content.mkdir(parents=True, exist_ok=True)
                yield
        except Timeout as error:
            raise ExportError(
                f"{self.final} is being exported already: wait for it, or choose another name."
            ) from error

    def recover(self) -> None:
        """Put an older version back that a run moved aside before it was cut off."""
        if self.old.exists() and not self.final.exists():
            self.old.rename(self.final)
        self._remove_old()

    def check(self, dataset: Dataset) -> dict[str, Any] | None:
        """Refuse to replace anything but an older version of the same dataset, and only what its manifest lists.

        Return the older version's manifest, None where there is none.
        """
        if not self.final.exists():
            return None
        manifest = read_manifest(self.final)
        if manifest is None:
            raise ExportError(f"{self.final} is no export of LoRADS: choose another name, or move it away.")
        if manifest["dataset"]["id"] != str(dataset.id):
            raise ExportError(
                f"{self.final} holds another dataset, {manifest['dataset']['name']!r} (or one of another LoRADS store):"
                " choose another name, or move it away."
            )
        strangers = sorted(self._files(self.final) - set(manifest["files"]) - {MANIFEST})
        if strangers:
            raise ExportError(
                f"{self.final} holds {len(strangers)} files that LoRADS did not write, e.g. {strangers[0]}:"
                " move them away, or export under another name."
            )
        edited = edited_texts(self.final, manifest)
        if edited:
            raise ExportError(
                f"{self.final} was edited since it was exported: {len(edited)} files, e.g. {edited[0]}. Move it away,"
                " or export under another name; captions that shall last are edited in the dataset."
            )
        return manifest

    def _files(self, folder: Path) -> set[str]:
        files = (Path(base, file) for base, _, names in os.walk(folder) for file in names)
        return {file.relative_to(folder).as_posix() for file in files if not _is_cache(file.relative_to(folder))}

    def keep_only(self, files: set[str]) -> None:
        """Remove from the unfinished export what does not belong to it any more."""
        for file in self._files(self.content) - files:
            (self.content / file).unlink()
        for folder in self.content.iterdir():
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def publish(self) -> None:
        """Put the finished export in its place; the one moment without either version is two renames long."""
        sync = getattr(os, "sync", None)  # not on Windows
        if sync:
            sync()
        if self.final.exists():
            self.final.rename(self.old)
        self.content.rename(self.final)
        self.clear()

    def clear(self) -> None:
        """Remove what is left of building it."""
        self._remove_old()
        shutil.rmtree(self.staging)

    def _remove_old(self) -> None:
        if self.old.exists():
            shutil.rmtree(self.old)


def _is_cache(file: Path) -> bool:
    """Say whether a trainer made a file of an export, for itself."""
    named = any(fnmatch(file.name, pattern) for pattern in _CACHE_NAMES)
    return named or file.suffix in _CACHES or not _CACHE_FOLDERS.isdisjoint(file.parts[:-1])


def edited_texts(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return the captions and configs of an export that are not as we wrote them; one that is gone was not edited."""
    return [file for file, digest in manifest["texts"].items() if not _is_as_written(folder / file, digest)]


def _is_as_written(file: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == digest
    except FileNotFoundError:
        return True


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of an export, None where there is none that can be read."""
    try:
        return parsed_manifest((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def parsed_manifest(text: str) -> dict[str, Any] | None:
    """Return a manifest, None where it is not one of ours, or is damaged."""
    try:
        manifest = json.loads(text)
        known = manifest["manifest"] == MANIFEST_VERSION and all(
            (manifest["dataset"]["id"], manifest["dataset"]["name"], manifest["plan"], manifest["files"])
        )
        known = known and isinstance(manifest["texts"], dict) and isinstance(manifest["left_out"], list)
    except (ValueError, KeyError, TypeError):
        return None
    return manifest if known else None
