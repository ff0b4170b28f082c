"""Versions of an export: their stored manifests, and the difference between two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ExportError
from ..images.encode import atomic_writer
from ..model import Problem
from ..problems import counted
from ..system import files
from ..system.paths import STAGING
from ..system.rights import EVERYONE
from .layout import parsed_manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SHOWN = 12  # digits of a version's hash: enough to tell it from all others
_LISTED = 20  # lines of one kind in a text


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an export; ``hash`` is its manifest's, ``written`` when (seconds since 1970)."""

    hash: str
    written: float
    images: int

    @property
    def short(self) -> str:
        """Its hash as it is shown."""
        return self.hash[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two versions differ; images are named by their files, captions and settings with before and after."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    captions: tuple[tuple[str, str, str], ...]
    settings: tuple[tuple[str, object, object], ...]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.changed, self.captions, self.settings))

    @property
    def text(self) -> str:
        """The difference for people, a line each; of long lists the beginning."""
        if not self:
            return "no difference"
        return "\n".join(
            [
                *_listed("+ image", self.added),
                *_listed("- image", self.removed),
                *_listed("~ image", self.changed),
                *_listed("~ caption", [f"{file}\n  - {old}\n  + {new}" for file, old, new in self.captions]),
                *_listed("~ setting", [f"{name}: {old} \u2192 {new}" for name, old, new in self.settings]),
            ]
        )


def _listed(what: str, lines: tuple[str, ...] | list[str]) -> Iterator[str]:
    for line in lines[:_LISTED]:
        yield f"{what} {line}"
    if len(lines) > _LISTED:
        yield f"{what}s: {len(lines) - _LISTED:,} more"


def save_version(root: Path, name: str, digest: str, manifest: str, rights: int = EVERYONE) -> tuple[Problem, ...]:
    """Keep what a version is made of, beside the exports; where that cannot be written, the version is not listed.

    ``rights`` limit who may read it: it has the captions.
    """
    folder = _folder(root, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_writer(folder / f"{digest}.json", rights) as file:
            file.write(manifest.encode())
    except (OSError, ExportError) as error:
        said = files.file_error_reason(error) if isinstance(error, OSError) else str(error).rstrip(".")
        message = f"The export is whole, but could not be added to the list of its versions: {said}."
        return (Problem("warning", "version", message, str(folder)),)
    return ()


def list_versions(root: Path, name: str) -> tuple[Version, ...]:
    """Return the versions of an export that are known, the newest first.

    Raises:
        ExportError: one of them cannot be read.
    """
    found: list[Version] = []
    for file in _folder(root, name).glob("*.json"):
        manifest = parsed_manifest(_read(file))
        if manifest:
            found.append(Version(file.stem, file.stat().st_mtime, len(manifest["images"])))
    return tuple(sorted(found, key=lambda version: (-version.written, version.hash)))


def find_version(root: Path, name: str, wanted: str) -> Mapping[str, Any]:
    """Return the manifest of the version whose hash begins with ``wanted``.

    Raises:
        ExportError: there is none, more than one, or it cannot be read.
    """
    known = list_versions(root, name)
    found = [each for each in known if each.hash.startswith(wanted.lower())] if wanted else []
    if len(found) != 1:
        raise ExportError(
            f"{root / name} has {'no version' if not found else counted(len(found), 'version')} {wanted!r}; known are:"
            f" {', '.join(each.short for each in known) or 'none'}."
        )
    return json.loads(_read(_folder(root, name) / f"{found[0].hash}.json"))


def _read(file: Path) -> str:
    try:
        return files.read_bytes(file).decode(errors="replace")
    except OSError as error:
        raise ExportError(f"{file} cannot be read: {files.file_error_reason(error)}.") from error


def read_current(folder: Path) -> Mapping[str, Any]:
    """Return the manifest of an export as it lies there.

    Raises:
        ExportError: it is none.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise ExportError(f"{folder} is not an export of LoRADS: give the folder of one.")
    return manifest


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Return how the version of one manifest differs from that of another; images are known by library and id."""
    before, after = _by_source(old), _by_source(new)
    both = [key for key in after if key in before]
    return Difference(
        added=tuple(after[key]["file"] for key in after if key not in before),
        removed=tuple(before[key]["file"] for key in before if key not in after),
        changed=tuple(after[key]["file"] for key in both if _summary(before[key]) != _summary(after[key])),
        captions=tuple(
            (after[key]["file"], before[key]["caption"], after[key]["caption"])
            for key in both
            if before[key]["caption"] != after[key]["caption"]
        ),
        settings=tuple(_settings(old, new)),
    )


def _by_source(manifest: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    return {(row["source"]["library"], row["source"]["id"]): row for row in manifest["images"]}


def _summary(row: Mapping[str, Any]) -> tuple[object, ...]:
    return row["hash"], row["regularization"], row.get("concept", "")


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    before, after = _flat(old), _flat(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _flat(manifest: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {"trainer": manifest.get("trainer"), "lorads": manifest.get("lorads")}
    found |= {f"trigger {key}": value for key, value in manifest["dataset"].get("trigger", {}).items()}
    found |= {f"images {key}": value for key, value in manifest.get("policy", {}).items()}
    return found | dict(manifest.get("config", {}))


def _folder(root: Path, name: str) -> Path:
    return root / STAGING / ".versions" / name  # no export can be called so
