"""Writing a plan: images in parallel with a journal, then captions, configs and the manifest, then the rename.

The journal says what is done, so that an export that was cut off goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import ExportError
from ..images.encode import atomic_writer
from ..images.files import printable_path
from ..model import Export, Problem, Progress, no_progress
from ..problems import counted
from ..system.files import SHORTEN, file_error_reason, is_too_long, read_bytes, read_text
from ..system.paths import MANIFEST, slug
from ..trainers import Schedule, Subset, trainer
from .bucket_report import bucket_bars
from .integrity import RECIPE, UNHASHED, digest_of
from .layout import MANIFEST_VERSION, ExportFolders
from .masks import mask_fingerprints, unmasked, write_masks
from .permissions import limit_files, limit_folder, unlimited
from .plan import ExportPlan, subsets_of
from .start_script import start_script
from .versions import save_version
from .write_image import WrittenImage, key_of, write_planned

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from ..buckets import Placement
    from ..plots.buckets import BucketBar
    from .plan import ExportOptions
    from .planned_image import PlannedImage


_KEY = 12
_CACHE_SUFFIX = (
    36  # characters that a trainer adds at most to an image's path: "cache/" and "_0512x0512_zi.safetensors"
)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A finished export: the value that flows on, what was planned, and each image's file.

    ``script`` starts the training, None where the trainer has no command; ``checkpoints`` are the LoRA files that it
    will save, in ``output``. ``bars`` are the schedule's buckets as they are drawn, ``placements`` where the trainer
    puts each image, in the order of folders and names. ``seconds_a_step`` is how fast earlier trainings of the kind
    went on this machine, None where there were none; ``graphics_memory`` says what the last one held, empty where that
    is not known.
    """

    export: Export
    schedule: Schedule
    files: dict[tuple[str, int], str]
    script: Path | None
    checkpoints: tuple[str, ...]
    output: Path
    bars: tuple[BucketBar, ...]
    placements: tuple[Placement, ...]
    seconds_a_step: float | None = None
    graphics_memory: str = ""


def write_export(
    plan: ExportPlan,
    root: Path,
    name: str = "",
    progress: Progress = no_progress,
    guard: Callable[[Path], None] = lambda _folder: None,
) -> ExportResult:
    """Write a plan to ``root/<name>``; the folder appears, or replaces its older version, only when it is whole.

    Args:
        plan: what to write; it must have no problem of severity error.
        root: the folder of all exports; it is made where it is missing.
        name: the export's folder, by default the dataset's name; made plain ASCII.
        progress: called as ("export", done, total) with numbers of images.
        guard: called with the export's folder before an older version there is replaced; it may raise.

    Raises:
        ExportError: the plan has errors; another dataset or unknown files are in the way; no training image could be
            written; the disk is full or read-only; the same export is being written elsewhere.
    """
    place = _checked_place(plan, root, name)
    with _translated(place.final), place.locked():
        edited = place.recover()
        before = place.check(plan.dataset)
        if before and (result := _already_there(plan, place, before)):
            _write_unhashed(plan, place, place.final)
            progress("export", len(plan.images), len(plan.images))
            found = _found_problems(place, result, limit_files(plan, place.final, _as_they_lie(plan, before)))
            return _with_problems(result, (*found, *edited, *place.clear()))
        if before:
            guard(place.final)
        limit_folder(plan, place.content)
        written, problems = _write_images(plan, place, before, progress)
        masks = write_masks(plan, written, place.content)
        text = _write_rest(plan, place, written, masks, problems)
        rights = limit_files(plan, place.content, written)
        if before:  # somebody may have begun to train it meanwhile
            guard(place.final)
        place.publish()
        # From here on the new version is in its place, whatever happens.
        left = place.clear()
        unknown = save_version(place.root, place.name, _hash(text), text, rights)
    result = _result(plan, place, written, (*plan.problems, *problems), text)
    return _with_problems(result, (*_found_problems(place, result, rights), *edited, *left, *unknown))


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """What an export would be: its result, and what becomes of the folder, as a clause behind its path."""

    result: ExportResult
    sentence: str


