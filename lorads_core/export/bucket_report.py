"""What becomes of an export's images in the trainer's buckets: which are blurred, cropped or left out."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from ..model import Problem
from ..plots.buckets import BucketBar
from ..trainers.checks import CROPPED_TOO_MUCH, UPSCALED_TOO_MUCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..buckets import Placement, Size
    from ..model import TrainingConfig
    from ..trainers import Schedule, Subset, Trainer
    from .planned_image import PlannedImage

_SMALL, _LONG = 256, 4.0  # pixels of the shorter side; long side over short side
_NAMED = 3
_BY_NUMBER = frozenset({"upscaled", "cropped", "dropped"})


def name_images(
    told: Iterable[Problem], images: Sequence[PlannedImage], schedule: Schedule, bars: Sequence[BucketBar]
) -> list[Problem]:
    """Return a trainer's problems, with the names of placed images where it could but give their number.

    What it has no word for comes along: the crop of a bucket policy, and buckets that fill no batch.
    """
    problems = list(told)
    kinds = {problem.code for problem in problems}
    if any(item.policy.kind == "bucket" for item in images):
        kinds.add("cropped")
    kept = [problem for problem in problems if problem.code not in _BY_NUMBER]
    kept += (problem for problem in _bucket_problems(images, schedule) if problem.code in kinds)
    if schedule.rest != "dropped" and all(problem.code != "small-bucket" for problem in kept):
        kept += _small_buckets(bars, schedule)
    return kept


def _bucket_problems(images: Sequence[PlannedImage], schedule: Schedule) -> Iterator[Problem]:
    """Yield what images suffer, one problem a kind, each with the worst of them and with what to do."""
    yield from _upscaled([item for item in images if _scale(item) >= UPSCALED_TOO_MUCH])
    yield from _cropped([item for item in images if _cropped_share(item) >= CROPPED_TOO_MUCH])
    yield from _dropped([item for item in images if item.dropped], schedule)


def _scale(item: PlannedImage) -> float:
    return item.placement.scale if item.placement else 1.0


def _cropped_share(item: PlannedImage) -> float:
    return item.placement.cropped if item.placement and item.placement.usable else 0.0


def _upscaled(images: list[PlannedImage]) -> Iterator[Problem]:
    def told(placed: Placement) -> str:
        return f"{placed.scale:.1f}-fold from {_size(placed.source)} to {_size(placed.bucket)}"

    if not images:
        return
    small = sum(min(item.placement.source) < _SMALL for item in images if item.placement)
    fix = "use larger copies, train at a lower resolution, or set a minimum side."
    if small:
        fix = f"leave out those below {_SMALL} pixels ({small}) by a minimum side; of the others use larger copies."
    message = f"will be enlarged {UPSCALED_TOO_MUCH:g}-fold or more, which trains blur"
    yield _problem("upscaled", sorted(images, key=_scale, reverse=True), message, told, fix)


def _cropped(images: list[PlannedImage]) -> Iterator[Problem]:
    def told(placed: Placement) -> str:
        sides = zip(placed.cut, ("width", "height"), strict=True)
        cut = " and ".join(f"{pixels} of {side}" for pixels, side in sides if pixels)
        return f"{placed.cropped:.0%} of {_size(placed.resized)}, {cut}"

    if not images:
        return
    long = sum(max(item.placement.source) > _LONG * min(item.placement.source) for item in images if item.placement)
    fix = "crop them yourself to what matters."
    if long:
        fix = f"leave out those longer than {_LONG:g}:1 ({long}), or crop them yourself to what matters."
    message = f"will lose {CROPPED_TOO_MUCH:.0%} or more to the crop about their centre"
    yield _problem("cropped", sorted(images, key=_cropped_share, reverse=True), message, told, fix)


def _dropped(images: list[PlannedImage], schedule: Schedule) -> Iterator[Problem]:
    if images:
        message = f"will never be trained on, as their bucket has fewer samples than a batch of {schedule.full_batch}"
        fix = "use a smaller batch or more repeats, or crop them to the shape of others."
        yield _problem("dropped", images, message, lambda placed: _size(placed.bucket), fix)


def _small_buckets(bars: Sequence[BucketBar], schedule: Schedule) -> Iterator[Problem]:
    small = sorted(
        (count, (bar.width, bar.height)) for bar in bars for count in bar.parts if 0 < count < schedule.full_batch
    )
    if not small:
        return
    buckets = ", ".join(f"{_size(size)} with {count}" for count, size in small[:_NAMED])
    what = "A bucket has" if len(small) == 1 else f"{len(small)} buckets have"
    rest = (
        "their images are shown more often than others" if schedule.rest == "repeated" else "their batches stay small"
    )
    yield Problem(
        "warning",
        "small-bucket",
        f"{what} fewer samples than a batch of {schedule.full_batch} ({buckets}), so that {rest}:"
        " use a smaller batch or more repeats, or crop these images to the shape of others.",
    )


def _problem(
    code: str, worst: Sequence[PlannedImage], message: str, told: Callable[[Placement], str], fix: str
) -> Problem:
    """Return one problem of several images, the worst first; of a single one it is that image's own."""
    named = [f"{_name(item)} {told(item.placement)}" for item in worst[:_NAMED] if item.placement]
    more = f"; {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
    text = f"{_images(len(worst))} {message} ({'; '.join(named)}{more}): {fix}"
    if len(worst) > 1:
        return Problem("warning", code, text)
    return Problem("warning", code, text, worst[0].image.record.path, worst[0].image.key)


def _name(item: PlannedImage) -> str:
    return PurePath(item.image.record.path).name


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _size(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def bucket_facts(placements: Sequence[Placement]) -> list[tuple[str, str]]:
    """Return what becomes of images on their way into their buckets, as names and figures."""
    upscaled = [item.scale for item in placements if item.upscaled]
    cropped = [item.cropped for item in placements if item.cropped]
    return [
        ("Enlarged", f"{_images(len(upscaled))}, up to {max(upscaled):.1f}-fold" if upscaled else "no image"),
        (
            "Cropped",
            f"{_images(len(cropped))}, up to {max(cropped):.1%}, of all {sum(cropped) / len(placements):.1%}"
            if cropped
            else "no image",
        ),
    ]


def bucket_bars(chosen: Trainer, config: TrainingConfig, subsets: Sequence[Subset]) -> tuple[BucketBar, ...]:
    """Return the trainer's buckets with the samples of an epoch, and how these are batched, to be drawn."""
    whole = chosen.schedule(config, subsets)
    training = dict(chosen.schedule(config, [each for each in subsets if not each.is_regularization]).buckets)
    parts = [dict(whole.buckets)]
    if whole.apart:
        parts = [dict(chosen.schedule(config, [each]).buckets) for each in subsets if each.sizes]
    bars: list[BucketBar] = []
    for size, count in whole.buckets:
        own = min(training.get(size, 0), count)
        bars.append(BucketBar(*size, own, count - own, tuple(part[size] for part in parts if size in part)))
    return tuple(bars)
