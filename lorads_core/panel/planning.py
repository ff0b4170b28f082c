"""Export plans for the panel: computed once for each revision of a dataset, nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..export.plan import ExportOptions, plan_export
from ..model import Dataset
from ..trainers import trainers
from ..workflow import training
from .responses import bad_request
from .view import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..buckets import Size
    from ..export.plan import ExportPlan
    from ..model import ImageKey
    from .state import PanelState
    from .view import View

DEFAULT_TRAINER = "sd-scripts"


def trainer_name(word: str) -> str:
    """Return the name of a trainer.

    Raises:
        RefusedError: 400, there is no such trainer.
    """
    if word not in trainers():
        raise bad_request(f"There is no trainer {word!r:.40}; known trainers: {', '.join(trainers())}.")
    return word


def accepted_images(view: View) -> Dataset:
    """Return a dataset without its rejected images; it may be empty."""
    dataset = view.dataset
    training_images, others = (
        tuple(image for image in images if image.key not in view.rejected)
        for images in (dataset.training, dataset.regularization)
    )
    return Dataset(
        dataset.id, dataset.name, dataset.library, training_images, others, dataset.trigger, dataset.concepts
    )


def plan_for(state: PanelState, view: View, name: str = DEFAULT_TRAINER) -> ExportPlan:
    """Return the plan of an export for a trainer, with images in their original size."""

    def plan() -> ExportPlan:
        options = ExportOptions(name, installed=training.installed_trainer(state.settings, name))
        return plan_export(accepted_images(view), view.config, options)

    return state.cached(view, f"plan {name}", plan)


def image_buckets(state: PanelState, view: View) -> Mapping[ImageKey, Size]:
    """Return the bucket of each trained image; empty if the trainer refuses the config.

    Caption edits do not change buckets, so they are cached across edits, unlike a plan. It waits for the CPU pool:
    never call it from a thread of that pool.
    """
    if BUCKETS in view.cache:
        return view.cache[BUCKETS]
    plan = state.cpu_pool.submit(plan_for, state, view).result()
    found = {item.image.key: item.placement.bucket for item in plan.images if item.placement and not item.dropped}
    return state.cached(view, BUCKETS, lambda: found) if plan.schedule else found
