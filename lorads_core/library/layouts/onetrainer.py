"""OneTrainer's concepts: ``concepts.json``, or a config with concepts in it or in a file that it names.

Keys by OneTrainer 23df383, ``modules/util/config/ConceptConfig.py`` and ``TrainConfig.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...model import Problem
from ...problems import counted
from ...system.files import open_regular
from ...system.names import is_text
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .document import read_document
from .values import Notes, Values

if TYPE_CHECKING:
    from pathlib import Path

    from . import Role

IMAGES = frozenset({".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"})
"""What OneTrainer reads (``modules/util/path_util.py``)."""

_ROLES: dict[str, Role] = {
    "STANDARD": "training",
    "PRIOR_PREDICTION": "regularization",
    "VALIDATION": "validation",
}
_KNOWN = {
    "__version", "name", "path", "seed", "enabled", "type", "include_subdirectories", "image_variations",
    "text_variations", "balancing", "balancing_strategy", "loss_weight", "concept_stats", "image", "text", "repeats",
}  # fmt: skip
_LONGEST_PROMPTS = 1_000_000  # bytes
_SIGNS = ("balancing", "include_subdirectories", "text", "image", "type", "enabled", "repeats")


def _from_document(file: Path, document: object) -> Layout | None:
    options: dict[str, Any] = {}
    notes = Notes("OneTrainer")
    listed = document
    if isinstance(document, dict):
        config = cast("dict[str, object]", document)
        if "concepts" not in config and "concept_file_name" not in config:
            return None
        options = _options(Values(config, notes))
        listed = config.get("concepts") or _named(file, config.get("concept_file_name"), notes)
    if not isinstance(listed, list):
        return None
    concepts = cast("list[object]", listed)
    if not any(_is_concept(each) for each in concepts) and not (isinstance(document, dict) and not concepts):
        return None
    values = [Values(each, notes) for each in concepts]
    disabled = sum(not each.flag("enabled", default=True) for each in values)
    if disabled:
        message = f"{counted(disabled, 'concept is', 'concepts are')} not enabled: left out."
        notes.add(Problem("info", "disabled", message))
    folders = [_concept(file, each, notes) for each in values if each.flag("enabled", default=True)]
    few, more = limited(folders)
    return Layout("OneTrainer's concepts", file, "onetrainer", few, IMAGES, options, (*notes.problems(), *more))


def _is_concept(value: object) -> bool:
    return isinstance(value, dict) and "path" in value and any(key in value for key in _SIGNS)


def _named(file: Path, name: object, notes: Notes) -> object:
    """Return the concepts of the file that a config names: beside it, or from OneTrainer's folder."""
    if not isinstance(name, str) or not name:
        return []
    tail = name.replace("\\", "/").rsplit("/", 1)[-1]
    tried = (file.parent / name, file.parent.parent / name, file.parent / tail)
    found = next((path for path in tried if is_text(name) and path.suffix.lower() == ".json" and path.is_file()), None)
    if found:
        return read_document(found)
    message = f"Its concepts are in {name:.200}, which is not there: name that file itself."
    notes.add(Problem("error", "missing-folder", message))
    return []


def _options(config: Values) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("batch_size", "epochs", "gradient_accumulation_steps"):
        if config.whole(name) > 0:
            found[name] = config.whole(name)
    if sides := config.sides("resolution"):
        found["resolution"] = sides[0]
    return found


def _concept(file: Path, concept: Values, notes: Notes) -> ImageFolder:
    notes.unknown(concept.all, _KNOWN)
    path, exists = resolve(file.parent, concept.text("path"))
    kind = concept.text("type", "STANDARD")
    if kind not in _ROLES:
        notes.wrong("type", kind, f"one of {', '.join(_ROLES)}")
    if concept.text("balancing_strategy", "REPEATS") != "REPEATS":
        message = "Concepts balanced by SAMPLES are counted as if their balancing were repeats."
        notes.add(Problem("warning", "balancing", message, path.name))
    repeats = concept.number("balancing", concept.number("repeats", 1))
    return ImageFolder(
        path,
        concept.text("name") or path.name,
        _ROLES.get(kind, "training"),
        max(0.0, repeats),
        subfolders=concept.flag("include_subdirectories"),
        captions=_captions(file, concept.table("text"), notes),
        exists=exists,
    )


def _captions(file: Path, text: Values, notes: Notes) -> CaptionRule:
    source = text.text("prompt_source", "sample")
    if source == "filename":
        return CaptionRule("filename")
    if source == "concept":
        return CaptionRule("fixed", text=_first_line(file, text.text("prompt_path"), notes))
    if source != "sample":
        notes.wrong("prompt_source", source, "one of sample, concept, filename")
    return CaptionRule()


def _first_line(file: Path, name: str, notes: Notes) -> str:
    """Return the first prompt of a concept's file of prompts, of which each image gets one at random."""
    try:
        with open_regular(file.parent / name) as stream:
            lines = stream.read(_LONGEST_PROMPTS).decode("utf-8-sig").splitlines()
    except (OSError, ValueError):
        lines = []
    if not lines:
        message = f"The file of prompts {name or '(none)'!s:.200} cannot be read: correct prompt_path."
        notes.add(Problem("error", "prompts-not-read", message))
    return lines[0].strip()[:2000] if lines else ""


LAYOUT = LayoutReader("onetrainer", "OneTrainer's concepts.json or config", 20, _from_document)
