"""The plot of an audit: the buckets, and a contact sheet with the first images of each finding."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from ...library.walk import suffix_of
from ...plots.buckets import BucketBar, bucket_plot
from ...plots.sheet import Cell, contact_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .read_set import TrainingSet
    from .report import Audit

_COLOURS = {"error": "#b02a2a", "warning": "#c2410c", "info": "#5f6368"}
_OF_EACH = 4  # images of a finding
_MOST = 64


def audit_plot(audit: Audit) -> Image.Image:
    """Return the buckets of a set above a sheet of images that findings are about, framed by severity."""
    checked = audit.checked
    parts: list[Image.Image] = []
    if checked.schedule:
        title = f"Buckets of {checked.layout.source.name}"
        parts.append(bucket_plot(_bars(checked), checked.schedule.full_batch, title, checked.schedule.rest))
    cells = list(_cells(audit))[:_MOST]
    parts.append(contact_sheet(cells, "What the audit found" if cells else "The audit found nothing to show"))
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
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


def _cells(audit: Audit) -> Iterator[Cell]:
    images = {image.path: image for image in audit.checked.images}
    by_text = {image.caption.file: image.path for image in audit.checked.images if image.caption.file}
    by_text |= {text: image.path for image in audit.checked.images for text in image.caption.unread}
    for finding in audit.findings:
        for path in finding.paths[:_OF_EACH]:
            shown = by_text.get(path, path)
            if shown in images or suffix_of(shown) in audit.checked.layout.suffixes:
                name = audit.checked.shown(shown).replace("\\", "/").rsplit("/", 1)[-1]
                yield Cell(shown, (finding.code, name), _COLOURS[finding.severity])