def preview_export(
    plan: ExportPlan, root: Path, name: str = "", guard: Callable[[Path], None] = lambda _folder: None
) -> ExportPreview:
    """Return what `write_export` would do; nothing is written.

    An image that cannot be read is found only when it is written.

    Raises:
        ExportError: as for `write_export`.
    """
    place = _checked_place(plan, root, name)
    before = place.check(plan.dataset)
    sizes = [item.policy.size_of(item.image.record.width, item.image.record.height) for item in plan.images]
    written = [
        (item, WrittenImage(f"{item.folder}/{item.stem}", *size, 0, ""))
        for item, size in zip(plan.images, sizes, strict=True)
    ]
    result = _result(plan, place, written, plan.problems, "")
    if before is None:
        return ExportPreview(result, "would be written; the folder is not there yet")
    if _already_there(plan, place, before):
        return ExportPreview(result, "is there already, as it would be written")
    guard(place.final)
    return ExportPreview(result, f"would replace the version there, of {counted(len(before['images']), 'image')}")


def _checked_place(plan: ExportPlan, root: Path, name: str) -> ExportFolders:
    """Return where a plan without errors is written."""
    errors = [problem.message for problem in plan.problems if problem.severity == "error"]
    if errors:
        raise ExportError(" ".join(errors))
    return ExportFolders(root, slug(name or plan.dataset.name, "dataset"))


def _with_problems(result: ExportResult, more: Iterable[Problem]) -> ExportResult:
    problems = (*result.export.problems, *more)
    return dataclasses.replace(result, export=dataclasses.replace(result.export, problems=problems))


def _found_problems(place: ExportFolders, result: ExportResult, rights: int) -> Iterator[Problem]:
    """Yield what is wrong with an export as it lies there."""
    yield from long_paths(place.final, result.files.values())
    yield from unlimited(place.final, rights)


