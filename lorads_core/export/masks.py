"""Masks of training images, from files beside their sources to where a trainer reads them; white is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import ExportError, ImageError
from ..images.decode import decode
from ..images.encode import ImagePolicy, save_image
from ..library.mask_names import masks_of
from ..model import FileStamp, Problem
from ..system.rights import common_rights
from ..trainers import trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model import ImageRecord
    from .plan import ExportPlan
    from .planned_image import PlannedImage
    from .write_image import WrittenImage


def mask_fingerprints(plan: ExportPlan) -> Iterator[str]:
    """Yield what tells a changed mask from its former self, for each image that has one."""
    for source in masks_of(_masked_records(plan)).values():
        yield f"{source} {FileStamp.of(Path(source).stat())}"


def unmasked(plan: ExportPlan) -> Iterator[Problem]:
    """Yield the training images that should have a mask and have none."""
    masks = masks_of(_masked_records(plan))
    for item in _masked(plan):
        path = item.image.record.path
        if path not in masks:
            gone = f"Its mask {item.image.record.mask} is gone" if item.image.record.mask else "It has no mask"
            message = (
                f"{gone}, and it is trained on as a whole: put NAME-masklabel.png, NAME-mask.png or NAME_mask.png"
                " beside it, or NAME.png into a folder masks there."
            )
            yield Problem("warning", "no-mask", message, path, item.image.key)


def write_masks(plan: ExportPlan, written: Sequence[tuple[PlannedImage, WrittenImage]], content: Path) -> list[str]:
    """Write a mask for every training image, in its size; a white one where there is none, as trainers want all.

    Returns:
        Their files relative to ``content``.

    Raises:
        ExportError: a mask cannot be read or written.
    """
    masked = {(item.folder, item.stem) for item in _masked(plan)}
    masks = masks_of(_masked_records(plan))
    files: list[str] = []
    for item, image in written:
        if (item.folder, item.stem) in masked:
            target = content / trainer(plan.options.trainer).mask(item.folder, item.stem)
            target.parent.mkdir(exist_ok=True)
            source = masks.get(item.image.record.path)
            rights = common_rights(filter(None, (item.image.record.path, source)))
            mask = _mask(item.image.record.path, source, (image.width, image.height))
            save_image(mask, target, ImagePolicy(), rights)
            files.append(target.relative_to(content).as_posix())
    return files


def _masked_records(plan: ExportPlan) -> Iterator[ImageRecord]:
    return (item.image.record for item in _masked(plan))


def _masked(plan: ExportPlan) -> Iterator[PlannedImage]:
    if plan.config.masked_loss == "sidecar":
        yield from (item for item in plan.images if not item.is_regularization)


def _mask(picture: str, source: str | None, size: tuple[int, int]) -> Image.Image:
    if source is None:
        return Image.new("L", size, 255)
    try:
        return decode(source).convert("L").resize(size, Image.Resampling.BILINEAR)
    except ImageError as error:
        raise ExportError(f"The mask of {picture} cannot be used, fix or delete it: {error}") from error
