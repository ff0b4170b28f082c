"""PlannedImage: one image of an export plan, as the plan, the bucket report and the writer pass it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..buckets import Placement
    from ..images.encode import ImagePolicy
    from ..model import DatasetImage


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image of a plan: where it goes (folder and stem; the suffix follows from what it is) and its caption.

    ``text`` is the caption as the trainer wants it in a file; ``policy`` how the image is written. ``placement`` is
    where the trainer puts the image as it is written (before a bucket policy crops it), None in a plan that cannot be
    carried out; one that is ``dropped`` is never trained on.
    """

    image: DatasetImage
    folder: str
    stem: str
    caption: str
    is_regularization: bool
    text: str
    policy: ImagePolicy
    placement: Placement | None = None
    dropped: bool = False