def long_paths(folder: Path, written: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem where a trainer could not write its caches beside images of an export, by Windows' rules."""
    long = [file for file in written if is_too_long(folder / file, _CACHE_SUFFIX)]
    if long:
        longest = str(folder / max(long, key=len))
        pictures = f"{len(long):,} image{'s' * (len(long) > 1)}"
        message = (
            f"The paths of {pictures} leave a trainer no room to write its caches beside them (Windows takes 259"
            f" characters; the longest has {len(longest)}): {SHORTEN}."
        )
        yield Problem("warning", "long-path", message, longest)


@contextmanager
def _translated(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportError(
                f"The disk of {folder} is full: free some space and export again; it goes on where it stopped."
            ) from error
        raise ExportError(
            f"{printable_path(error.filename or folder)} cannot be written: {file_error_reason(error)}."
        ) from error


def _write_images(
    plan: ExportPlan, place: ExportFolders, before: Mapping[str, Any] | None, progress: Progress
) -> tuple[list[tuple[PlannedImage, WrittenImage]], list[Problem]]:
    """Write every image that is not already there; return those that are there now, and why others are not."""
    done = _read_journal(place)
    former = _former(before)
    for folder in {item.folder for item in plan.images}:
        (place.content / folder).mkdir(exist_ok=True)
    written: list[tuple[PlannedImage, WrittenImage]] = []
    problems: list[Problem] = []
    progress("export", 0, len(plan.images))
    with place.journal.open("a", encoding="utf-8") as journal, _pool(plan.options.threads) as pool:
        for item, result in _in_order(pool, plan, place, done, former):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                written.append((item, result))
                journal.write(json.dumps([key_of(item, plan.options), *dataclasses.astuple(result)]) + "\n")
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
    pool: ThreadPoolExecutor,
    plan: ExportPlan,
    place: ExportFolders,
    done: Mapping[str, WrittenImage],
    former: Mapping[str, WrittenImage],
) -> Iterator[tuple[PlannedImage, WrittenImage | Problem]]:
    """Yield every planned image with its outcome, in order, a bounded number of them under way."""
    waiting: deque[tuple[PlannedImage, Future[WrittenImage | Problem]]] = deque()
    for item in plan.images:
        key = key_of(item, plan.options)
        before = done.get(key)
        if before and before.is_in(place.content):
            yield item, before
            continue
        same = (place.final, former[key]) if key in former else None
        waiting.append((item, pool.submit(write_planned, item, plan.options, place.content, same)))
        if len(waiting) > 2 * plan.options.threads:
            first, future = waiting.popleft()
            yield first, future.result()
    for item, future in waiting:
        yield item, future.result()


def _read_journal(place: ExportFolders) -> dict[str, WrittenImage]:
    """Return what an earlier run has finished; a line that was cut off in the writing counts for nothing."""
    done: dict[str, WrittenImage] = {}
    if place.journal.exists():
        for line in read_text(place.journal, errors="replace").splitlines():
            with suppress(ValueError, TypeError, RecursionError):
                key, *written = json.loads(line)
                done[key] = WrittenImage(*written)
    return done


def _former(manifest: Mapping[str, Any] | None) -> dict[str, WrittenImage]:
    """Return the images of the version before by what they were made from."""
    rows = manifest["images"] if manifest else ()
    return {row["key"]: _as_written(row) for row in rows if "key" in row}


def _as_written(row: Mapping[str, Any]) -> WrittenImage:
    return WrittenImage(row["file"], row["width"], row["height"], row["bytes"], row["hash"])


def _write_rest(
    plan: ExportPlan,
    place: ExportFolders,
    written: Sequence[tuple[PlannedImage, WrittenImage]],
    masks: Sequence[str],
    problems: Sequence[Problem],
) -> str:
    """Write captions, configs and the manifest, remove what belongs to none of them; return the manifest's text."""
    texts = _texts(plan, place, written)
    for file, text in texts.items():
        (place.content / file).write_text(text, encoding="utf-8", newline="\n")
    manifest = _manifest(plan, place, written, problems)
    manifest["texts"] = {file: hashlib.sha256(text.encode()).hexdigest() for file, text in sorted(texts.items())}
    manifest["masks"] = sorted(masks)
    manifest["mask_hashes"] = {file: digest_of(place.content / file) for file in sorted(masks)}
    _write_unhashed(plan, place, place.content)
    manifest["files"] = sorted([*(image.file for _, image in written), *masks, *texts, *_unhashed(plan, place)])
    place.keep_only(set(manifest["files"]))
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (place.content / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return text


def _texts(
    plan: ExportPlan, place: ExportFolders, written: Sequence[tuple[PlannedImage, WrittenImage]]
) -> dict[str, str]:
    """Return every text file of the export but the manifest."""
    captions = {Path(image.file).with_suffix(".txt").as_posix(): item.text for item, image in written}
    configs = trainer(plan.options.trainer).files(
        plan.config, _written_subsets(plan, written), place.final, _output(plan, place), place.name, plan.options.home
    )
    return captions | dict(configs)


def _unhashed(plan: ExportPlan, place: ExportFolders) -> dict[str, str]:
    """Return the text files that no training reads; see `integrity.UNHASHED`."""
    recipe = {RECIPE: plan.recipe} if plan.recipe else {}
    return recipe | start_script(plan.config, plan.options, place.final)


def _write_unhashed(plan: ExportPlan, place: ExportFolders, folder: Path) -> None:
    """Write them into a folder where they are not there as they are to be; one that runs goes on as it was."""
    for file, text in _unhashed(plan, place).items():
        if not _holds(folder / file, text):
            with atomic_writer(folder / file) as writer:
                writer.write(text.encode())


def _output(plan: ExportPlan, place: ExportFolders) -> Path:
    """Return where a training of this version saves: never where another version's LoRAs are."""
    return place.trained / _plan_key(plan)[:_KEY]


def _written_subsets(plan: ExportPlan, written: Sequence[tuple[PlannedImage, WrittenImage]]) -> tuple[Subset, ...]:
    """Return the subsets of the images as they lie there, which may be fewer and smaller than was planned."""
    return subsets_of(plan.folders, [(item, (image.width, image.height)) for item, image in written])


def _already_there(plan: ExportPlan, place: ExportFolders, manifest: Mapping[str, Any]) -> ExportResult | None:
    """Return the result of an earlier export where this plan would write the very same again."""
    if manifest["plan"] != _plan_key(plan) or manifest["left_out"]:
        return None
    written = _as_they_lie(plan, manifest)
    masks = manifest.get("masks", ())
    if not all(image.is_in(place.final) for _, image in written) or not all(
        (place.final / file).is_file() for file in masks
    ):
        return None
    texts = _texts(plan, place, written)
    if UNHASHED.intersection(manifest["files"]) != _unhashed(plan, place).keys():
        return None
    if not all(_holds(place.final / file, text) for file, text in texts.items()):
        return None
    text = read_text(place.final / MANIFEST)
    return _result(plan, place, written, plan.problems, text)


def _holds(file: Path, text: str) -> bool:
    try:
        return read_bytes(file) == text.encode()
    except OSError:
        return False


def _as_they_lie(plan: ExportPlan, manifest: Mapping[str, Any]) -> list[tuple[PlannedImage, WrittenImage]]:
    """Return the images of a manifest that was written by the same plan."""
    there = {(row["source"]["library"], row["source"]["id"]): _as_written(row) for row in manifest["images"]}
    return [(item, there[item.image.record.library, item.image.record.id]) for item in plan.images]


def _plan_key(plan: ExportPlan) -> str:
    """Name all that an export is made from."""
    parts = [
        __version__,
        str(plan.dataset.id),
        plan.options.trainer,
        str(plan.options.home or ""),
        repr(dataclasses.astuple(plan.config)),
        *(f"{key_of(item, plan.options)} {item.text}" for item in plan.images),
        *mask_fingerprints(plan),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _result(
    plan: ExportPlan,
    place: ExportFolders,
    written: Sequence[tuple[PlannedImage, WrittenImage]],
    problems: tuple[Problem, ...],
    manifest: str,
) -> ExportResult:
    chosen = trainer(plan.options.trainer)
    subsets = _written_subsets(plan, written)
    schedule = chosen.schedule(plan.config, subsets)
    export = Export(
        dataset_id=plan.dataset.id,
        name=place.name,
        folder=place.final,
        manifest_hash=_hash(manifest),
        training_images=sum(not item.is_regularization for item, _ in written),
        regularization_images=sum(item.is_regularization for item, _ in written),
        problems=(*problems, *unmasked(plan)),
    )
    return ExportResult(
        export=export,
        schedule=schedule,
        files={(item.image.record.library, item.image.record.id): image.file for item, image in written},
        script=next((place.final / name for name in start_script(plan.config, plan.options, place.final)), None),
        checkpoints=chosen.checkpoints(plan.config, schedule, place.name),
        output=_output(plan, place),
        bars=bucket_bars(chosen, plan.config, subsets),
        placements=tuple(chosen.placements(plan.config, subsets)),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _manifest(
    plan: ExportPlan,
    place: ExportFolders,
    written: Sequence[tuple[PlannedImage, WrittenImage]],
    problems: Sequence[Problem],
) -> dict[str, Any]:
    """Say what the export is made of, and what its training will do; no times: the same export is the same."""
    dataset = plan.dataset
    chosen = trainer(plan.options.trainer)
    subsets = _written_subsets(plan, written)
    schedule = chosen.schedule(plan.config, subsets)
    placements, unused = chosen.placements(plan.config, subsets), set(schedule.unused)
    return {
        "manifest": MANIFEST_VERSION,
        "lorads": __version__,
        "plan": _plan_key(plan),
        "name": place.name,
        "dataset": {
            "id": str(dataset.id),
            "name": dataset.name,
            "library": dataset.library,
            "trigger": dataclasses.asdict(dataset.trigger),
            "concepts": [dataclasses.asdict(concept) for concept in dataset.concepts],
        },
        "trainer": plan.options.trainer,
        "config": dataclasses.asdict(plan.config),
        "policy": dataclasses.asdict(plan.options.policy),
        "training": {
            "output": _output(plan, place).relative_to(place.root).as_posix(),
            "checkpoints": chosen.checkpoints(plan.config, schedule, place.name),
            "total_steps": schedule.total_steps,
            "epochs": schedule.epochs,
        },
        "images": [
            _manifest_row(item, image, plan.options, placement) | {"dropped": number in unused}
            for number, ((item, image), placement) in enumerate(zip(written, placements, strict=True))
        ],
        "left_out": [dataclasses.asdict(problem) for problem in problems],
    }


def _manifest_row(
    item: PlannedImage, image: WrittenImage, options: ExportOptions, placement: Placement
) -> dict[str, object]:
    record = item.image.record
    caption = item.image.caption
    return {
        "file": image.file,
        "width": image.width,
        "height": image.height,
        "bytes": image.size,
        "hash": image.hash,
        "key": key_of(item, options),
        "source": {"library": record.library, "id": record.id, "path": record.path, "hash": record.hash},
        "caption": item.caption,
        "caption_source": caption.source if caption else None,
        "caption_edited": bool(caption and caption.edited),
        "bucket": placement.bucket,
        "scale": round(placement.scale, 4),
        "cropped": round(placement.cropped, 4),
        "regularization": item.is_regularization,
        "concept": item.image.concept,
        "reason": item.image.reason,
    }
