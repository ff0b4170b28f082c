"""One image of an export: copied, linked, stripped, encoded, or taken over from the version before."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.decode import is_ready
from ..images.encode import SUFFIXES, copy_file, link_file, write_image
from ..images.facts import read_facts
from ..images.strip import copy_stripped
from ..model import Problem
from ..system import files
from .budget import SHARED, needed
from .integrity import digest_of

if TYPE_CHECKING:
    from ..model import ImageRecord
    from .plan import ExportOptions
    from .planned_image import PlannedImage


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """One image as it lies in the export: ``file`` is relative to it, sizes are in pixels and bytes."""

    file: str
    width: int
    height: int
    size: int
    hash: str

    def is_in(self, folder: Path) -> bool:
        """Say whether it lies there in its size."""
        try:
            return (folder / self.file).stat().st_size == self.size
        except OSError:
            return False


def key_of(item: PlannedImage, options: ExportOptions) -> str:
    """Name what an image is made from and how: the same key, the same file."""
    record = item.image.record
    made_from = (record.library, record.id, record.path, record.file_size, record.mtime_ns, record.hash)
    made_as = (item.folder, item.stem, options.link, *dataclasses.astuple(item.policy))
    if options.first_frame:  # or an image that was left out would stay so
        made_as = (*made_as, "first frame")
    return hashlib.sha256(repr((made_from, made_as)).encode()).hexdigest()


def write_planned(
    item: PlannedImage, options: ExportOptions, content: Path, former: tuple[Path, WrittenImage] | None = None
) -> WrittenImage | Problem:
    """Write an image into ``content``; one that cannot be read is a problem.

    ``former`` is the same image in the version before, with that version's folder: it is taken over where that is
    quicker than to encode it again.

    Raises:
        ExportError: the target cannot be written, or not be linked.
        OSError: the same, while taking an image over.
    """
    record = item.image.record
    try:
        if item.policy.kind == "original" and _is_ready(record):
            return _written_as_it_is(item, options, content)
        if former and _reused(*former, content):
            return former[1]
        target = content / item.folder / f"{item.stem}{item.policy.suffix}"
        with SHARED.of(needed(record, item.policy)):
            width, height = write_image(Path(record.path), target, item.policy, first_frame=options.first_frame)
    except ImageError as error:
        return Problem("error", "left-out", f"Left out: {error}", record.path, item.image.key)
    return _written(target, content, width, height, digest_of(target))


def _is_ready(record: ImageRecord) -> bool:
    """Ask the file itself where its library has not looked."""
    return is_ready(read_facts(record.path)) if record.ready is None else record.ready


def _written_as_it_is(item: PlannedImage, options: ExportOptions, content: Path) -> WrittenImage:
    record = item.image.record
    source, target = Path(record.path), content / item.folder / f"{item.stem}{SUFFIXES[record.format]}"
    digest = record.hash
    if item.policy.strip:
        digest = copy_stripped(source, target, record.stamp)
    elif options.link:
        link_file(source, target, record.stamp)
    else:
        copy_file(source, target, record.stamp)
    return _written(target, content, record.width, record.height, digest or digest_of(target))


def _written(target: Path, content: Path, width: int, height: int, digest: str) -> WrittenImage:
    return WrittenImage(target.relative_to(content).as_posix(), width, height, target.stat().st_size, digest)


def _reused(folder: Path, written: WrittenImage, content: Path) -> bool:
    """Give an image of the version before a second name here, if it still is what was written then."""
    source, target = folder / written.file, content / written.file
    if not written.is_in(folder) or digest_of(source) != written.hash:
        return False
    files.remove(target)
    try:
        os.link(source, target)
    except OSError:  # this file system knows no second names
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    return True
