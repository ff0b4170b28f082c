"""How much of a run's LoRAs ComfyUI loads: looked up when they are saved and installed, and saved with the run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from ..base_models import recognised_lora
from ..errors import TrainerError
from . import run_folder
from .lora_file import read_header
from .lora_files import coverage_of_facts, family_tables, loading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .lora_file import LoraFile
    from .lora_files import Coverage, Loading

KEY_TABLE = "the table of keys"
"""Where it was looked up, without a ComfyUI."""


class SavedLoading(NamedTuple):
    """What was found of a LoRA: how much of it loads, in words too, and who said so."""

    coverage: Coverage
    text: str
    source: str


def lora_loading(lora: LoraFile, family: str = "") -> Loading | None:
    """Return what ComfyUI loads of a LoRA by the key table of its family; None where that is not known.

    Without a family it is the one that the names of its tensors tell.
    """
    if not family:
        found = recognised_lora(lora.tensors)
        family = found.name if found else ""
    return loading(lora.header.tensors, family_tables(family))


def save_loadings(folder: Path, output: Path, names: Iterable[str], family: str) -> None:
    """Keep with a run what of its LoRAs loads, by the key table; of one that cannot be read nothing is saved."""
    found: dict[str, SavedLoading] = {}
    for name in names:
        with suppress(TrainerError):
            if each := lora_loading(read_header(output / name), family):
                found[name] = SavedLoading(each.best, each.text, KEY_TABLE)
    _save(folder, found)


def save_loading(folder: Path, name: str, found: SavedLoading) -> None:
    """Keep with a run what of one of its LoRAs loads; in the place of what was known of that LoRA."""
    _save(folder, {name: found})


def _save(folder: Path, found: Mapping[str, SavedLoading]) -> None:
    """Add to what is saved; where it cannot be written, the run has no such figure: `lorads lora` says it again."""
    values = {
        name: {"text": each.text, "source": each.source, **each.coverage.facts()}
        for name, each in {**saved_loadings(folder), **found}.items()
    }
    with suppress(OSError):
        run_folder.write_loads(folder, values)


def saved_loadings(folder: Path) -> dict[str, SavedLoading]:
    """Return what is saved with a run, by the LoRA's name in its output; nothing where it is missing or damaged."""
    try:
        values = run_folder.read_loads(folder)
    except TrainerError:
        return {}
    return {name: saved for name, each in values.items() if (saved := _saved(each))}


def _saved(values: object) -> SavedLoading | None:
    coverage = coverage_of_facts(values)
    given = cast("dict[str, object]", values) if isinstance(values, dict) else {}
    return SavedLoading(coverage, str(given.get("text", "")), str(given.get("source", ""))) if coverage else None


def loadings_text(saved: Mapping[str, SavedLoading], source: str = "") -> str:
    """Say how much of each LoRA loads, in a line: once where it is the same of all; with ``source``, by it alone."""
    figures: dict[str, list[str]] = {}
    for name, each in saved.items():
        if source in ("", each.source):
            figures.setdefault(each.coverage.figure, []).append(name)
    if len(figures) <= 1:
        return next(iter(figures), "")
    return "; ".join(f"{', '.join(names)}: {figure}" for figure, names in figures.items())
