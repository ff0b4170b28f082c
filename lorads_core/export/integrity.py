"""Integrity of an export: its files against the hashes in its manifest; which are missing, changed or additional."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model import no_progress
from ..system import files
from ..system.links import walk
from ..system.paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import Progress

RECIPE = "dataset.toml"
UNHASHED = frozenset({"train.sh", "train.bat", RECIPE})
"""Files of an export that no training reads: each export writes them again, and the hash of its manifest, by which runs
are known, does not depend on what is in them."""
_BLOCK = 1 << 20  # bytes read at once
# What trainers leave among the images: latents (sd-scripts, ai-toolkit), sizes and buckets (SimpleTuner, ai-toolkit).
# They are checked by size only, or not at all, so that a changed image would be trained from its old latents: they go
# with the version they were made from.
_CACHES = (".npz",)
_CACHE_NAMES = ("aspect_ratio_bucket_*.json", ".aitk_size.json")
_CACHE_FOLDERS = frozenset({"cache", "_latent_cache", "_t_e_cache", "_clip_vision_cache"})


@dataclass(frozen=True, slots=True)
class Integrity:
    """What of an export is not as its manifest says; ``unknown`` are listed files of which it holds no hash."""

    files: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return not (self.missing or self.changed or self.added)


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with files.open_regular(file) as reader:
        while block := reader.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def files_of(folder: Path) -> set[str]:
    """Return the files of an export, relative to it, without the caches that trainers leave there."""
    found = (Path(base, file).relative_to(folder) for base, _, names in walk(folder) for file in names)
    return {file.as_posix() for file in found if not _is_cache(file)}


def _is_cache(file: Path) -> bool:
    """Say whether a trainer made a file of an export, for itself."""
    named = any(fnmatch(file.name, pattern) for pattern in _CACHE_NAMES)
    return named or file.suffix in _CACHES or not _CACHE_FOLDERS.isdisjoint(file.parts[:-1])


def added_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return the files of an export that its manifest does not list."""
    return sorted(files_of(folder) - set(manifest["files"]) - {MANIFEST})


def edited_texts(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return the captions, configs and masks that are not as we wrote them; one that is gone was not edited."""
    digests = manifest["texts"] | manifest.get("mask_hashes", {})
    return [file for file, digest in digests.items() if not _is_as_written(folder / file, digest)]


def _is_as_written(file: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(files.read_bytes(file)).hexdigest() == digest
    except FileNotFoundError:
        return True


def touched_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return what others did to an export: files that they added, texts, masks and images that they changed.

    Raises:
        OSError: a file cannot be read.
    """
    return [*added_files(folder, manifest), *edited_texts(folder, manifest), *_edited_images(folder, manifest)]


def _edited_images(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the images that were changed after the manifest was written; only files newer than that are read."""
    written = (folder / MANIFEST).stat().st_mtime_ns
    for row in manifest["images"]:
        try:
            found = (folder / row["file"]).stat()
        except FileNotFoundError:
            continue
        # One with a second name is the library's own file (`--link`), or that of the version after this one.
        if found.st_nlink > 1 or (found.st_size == row["bytes"] and found.st_mtime_ns <= written):
            continue
        if digest_of(folder / row["file"]) != row["hash"]:
            yield row["file"]


def check_integrity(folder: Path, manifest: Mapping[str, Any], progress: Progress = no_progress) -> Integrity:
    """Read all files of an export and compare them with the hashes in its manifest.

    Raises:
        OSError: a file is there and cannot be read.
    """
    digests = manifest["texts"] | manifest.get("mask_hashes", {}) | {r["file"]: r["hash"] for r in manifest["images"]}
    listed = sorted(manifest["files"])
    missing: list[str] = []
    changed: list[str] = []
    for done, file in enumerate(listed):
        progress("verify", done, len(listed))
        if not (folder / file).is_file():
            missing.append(file)
        elif file in digests and digest_of(folder / file) != digests[file]:
            changed.append(file)
    progress("verify", len(listed), len(listed))
    hashed = [file for file in listed if file not in UNHASHED]
    unknown = tuple(file for file in hashed if file not in digests)
    return Integrity(len(hashed), tuple(missing), tuple(changed), tuple(added_files(folder, manifest)), unknown)
