"""Configs of a run, rendered from the values in the export's manifest; the files in the export are used if they agree.

An export may be a stranger's, whose config files could name any file or program. One that was moved, or written for
another version of the trainer, has configs that do not fit either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import TrainerError
from ..trainers import Subset, trainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..trainers import SavedState
    from .read_export import TrainableExport


@dataclass(frozen=True, slots=True)
class RunConfigs:
    """Where the configs of a run lie, and which files of the export are not what its manifest's values make."""

    folder: Path
    differing: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What a user should know of them, empty where the export's own are used."""
        if not self.differing:
            return ""
        return (
            f"Not used as they are: {', '.join(self.differing)} of the export. They differ from what its manifest says"
            " (another LoRADS or trainer version, a moved or a changed export); rendered again for this run."
        )


def prepare_configs(
    export: TrainableExport, home: Path | None, output: Path, folder: Path, state: SavedState | None = None
) -> RunConfigs:
    """Return configs that save into ``output``: those in the export, or all of them rendered into ``folder``.

    ``home`` is the folder of the installed trainer, None where it cannot be looked at. Where a saved state is to be
    resumed, its keys are set in those of ``folder``.

    Raises:
        TrainerError: the manifest lacks what they are rendered from.
        OSError: they cannot be written.
    """
    texts: Mapping[str, str] = export.manifest["texts"]
    usual = _rendered(export, home, export.output)
    differing = tuple(name for name, text in sorted(usual.items()) if texts.get(name) != _hash(text))
    keys: Mapping[str, object] = state.keys if state else {}
    if output == export.output and not differing and not keys:
        return RunConfigs(export.folder)
    folder.mkdir(parents=True)
    rendered = dict(_rendered(export, home, output))
    if state and keys:
        rendered[state.file] = _with_keys(rendered[state.file], keys)
    for name, text in rendered.items():
        (folder / name).write_text(_moved(text, rendered, export.folder, folder), encoding="utf-8", newline="\n")
    return RunConfigs(folder, differing)


def _with_keys(text: str, keys: Mapping[str, object]) -> str:
    return json.dumps(json.loads(text) | keys, ensure_ascii=False, indent=2) + "\n"


def _rendered(export: TrainableExport, home: Path | None, output: Path) -> Mapping[str, str]:
    try:
        subsets = subsets_of_manifest(export.manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainerError(
            f"{export.folder} does not say which folders it has: its manifest is damaged. Export the dataset again."
        ) from error
    return trainer(export.trainer).files(export.config, subsets, export.folder, output, export.manifest["name"], home)


def subsets_of_manifest(manifest: Mapping[str, Any]) -> tuple[Subset, ...]:
    """Return the folders of an export as its trainer sees them; the repeats are in front of a folder's name."""
    dataset = manifest["dataset"]
    triggers: dict[str, str] = {each["name"]: each["trigger"]["word"] for each in dataset["concepts"]}
    word: str = dataset["trigger"]["word"]
    by_folder: dict[str, list[Mapping[str, Any]]] = {}
    for row in manifest["images"]:
        by_folder.setdefault(row["file"].partition("/")[0], []).append(row)
    return tuple(
        Subset(
            folder,
            int(folder.partition("_")[0]),
            bool(rows[0]["regularization"]),
            tuple((int(row["width"]), int(row["height"])) for row in rows),
            "" if rows[0]["regularization"] else triggers.get(str(rows[0]["concept"]), word),
        )
        for folder, rows in by_folder.items()
    )


def _moved(text: str, names: Mapping[str, str], old: Path, new: Path) -> str:
    """Return a config that names other configs where they lie now; JSON and TOML write a path in the same way."""
    for name in names:
        text = text.replace(_escaped(old / name), _escaped(new / name))
    return text


def _escaped(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)[1:-1]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
