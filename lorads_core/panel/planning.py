"""Export plans for the panel: computed once for each revision of a dataset, nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..export.plan import ExportOptions, plan_export
from ..model import Dataset
from ..trainers import trainers
from ..workflow import training
from ..workflow.writing import WRITING
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


def plan_for(
    state: PanelState, view: View, name: str = DEFAULT_TRAINER, *, first_frame: bool | None = None
) -> ExportPlan:
    """Return the plan of an export for a trainer, with images in their original size.

    ``first_frame`` says whether animated images are in it; None: as in the last export.
    """
    animated = bool(last_writing(state, view)["first_frame"]) if first_frame is None else first_frame

    def plan() -> ExportPlan:
        installed = training.installed_trainer(state.settings, name)
        options = ExportOptions(name, installed=installed, first_frame=animated)
        return plan_export(accepted_images(view), view.config, options)

    return state.cached(view, f"plan {name} {animated}", plan)


def last_writing(state: PanelState, view: View) -> dict[str, Any]:
    """Return how the last export of a dataset was written; see `workflow.writing`."""
    return {**WRITING, **state.standing(view.dataset.id).writing}


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
