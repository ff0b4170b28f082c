"""What an export would be: which images under which names, and its problems; no file is touched."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..captions.head import head_parts
from ..captions.lint import LintRules, lint
from ..captions.profiles import profile
from ..captions.structured import structured
from ..images.encode import ImagePolicy
from ..model import Concept, Dataset, DatasetImage, Problem, TrainingConfig, Trigger
from ..problems import EXAMPLES, counted
from ..system.paths import slug
from ..trainers import Schedule, Subset, trainer
from .amount import Images, amount_problems, images_of, sized
from .bucket_report import bucket_bars, name_images
from .planned_image import PlannedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ..buckets import Placement, Size
    from ..model import ImageRecord
    from ..trainers import Trainer
    from ..trainers.installed import Installed

DROP_DUPLICATES = "leave them out by --duplicates drop (duplicates of Query Images), or reject them in the panel."
_OF_THE_CONFIG = frozenset({"left-right", "one-sided", "too-many-tokens", "shuffled-prose"})

# OneTrainer takes files with such names for masks and conditioning images (modules/dataLoader of 23df383).
_SKIPPED_STEMS = ("-masklabel", "-condlabel")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write: for which trainer, images by which policy, with how many threads (0: one per processor).

    ``link`` gives files that would be copied a second name instead, where the drive is the same: quick and small, but
    a change of one changes the library's file too. ``first_frame`` writes the first frame of an animation, or page of
    a TIFF, which is left out otherwise. ``installed`` is the trainer as lorads.toml has it, None where that is not
    known.
    """

    trainer: str = "sd-scripts"
    policy: ImagePolicy = field(default_factory=ImagePolicy)
    link: bool = False
    workers: int = 0
    installed: Installed | None = None
    first_frame: bool = False

    @property
    def home(self) -> Path | None:
        """Where the trainer is installed: its version decides on formats. None where it cannot be looked at."""
        return self.installed.home if self.installed else None

    @property
    def threads(self) -> int:
        """Threads that write images."""
        return self.workers or min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of an export: the images of a concept, or the regularization images."""

    name: str
    concept: str
    trigger: str
    repeats: int
    is_regularization: bool = False


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What would be written, and its problems; ``folders`` are one a concept, then regularization's.

    ``recipe`` is the text of `integrity.RECIPE`, empty where there is none.
    """

    dataset: Dataset
    config: TrainingConfig
    options: ExportOptions
    images: tuple[PlannedImage, ...]
    folders: tuple[Folder, ...]
    schedule: Schedule | None
    problems: tuple[Problem, ...]
    recipe: str = ""


def plan_export(dataset: Dataset, config: TrainingConfig, options: ExportOptions | None = None) -> ExportPlan:
    """Say what an export would be; nothing is read or written.

    Images without a caption are left out with a problem: sd-scripts would take the folder's name for one.

    Raises:
        TrainerError: there is no such trainer.
        ExportError: masks in the alpha channel are requested, in a format that has none.
    """
    options = options or ExportOptions()
    chosen = trainer(options.trainer)
    dataset, animated = _without_animations(dataset, options)
    given, amount = config, _images(dataset, options)
    config = sized_config(dataset, config, options)
    folders = _folders(dataset, config)
    images = in_order(folders, _planned(dataset, config, options, folders))
    subsets = subsets_of(folders, [(item, _written_size(item)) for item in images])
    problems = [
        *_uncaptioned(dataset),
        *animated,
        *_identical(dataset),
        *_not_linked(options),
        *_caption_problems(dataset, config),
        *chosen.problems(config, subsets, options.home),
    ]
    if any(problem.severity == "error" for problem in problems):
        return ExportPlan(dataset, config, options, images, folders, None, tuple(problems))
    schedule = chosen.schedule(config, subsets)
    problems += amount_problems(given, config, amount, chosen, schedule)
    images = _placed(images, chosen.placements(config, subsets), schedule)
    bars = bucket_bars(chosen, config, subsets)
    return ExportPlan(
        dataset, config, options, images, folders, schedule, tuple(name_images(problems, images, schedule, bars))
    )


