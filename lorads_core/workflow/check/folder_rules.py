"""Rules of an audit about folders: missing, empty or nested ones, regularization trained as the subject, balance."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ...export.amount import FEW_SAMPLES, FEW_STEPS, MANY_STEPS, SAMPLES
from ...library.layouts.kohya import numbered
from ...problems import counted
from .finding import Finding, about_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .read_set import SetImage, TrainingSet


_REGULARIZATION_FOLDER = re.compile(r"(\d+_)?(reg|regs|regularization|regularisation)([ _-].*)?", re.IGNORECASE)
_UNEVEN = 10
"""From this ratio of samples on, one folder drowns the other."""


def missing_folders(checked: TrainingSet) -> Iterator[Finding]:
    """Yield folders that are not there or cannot be read."""
    paths = [str(files.folder.path) for files in checked.folders if not files.folder.exists]
    yield from about_files(
        checked, "error", "missing-folder", paths, ("folder is not there", "folders are not there"),
        "Correct the path in the config, or connect the drive.",
    )  # fmt: skip
    unlisted = [path for files in checked.folders for path in files.unlisted]
    yield from about_files(
        checked, "error", "folder-unreadable", unlisted, ("folder cannot be read", "folders cannot be read"),
        "Give this user the right to read it.",
    )  # fmt: skip


def nothing(checked: TrainingSet) -> Iterator[Finding]:
    """Yield what is not trained at all: no images, an empty folder, no repeats."""
    if not checked.of_role("training"):
        yield Finding(
            "error",
            "no-images",
            "There is no image to train on",
            "Name the folder that holds the images, or its config.",
        )
    empty = [
        str(files.folder.path)
        for files in checked.folders
        if files.folder.exists and not files.images and not files.unlisted
    ]
    yield from about_files(
        checked, "warning", "empty-folder", empty, ("folder has no image", "folders have no image"),
        "Put images there, or take it out.",
    )  # fmt: skip
    unused = [str(files.folder.path) for files in checked.folders if files.images and not files.folder.repeats]
    yield from about_files(
        checked, "error", "no-repeats", unused, ("folder has 0 repeats", "folders have 0 repeats"),
        "It is not trained at all: give it 1 or more.",
    )  # fmt: skip


def regularization_as_subject(checked: TrainingSet) -> Iterator[Finding]:
    """Yield training images in a folder that is called as one of regularization images."""
    paths = [image.path for image in checked.of_role("training") if _looks_like_regularization(image)]
    yield from about_files(
        checked, "error", "regularization-as-subject", paths,
        ("regularization image is trained as the subject", "regularization images are trained as the subject"),
        "Their folder lies among the training folders: move it out, and name it as reg_data_dir, or with is_reg.",
    )  # fmt: skip


def _looks_like_regularization(image: SetImage) -> bool:
    """Say whether the folder that holds a training image is called as one of regularization images."""
    below = image.path[len(str(image.folder.path)) :].replace("\\", "/").split("/")[:-1]
    own = numbered(image.folder.path.name)
    if own and own.is_regularization:
        return True
    return any(_REGULARIZATION_FOLDER.fullmatch(name) for name in below if name)


def twice(checked: TrainingSet) -> Iterator[Finding]:
    """Yield files that two folders of the set hold: one lies in the other, or they are named twice."""
    holders: defaultdict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for image in checked.trained:
        holders[image.path].add(image.folder.role)
        times[image.path] += 1
    mixed = [path for path, roles in holders.items() if len(roles) > 1]
    yield from about_files(
        checked, "error", "regularization-as-subject", mixed,
        ("image is trained as the subject too", "images are trained as the subject too"),
        "Regularization images lie in a training folder: move them out of it.",
    )  # fmt: skip
    again = [path for path, count in times.items() if count > 1 and path not in mixed]
    yield from about_files(
        checked, "warning", "folder-twice", again,
        ("image is in two of its folders", "images are in two of its folders"),
        "It is trained for both, with the repeats of both: keep the folders apart.",
    )  # fmt: skip


def outside(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images that no folder of the set holds."""
    yield from about_files(
        checked, "warning", "not-in-folder", checked.outside,
        ("image lies outside the folders that are trained", "images lie outside the folders that are trained"),
        "They are not trained: move them into a folder such as 10_NAME, or leave them out.",
    )  # fmt: skip
    below = [path for files in checked.folders for path in files.below]
    taken = {image.path for image in checked.images}
    yield from about_files(
        checked, "warning", "not-in-folder", (path for path in below if path not in taken),
        ("image is in a subfolder that is not looked into", "images are in subfolders that are not looked into"),
        "They are not trained: move them up, or let the config name their folder.",
    )  # fmt: skip


def balance(checked: TrainingSet) -> Iterator[Finding]:
    """Say where folders are shown very unevenly, as happens when repeats are forgotten."""
    samples = Counter[str]()
    for image in checked.of_role("training"):
        samples[image.folder.name] += max(0, round(image.folder.repeats))
    if len(samples) > 1:
        (most, high), (least, low) = samples.most_common()[0], samples.most_common()[-1]
        if low and high >= _UNEVEN * low:
            yield Finding(
                "warning", "unbalanced",
                f"{most} has {high:,} samples an epoch and {least} {low:,}",
                "Change the repeats, unless that is meant.",
            )  # fmt: skip
    broken = [
        files.folder.name for files in checked.folders if files.folder.repeats not in {0, round(files.folder.repeats)}
    ]
    if broken:
        what = counted(len(broken), "folder has", "folders have")
        yield Finding(
            "info", "part-repeats", f"{what} repeats that are no whole number ({broken[0]:.60})",
            "Steps are counted with the nearest whole number.",
        )  # fmt: skip


def amount(checked: TrainingSet) -> Iterator[Finding]:
    """Yield steps that are too few or too many, or how many epochs would be usual where the set does not say."""
    samples = sum(max(0, round(image.folder.repeats)) for image in checked.of_role("training"))
    schedule = checked.schedule
    if not schedule or not samples:
        return
    concepts = len({image.folder.name for image in checked.of_role("training")})
    if "epochs" in checked.assumed and not checked.steps:
        usual = max(1, round(SAMPLES * concepts / samples))
        message = f"An epoch has {counted(samples, 'sample')}, and the set does not say how many epochs"
        advice = f"{counted(usual, 'epoch makes', 'epochs make')} about {SAMPLES * concepts:,} samples, as is usual."
        yield Finding("info", "amount", message, advice)
        return
    steps = checked.steps or schedule.total_steps
    if steps < FEW_STEPS * concepts and samples * schedule.epochs < FEW_SAMPLES * concepts:
        advice = f"{FEW_STEPS * concepts:,} or more are usual: raise repeats or epochs."
        yield Finding("warning", "few-steps", f"{steps:,} steps are few to learn from", advice)
    if steps > MANY_STEPS * concepts:
        advice = f"Up to {MANY_STEPS * concepts:,} are usual, regularization included: lower repeats or epochs."
        yield Finding("warning", "many-steps", f"{steps:,} steps are many: a LoRA learns its images by heart", advice)
