"""Permissions of an export's files and folder: `system.rights` for images, captions, masks and what lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..images.files import printable_path
from ..model import Problem
from ..system.rights import EVERYONE, common_rights, gives_more, limit_rights
from ..trainers import trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .plan import ExportPlan
    from .planned_image import PlannedImage
    from .write_image import WrittenImage


def limit_folder(plan: ExportPlan, folder: Path) -> None:
    """Limit the folder that an export is written into to those who may read all of its images."""
    limit_rights(folder, common_rights(item.image.record.path for item in plan.images))


def limit_files(plan: ExportPlan, folder: Path, written: Iterable[tuple[PlannedImage, WrittenImage]]) -> int:
    """Limit an export: of each image the copy, caption and mask by its own rights, all else by those of all images.

    Images that were taken over from the version before count too: their image may have become private since.

    Returns:
        The rights that all images give.
    """
    rights = EVERYONE
    for item, image in written:
        given = common_rights([item.image.record.path])
        mask = trainer(plan.options.trainer).mask(item.folder, item.stem)
        for file in filter(None, (image.file, Path(image.file).with_suffix(".txt"), mask)):
            limit_rights(folder / file, given)
        rights &= given
    limit_rights(folder, rights)
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False):
            limit_rights(entry.path, rights)
    return rights


def unlimited(folder: Path, rights: int) -> Iterator[Problem]:
    """Yield a problem where an export can be read by more people than its images."""
    if gives_more(folder, rights):
        message = (
            "Other users of this machine can read this export, and may not read all of its images: its drive has no"
            " permissions of files. Export to another drive, or allow them to read the images."
        )
        yield Problem("warning", "permissions", message, printable_path(folder))