def _without_animations(dataset: Dataset, options: ExportOptions) -> tuple[Dataset, list[Problem]]:
    """Leave out images of several frames, as far as the library knows them, or say that the first one is written."""
    animated = [image.record for image in dataset.images if image.record.frames > 1]
    if not animated:
        return dataset, []
    those = ", ".join(map(name_of, animated[:EXAMPLES])) + (", …" if len(animated) > EXAMPLES else "")
    if options.first_frame:
        what = counted(len(animated), "animated image gives its", "animated images give their")
        return dataset, [Problem("info", "first-frame", f"{what} first frame ({those}).", animated[0].path)]
    message = (
        f"{counted(len(animated), 'animated image is', 'animated images are')} left out ({those}): export the first"
        " frame (--first-frame, or first_frame in Export Dataset), or save the one to train on as PNG."
    )
    return replace(
        dataset,
        training=tuple(image for image in dataset.training if image.record.frames == 1),
        regularization=tuple(image for image in dataset.regularization if image.record.frames == 1),
    ), [Problem("warning", "animated", message, animated[0].path)]


def _not_linked(options: ExportOptions) -> Iterator[Problem]:
    """Yield why files are copied where links were wanted: a link is the library's own file, with all that is in it."""
    if not options.link:
        return
    if options.policy.kind != "original":
        why = f"image policy {options.policy.kind!r} encodes each image; 'original' can link"
    elif options.policy.strip:
        why = "they are written without their metadata (strip), which a link would keep"
    else:
        return
    yield Problem("warning", "not-linked", f"No image is linked, though link is on: {why}.")


def _images(dataset: Dataset, options: ExportOptions) -> Images:
    """Return what is trained, by the sizes that images will have before any crop."""
    sizes = [options.policy.size_of(image.record.width, image.record.height) for image in dataset.images]
    return images_of(dataset, sizes)


def _refused(chosen: Trainer, config: TrainingConfig, options: ExportOptions) -> bool:
    """Say whether a trainer refuses a config whatever is trained, so that it cannot count its steps."""
    problems = chosen.problems(config, (), options.home)
    return any(problem.severity == "error" and problem.code == "config" for problem in problems)


def sized_config(dataset: Dataset, config: TrainingConfig, options: ExportOptions | None = None) -> TrainingConfig:
    """Return the config with which an export of a dataset would be made: repeats and epochs suit its size."""
    options = options or ExportOptions()
    dataset, _ = _without_animations(dataset, options)
    chosen = trainer(options.trainer)
    if _refused(chosen, config, options):
        return config
    return sized(config, _images(dataset, options), chosen)


def _written_size(item: PlannedImage) -> Size:
    """Return the size that an image will have in the export, before any crop."""
    return item.policy.size_of(item.image.record.width, item.image.record.height)


def in_order(folders: Sequence[Folder], images: Iterable[PlannedImage]) -> tuple[PlannedImage, ...]:
    """Return images as a trainer finds them: folder by folder, by name."""
    places = {folder.name: place for place, folder in enumerate(folders)}
    return tuple(sorted(images, key=lambda item: (places[item.folder], item.stem)))


def _placed(
    images: Sequence[PlannedImage], placements: Sequence[Placement], schedule: Schedule
) -> tuple[PlannedImage, ...]:
    unused = set(schedule.unused)
    found: list[PlannedImage] = []
    for place, (item, placement) in enumerate(zip(images, placements, strict=True)):
        policy = replace(item.policy, bucket=placement.bucket) if item.policy.kind == "bucket" else item.policy
        found.append(replace(item, placement=placement, policy=policy, dropped=place in unused))
    return tuple(found)


def _caption_problems(dataset: Dataset, config: TrainingConfig) -> Iterator[Problem]:
    """Yield what is wrong with captions because of the config; all else was reported where they were built."""
    rules = LintRules(
        profile(config.base_model),
        flip_aug=config.flip_aug,
        shuffle=config.shuffle_caption,
        token_limit=config.max_token_length,
    )
    return (problem for problem in lint(dataset, rules) if problem.code in _OF_THE_CONFIG)


def _folders(dataset: Dataset, config: TrainingConfig) -> tuple[Folder, ...]:
    concepts = dataset.concepts or (Concept("", dataset.trigger),)
    others = f"{config.regularization_repeats}_regularization"
    taken = {others}
    folders: list[Folder] = []
    for concept in concepts:
        repeats = concept.repeats or config.repeats
        plain = slug(concept.trigger.word, slug(concept.name or dataset.name, "concept"))
        names = (f"{repeats}_{plain}{number}" for number in ("", *(f"-{n}" for n in range(2, len(concepts) + 2))))
        name = next(name for name in names if name.casefold() not in taken)
        taken.add(name.casefold())
        folders.append(Folder(name, concept.name, concept.trigger.word, repeats))
    return (*folders, Folder(others, "", "", config.regularization_repeats, is_regularization=True))


