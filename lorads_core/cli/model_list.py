"""Model files as recognition sees them: what `lorads checkpoints` lists, and which parts of a family are missing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base_models import FAMILIES, checkpoint_folders, family
from ..checkpoints import fitting_base_models, is_read, known_part_label, read_checkpoint
from ..errors import LoradsError, SettingsError
from .comfyui_folders import MOST_FILES, known_comfyui, model_files, model_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..base_models import Family
    from ..checkpoints import Checkpoint

KINDS = (*checkpoint_folders(), "text_encoders", "vae")
"""ComfyUI's folders of models that are looked into."""
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")
_INDEX = "model_index.json"
# What ComfyUI takes one of.
_ONE_OF = {"qwen3_or_mistral3": ("qwen3_4b", "qwen3_8b", "mistral3")}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model file or folder, and what it is; else why that is not known, ``is_damaged`` where it cannot be used."""

    path: Path
    found: Checkpoint | None = None
    fault: str = ""
    is_damaged: bool = False

    @property
    def text(self) -> str:
        """What it is, in a line."""
        if self.found is None:
            return self.fault
        return "; ".join(filter(None, _sayings(self.found)))

    def facts(self) -> dict[str, Any]:
        """Return it as plain values, for JSON; all but ``guesses`` is certain, and null where it is not known."""
        found = self.found
        if found is None:
            return {"path": str(self.path), "error": self.fault, "damaged": self.is_damaged}
        return {
            "path": str(self.path),
            "error": None,
            "damaged": False,
            "format": found.format,
            "kind": found.kind,
            "label": found.label,
            "architecture": found.architecture.name if found.architecture else None,
            "families": [each.name for each in _families(found)],
            "base_models": [each.name for each in fitting_base_models(found)],
            "variant": found.variant or None,
            "v_prediction": found.v_prediction or None,
            "distilled_from": found.distilled_from or None,
            "precision": found.precision or None,
            "depth": found.depth or None,
            "parts": list(found.parts),
            "part": found.part or None,
            "diffusers_names": found.named_by_diffusers,
            "guesses": [{"what": each.what, "source": each.source} for each in found.guesses],
        }


def _families(found: Checkpoint) -> list[Family]:
    return [each for each in FAMILIES if each.name in found.families]


def _sayings(found: Checkpoint) -> Iterator[str]:
    yield f"{found.label}, {found.variant}" if found.variant else found.label
    bases = fitting_base_models(found)
    if bases:
        yield f"base model {' or '.join(each.name for each in bases)}"
    elif found.architecture:
        yield "LoRADS trains no LoRA of it"
    yield "predicts velocity" if found.v_prediction else ""
    yield f"distilled: train on {found.distilled_from}" if found.distilled_from else ""
    yield found.precision
    yield f"{found.depth} blocks" if found.depth else ""
    yield f"with {' and '.join(found.parts)}" if found.parts else ""
    if found.architecture and found.architecture.unsaid:
        yield f"tensors do not distinguish {found.architecture.unsaid}"
    for each in found.guesses if found.architecture else ():
        yield f"perhaps {each.what} (a guess by its {each.source})"


def list_models(paths: Sequence[Path], note: Callable[[str], None]) -> Iterator[ListedModel]:
    """Yield the models of files and folders, first what is not there; without any, those of the ComfyUI that is known.

    Args:
        paths: files, folders to look through, Diffusers folders.
        note: is called with what was left out.

    Raises:
        SettingsError: no path is given, and no ComfyUI is known.
    """
    missing = [path for path in paths if not os.path.lexists(path)]  # a broken link is a fault of its own
    files = [file for path in paths if path not in missing for file in _models_in(path)] if paths else _of_comfyui(note)
    yield from (ListedModel(path, None, f"There is no file or folder {path}.", is_damaged=True) for path in missing)
    files = list(dict.fromkeys(files))
    if len(files) > MOST_FILES:
        note(f"{len(files):,} model files were found; the first {MOST_FILES:,} were looked at.")
    yield from map(_listed, files[:MOST_FILES])


def _of_comfyui(note: Callable[[str], None]) -> list[Path]:
    home = known_comfyui()
    if home is None:
        raise SettingsError(
            "No ComfyUI is known: name a model file or a folder, or set the environment variable COMFYUI_PATH to the"
            " folder of ComfyUI."
        )
    return [file for folder in model_folders(home, KINDS, note) for file in _in_folder(folder)]


def _models_in(path: Path) -> list[Path]:
    if os.path.isdir(path) and not os.path.isfile(path / _INDEX):  # noqa: PTH112, PTH113 - Path's own may raise
        return _in_folder(path)
    return [path]


def _in_folder(folder: Path) -> list[Path]:
    """Return the models below a folder: a Diffusers folder is one, and so are the files of an index."""
    found: list[Path] = []
    for base, folders, names in os.walk(folder, followlinks=False):
        if _INDEX in names:
            found.append(Path(base))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(base, name) for name in sorted(names) if name.endswith(".safetensors.index.json")]
        found += [file for file in model_files(Path(base), below=False) if not _SHARD.search(file.name)]
        if len(found) > MOST_FILES:
            break
    return found


def _listed(path: Path) -> ListedModel:
    try:
        return ListedModel(path, read_checkpoint(path))
    except LoradsError as error:
        return ListedModel(path, None, str(error), is_read(path))


def missing_parts(models: Iterable[ListedModel]) -> Iterator[tuple[Family, list[str]]]:
    """Yield the families of which a denoiser is there alone, with the text encoders and VAE that are not, in words."""
    found = [each.found for each in models if each.found]
    have = {each.part for each in found}
    alone = dict.fromkeys(name for each in found if each.kind == "denoiser" for name in each.families)
    for each in FAMILIES:
        if each.name in alone and each.files:
            needed = [*family(each.name).text_encoders, *([each.vae] if each.vae else [])]
            missing = [_label(name) for name in needed if have.isdisjoint(_ONE_OF.get(name, (name,)))]
            if missing:
                yield each, missing


def _label(name: str) -> str:
    return " or ".join(known_part_label(each) for each in _ONE_OF.get(name, (name,)))
