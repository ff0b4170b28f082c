"""A dataset on disk: planned without touching a file, written beside its place, then put there whole by a rename.

While it is written, everything lies in ``<root>/.lorads/<name>/``; a journal there says what is done, so that an export
that was cut off goes on where it stopped. A folder that stands under its own name is therefore always whole.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import ExportError, ImageError
from .images.decode import is_ready
from .images.encode import SUFFIXES, ImagePolicy, copy_file, write_image
from .images.facts import read_facts
from .model import Dataset, DatasetImage, Export, Problem, Progress, TrainingConfig, no_progress
from .paths import slug
from .trainers import Schedule, Subset, trainer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from .model import ImageRecord

MANIFEST = "manifest.json"
_MANIFEST_VERSION = 1
_STAGING = ".lorads"
_JOURNAL = "journal.jsonl"
# Latents that sd-scripts caches beside its images. They are checked by size only, so that a changed picture of the same
# size would be trained from its old latents: they go with the version they were made from.
_CACHES = (".npz",)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write: for which trainer, pictures by which policy, with how many threads (0: one per processor)."""

    trainer: str = "sd-scripts"
    policy: ImagePolicy = field(default_factory=ImagePolicy)
    workers: int = 0

    @property
    def threads(self) -> int:
        """Threads that write pictures."""
        return self.workers or min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One picture of a plan: where it goes (folder and stem; the suffix follows from what it is) and its caption."""

    image: DatasetImage
    folder: str
    stem: str
    caption: str
    is_regularization: bool


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What would be written, and what speaks against it; ``folders`` are those of training and regularization."""

    dataset: Dataset
    config: TrainingConfig
    options: ExportOptions
    images: tuple[PlannedImage, ...]
    folders: tuple[str, str]
    schedule: Schedule | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """One picture as it lies in the export: ``file`` is relative to it, sizes are in pixels and bytes."""

    file: str
    width: int
    height: int
    size: int
    hash: str


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A finished export: the value that flows on, what was planned, and each picture's file."""

    export: Export
    schedule: Schedule
    files: dict[tuple[str, int], str]
    command: tuple[str, ...]


def plan_export(dataset: Dataset, config: TrainingConfig, options: ExportOptions | None = None) -> ExportPlan:
    """Say what an export would be; nothing is read or written.

    Images without a caption are left out with a problem: sd-scripts would take the folder's name for one.

    Raises:
        TrainerError: there is no such trainer.
    """
    options = options or ExportOptions()
    folders = (
        f"{config.repeats}_{slug(dataset.trigger.word, slug(dataset.name, 'concept'))}",
        f"{config.regularization_repeats}_regularization",
    )
    images = tuple(
        PlannedImage(image, folders[is_regularization], _stem(image), image.caption.text, is_regularization)
        for group, is_regularization in ((dataset.training, False), (dataset.regularization, True))
        for image in group
        if image.caption
    )
    subsets = _subsets(
        config, folders, [(item, (item.image.record.width, item.image.record.height)) for item in images]
    )
    problems = [*_uncaptioned(dataset), *trainer(options.trainer).problems(config, subsets)]
    refused = any(problem.severity == "error" for problem in problems)
    schedule = None if refused else trainer(options.trainer).schedule(config, subsets)
    return ExportPlan(dataset, config, options, images, folders, schedule, tuple(problems))


def _stem(image: DatasetImage) -> str:
    """Name a picture by its id, which keeps it apart and in place, and a plain form of its own name."""
    return f"{image.record.id:06d}-{slug(Path(image.record.path.replace(chr(92), '/')).stem, 'image')}"


def _subsets(
    config: TrainingConfig, folders: tuple[str, str], images: Sequence[tuple[PlannedImage, tuple[int, int]]]
) -> tuple[Subset, ...]:
    by_name = sorted(images, key=lambda item: item[0].stem)
    return tuple(
        Subset(
            folders[is_regularization],
            config.regularization_repeats if is_regularization else config.repeats,
            is_regularization,
            tuple(size for item, size in by_name if item.is_regularization == is_regularization),
        )
        for is_regularization in (False, True)
    )


def _uncaptioned(dataset: Dataset) -> Iterator[Problem]:
    for image in (*dataset.training, *dataset.regularization):
        if not image.caption:
            yield Problem(
                "warning",
                "no-caption",
                "Left out: it has no caption. Choose a source that has one, a fallback, or write one.",
                image.record.path,
            )


def write_export(plan: ExportPlan, root: Path, name: str = "", progress: Progress = no_progress) -> ExportResult:
    """Write a plan to ``root/<name>``; the folder appears, or replaces its older version, only when it is whole.

    Args:
        plan: what to write; it must have no problem of severity error.
        root: the folder of all exports; it is made where it is missing.
        name: the export's folder, by default the dataset's name; made plain ASCII.
        progress: called as ("export", done, total) with numbers of pictures.

    Raises:
        ExportError: the plan has errors; another dataset or unknown files are in the way; no training image could be
            written; the disk is full or read-only; the same export is being written elsewhere.
    """
    errors = [problem.message for problem in plan.problems if problem.severity == "error"]
    if errors:
        raise ExportError(" ".join(errors))
    place = _Place(root, slug(name or plan.dataset.name, "dataset"))
    with _translated(place.final), place.locked():
        place.recover()
        place.check(plan.dataset)
        written, problems = _write_images(plan, place, progress)
        result = _write_rest(plan, place, written, (*plan.problems, *problems))
        place.publish()
    return result