def _planned(
    dataset: Dataset, config: TrainingConfig, options: ExportOptions, folders: Sequence[Folder]
) -> Iterator[PlannedImage]:
    by_concept = {folder.concept: folder.name for folder in folders if not folder.is_regularization}
    masked = replace(options.policy, keep_alpha=True) if config.masked_loss == "alpha" else options.policy
    for image in dataset.training:
        if image.caption:
            text = _text(image.caption.text, dataset.trigger_of(image), config, options)
            folder = by_concept[image.concept]
            yield PlannedImage(
                image, folder, _stem(image), image.caption.text, is_regularization=False, text=text, policy=masked
            )
    for image in dataset.regularization:
        if image.caption:
            text, folder = _text(image.caption.text, Trigger(), config, options), folders[-1].name
            yield PlannedImage(
                image,
                folder,
                _stem(image),
                image.caption.text,
                is_regularization=True,
                text=text,
                policy=options.policy,
            )


def _text(caption: str, trigger: Trigger, config: TrainingConfig, options: ExportOptions) -> str:
    """Return what the caption's file holds: lines stay apart only where they are variants, else some would be lost."""
    lines = [line.strip() for line in caption.splitlines() if line.strip()]
    if not config.caption_variants:
        lines = [" ".join(lines)]
    chosen = trainer(options.trainer)
    if profile(config.base_model).structured:
        return "\n".join(map(structured, lines))
    return "\n".join(chosen.caption(line, head_parts(line, trigger), config) for line in lines)


def _stem(image: DatasetImage) -> str:
    """Name an image by its id, which keeps it apart and in place, and a plain form of its own name."""
    name = PurePosixPath(name_of(image.record)).stem
    stem = f"{image.record.id:06d}-{slug(name, 'image')}"
    return f"{stem}-image" if stem.lower().endswith(_SKIPPED_STEMS) else stem


def subsets_of(folders: Sequence[Folder], images: Sequence[tuple[PlannedImage, tuple[int, int]]]) -> tuple[Subset, ...]:
    """Return the folders as a trainer sees them, with the sizes of the images (in order) that are in them."""
    sizes: dict[str, list[tuple[int, int]]] = {folder.name: [] for folder in folders}
    for item, size in images:
        sizes[item.folder].append(size)
    return tuple(
        Subset(folder.name, folder.repeats, folder.is_regularization, tuple(sizes[folder.name]), folder.trigger)
        for folder in folders
    )


def name_of(record: ImageRecord) -> str:
    """Return an image's name without its folder, whichever system its path is of."""
    return PurePosixPath(record.path.replace("\\", "/")).name


def _identical(dataset: Dataset) -> Iterator[Problem]:
    """Say how many training images are byte for byte others of them: each counts as often as it is there."""
    first: dict[str, ImageRecord] = {}
    found: list[tuple[ImageRecord, ImageRecord]] = []
    for record in (image.record for image in dataset.training if image.record.hash):
        if record.hash in first:
            found.append((record, first[record.hash]))
        else:
            first[record.hash] = record
    if found:
        what = "training image is identical to another", "training images are identical to others"
        yield duplicates_problem("identical-files", found, what)


def duplicates_problem(code: str, pairs: Sequence[tuple[ImageRecord, ImageRecord]], what: tuple[str, str]) -> Problem:
    """Return one problem about images and those that they are like, with two examples; ``what`` is for one and many."""
    examples = ", ".join(f"{name_of(one)} and {name_of(other)}" for one, other in pairs[:EXAMPLES])
    more = ", …" if len(pairs) > EXAMPLES else ""
    return Problem(
        "warning", code, f"{counted(len(pairs), *what)} ({examples}{more}): {DROP_DUPLICATES}", pairs[0][0].path
    )


def _uncaptioned(dataset: Dataset) -> Iterator[Problem]:
    for image in (*dataset.training, *dataset.regularization):
        if not image.caption:
            yield Problem(
                "warning",
                "no-caption",
                "Left out: it has no caption. Choose a source that has one (--caption), a fallback (--fallback), or"
                " write one.",
                image.record.path,
            )
