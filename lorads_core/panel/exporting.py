"""Export and training requests of the panel: the summary before an export, and both as jobs."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..problems import counted
from ..runs.read_export import speed_key
from ..store import datasets
from ..store.runs import median_speed
from ..system.paths import slug
from ..trainers import trainer
from ..workflow import captions, training
from ..workflow import dataset as dataset_workflow
from ..workflow.last_export import writing_options
from .jobs import Outcome
from .options import read_config
from .planning import DEFAULT_TRAINER, last_writing, plan_for, trainer_name
from .reading import as_problems, launchable
from .responses import RefusedError, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ..export.plan import ExportOptions, ExportPlan
    from ..export.write import ExportResult
    from ..model import Progress, TrainingConfig
    from . import json_types
    from .jobs import Job
    from .params import Body
    from .state import PanelState
    from .view import View

_SWITCHES = ("first_frame", "keep_alpha", "strip")
_WRITING = ("images", *_SWITCHES)
_NOT_IN_NAMES = frozenset("/\\\0")


def summary(state: PanelState, dataset: UUID, query: Mapping[str, str]) -> json_types.Summary:
    """Return the summary of an export before it is written; the steps are null if the trainer refuses the config.

    Raises:
        RefusedError: 400, there is no such trainer.
    """
    name = trainer_name(query.get("trainer", DEFAULT_TRAINER))
    return _timed_summary(state, state.view(dataset), name)


def planned_summary(state: PanelState, dataset: UUID, body: Body) -> json_types.Summary:
    """Return the summary of an export with other training options than those of the last one.

    Raises:
        RefusedError: 400, there is no such trainer, or an option has a fault.
    """
    body.allow_only("trainer", "config", "first_frame")
    view = state.view(dataset)
    name = trainer_name(body.text("trainer", DEFAULT_TRAINER))
    config = read_config(view.config, body.object("config"), state.model_files)
    # Only what was exported is cached: each key typed into a form would leave a plan behind.
    planned = view if config == view.config else replace(view, config=config, cache={})
    return _timed_summary(state, planned, name, first_frame=body.flag("first_frame") if "first_frame" in body else None)


def _timed_summary(state: PanelState, view: View, name: str, *, first_frame: bool | None = None) -> json_types.Summary:
    plan = plan_for(state, view, name, first_frame=first_frame)
    mark = f"summary {name} {plan.options.first_frame}"
    made: json_types.Summary = state.cached(view, mark, lambda: _summary(view, name, plan))
    return {**made, "seconds": _seconds(state, name, view.config, made["total_steps"])}


def _summary(view: View, name: str, plan: ExportPlan) -> json_types.Summary:
    dataset, schedule = plan.dataset, plan.schedule
    return {
        "training": len(dataset.training),
        "regularization": len(dataset.regularization),
        "rejected": len(view.rejected & view.rows.keys()),
        "buckets": _buckets(plan),
        "dropped": schedule.dropped if schedule else 0,
        "upscaled": sum(each.placement is not None and each.placement.upscaled for each in plan.images),
        "steps_per_epoch": schedule.steps_per_epoch if schedule else None,
        "total_steps": schedule.total_steps if schedule else None,
        "seconds": None,  # runs end while a summary is cached
        "problems": as_problems(plan.problems),
        "checkpoints": list(trainer(name).checkpoints(plan.config, schedule, _folder(view))) if schedule else [],
    }


def _buckets(plan: ExportPlan) -> list[json_types.BucketCount]:
    found = plan.schedule.buckets if plan.schedule else ()
    return [{"width": width, "height": height, "count": count} for (width, height), count in found]


def _seconds(state: PanelState, name: str, config: TrainingConfig, steps: int | None) -> float | None:
    """Estimate the training time in seconds from earlier runs of this kind on this machine; None without any."""
    with state.store.connection() as connection:
        speed = median_speed(connection, speed_key(name, config), socket.gethostname())
    return speed.seconds_a_step * steps if speed and steps else None


def _folder(view: View) -> str:
    return slug(view.dataset.name, "dataset")


def export(state: PanelState, dataset: UUID, body: Body) -> Job:
    """Start an export job.

    Raises:
        RefusedError: 403, disabled on the server; 400, an invalid value; 429, too many jobs are waiting.
    """
    if not state.settings.panel.export:
        raise RefusedError(403, "forbidden", "Exports from the panel are disabled in the server's lorads.toml.")
    body.allow_only("trainer", "folder", "config", *_WRITING)
    view = state.view(dataset)
    request = _export_request(state, view, body, trainer_name(body.text("trainer", DEFAULT_TRAINER)))
    return state.jobs.start("export", dataset, lambda progress: _run_export(state, request, progress).outcome)


def train(state: PanelState, dataset: UUID, body: Body) -> Job:
    """Start a job that exports a dataset and launches its training.

    Raises:
        RefusedError: 403, disabled on the server; 400, an invalid value; 429, too many jobs are waiting.
    """
    body.allow_only("profile", "folder", "config", "resume", *_WRITING)
    name, resume = body.text("profile"), body.flag("resume", default=False)
    chosen = next((each for each in launchable(state) if each.name == name), None)
    if chosen is None:
        how = "from_comfyui = true in its profile" if state.context.where == "comfyui" else "train = true under [panel]"
        raise RefusedError(
            403,
            "forbidden",
            f"The panel may not launch {name!r:.40}: to allow it, set {how} in the server's lorads.toml.",
        )
    request = _export_request(state, state.view(dataset), body, chosen.kind)

    def work(progress: Progress) -> Outcome:
        made = _run_export(state, request, progress)
        progress("train", 0, 1)
        state.context.make_room()
        run = training.train(state.store, chosen, made.result.export.folder, resume=resume)
        message = f"{run.name} {run.state_clause}. {run.message}".strip()
        return Outcome(message, {"run": str(run.id), "manifest_hash": run.manifest_hash})

    return state.jobs.start("export", dataset, work)


@dataclass(frozen=True, slots=True)
class _ExportRequest:
    """An export request with validated values."""

    dataset: str
    options: ExportOptions
    folder: str
    config: TrainingConfig


def _export_request(state: PanelState, view: View, body: Body, name: str) -> _ExportRequest:
    folder = body.text("folder", "").strip()
    if folder in {".", ".."} or _NOT_IN_NAMES & set(folder):
        raise bad_request(f"{folder!r:.80} is not a valid folder name: use one without slashes, e.g. my_lora.")
    words = {**last_writing(state, view), "trainer": name, **_requested_writing(body)}
    options = writing_options(words, training.installed_trainer(state.settings, name))
    config = read_config(view.config, body.object("config"), state.model_files)
    dataset_workflow.check_config(config, name, options.home)
    return _ExportRequest(view.dataset.name, options, folder, config)


def _requested_writing(body: Body) -> dict[str, Any]:
    """Return how to write what a request says of it; the rest stays as in the last export."""
    words: dict[str, Any] = {name: body.flag(name) for name in _SWITCHES if name in body}
    if "images" in body:
        images = body.text("images")
        words |= {"images": "original" if images in {"copy", "link"} else images, "link": images == "link"}
    return words


@dataclass(frozen=True, slots=True)
class _ExportOutcome:
    result: ExportResult

    @property
    def outcome(self) -> Outcome:
        """The result that the page receives."""
        exported = self.result.export
        images = exported.training_images + exported.regularization_images
        return Outcome(
            f"{counted(images, 'image')} written to {exported.name}.",
            {
                "folder": str(exported.folder),
                "manifest_hash": exported.manifest_hash,
                "summary": dataset_workflow.summary(self.result),
                "problems": as_problems(exported.problems),
            },
        )


def _run_export(state: PanelState, request: _ExportRequest, progress: Progress) -> _ExportOutcome:
    """Export the dataset's current draft."""
    found = captions.draft(state.store, state.settings, request.dataset)
    root = state.context.exports()
    made = dataset_workflow.export(
        state.store, found.dataset, request.config, request.options, root, request.folder, progress
    )
    with state.store.connection() as connection:  # captions are checked for the base model that they train
        datasets.save_base_model(connection, found.dataset.id, request.config.base_model)
    return _ExportOutcome(made)
