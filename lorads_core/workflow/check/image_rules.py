"""Rules of an audit about images: unread or broken ones, sizes, masks, duplicates, leaks into regularization."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ...problems import counted
from ...trainers.checks import CROPPED_TOO_MUCH, UPSCALED_TOO_MUCH
from ...vision.similarity.duplicates import ImageFeatures, find_duplicates
from .finding import Finding, about_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .read_set import SetImage, TrainingSet


def masks(checked: TrainingSet) -> Iterator[Finding]:
    """Yield masks that are trained as images, and those that are not."""
    yield from about_files(
        checked, "error", "mask-as-image", (image.path for image in checked.trained if image.is_mask),
        ("mask is trained as an image", "masks are trained as images"),
        "Move them into a folder of their own, outside the images'.",
    )  # fmt: skip
    masks = [path for files in checked.folders for path in files.skipped_masks]
    yield from about_files(
        checked, "info", "masks", masks, ("mask", "masks"), "They are used where masked training is on."
    )


def unread_files(checked: TrainingSet) -> Iterator[Finding]:
    """Yield files of kinds that the trainer does not read."""
    unread = [path for files in checked.folders for path in files.unread]
    kinds = ", ".join(sorted({path[path.rfind(".") :] for path in unread}))
    yield from about_files(
        checked, "warning", "kind-not-read", unread,
        ("image is of a kind that is not read", "images are of kinds that are not read"),
        f"{checked.trainer.label} passes over {kinds}: save them as PNG or JPEG, with the ending in small letters.",
    )  # fmt: skip
    others: Counter[str] = Counter()
    for files in checked.folders:
        others.update(files.other)
    if others:
        kinds = ", ".join(f"{count:,} {suffix or 'without an ending'}" for suffix, count in others.most_common(6))
        yield Finding(
            "info", "other-files", f"{counted(sum(others.values()), 'other file')} ({kinds})", "No trainer reads them."
        )


def broken(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images that cannot be read, are animated, or lie on their side."""
    broken = [image for image in checked.images if image.fault]
    why = broken[0].fault if broken else ""
    yield from about_files(
        checked, "error", "unreadable", (image.path for image in broken),
        ("image cannot be read", "images cannot be read"), f"The first {why:.200}",
    )  # fmt: skip
    trained = checked.trained
    yield from about_files(
        checked, "warning", "animated", (image.path for image in trained if image.frames > 1),
        ("image is animated, or has several pages", "images are animated, or have several pages"),
        "Only the first frame is trained: save the one that you want.",
    )  # fmt: skip
    if checked.trainer.name == "sd-scripts":  # no EXIF orientation is applied (v0.10.1, ``train_util.py``)
        yield from about_files(
            checked, "error", "lying", (image.path for image in trained if image.orientation > 1),
            ("image is turned upright by its EXIF alone", "images are turned upright by their EXIF alone"),
            "sd-scripts ignores that and trains them lying or mirrored: export them with LoRADS, or save them upright.",
        )  # fmt: skip