@contextmanager
def _translated(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportError(
                f"The disk of {folder} is full: free some space and export again; it goes on where it stopped."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ExportError(
                f"{folder} cannot be written ({error.strerror}): choose another export folder."
            ) from error
        raise ExportError(f"{folder} could not be written: {error}.") from error


# Where things lie


class _Place:
    """The folders of one export: its final place, where it is built, and where an older version waits meanwhile."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root.expanduser().resolve()
        self.name = name
        self.final = self.root / name
        self.output = self.root / f"{name}-lora"
        self.staging = self.root / _STAGING / name
        self.content = self.staging / "content"
        self.old = self.staging / "old"
        self.journal = self.staging / _JOURNAL

    @contextmanager
    def locked(self) -> Generator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only an export needs it

        self.content.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / _STAGING / f"{self.name}.lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout as error:
            raise ExportError(
                f"{self.final} is being exported already: wait for it, or choose another name."
            ) from error

    def recover(self) -> None:
        """Put an older version back that a run moved aside before it was cut off."""
        if self.old.exists() and not self.final.exists():
            self.old.rename(self.final)
        self._remove_old()

    def check(self, dataset: Dataset) -> None:
        """Refuse to replace anything but an older version of the same dataset, and only what its manifest lists."""
        if not self.final.exists():
            return
        manifest = read_manifest(self.final)
        if manifest is None:
            raise ExportError(f"{self.final} is no export of LoRADS: choose another name, or move it away.")
        if manifest["dataset"]["id"] != str(dataset.id):
            raise ExportError(
                f"{self.final} holds another dataset, {manifest['dataset']['name']!r}: choose another name."
            )
        strangers = sorted(self._files(self.final) - set(manifest["files"]) - {MANIFEST})
        if strangers:
            raise ExportError(
                f"{self.final} holds {len(strangers)} files that LoRADS did not write, e.g. {strangers[0]}:"
                " move them away, or export under another name."
            )

    def _files(self, folder: Path) -> set[str]:
        files = (Path(base, file) for base, _, names in os.walk(folder) for file in names)
        return {file.relative_to(folder).as_posix() for file in files if file.suffix not in _CACHES}

    def keep_only(self, files: set[str]) -> None:
        """Remove from the unfinished export what does not belong to it any more."""
        for file in self._files(self.content) - files:
            (self.content / file).unlink()

    def publish(self) -> None:
        """Put the finished export in its place; the one moment without either version is two renames long."""
        sync = getattr(os, "sync", None)  # not on Windows
        if sync:
            sync()
        if self.final.exists():
            self.final.rename(self.old)
        self.content.rename(self.final)
        self._remove_old()
        shutil.rmtree(self.staging)

    def _remove_old(self) -> None:
        if self.old.exists():
            shutil.rmtree(self.old)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of an export, None where there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known = bool(manifest["manifest"] == _MANIFEST_VERSION and manifest["dataset"]["id"] and manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if known else None


# Pictures


def _write_images(
    plan: ExportPlan, place: _Place, progress: Progress
) -> tuple[list[tuple[PlannedImage, WrittenImage]], list[Problem]]:
    """Write every picture that is not already there; return those that are there now, and why others are not."""
    done = _read_journal(place)
    for folder in {item.folder for item in plan.images}:
        (place.content / folder).mkdir(exist_ok=True)
    written: list[tuple[PlannedImage, WrittenImage]] = []
    problems: list[Problem] = []
    progress("export", 0, len(plan.images))
    with place.journal.open("a", encoding="utf-8") as journal, _pool(plan.options.threads) as pool:
        for item, result in _in_order(pool, plan, place, done):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                written.append((item, result))
                journal.write(json.dumps([_key(item, plan.options), *dataclasses.astuple(result)]) + "\n")
                journal.flush()
            progress("export", len(written) + len(problems), len(plan.images))
    if not any(not item.is_regularization for item, _ in written):
        first = f" The first fault: {problems[0].message}" if problems else ""
        raise ExportError(f"No training image of {plan.dataset.name!r} could be written.{first}")
    return written, problems


@contextmanager
def _pool(threads: int) -> Generator[ThreadPoolExecutor]:
    """A pool that drops what it has not begun when its owner gives up."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="lorads-export")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, plan: ExportPlan, place: _Place, done: dict[str, WrittenImage]
) -> Iterator[tuple[PlannedImage, WrittenImage | Problem]]:
    """Yield every planned picture with its outcome, in order, a bounded number of them under way."""
    waiting: deque[tuple[PlannedImage, Future[WrittenImage | Problem]]] = deque()
    for item in plan.images:
        before = done.get(_key(item, plan.options))
        if before and _is_there(place.content, before):
            yield item, before
            continue
        waiting.append((item, pool.submit(_write_one, item, plan.options.policy, place.content)))
        if len(waiting) > 2 * plan.options.threads:
            first, future = waiting.popleft()
            yield first, future.result()
    for item, future in waiting:
        yield item, future.result()


def _write_one(item: PlannedImage, policy: ImagePolicy, content: Path) -> WrittenImage | Problem:
    """Write a picture; one that cannot be read is a problem, a full disk is raised."""
    record = item.image.record
    source = Path(record.path)
    try:
        if policy.kind == "original" and _is_ready(record):
            target = content / item.folder / f"{item.stem}{SUFFIXES[record.format]}"
            copy_file(source, target, file_size=record.file_size, mtime_ns=record.mtime_ns)
            size = (record.width, record.height)
        else:
            target = content / item.folder / f"{item.stem}{policy.suffix}"
            size = write_image(source, target, policy)
    except ImageError as error:
        return Problem("error", "left-out", f"Left out: {error}", record.path)
    return WrittenImage(target.relative_to(content).as_posix(), *size, target.stat().st_size, record.hash)


def _is_ready(record: ImageRecord) -> bool:
    """Ask the file itself where its library has not looked."""
    return is_ready(read_facts(record.path)) if record.ready is None else record.ready


def _key(item: PlannedImage, options: ExportOptions) -> str:
    """Name what a picture is made from and how: the same key, the same file."""
    record = item.image.record
    made_from = (record.library, record.id, record.path, record.file_size, record.mtime_ns, record.hash)
    made_as = (item.folder, item.stem, *dataclasses.astuple(options.policy))
    return hashlib.sha256(repr((made_from, made_as)).encode()).hexdigest()


def _read_journal(place: _Place) -> dict[str, WrittenImage]:
    """Return what an earlier run has finished; a line that was cut off in the writing counts for nothing."""
    done: dict[str, WrittenImage] = {}
    if place.journal.exists():
        for line in place.journal.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError):
                key, *written = json.loads(line)
                done[key] = WrittenImage(*written)
    return done


