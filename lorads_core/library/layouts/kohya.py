"""kohya's folders: ``img/10_tom cat`` and ``reg/1_cat``, with the repeats and class tokens in the folder's name.

By name, as sd-scripts reads them (v0.10.1, ``generate_dreambooth_subsets_config_by_subdirs``): each folder directly in
``train_data_dir``, none below. Configs of sd-scripts and kohya_ss that name these folders are read too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...images.formats import SUFFIXES
from ...model import Problem
from ...problems import counted
from ..walk import suffix_of
from . import CaptionRule, ImageFolder, Layout, LayoutReader, limited, resolve
from .values import Notes, Values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from . import Role

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif", ".jxl"})
"""What sd-scripts reads (``IMAGE_EXTENSIONS``), AVIF and JPEG XL with plugins."""
CAPTIONS = (".txt", ".caption", ".cap")
"""Usual suffixes of captions: kohya_ss' default, sd-scripts' own default, and a rare one."""

_LABEL = "kohya's folders"
_NUMBERED = re.compile(r"(\d{1,6})_(.*)", re.DOTALL)
_REGULARIZATION = re.compile(r"reg(ulari[sz]ation)?([ _-].*)?|reg[ _-]?(images|data|dir|set)", re.IGNORECASE)
_IMAGE_FOLDERS = ("img", "image", "images", "train", "train_data", "dataset")
_REGULARIZATION_FOLDERS = ("reg", "regularization", "regularisation", "reg_data", "class")
_OPTIONS = (
    ("batch_size", "train_batch_size"),
    ("epochs", "max_train_epochs"),
    ("epochs", "epoch"),
    ("gradient_accumulation_steps", "gradient_accumulation_steps"),
    ("max_bucket_side", "max_bucket_reso"),
    ("bucket_step", "bucket_reso_steps"),
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A folder's name ``N_words``: the repeats, and the words that stand for it."""

    repeats: int
    words: str

    @property
    def is_regularization(self) -> bool:
        """Whether the name says that the images are for regularization."""
        return bool(_REGULARIZATION.fullmatch(self.words.strip()))


def numbered(name: str) -> Numbered | None:
    """Return what a folder's name says, None where it has no repeats in front."""
    found = _NUMBERED.fullmatch(name)
    return Numbered(int(found[1]), found[2]) if found and int(found[1]) else None


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def usual_suffix(folder: Path) -> str:
    """Return the suffix that most text files of images in a folder have, ``.txt`` where there are none."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return CAPTIONS[0]
    stems = {name[: name.rfind(".")] for name in names if suffix_of(name) in SUFFIXES}
    found = [suffix_of(name) for name in names if name[: name.rfind(".")] in stems]
    return max(CAPTIONS, key=lambda suffix: (found.count(suffix), -CAPTIONS.index(suffix)))


def numbered_folders(folder: Path, role: Role, suffix: str = "") -> Iterator[ImageFolder]:
    """Yield the folders ``N_words`` directly in a folder; without a ``suffix`` of captions it is the usual one."""
    for name in subfolders(folder):
        if found := numbered(name):
            path = folder / name
            rule = CaptionRule(
                suffix=suffix or usual_suffix(path), text=found.words, assumed=not suffix, first_line=True
            )
            yield ImageFolder(path, name, role, found.repeats, captions=rule, class_tokens=found.words)


def _from_folder(folder: Path) -> Layout | None:
    names = subfolders(folder)
    by_name = {name.lower(): name for name in names}
    training = [by_name[name] for name in _IMAGE_FOLDERS if name in by_name]
    others = [by_name[name] for name in _REGULARIZATION_FOLDERS if name in by_name]
    found = [each for name in training for each in numbered_folders(folder / name, "training")]
    is_inside = not found
    if is_inside:
        found = list(numbered_folders(folder, "training"))
    found += [each for name in others for each in numbered_folders(folder / name, "regularization")]
    if not any(each.role == "training" for each in found):
        return None
    places = [folder] if is_inside else [folder / name for name in training]
    unread = [name for place in places for name in subfolders(place) if not numbered(name) and name not in others]
    return _layout(folder, found, {}, _unnumbered(unread))


def _unnumbered(names: list[str]) -> tuple[Problem, ...]:
    if not names:
        return ()
    listed = ", ".join(names[:2])
    what = counted(len(names), "folder has", "folders have")
    message = (
        f"{what} no repeats in front of the name ({listed:.120}): sd-scripts passes over such. Rename them, e.g."
        " 10_NAME, or leave them out."
    )
    return (Problem("warning", "folder-not-read", message),)


def _layout(source: Path, folders: list[ImageFolder], options: dict[str, Any], problems: tuple[Problem, ...]) -> Layout:
    few, more = limited(folders)
    return Layout(_LABEL, source, "sd-scripts", few, IMAGES, options, (*problems, *more))


def _from_document(file: Path, document: object) -> Layout | None:
    if not isinstance(document, dict):
        return None
    values = _flat(cast("dict[str, object]", document))
    if "train_data_dir" not in values or "datasets" in values:
        return None
    notes = Notes("sd-scripts")
    config = Values(values, notes)
    folders: list[ImageFolder] = []
    roles: tuple[tuple[str, Role], ...] = (("train_data_dir", "training"), ("reg_data_dir", "regularization"))
    for key, role in roles:
        if config.text(key):
            folders += _of_data_dir(file, config, key, role)
    options = {name: config.whole(key) for name, key in _OPTIONS if key in config and config.whole(key) > 0}
    resolution = config.sides("resolution") or config.sides("max_resolution")
    if resolution:
        options["resolution"] = round((resolution[0] * resolution[-1]) ** 0.5)
    return _layout(file, folders, options, notes.problems())


def _of_data_dir(file: Path, config: Values, key: str, role: Role) -> list[ImageFolder]:
    """Return the folders of a ``train_data_dir`` or ``reg_data_dir``, or itself where it is not there or has none."""
    path, exists = resolve(file.parent, config.text(key))
    # kohya_ss always passes its extension on; sd-scripts' own default is .caption (``train_util.py``).
    suffix = config.text("caption_extension") or config.text("caption_extention") or ".caption"
    found = list(numbered_folders(path, role, suffix)) if exists else []
    return found or [ImageFolder(path, path.name, role, captions=CaptionRule(suffix=suffix), exists=exists)]


def _flat(document: dict[str, object]) -> dict[str, object]:
    """Return a config with one level of sections flattened, as sd-scripts reads ``--config_file``."""
    found: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= cast("dict[str, object]", value)
        else:
            found[key] = value
    return found


LAYOUT = LayoutReader("kohya", "kohya's folders (10_NAME)", 80, _from_document, _from_folder)