def sizes(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images that are too small, enlarged or cropped too much."""
    placed = [(image, image.placement) for image in checked.images if image.placement]
    small = [image.path for image, place in placed if not place.usable]
    yield from about_files(
        checked, "error", "too-small", small,
        ("image is too small or too long for any bucket", "images are too small or too long for any bucket"),
        f"{checked.trainer.label} would stop or skip them: leave them out.",
    )  # fmt: skip
    usable = [(image, place) for image, place in placed if place.usable]
    enlarged = sorted((pair for pair in usable if pair[1].scale >= UPSCALED_TOO_MUCH), key=lambda pair: -pair[1].scale)
    worst = f"{enlarged[0][1].scale:.1f}-fold" if enlarged else ""
    yield from about_files(
        checked, "warning", "enlarged", (image.path for image, _ in enlarged),
        (f"image is enlarged {worst}", f"images are enlarged {UPSCALED_TOO_MUCH:g}-fold or more, up to {worst}"),
        "That trains blur: leave them out, lower the resolution, or upscale them well before.",
    )  # fmt: skip
    cropped = sorted(
        (pair for pair in usable if pair[1].cropped >= CROPPED_TOO_MUCH), key=lambda pair: -pair[1].cropped
    )
    most = f"{cropped[0][1].cropped:.0%}" if cropped else ""
    yield from about_files(
        checked, "warning", "cropped", (image.path for image, _ in cropped),
        (f"image loses {most} to the crop", f"images lose {CROPPED_TOO_MUCH:.0%} or more to the crop, up to {most}"),
        "Crop them yourself, or leave out very long ones.",
    )  # fmt: skip


def unused(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images that no epoch shows."""
    unused = [image for image in checked.images if image.unused]
    yield from about_files(
        checked, "warning", "unused-regularization", (image.path for image in unused if image.is_regularization),
        ("regularization image is never trained", "regularization images are never trained"),
        "There are more than training samples: raise the repeats of the training images, or remove some.",
    )  # fmt: skip
    yield from about_files(
        checked, "error", "dropped", (image.path for image in unused if not image.is_regularization),
        ("image is never trained", "images are never trained"),
        "Their buckets have too few for a batch: lower the batch size, or raise the repeats.",
    )  # fmt: skip
    if checked.schedule and checked.schedule.dropped:
        samples = counted(checked.schedule.dropped, "sample is", "samples are")
        yield Finding(
            "warning",
            "dropped-samples",
            f"{samples} dropped in each epoch, as they fill no batch",
            "Lower the batch size.",
        )


def identical(checked: TrainingSet) -> Iterator[Finding]:
    """Yield copies of files, and training images that are regularization images too."""
    groups: defaultdict[str, list[SetImage]] = defaultdict(list)
    seen: set[str] = set()
    for image in checked.trained:
        if image.path not in seen:
            seen.add(image.path)
            groups[image.sha256].append(image)
    several = [group for group in groups.values() if len(group) > 1]
    leaked = [image.path for group in several if _leaks(group) for image in group if image.is_regularization]
    yield from about_files(
        checked, "error", "identity-leak", leaked,
        ("regularization image is a training image too", "regularization images are training images too"),
        "They teach the class to be the subject: remove them from regularization.",
    )  # fmt: skip
    copies = [image.path for group in several if not _leaks(group) for image in group[1:]]
    yield from about_files(
        checked, "warning", "identical", copies,
        ("image is a copy of another, byte by byte", "images are copies of others, byte by byte"),
        "They count double: remove them, or mean it by repeats.",
    )  # fmt: skip


def _leaks(group: Sequence[SetImage]) -> bool:
    """Whether images that are alike are of both roles: training and regularization."""
    return len({image.is_regularization for image in group}) > 1


def near(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images that are nearly the same as others."""
    images = list({image.sha256: image for image in checked.trained if image.phash is not None}.values())
    hashes = np.array([image.phash for image in images], np.int64)
    nothing = np.zeros(len(images), bool)
    alike = ImageFeatures(np.zeros((len(images), 1), np.float32), nothing, hashes, ~nothing)
    groups = [
        [images[group.best], *(images[twin.index] for twin in group.duplicates)] for group in find_duplicates(alike)
    ]
    yield from about_files(
        checked, "warning", "near-identity-leak",
        (image.path for group in groups if _leaks(group) for image in group if image.is_regularization),
        ("regularization image looks like a training image", "regularization images look like training images"),
        "They may teach the class to be the subject: remove them from regularization.",
    )  # fmt: skip
    near = [image.path for group in groups if not _leaks(group) for image in group[1:]]
    yield from about_files(
        checked, "warning", "near-duplicate", near,
        ("image is nearly the same as another", "images are nearly the same as others"),
        "Keep the best of each, or they count double.",
    )  # fmt: skip
    if checked.uncompared:
        what = counted(checked.uncompared, "image was", "images were")
        yield Finding(
            "info", "not-compared", f"{what} not compared for near-duplicates, as that would take longer",
            "--compare-all compares all.",
        )  # fmt: skip
