"""Import of a training set that exists as a dataset: repeats, regularization images and captions included."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..captions.caption import CaptionSettings
from ..captions.trigger import checked
from ..errors import CaptionError, ImageError, LibraryError, SettingsError
from ..images.facts import read_facts
from ..images.formats import SUFFIXES
from ..library.filter import DatasetFilter
from ..library.index import IndexOptions
from ..library.layouts import folder_layout
from ..library.mask_names import images_below, masks_in_folder, masks_of
from ..library.sidecars import Reading, SidecarRule
from ..library.usable import find_usable
from ..library.walk import real_folder
from ..model import Caption, Change, Concept, Dataset, DatasetImage, Edit, Problem, Trigger, no_progress
from ..problems import counted
from ..store import datasets
from ..store.images import set_masks
from ..system.command import command
from ..tags import one_line, safe_text
from .captions import caption, keep_edit
from .check.folders import folder_files
from .check.texts import trained_caption
from .dataset import index, open_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..library import Library
    from ..library.index import IndexReport
    from ..library.layouts import ImageFolder, Layout
    from ..model import ImageKey, ImageRecord, Progress
    from ..settings import Settings
    from ..store.connect import Store
    from .check.folders import FolderFiles


_SAME_SHAPE = 0.97  # of one aspect ratio to another: masks that were drawn on smaller copies are rounded


@dataclass(frozen=True, slots=True)
class Imported:
    """A dataset that was imported and saved, what to look at, and the training options of its config."""

    dataset: Dataset
    reports: tuple[IndexReport, ...]
    problems: tuple[Problem, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """The images of a folder as the library knows them, with the captions that its layout gives them."""

    folder: ImageFolder
    concept: str
    records: tuple[ImageRecord, ...]
    texts: Mapping[ImageKey, str]
    masks: int = 0


def gather(
    store: Store,
    settings: Settings,
    layout: Layout,
    name: str,
    library: str = "pictures",
    trigger: str = "",
    progress: Progress = no_progress,
) -> tuple[Imported, Sequence[_Found]]:
    """Index the folders of a layout and return the dataset that they make; it is not saved yet, see `save`.

    Raises:
        LibraryError: a folder is missing, or there is nothing to train on.
        SettingsError: the name is empty.
        CaptionError: the name is that of another owner's dataset, or the trigger cannot stand in a caption.
    """
    if not name.strip():
        raise SettingsError("The dataset has no name: give a --name, its captions are saved under it.")
    _check(layout)
    folders = [dataclasses.replace(each, path=real_folder(each.path)) for each in _used(layout)]
    reports = tuple(
        index(store, settings, library, folder.path, _reading(folder), progress)
        for folder in {each.path: each for each in folders}.values()
    )
    opened = open_library(store, settings, library)
    problems: list[Problem] = [*layout.problems, *_left_out(layout)]
    found: list[_Found] = []
    for folder, concept in zip(folders, _names(folders), strict=True):
        files = folder_files(layout, folder, layout.trainer)
        each = _find(opened, files, concept, problems, progress)
        if folder.role == "training" and folder.masks:
            each = _with_masks(store, each, folder.masks, problems)
        found.append(each)
    problems += _mask_problems([each for each in found if each.folder.role == "training"])
    with store.connection() as connection:
        dataset_id = datasets.ensure_dataset(connection, name, library, store.owner)
    training, regularization = _images(found, problems)
    if not training:
        raise LibraryError("There is no image to train on in the training folders: lorads check says why.")
    concepts = tuple(_concept(each, trigger) for each in found if each.folder.role == "training" and each.records)
    dataset = Dataset(dataset_id, name, library, training, regularization, concepts=concepts)
    masked = {"masked_loss": "sidecar"} if any(each.masks for each in found) else {}
    return Imported(dataset, reports, tuple(problems), {**layout.options, **masked}), found


def save(store: Store, settings: Settings, imported: Imported, found: Sequence[_Found], progress: Progress) -> Imported:
    """Caption an imported dataset from its text files and from its config, and save it.

    Captions that no text file has (one for all, those of file names or of one file for all images) are an edit, so
    that the history knows them.
    """
    captioned = caption(store, settings, imported.dataset, CaptionSettings(source="sidecar"), progress)
    texts = {key: text for each in found for key, text in each.texts.items()}
    changes = [
        Change(image.key, image.caption, Caption(texts[image.key], "sidecar", fixed=True))
        for image in captioned.dataset.images
        if texts.get(image.key) and not (image.caption and image.caption.fixed)
    ]
    changes = [each for each in changes if not each.before or each.before.text != texts[each.image]]
    dataset = keep_edit(store, captioned.dataset, Edit("Import captions", tuple(changes)))
    without = {image.record.path for image in dataset.images if not image.caption}
    problems = [each for each in captioned.problems if each.code not in {"fallbacks", "no-caption"}]
    if without:
        message = (
            f"{counted(len(without), 'image has', 'images have')} no caption and would be left out of an export: write"
            " some in lorads panel, or tag the images."
        )
        problems.append(Problem("warning", "fallbacks", message))
    return dataclasses.replace(imported, dataset=dataset, problems=(*imported.problems, *problems))


def layout_notes(folder: Path) -> list[Problem]:
    """Return what to say of a folder of images whose subfolders' names say more than `index` reads from them."""
    layout = folder_layout(real_folder(folder))
    if not layout:
        return []
    names = ", ".join(each.name for each in layout.folders[:2])
    more = ", …" if len(layout.folders) > 2 else ""  # noqa: PLR2004 - as many as are named
    message = (
        f"The folder looks like kohya's ({names}{more}): its repeats are not read, and images in it for regularization"
        f" are trained as the subject. {command('import', str(folder), '--name', 'NAME')} reads both."
    )
    return [Problem("warning", "existing-set", message)]


