"""Near-duplicates of a dataset for the panel: looked for in a job, since images are decoded the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import counted
from ..vision.similarity.duplicates import is_same_file
from ..workflow.duplicates import without_duplicates
from .jobs import Outcome
from .params import format_key
from .planning import accepted_images
from .reading import as_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from ..model import ImageRecord, Progress
    from . import json_types
    from .jobs import Job
    from .params import Body
    from .state import PanelState

_LANE = "duplicates"
"""Not the exports' lane: an export must not wait until thousands of images are decoded."""


def find(state: PanelState, dataset: UUID, body: Body) -> Job:
    """Start a job that looks for near-duplicates among the training images that are not rejected.

    Raises:
        RefusedError: 400, an unknown value; 404, there is no such dataset; 429, too many jobs are waiting.
    """
    body.allow_only()
    accepted = accepted_images(state.view(dataset))

    def work(progress: Progress) -> Outcome:
        found = without_duplicates(state.store, accepted, progress)
        unreadable = [each for each in found.problems if each.code not in {"near-duplicate", "identical-file"}]
        message = (
            f"{counted(len(found.left_out), 'image has', 'images have')} a better duplicate."
            if found.groups
            else f"No near-duplicates among {counted(len(accepted.training), 'training image')}."
        )
        return Outcome(
            message, {"groups": [_group(each) for each in found.groups], "problems": as_problems(unreadable)}
        )

    return state.jobs.start(_LANE, dataset, work)


def _group(records: Sequence[ImageRecord]) -> json_types.DuplicateGroup:
    best, *others = records
    return {
        "best": format_key((best.library, best.id)),
        "duplicates": [
            {"key": format_key((each.library, each.id)), "identical": is_same_file(each, best)} for each in others
        ],
    }
