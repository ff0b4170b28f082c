"""Reading of a whole training set for its audit: sizes, hashes, captions, and the trainer's buckets and steps."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...errors import ImageError
from ...images.facts import read_facts
from ...images.files import printable_path
from ...images.phash import read_phash
from ...model import no_progress
from ...trainers import Subset, trainer
from ...trainers.defaults import make_config
from .folders import folder_files, outside_files
from .texts import trained_caption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...buckets import Placement, Size
    from ...library.layouts import ImageFolder, Layout
    from ...model import Progress, TrainingConfig
    from ...trainers import Schedule, Trainer
    from .folders import FolderFiles
    from .texts import TrainedCaption

SECONDS = 8.0
"""How long an audit takes at most to look for near-duplicates: pixels are decoded for that, 10 to 50 ms an image."""
_DEFAULTS = {"batch_size": 1}
"""What no layout says and every trainer has as its own default."""


@dataclass(frozen=True, slots=True)
class SetImage:
    """An image of a training set; ``fault`` says why it cannot be read, ``phash`` is None where it was not made."""

    path: str
    folder: ImageFolder
    caption: TrainedCaption
    fault: str = ""
    size: Size = (0, 0)
    sha256: str = ""
    frames: int = 1
    orientation: int = 1
    is_mask: bool = False
    phash: int | None = None
    placement: Placement | None = None
    unused: bool = False

    @property
    def is_regularization(self) -> bool:
        """Whether its folder's images are for regularization."""
        return self.folder.role == "regularization"

    @property
    def is_trained(self) -> bool:
        """Whether a trainer learns from it, as a subject or as regularization."""
        return self.folder.role in {"training", "regularization"} and not self.fault


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A training set as it was read. ``assumed`` are the options that neither the layout nor the user gave.

    ``schedule`` is None where nothing can be trained. ``uncompared`` images were not compared with others.
    """

    layout: Layout
    trainer: Trainer
    config: TrainingConfig
    folders: tuple[FolderFiles, ...]
    images: tuple[SetImage, ...]
    outside: tuple[str, ...]
    schedule: Schedule | None
    assumed: tuple[str, ...]
    uncompared: int
    steps: int = 0

    def shown(self, path: str) -> str:
        """Return a path as findings print it: relative to the set where that is shorter."""
        source = self.layout.source
        root = source if source.is_dir() else source.parent
        inside = path.startswith(f"{root}{os.sep}")
        return printable_path(os.path.relpath(path, root) if inside else path)

    @property
    def trained(self) -> list[SetImage]:
        """The images that a trainer learns from."""
        return [image for image in self.images if image.is_trained]

    def of_role(self, role: str) -> list[SetImage]:
        """The readable images of a role."""
        return [image for image in self.images if image.folder.role == role and not image.fault]


def read_set(
    layout: Layout,
    given: Mapping[str, Any],
    trainer_name: str = "",
    progress: Progress = no_progress,
    seconds: float = SECONDS,
) -> TrainingSet:
    """Read a training set; ``given`` are training options that a person set, over those of the layout.

    After ``seconds`` no more images are compared for near-duplicates.

    Raises:
        TrainerError: there is no such trainer.
        SettingsError: an option has a value that cannot be.
    """
    until = monotonic() + seconds
    chosen = trainer(trainer_name or layout.trainer or "sd-scripts")
    options = {**_DEFAULTS, **layout.options, **given}
    steps = int(options.pop("steps", 0) or 0)
    config = make_config(options)
    folders = tuple(folder_files(layout, folder, chosen.name) for folder in layout.folders)
    images = _read(folders, progress)
    images, uncompared = _compared(images, until, progress)
    assumed = tuple(name for name in ("batch_size", "resolution", "epochs") if name not in {**layout.options, **given})
    placed, schedule = _placed(images, layout, chosen, config)
    return TrainingSet(
        layout, chosen, config, folders, placed, outside_files(layout), schedule, assumed, uncompared, steps
    )


def _threads() -> int:
    return max(2, min(16, os.cpu_count() or 1))


def _read(folders: Sequence[FolderFiles], progress: Progress) -> list[SetImage]:
    jobs = [(files, path) for files in folders for path in files.images]
    found: list[SetImage] = []
    with ThreadPoolExecutor(_threads()) as pool:
        for image in pool.map(_image, jobs):
            found.append(image)
            progress("read", len(found), len(jobs))
    return found


def _image(job: tuple[FolderFiles, str]) -> SetImage:
    files, path = job
    caption = trained_caption(path, files.folder.path, files.folder.captions, files.texts)
    image = SetImage(path, files.folder, caption, is_mask=path in files.masks)
    try:
        facts = read_facts(path)
    except ImageError as error:
        return replace(image, fault=str(error).removeprefix(printable_path(path)).strip())
    return replace(
        image,
        size=(facts.width, facts.height),
        sha256=facts.sha256,
        frames=facts.frames,
        orientation=facts.orientation,
    )


def _compared(images: Sequence[SetImage], until: float, progress: Progress) -> tuple[list[SetImage], int]:
    """Add perceptual hashes, one for each content, for as long as an audit may take; return how many have none."""
    cheapest = sorted((image for image in images if image.sha256), key=lambda image: image.size[0] * image.size[1])
    paths = {image.sha256: image.path for image in cheapest}
    found: dict[str, tuple[int | None, str]] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        jobs = ((sha256, path, until) for sha256, path in paths.items())
        for sha256, value in pool.map(_hashed, jobs):
            if value:
                found[sha256] = value
            progress("compare", len(found), len(paths))
    progress("compare", len(paths), len(paths))
    nothing = None, ""
    hashed = [(image, found.get(image.sha256, nothing)) for image in images]
    return [replace(image, phash=phash, fault=image.fault or fault) for image, (phash, fault) in hashed], len(
        paths
    ) - len(found)


def _hashed(job: tuple[str, str, float]) -> tuple[str, tuple[int | None, str] | None]:
    """Return the perceptual hash of a file and what is wrong with its pixels; None where time is up."""
    sha256, path, until = job
    if monotonic() > until:
        return sha256, None
    try:
        return sha256, (read_phash(path), "")
    except ImageError as error:
        return sha256, (None, str(error).removeprefix(printable_path(path)).strip())


def _placed(
    images: list[SetImage], layout: Layout, chosen: Trainer, config: TrainingConfig
) -> tuple[tuple[SetImage, ...], Schedule | None]:
    """Add to each image that is trained where the trainer puts it; return its steps too."""
    trained = [image for folder in layout.folders for image in images if image.is_trained and image.folder is folder]
    subsets = [_subset(folder, trained) for folder in layout.folders if folder.role in {"training", "regularization"}]
    subsets = [subset for subset in subsets if subset.sizes and subset.repeats]
    if not any(not subset.is_regularization for subset in subsets):
        return tuple(images), None
    counted = [image for image in trained if image.folder.repeats]
    places = chosen.placements(config, subsets)
    usable = all(place.usable for place in places)
    schedule = chosen.schedule(config, subsets) if usable else None
    unused = set(schedule.unused) if schedule else set[int]()
    placed = {
        id(image): replace(image, placement=place, unused=number in unused)
        for number, (image, place) in enumerate(zip(counted, places, strict=True))
    }
    return tuple(placed.get(id(image), image) for image in images), schedule


def _subset(folder: ImageFolder, images: Sequence[SetImage]) -> Subset:
    sizes = tuple(image.size for image in images if image.folder is folder)
    repeats = max(1, round(folder.repeats)) if folder.repeats else 0
    words = folder.class_tokens.split()
    is_other = folder.role == "regularization"
    return Subset(folder.name, repeats, is_other, sizes, words[0] if words and not is_other else "")