def _check(layout: Layout) -> None:
    missing = [each for each in _used(layout) if not each.exists]
    if missing:
        what = counted(len(missing), "folder is", "folders are")
        raise LibraryError(f"{what} not there ({missing[0].path!s:.300}): correct the path, or connect the drive.")


def _used(layout: Layout) -> list[ImageFolder]:
    """Return the folders that are trained, subjects first: an image in two of them is a training image."""
    used = [each for each in layout.folders if each.role in {"training", "regularization"} and each.repeats]
    return sorted(used, key=lambda each: each.role != "training")


def _left_out(layout: Layout) -> Iterator[Problem]:
    used = {each.path for each in _used(layout)}
    others = [each for each in layout.folders if each.path not in used]
    if others:
        what = counted(len(others), "folder is", "folders are")
        message = f"{what} left out, as it is not trained ({others[0].name}: {others[0].role})."
        yield Problem("info", "folder-left-out", message)


def _reading(folder: ImageFolder) -> IndexOptions:
    """Return how to read a folder: its captions are sidecars, whatever their suffix."""
    rule, suffix = folder.captions, folder.captions.suffix.lower()
    if rule.kind != "files" or suffix in SUFFIXES:
        return IndexOptions()
    others = (each for each in SidecarRule().readings if each.suffix != suffix)
    return IndexOptions(sidecars=SidecarRule((Reading(suffix, "sidecar"), *others)))


def _names(folders: Sequence[ImageFolder]) -> list[str]:
    """Return a name for the concept of each folder, no two alike."""
    names: list[str] = []
    for folder in folders:
        plain = folder.class_tokens or folder.name
        numbers = (f"{plain} {n}" if n > 1 else plain for n in range(1, len(folders) + 2))
        names.append(next(name for name in numbers if name not in names))
    return names


def _find(library: Library, files: FolderFiles, concept: str, problems: list[Problem], progress: Progress) -> _Found:
    masks = files.folder.masks
    elsewhere = {path for path in files.images if masks and Path(path).is_relative_to(masks)}
    paths = set(files.images) - files.masks - elsewhere
    wanted = DatasetFilter(folders=(str(files.folder.path),), exclude_marked_bad=False)
    found = find_usable(library, wanted, progress, lambda record: record.path in paths)
    problems += found.problems
    if files.masks or files.skipped_masks:
        what = counted(len(files.masks) + len(files.skipped_masks), "mask is", "masks are")
        message = f"{what} no training image: --masked-loss sidecar of lorads export uses masks."
        problems.append(Problem("info", "masks", message, str(files.folder.path)))
    return _Found(files.folder, concept, found.records, dict(_texts(files, found.records)))


