"""What an audit finds in a training set: one function for each kind, in a table; each finding says what to do."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...library.layouts.kohya import numbered
from ...problems import counted
from ...trainers.checks import CROPPED_TOO_MUCH, UPSCALED_TOO_MUCH
from ...vision.similarity.duplicates import ImageFeatures, find_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ...model import Problem, Severity
    from .read_set import SetImage, TrainingSet

EXAMPLES = 2
"""Files that a finding names."""
_REGULARIZATION_FOLDER = re.compile(r"(\d+_)?(reg|regs|regularization|regularisation)([ _-].*)?", re.IGNORECASE)
_FULL_SIZE = 10  # a subset's repeats over which it is worth saying that another has 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that is wrong: ``message`` has the count, ``advice`` says what to do.

    ``paths`` are all files that it is about, ``subjects`` the first of them as they are shown.
    """

    severity: Severity
    code: str
    message: str
    advice: str
    paths: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding as one line."""
        more = ", …" if len(self.paths) > len(self.subjects) else ""
        examples = f" ({', '.join(self.subjects)}{more})" if self.subjects else ""
        return f"{self.message}{examples}. {self.advice}"


def findings(checked: TrainingSet, words: Sequence[str] = ()) -> list[Finding]:
    """Return everything that is wrong with a training set, the worst first; ``words`` are triggers that are known."""
    found = [_of_problem(problem) for problem in checked.layout.problems]
    for rule in RULES:
        found += rule(checked)
    found += _trigger_in_regularization(checked, words)
    order = ("error", "warning", "info")
    return sorted(found, key=lambda each: order.index(each.severity))


def _of_problem(problem: Problem) -> Finding:
    return Finding(problem.severity, problem.code, problem.message.removesuffix("."), "", (), ())


def _finding(
    checked: TrainingSet, severity: Severity, code: str, paths: Iterable[str], what: tuple[str, str], advice: str
) -> Iterator[Finding]:
    """Yield a finding about files where there are any; ``what`` is said of one, and of several."""
    found = tuple(dict.fromkeys(paths))
    if found:
        subjects = tuple(checked.shown(path) for path in found[:EXAMPLES])
        yield Finding(severity, code, counted(len(found), *what), advice, found, subjects)


def _missing_folders(checked: TrainingSet) -> Iterator[Finding]:
    paths = [str(files.folder.path) for files in checked.folders if not files.folder.exists]
    yield from _finding(
        checked, "error", "missing-folder", paths, ("folder is not there", "folders are not there"),
        "Correct the path in the config, or connect the drive.",
    )  # fmt: skip
    unlisted = [path for files in checked.folders for path in files.unlisted]
    yield from _finding(
        checked, "error", "folder-unreadable", unlisted, ("folder cannot be read", "folders cannot be read"),
        "Give this user the right to read it.",
    )  # fmt: skip


def _nothing(checked: TrainingSet) -> Iterator[Finding]:
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
    yield from _finding(
        checked, "warning", "empty-folder", empty, ("folder has no image", "folders have no image"),
        "Put images there, or take it out.",
    )  # fmt: skip
    unused = [str(files.folder.path) for files in checked.folders if files.images and not files.folder.repeats]
    yield from _finding(
        checked, "error", "no-repeats", unused, ("folder has 0 repeats", "folders have 0 repeats"),
        "It is not trained at all: give it 1 or more.",
    )  # fmt: skip


def _regularization_as_subject(checked: TrainingSet) -> Iterator[Finding]:
    paths = [image.path for image in checked.of_role("training") if _looks_like_regularization(image)]
    yield from _finding(
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


def _twice(checked: TrainingSet) -> Iterator[Finding]:
    """Yield files that two folders of the set hold: one lies in the other, or they are named twice."""
    holders: defaultdict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for image in checked.trained:
        holders[image.path].add(image.folder.role)
        times[image.path] += 1
    mixed = [path for path, roles in holders.items() if len(roles) > 1]
    yield from _finding(
        checked, "error", "regularization-as-subject", mixed,
        ("image is trained as the subject too", "images are trained as the subject too"),
        "Regularization images lie in a training folder: move them out of it.",
    )  # fmt: skip
    again = [path for path, count in times.items() if count > 1 and path not in mixed]
    yield from _finding(
        checked, "warning", "folder-twice", again,
        ("image is in two of its folders", "images are in two of its folders"),
        "It is trained for both, with the repeats of both: keep the folders apart.",
    )  # fmt: skip


def _outside(checked: TrainingSet) -> Iterator[Finding]:
    yield from _finding(
        checked, "warning", "not-in-folder", checked.outside,
        ("image lies outside the folders that are trained", "images lie outside the folders that are trained"),
        "They are not trained: move them into a folder such as 10_NAME, or leave them out.",
    )  # fmt: skip
    below = [path for files in checked.folders for path in files.below]
    taken = {image.path for image in checked.images}
    yield from _finding(
        checked, "warning", "not-in-folder", (path for path in below if path not in taken),
        ("image is in a subfolder that is not looked into", "images are in subfolders that are not looked into"),
        "They are not trained: move them up, or let the config name their folder.",
    )  # fmt: skip


def _captions_unread(checked: TrainingSet) -> Iterator[Finding]:
    lost = [image for image in checked.trained if image.caption.state == "missing" and image.caption.unread]
    if lost:
        suffix = lost[0].folder.captions.suffix
        beside = Counter(_ending(image, image.caption.unread[0]) for image in lost).most_common(1)[0][0]
        yield from _finding(
            checked, "error", "captions-unread", (image.caption.unread[0] for image in lost),
            ("caption is not read", "captions are not read"),
            f"The trainer looks for NAME{suffix}, and they are NAME{beside}: set the caption extension to it, or rename"
            " them.",
        )  # fmt: skip
    both = [
        image.caption.unread[0] for image in checked.trained if image.caption.state == "read" and image.caption.unread
    ]
    yield from _finding(
        checked, "info", "captions-beside", both,
        ("text file lies beside a caption that is read", "text files lie beside captions that are read"),
        "They are not read.",
    )  # fmt: skip


def _ending(image: SetImage, text: str) -> str:
    return text[image.path.rfind(".") :] if text.startswith(image.path[: image.path.rfind(".") + 1]) else text


def _no_caption(checked: TrainingSet) -> Iterator[Finding]:
    lacking = [image for image in checked.trained if image.caption.state == "missing" and not image.caption.unread]
    replaced = [image for image in lacking if image.caption.text]
    text = replaced[0].caption.text if replaced else ""
    yield from _finding(
        checked, "info" if len(replaced) == len(checked.trained) else "warning", "no-caption",
        (image.path for image in replaced), ("image has no caption", "images have no caption"),
        f"They are trained as {text!r:.60}: caption them for more than that.",
    )  # fmt: skip
    yield from _finding(
        checked, "warning", "no-caption", (image.path for image in lacking if not image.caption.text),
        ("image has no caption at all", "images have no caption at all"),
        "Caption them, or give them the trigger (class_tokens, default_caption).",
    )  # fmt: skip


def _bad_captions(checked: TrainingSet) -> Iterator[Finding]:
    trained = checked.trained
    stops = checked.trainer.name == "sd-scripts"
    empty = [image.caption.file for image in trained if image.caption.state == "empty"]
    yield from _finding(
        checked, "error" if stops else "warning", "empty-caption", empty,
        ("caption file is empty", "caption files are empty"),
        "sd-scripts stops at it: write the caption, or delete the file." if stops else "Write them.",
    )  # fmt: skip
    yield from _finding(
        checked, "error", "caption-not-text",
        (image.caption.file for image in trained if image.caption.state == "unreadable"),
        ("caption is not UTF-8 text", "captions are not UTF-8 text"), "Save them as UTF-8.",
    )  # fmt: skip
    yield from _finding(
        checked, "error", "caption-is-infotext",
        (image.caption.file or image.path for image in trained if image.caption.is_infotext),
        ("caption is the info text of a generator", "captions are the info texts of a generator"),
        "Negative prompt and settings would be trained: keep the prompt alone (lorads import, then lorads lint).",
    )  # fmt: skip
    yield from _finding(
        checked, "error", "caption-is-json", (image.caption.file or image.path for image in trained if image.caption.is_json),
        ("caption is JSON", "captions are JSON"), "Braces and keys would be trained: write its tags as text.",
    )  # fmt: skip
    cut = [image.caption.file for image in trained if image.folder.captions.first_line and image.caption.lines > 1]
    yield from _finding(
        checked, "warning", "first-line-only", cut,
        ("caption has lines that are not trained", "captions have lines that are not trained"),
        "Only the first line is: write one line, or set enable_wildcard to take one at random.",
    )  # fmt: skip


def _assumed_suffix(checked: TrainingSet) -> Iterator[Finding]:
    folders = [files.folder for files in checked.folders if files.folder.captions.assumed]
    wrong = [folder for folder in folders if folder.captions.suffix != ".caption"]
    with_captions = [image for image in checked.trained if image.folder in wrong and image.caption.file]
    if with_captions:
        yield Finding(
            "info", "caption-extension",
            f"{counted(len(with_captions), 'caption is', 'captions are')} read if the caption extension is"
            f" {wrong[0].captions.suffix}",
            "kohya_ss sets .txt; sd-scripts' own default is .caption: give --caption_extension.",
        )  # fmt: skip


def _orphans(checked: TrainingSet) -> Iterator[Finding]:
    stems = {image.path[: image.path.rfind(".")] for image in checked.images}
    stems |= {path[: path.rfind(".")] for files in checked.folders for path in (*files.unread, *files.skipped_masks)}
    whole = {image.path for image in checked.images}
    texts = [
        path
        for files in checked.folders
        for path in sorted(files.texts)
        if path.endswith((".txt", ".caption")) and path[: path.rfind(".")] not in stems | whole
    ]
    yield from _finding(
        checked, "info", "text-without-image", texts,
        ("text file belongs to no image", "text files belong to no image"),
        "Rename them as their images, or delete them.",
    )  # fmt: skip


def _masks(checked: TrainingSet) -> Iterator[Finding]:
    yield from _finding(
        checked, "error", "mask-as-image", (image.path for image in checked.trained if image.is_mask),
        ("mask is trained as an image", "masks are trained as images"),
        "Move them into a folder of their own, outside the images'.",
    )  # fmt: skip
    masks = [path for files in checked.folders for path in files.skipped_masks]
    yield from _finding(
        checked, "info", "masks", masks, ("mask", "masks"), "They are used where masked training is on."
    )


def _unread_files(checked: TrainingSet) -> Iterator[Finding]:
    unread = [path for files in checked.folders for path in files.unread]
    kinds = ", ".join(sorted({path[path.rfind(".") :] for path in unread}))
    yield from _finding(
        checked, "warning", "kind-not-read", unread,
        ("image is of a kind that is not read", "images are of kinds that are not read"),
        f"{checked.trainer.label} passes over them. Save them as PNG or JPEG, with the ending in small letters: {kinds}.",
    )  # fmt: skip
    others: Counter[str] = Counter()
    for files in checked.folders:
        others.update(files.other)
    if others:
        kinds = ", ".join(f"{count:,} {suffix or 'without an ending'}" for suffix, count in others.most_common(6))
        yield Finding(
            "info", "other-files", f"{counted(sum(others.values()), 'other file')} ({kinds})", "No trainer reads them."
        )


def _broken(checked: TrainingSet) -> Iterator[Finding]:
    broken = [image for image in checked.images if image.fault]
    why = broken[0].fault if broken else ""
    yield from _finding(
        checked, "error", "unreadable", (image.path for image in broken),
        ("image cannot be read", "images cannot be read"), f"The first {why:.200}",
    )  # fmt: skip
    trained = checked.trained
    yield from _finding(
        checked, "warning", "animated", (image.path for image in trained if image.frames > 1),
        ("image is animated, or has several pages", "images are animated, or have several pages"),
        "Only the first frame is trained: save the one that you want.",
    )  # fmt: skip
    if checked.trainer.name == "sd-scripts":  # no EXIF orientation is applied (v0.10.1, ``train_util.py``)
        yield from _finding(
            checked, "error", "lying", (image.path for image in trained if image.orientation > 1),
            ("image is turned upright by its EXIF alone", "images are turned upright by their EXIF alone"),
            "sd-scripts ignores that and trains them lying or mirrored: export them with LoRADS, or save them upright.",
        )  # fmt: skip


def _sizes(checked: TrainingSet) -> Iterator[Finding]:
    placed = [(image, image.placement) for image in checked.images if image.placement]
    small = [image.path for image, place in placed if not place.usable]
    yield from _finding(
        checked, "error", "too-small", small,
        ("image is too small or too long for any bucket", "images are too small or too long for any bucket"),
        f"{checked.trainer.label} would stop or skip them: leave them out.",
    )  # fmt: skip
    usable = [(image, place) for image, place in placed if place.usable]
    enlarged = sorted((pair for pair in usable if pair[1].scale >= UPSCALED_TOO_MUCH), key=lambda pair: -pair[1].scale)
    worst = f"{enlarged[0][1].scale:.1f}-fold" if enlarged else ""
    yield from _finding(
        checked, "warning", "enlarged", (image.path for image, _ in enlarged),
        (f"image is enlarged {worst}", f"images are enlarged {UPSCALED_TOO_MUCH:g}-fold or more, up to {worst}"),
        "That trains blur: leave them out, lower the resolution, or upscale them well before.",
    )  # fmt: skip
    cropped = sorted(
        (pair for pair in usable if pair[1].cropped >= CROPPED_TOO_MUCH), key=lambda pair: -pair[1].cropped
    )
    most = f"{cropped[0][1].cropped:.0%}" if cropped else ""
    yield from _finding(
        checked, "warning", "cropped", (image.path for image, _ in cropped),
        (f"image loses {most} to the crop", f"images lose {CROPPED_TOO_MUCH:.0%} or more to the crop, up to {most}"),
        "Crop them yourself, or leave out very long ones.",
    )  # fmt: skip


def _unused(checked: TrainingSet) -> Iterator[Finding]:
    unused = [image for image in checked.images if image.unused]
    yield from _finding(
        checked, "warning", "unused-regularization", (image.path for image in unused if image.is_regularization),
        ("regularization image is never trained", "regularization images are never trained"),
        "There are more than training samples: raise the repeats of the training images, or remove some.",
    )  # fmt: skip
    yield from _finding(
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


def _identical(checked: TrainingSet) -> Iterator[Finding]:
    groups: defaultdict[str, list[SetImage]] = defaultdict(list)
    seen: set[str] = set()
    for image in checked.trained:
        if image.path not in seen:
            seen.add(image.path)
            groups[image.sha256].append(image)
    several = [group for group in groups.values() if len(group) > 1]
    leaks = [group for group in several if len({image.is_regularization for image in group}) > 1]
    yield from _finding(
        checked, "error", "identity-leak", (image.path for group in leaks for image in group if image.is_regularization),
        ("regularization image is a training image too", "regularization images are training images too"),
        "They teach the class to be the subject: remove them from regularization.",
    )  # fmt: skip
    copies = [image.path for group in several if group not in leaks for image in group[1:]]
    yield from _finding(
        checked, "warning", "identical", copies,
        ("image is a copy of another, byte by byte", "images are copies of others, byte by byte"),
        "They count double: remove them, or mean it by repeats.",
    )  # fmt: skip


def _near(checked: TrainingSet) -> Iterator[Finding]:
    images = list({image.sha256: image for image in checked.trained if image.phash is not None}.values())
    hashes = np.array([image.phash for image in images], np.int64)
    nothing = np.zeros(len(images), bool)
    alike = ImageFeatures(np.zeros((len(images), 1), np.float32), nothing, hashes, ~nothing)
    groups = [
        [images[group.best], *(images[twin.index] for twin in group.duplicates)] for group in find_duplicates(alike)
    ]
    leaks = [group for group in groups if len({image.is_regularization for image in group}) > 1]
    yield from _finding(
        checked, "warning", "near-identity-leak",
        (image.path for group in leaks for image in group if image.is_regularization),
        ("regularization image looks like a training image", "regularization images look like training images"),
        "They may teach the class to be the subject: remove them from regularization.",
    )  # fmt: skip
    near = [image.path for group in groups if group not in leaks for image in group[1:]]
    yield from _finding(
        checked, "warning", "near-duplicate", near,
        ("image is nearly the same as another", "images are nearly the same as others"),
        "Keep the best of each, or they count double.",
    )  # fmt: skip
    if checked.uncompared:
        what = counted(checked.uncompared, "image was", "images were")
        yield Finding(
            "info", "not-compared", f"{what} not compared for near-duplicates, as that would take longer",
            "lorads query --duplicates report compares all.",
        )  # fmt: skip


def _trigger_in_regularization(checked: TrainingSet, words: Sequence[str]) -> Iterator[Finding]:
    """Yield captions of regularization images with a word that only the subject's images are to have."""
    folders = [files.folder for files in checked.folders]
    of_class = {
        word.casefold() for each in folders if each.role == "regularization" for word in each.class_tokens.split()
    }
    own = {
        word
        for each in folders
        if each.role == "training"
        for word in each.class_tokens.split()[:1]
        if word.casefold() not in of_class and len(each.class_tokens.split()) > bool(of_class)
    }
    for word in sorted({*own, *words}):
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        paths = [image.path for image in checked.of_role("regularization") if pattern.search(image.caption.text)]
        yield from _finding(
            checked, "error", "trigger-in-regularization", paths,
            ("regularization caption has the trigger", "regularization captions have the trigger"),
            f"They teach {word!r} to be the class: remove the word there.",
        )  # fmt: skip


def _balance(checked: TrainingSet) -> Iterator[Finding]:
    """Say where folders are shown very unevenly, as happens when repeats are forgotten."""
    samples = Counter[str]()
    for image in checked.of_role("training"):
        samples[image.folder.name] += max(0, round(image.folder.repeats))
    if len(samples) > 1:
        (most, high), (least, low) = samples.most_common()[0], samples.most_common()[-1]
        if low and high >= _FULL_SIZE * low:
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


RULES: tuple[Callable[[TrainingSet], Iterator[Finding]], ...] = (
    _missing_folders, _nothing, _regularization_as_subject, _twice, _outside, _captions_unread, _no_caption,
    _bad_captions, _assumed_suffix, _orphans, _masks, _unread_files, _broken, _sizes, _unused, _identical, _near,
    _balance,
)  # fmt: skip
