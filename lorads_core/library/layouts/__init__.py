"""Layouts of training sets that people already have: folders and config files of trainers, as one description.

Each module of this package reads one kind, found by a scan: kohya's folders, `dataset_config.toml`, OneTrainer's
concepts, ai-toolkit's and SimpleTuner's configs, musubi's and diffusion-pipe's TOML, Hugging Face's imagefolder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import LibraryError
from ...images.files import printable_path
from ...images.formats import SUFFIXES
from ...model import Problem
from ...plugins import plugins
from ...problems import counted
from ...system.names import is_text
from ..walk import real_folder, suffix_of
from .document import DOCUMENTS, LISTS, read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Role = Literal["training", "regularization", "validation", "masks"]
"""What a trainer does with the images of a folder."""
CaptionKind = Literal["files", "filename", "fixed", "table"]
"""Where captions are: in a text file beside each image, in its name, one text for all, or in one file for all."""

MOST_FOLDERS = 2_000
"""Folders of a layout that are looked at; nobody trains on as many."""
_MOST_DOCUMENTS = 64  # config files that are tried at the top of a folder


@dataclass(frozen=True, slots=True)
class CaptionRule:
    """How a trainer captions the images of a folder.

    ``suffix`` is that of the text files for ``files``; ``assumed`` says that no config names it, so that it was chosen
    by what lies there. ``text`` is the caption of ``fixed``, and for ``files`` that of an image without a file.
    ``table`` holds captions by the image's path relative to the folder, with ``/``. ``first_line`` means that further
    lines of a text file are not read.
    """

    kind: CaptionKind = "files"
    suffix: str = ".txt"
    text: str = ""
    assumed: bool = False
    first_line: bool = False
    table: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder of a training set: ``repeats`` is how often an epoch shows each image; ``subfolders`` may count too.

    ``class_tokens`` are the words that stand for the images without captions, the trigger among them. ``masks`` is a
    folder of masks with the images' names. ``exists`` is false where there is no such folder here.
    """

    path: Path
    name: str
    role: Role = "training"
    repeats: float = 1
    subfolders: bool = False
    captions: CaptionRule = field(default_factory=CaptionRule)
    class_tokens: str = ""
    masks: Path | None = None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """A training set as its trainer reads it.

    ``trainer`` is LoRADS' name of the trainer, empty where it has none of the kind. ``options`` are those training
    options that the config sets, by the names of `training_fields`. ``suffixes`` are the image files that the trainer
    reads, in lower case. ``problems`` say what was not understood.
    """

    label: str
    source: Path
    trainer: str
    folders: tuple[ImageFolder, ...]
    suffixes: frozenset[str] = SUFFIXES
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class LayoutReader:
    """One kind of layout; ``order`` says when it is tried, the lowest first.

    ``from_document`` gets a config file and what it holds, ``from_folder`` a folder. Both return None for what is of
    another kind.
    """

    name: str
    label: str
    order: int
    from_document: Callable[[Path, object], Layout | None] | None = None
    from_folder: Callable[[Path], Layout | None] | None = None


@cache
def readers() -> tuple[LayoutReader, ...]:
    """Return the readers of all kinds of layouts in the order in which they are tried."""
    found: list[LayoutReader] = plugins(__name__, __path__, "LAYOUT")
    return tuple(sorted(found, key=lambda each: each.order))


def read_layout(path: Path) -> Layout:
    """Return the layout of a folder or config file; a folder of no known layout is one of training images.

    Raises:
        LibraryError: it is missing or cannot be read, or is a config file of no known kind.
    """
    if is_text(str(path)) and path.expanduser().is_file():
        return _of_file(path.expanduser().absolute())
    folder = real_folder(path)
    found = [layout for file in _documents(folder) if (layout := _document_layout(file))]
    if found:
        others = ", ".join(layout.source.name for layout in found[1:])
        return _with_note(found[0], others)
    layouts = (reader.from_folder(folder) for reader in readers() if reader.from_folder)
    return next((layout for layout in layouts if layout), plain(folder))


def plain(folder: Path) -> Layout:
    """Return a folder of images, subfolders included, as `lorads build` takes it."""
    return Layout("a folder of images", folder, "", (ImageFolder(folder, folder.name, subfolders=True),))


def folder_layout(folder: Path) -> Layout | None:
    """Return the layout of a folder by its subfolders' names alone, None where they are of no known kind."""
    found = (reader.from_folder(folder) for reader in readers() if reader.from_folder)
    return next((layout for layout in found if layout), None)


def _with_note(layout: Layout, others: str) -> Layout:
    if not others:
        return layout
    message = f"Other configs of training sets lie there too ({others:.200}): name one of them to read it instead."
    problems = (*layout.problems, Problem("info", "other-configs", message, layout.source.name))
    return Layout(
        layout.label, layout.source, layout.trainer, layout.folders, layout.suffixes, layout.options, problems
    )


def _of_file(file: Path) -> Layout:
    if file.suffix.lower() not in DOCUMENTS:
        raise LibraryError(
            f"{printable_path(file)} is neither a folder nor a config file ({', '.join(DOCUMENTS)}): name one of them."
        )
    document = read_document(file)
    for reader in readers():
        layout = reader.from_document(file, document) if reader.from_document else None
        if layout:
            return layout
    kinds = ", ".join(reader.label for reader in readers())
    raise LibraryError(f"{printable_path(file)} is of no kind that is known: {kinds}.")


def _document_layout(file: Path) -> Layout | None:
    """Return the layout of a file found in a folder; one that cannot be read is another program's."""
    try:
        document = read_document(file)
    except LibraryError:
        return None
    found = (reader.from_document(file, document) for reader in readers() if reader.from_document)
    return next((layout for layout in found if layout), None)


def _documents(folder: Path) -> Iterator[Path]:
    """Yield the config files at the top of a folder, but not the text files of its images."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())
    images = {name[: name.rfind(".")] for name in names if suffix_of(name) in SUFFIXES}
    found = [name for name in names if _is_config(name) and name[: name.rfind(".")] not in images]
    yield from (folder / name for name in found[:_MOST_DOCUMENTS])


def _is_config(name: str) -> bool:
    """Say whether a file may be a config; lists that are not called metadata are other programs'."""
    suffix = suffix_of(name)
    return suffix in DOCUMENTS and (suffix not in LISTS or name[: -len(suffix)].lower() == "metadata")


def resolve(base: Path, text: str) -> tuple[Path, bool]:
    """Return the folder that a config names, and whether it is here; a relative one is looked for beside the config.

    Trainers take it from the folder that they are started in, which the config does not say.
    """
    if not text or not is_text(text):
        return Path(text.replace("\0", "") or "."), False
    path = Path(text)
    try:
        path = path.expanduser()
        tried = [path] if path.is_absolute() else [base / path, Path.cwd() / path]
        return next(((each, True) for each in tried if each.is_dir()), (tried[0], False))
    except (OSError, RuntimeError, ValueError):
        return path, False


def limited(folders: list[ImageFolder]) -> tuple[tuple[ImageFolder, ...], tuple[Problem, ...]]:
    """Return the first of very many folders, and what to say of the others."""
    if len(folders) <= MOST_FOLDERS:
        return tuple(folders), ()
    more = counted(len(folders) - MOST_FOLDERS, "folder is", "folders are")
    message = f"{more} left out: more than {MOST_FOLDERS:,} are not looked at. Split the config."
    return tuple(folders[:MOST_FOLDERS]), (Problem("warning", "too-many-folders", message),)