def _with_masks(store: Store, found: _Found, folder: Path, problems: list[Problem]) -> _Found:
    """Keep which masks of another folder belong to the images; where they lie beside the images, that is known.

    An image without one in the folder keeps the mask that another set has given it.
    """
    if not folder.is_dir():
        return found  # the layout says that it is missing
    masks = masks_in_folder((record.path for record in found.records), str(found.folder.path), str(folder))
    by_path = {record.path: record for record in found.records}
    library = found.records[0].library if found.records else ""
    with store.connection() as connection:
        set_masks(connection, library, {by_path[path].id: mask for path, mask in masks.items()})
    without = len(by_path) - len(masks)
    message = (
        f"{counted(len(masks), 'mask')} of {folder} taken along, white is trained: export with --masked-loss sidecar."
    )
    if without:
        few = "image has", "images have"
        message += f" {counted(without, *few)} none there ({next(path for path in by_path if path not in masks)})."
    problems.append(Problem("warning" if without else "info", "masks-elsewhere", message))
    records = (dataclasses.replace(record, mask=masks.get(record.path, record.mask)) for record in found.records)
    return dataclasses.replace(found, records=tuple(records), masks=len(masks))


def _mask_problems(found: Sequence[_Found]) -> Iterator[Problem]:
    """Yield masks that cannot be read or are of another shape, and what in folders of masks is the mask of no image."""
    records = {record.path: record for each in found for record in each.records}
    masks = masks_of(records.values())
    yield from filter(None, (_mask_problem(records[image], mask) for image, mask in masks.items()))
    used = {*masks.values(), *records}
    for folder in dict.fromkeys(each.folder.masks for each in found if each.folder.masks):
        if unused := sorted(images_below(str(folder)) - used):
            what = counted(len(unused), "file is", "files are")
            message = f"{what} the mask of no training image of this set, or the second one of its image ({unused[0]})."
            yield Problem("info", "mask-unused", message, str(folder))


def _mask_problem(record: ImageRecord, mask: str) -> Problem | None:
    try:
        facts = read_facts(mask)
    except ImageError as error:
        message = f"An export with masks will stop at the one of this image: {error}"
        return Problem("warning", "mask-unreadable", message, record.path)
    across, down = facts.width * record.height, facts.height * record.width
    if min(across, down) >= _SAME_SHAPE * max(across, down):
        return None
    message = f"Its mask has another shape ({facts.width} × {facts.height}) and will be stretched: draw it again."
    return Problem("warning", "mask-shape", message, record.path)


def _texts(files: FolderFiles, records: Sequence[ImageRecord]) -> Iterator[tuple[ImageKey, str]]:
    """Yield captions that are in no text file of their image."""
    for record in records:
        found = trained_caption(record.path, files.folder.path, files.folder.captions, files.texts)
        if not found.file and not found.unread:
            yield (record.library, record.id), safe_text(one_line(found.text))


def _images(
    found: Sequence[_Found], problems: list[Problem]
) -> tuple[tuple[DatasetImage, ...], tuple[DatasetImage, ...]]:
    """Return training images and regularization images; what is both is for training only."""
    training: dict[ImageKey, DatasetImage] = {}
    others: dict[ImageKey, DatasetImage] = {}
    for each in found:
        of_role = training if each.folder.role == "training" else others
        for record in each.records:
            concept = each.concept if of_role is training else ""
            of_role.setdefault((record.library, record.id), DatasetImage(record, concept=concept))
    hashes = {image.record.hash for image in training.values() if image.record.hash}
    apart = {key: image for key, image in others.items() if key not in training and image.record.hash not in hashes}
    if len(apart) < len(others):
        both = "regularization image is a training image", "regularization images are training images"
        what = counted(len(others) - len(apart), *both)
        problems.append(Problem("warning", "training-elsewhere", f"{what} too: left out of regularization."))
    return tuple(training.values()), tuple(apart.values())


def _concept(found: _Found, trigger: str) -> Concept:
    """Return the concept of a folder; captions stay as they are, so that the trigger is put nowhere."""
    word = trigger or (found.folder.class_tokens.split() or [""])[0]
    try:
        usable = checked(Trigger(word, "none"))
    except CaptionError:
        if trigger:
            raise
        usable = Trigger("", "none")
    return Concept(found.concept, usable, max(1, round(found.folder.repeats)))