def _is_there(content: Path, written: WrittenImage) -> bool:
    try:
        return (content / written.file).stat().st_size == written.size
    except OSError:
        return False


# All else


def _write_rest(
    plan: ExportPlan,
    place: _Place,
    written: Sequence[tuple[PlannedImage, WrittenImage]],
    problems: tuple[Problem, ...],
) -> ExportResult:
    """Write captions, configs and the manifest; the schedule is that of the pictures as they lie there now."""
    chosen = trainer(plan.options.trainer)
    subsets = _subsets(plan.config, plan.folders, [(item, (image.width, image.height)) for item, image in written])
    captions = {Path(image.file).with_suffix(".txt").as_posix(): item.caption for item, image in written}
    configs = chosen.files(plan.config, subsets, place.final, place.output, place.name)
    for file, text in (captions | dict(configs)).items():
        (place.content / file).write_text(text, encoding="utf-8", newline="\n")
    schedule = chosen.schedule(plan.config, subsets)
    manifest = _manifest(plan, place, written, configs)
    place.keep_only(set(manifest["files"]))
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (place.content / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    export = Export(
        dataset_id=plan.dataset.id,
        name=place.name,
        folder=place.final,
        manifest_hash=hashlib.sha256(text.encode()).hexdigest(),
        training_images=sum(not item.is_regularization for item, _ in written),
        regularization_images=sum(item.is_regularization for item, _ in written),
        problems=problems,
    )
    return ExportResult(
        export=export,
        schedule=schedule,
        files={(item.image.record.library, item.image.record.id): image.file for item, image in written},
        command=tuple(chosen.command(plan.config, place.final)),
    )


def _manifest(
    plan: ExportPlan,
    place: _Place,
    written: Sequence[tuple[PlannedImage, WrittenImage]],
    configs: Mapping[str, str],
) -> dict[str, Any]:
    """Say what the export is made of and of which files it consists; no times, so that the same export is the same."""
    dataset = plan.dataset
    captions = [Path(image.file).with_suffix(".txt").as_posix() for _, image in written]
    return {
        "manifest": _MANIFEST_VERSION,
        "lorads": __version__,
        "name": place.name,
        "dataset": {
            "id": str(dataset.id),
            "name": dataset.name,
            "library": dataset.library,
            "trigger": dataclasses.asdict(dataset.trigger),
        },
        "trainer": plan.options.trainer,
        "config": dataclasses.asdict(plan.config),
        "policy": dataclasses.asdict(plan.options.policy),
        "images": [_manifest_row(item, image) for item, image in written],
        "files": sorted([*(image.file for _, image in written), *captions, *configs]),
    }


def _manifest_row(item: PlannedImage, image: WrittenImage) -> dict[str, object]:
    record = item.image.record
    caption = item.image.caption
    return {
        "file": image.file,
        "width": image.width,
        "height": image.height,
        "bytes": image.size,
        "hash": image.hash,
        "source": {"library": record.library, "id": record.id, "path": record.path, "hash": record.hash},
        "caption": item.caption,
        "caption_source": caption.source if caption else None,
        "caption_edited": bool(caption and caption.edited),
        "regularization": item.is_regularization,
    }
