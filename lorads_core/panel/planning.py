"""What a trainer would make of a dataset as it stands: planned once for each revision, nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..export.plan import ExportOptions, plan_export
from ..model import Dataset
from ..workflow import training
from .view import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..buckets import Size
    from ..export.plan import ExportPlan
    from ..model import ImageKey
    from .state import Desk
    from .view import View

USUAL_TRAINER = "sd-scripts"


def kept_images(view: View) -> Dataset:
    """Return a dataset without its rejected images; it may be empty."""
    dataset = view.dataset
    training_images, others = (
        tuple(image for image in images if image.key not in view.rejected)
        for images in (dataset.training, dataset.regularization)
    )
    return Dataset(
        dataset.id, dataset.name, dataset.library, training_images, others, dataset.trigger, dataset.concepts
    )


def planned(desk: Desk, view: View, name: str = USUAL_TRAINER) -> ExportPlan:
    """Return the plan of an export for a trainer, pictures in their own sizes."""

    def plan() -> ExportPlan:
        options = ExportOptions(name, home=training.home_of(desk.settings, name))
        return plan_export(kept_images(view), view.config, options)

    return desk.made(view, f"plan {name}", plan)


def image_buckets(desk: Desk, view: View) -> Mapping[ImageKey, Size]:
    """Return the buckets of the images that are trained; of none where the trainer refuses the config.

    The words of captions do not change them: they stay with the view over edits, which a plan does not. It waits for
    the thinker, and is called in any thread but that one.
    """
    if BUCKETS in view.made:
        return view.made[BUCKETS]
    plan = desk.thinker.submit(planned, desk, view).result()
    found = {item.image.key: item.placement.bucket for item in plan.images if item.placement and not item.dropped}
    return desk.made(view, BUCKETS, lambda: found) if plan.schedule else found
