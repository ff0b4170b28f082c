"""The plot of an audit: the buckets, and a contact sheet with the first images of each finding."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from PIL import Image

from ...library.walk import suffix_of
from ...plots.buckets import BucketBar, bucket_plot
from ...plots.sheet import Cell, contact_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .finding import Finding
    from .read_set import TrainingSet
    from .report import Audit

_COLOURS = {"error": "#b02a2a", "warning": "#c2410c", "info": "#5f6368"}
_OF_EACH = 4  # images of a finding
_MOST = 16  # findings


def audit_plot(audit: Audit) -> Image.Image:
    """Return the buckets of a set above a sheet of images that findings are about, framed by severity."""
    checked = audit.checked
    parts: list[Image.Image] = []
    if checked.schedule:
        title = f"Buckets of {checked.layout.source.name}"
        parts.append(bucket_plot(_bars(checked), checked.schedule.full_batch, title, checked.schedule.rest))
    sheets = [sheet for finding in audit.findings if (sheet := _sheet(audit, finding))]
    parts += sheets[:_MOST] or [contact_sheet([], "The audit found nothing to show")]
    return _stacked(parts)


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    """Return images below each other, each with its own background as wide as the widest."""
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)))
    top = 0
    for part in parts:
        whole.paste(cast("tuple[int, int, int]", part.getpixel((0, 0))), (0, top, whole.width, top + part.height))
        whole.paste(part, (0, top))
        top += part.height
    return whole


def _bars(checked: TrainingSet) -> list[BucketBar]:
    counts: Counter[tuple[int, int, bool]] = Counter()
    for image in checked.images:
        if image.placement and not image.unused:
            key = *image.placement.bucket, image.is_regularization
            counts[key] += max(1, round(image.folder.repeats))
    sizes = sorted({(width, height) for width, height, _ in counts})
    return [BucketBar(w, h, counts[w, h, False], counts[w, h, True]) for w, h in sizes]


def _sheet(audit: Audit, finding: Finding) -> Image.Image | None:
    """Return the first images of a finding, with how many there are; None where it is about none."""
    cells = list(_cells(audit, finding))
    if not cells:
        return None
    shown = f"the first {len(cells)} of {len(finding.paths):,}" if len(cells) < len(finding.paths) else str(len(cells))
    return contact_sheet(cells, f"{finding.code} ({shown})", _OF_EACH)


def _cells(audit: Audit, finding: Finding) -> Iterator[Cell]:
    images = {image.path: image for image in audit.checked.images}
    by_text = {image.caption.file: image.path for image in audit.checked.images if image.caption.file}
    by_text |= {text: image.path for image in audit.checked.images for text in image.caption.unread}
    for path in finding.paths[:_OF_EACH]:
        shown = by_text.get(path, path)
        if shown in images or suffix_of(shown) in audit.checked.layout.suffixes:
            name = audit.checked.shown(shown).replace("\\", "/").rsplit("/", 1)[-1]
            yield Cell(shown, (name,), _COLOURS[finding.severity])
