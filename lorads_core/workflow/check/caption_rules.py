"""Rules of an audit about captions: unread, missing or empty ones, info texts, JSON, triggers in regularization."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ...problems import counted
from .finding import Finding, about_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .read_set import SetImage, TrainingSet


def captions_unread(checked: TrainingSet) -> Iterator[Finding]:
    """Yield captions that lie beside their images and are not what the trainer looks for."""
    lost = [image for image in checked.trained if image.caption.state == "missing" and image.caption.unread]
    if lost:
        suffix = lost[0].folder.captions.suffix
        beside = Counter(_ending(image, image.caption.unread[0]) for image in lost).most_common(1)[0][0]
        yield from about_files(
            checked, "error", "captions-unread", (image.caption.unread[0] for image in lost),
            ("caption is not read", "captions are not read"),
            f"The trainer looks for NAME{suffix}, and they are NAME{beside}: set the caption extension to it, or rename"
            " them.",
        )  # fmt: skip
    both = [
        image.caption.unread[0] for image in checked.trained if image.caption.state == "read" and image.caption.unread
    ]
    yield from about_files(
        checked, "info", "captions-beside", both,
        ("text file lies beside a caption that is read", "text files lie beside captions that are read"),
        "They are not read.",
    )  # fmt: skip


def _ending(image: SetImage, text: str) -> str:
    return text[image.path.rfind(".") :] if text.startswith(image.path[: image.path.rfind(".") + 1]) else text


def no_caption(checked: TrainingSet) -> Iterator[Finding]:
    """Yield images without a caption, and what they are trained as."""
    lacking = [image for image in checked.trained if image.caption.state == "missing" and not image.caption.unread]
    replaced = [image for image in lacking if image.caption.text]
    text = replaced[0].caption.text if replaced else ""
    yield from about_files(
        checked, "info" if len(replaced) == len(checked.trained) else "warning", "no-caption",
        (image.path for image in replaced), ("image has no caption", "images have no caption"),
        f"They are trained as {text!r:.60}: caption them for more than that.",
    )  # fmt: skip
    yield from about_files(
        checked, "warning", "no-caption", (image.path for image in lacking if not image.caption.text),
        ("image has no caption at all", "images have no caption at all"),
        "Caption them, or give them the trigger (class_tokens, default_caption).",
    )  # fmt: skip


def bad_captions(checked: TrainingSet) -> Iterator[Finding]:
    """Yield captions that are empty, no text, info texts or JSON, or of which only a line is read."""
    trained = checked.trained
    stops = checked.trainer.name == "sd-scripts"
    empty = [image.caption.file for image in trained if image.caption.state == "empty"]
    yield from about_files(
        checked, "error" if stops else "warning", "empty-caption", empty,
        ("caption file is empty", "caption files are empty"),
        "sd-scripts stops at it: write the caption, or delete the file." if stops else "Write them.",
    )  # fmt: skip
    yield from about_files(
        checked, "error", "caption-not-text",
        (image.caption.file for image in trained if image.caption.state == "unreadable"),
        ("caption is not UTF-8 text", "captions are not UTF-8 text"), "Save them as UTF-8.",
    )  # fmt: skip
    texts = [image for image in trained if image.caption.is_infotext]
    whole = [image for image in texts if not image.folder.captions.first_line]
    yield from about_files(
        checked, "error" if whole else "warning", "caption-is-infotext",
        (image.caption.file or image.path for image in texts),
        ("caption is the info text of a generator", "captions are the info texts of a generator"),
        f"{'Negative prompt and settings are' if whole else 'Only the first line is'} trained: keep the prompt alone.",
    )  # fmt: skip
    structured = [image.caption.file or image.path for image in trained if image.caption.is_json]
    yield from about_files(
        checked, "error", "caption-is-json", structured,
        ("caption is JSON", "captions are JSON"), "Braces and keys would be trained: write its tags as text.",
    )  # fmt: skip
    cut = [
        image.caption.file
        for image in trained
        if image.folder.captions.first_line and image.caption.lines > 1 and not image.caption.is_infotext
    ]
    yield from about_files(
        checked, "warning", "first-line-only", cut,
        ("caption has lines that are not trained", "captions have lines that are not trained"),
        "Only the first line is: write one line, or set enable_wildcard to take one at random.",
    )  # fmt: skip


def assumed_suffix(checked: TrainingSet) -> Iterator[Finding]:
    """Say which ending of captions was taken where no config names one."""
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


def orphans(checked: TrainingSet) -> Iterator[Finding]:
    """Yield text files without an image."""
    stems = {image.path[: image.path.rfind(".")] for image in checked.images}
    stems |= {path[: path.rfind(".")] for files in checked.folders for path in (*files.unread, *files.skipped_masks)}
    whole = {image.path for image in checked.images}
    texts = [
        path
        for files in checked.folders
        for path in sorted(files.texts)
        if path.endswith((".txt", ".caption")) and path[: path.rfind(".")] not in stems | whole
    ]
    yield from about_files(
        checked, "info", "text-without-image", texts,
        ("text file belongs to no image", "text files belong to no image"),
        "Rename them as their images, or delete them.",
    )  # fmt: skip


def trigger_in_regularization(checked: TrainingSet, words: Sequence[str]) -> Iterator[Finding]:
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
        yield from about_files(
            checked, "error", "trigger-in-regularization", paths,
            ("regularization caption has the trigger", "regularization captions have the trigger"),
            f"They teach {word!r} to be the class: remove the word there.",
        )  # fmt: skip
