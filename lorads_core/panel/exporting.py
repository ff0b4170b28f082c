"""What an export of a dataset would be, told to the page; exports and trainings as jobs."""

from __future__ import annotations

import dataclasses
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..export.plan import ExportOptions
from ..model import TrainingConfig
from ..runs.read_export import kind_of
from ..store import runs as kept_runs
from ..system.paths import slug
from ..trainers import trainer, trainers
from ..workflow import captions as captioning
from ..workflow import dataset as build
from ..workflow import training
from ..workflow.parse import image_policy_word
from .jobs import Outcome
from .planning import USUAL_TRAINER, planned
from .reading import as_problems, launchable
from .responses import RefusedError, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ..export.plan import ExportPlan
    from ..export.write import ExportResult
    from ..model import Progress
    from .jobs import Job
    from .params import Body
    from .state import Desk
    from .view import View

_USUAL_IMAGES = "original"
# What names files on the server is chosen in the graph or on the command line, never by a request.
_FILES = frozenset({"checkpoint", "model_files"})
_NOT_IN_NAMES = frozenset("/\\\0")


def summary(desk: Desk, dataset: UUID, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what an export of a dataset would be; where the trainer refuses the config, its steps are null.

    Raises:
        RefusedError: 400, there is no such trainer.
    """
    view = desk.view(dataset)
    name = _trainer(query.get("trainer", USUAL_TRAINER))
    made = desk.made(view, f"summary {name}", lambda: _summary(desk, view, name))
    return made | {"seconds": _seconds(desk, name, view.config, made["total_steps"])}


def _summary(desk: Desk, view: View, name: str) -> dict[str, Any]:
    plan = planned(desk, view, name)
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
        "problems": as_problems(plan.problems),
        "checkpoints": list(trainer(name).checkpoints(view.config, schedule, _folder(view))) if schedule else [],
    }


def _buckets(plan: ExportPlan) -> list[dict[str, int]]:
    found = plan.schedule.buckets if plan.schedule else ()
    return [{"width": width, "height": height, "count": count} for (width, height), count in found]


def _seconds(desk: Desk, name: str, config: TrainingConfig, steps: int | None) -> float | None:
    """Return how long a training takes by earlier ones of the kind on this machine; None where there were none."""
    with desk.store.connection() as connection:
        speed = kept_runs.speed(connection, kind_of(name, config), socket.gethostname())
    return speed.seconds_a_step * steps if speed and steps else None


def _trainer(name: str) -> str:
    if name not in trainers():
        raise wrong(f"There is no trainer {name!r:.40}; known are: {', '.join(trainers())}.")
    return name


def _folder(view: View) -> str:
    return slug(view.dataset.name, "dataset")


def export(desk: Desk, dataset: UUID, body: Body) -> Job:
    """Have a dataset exported.

    Raises:
        RefusedError: 403, the server does not allow it; 400, a value is wrong; 429, too many wait.
    """
    if not desk.settings.panel.export:
        raise RefusedError(403, "forbidden", "Exports from the panel are off: the server's lorads.toml says so.")
    body.only("trainer", "folder", "images", "config")
    view = desk.view(dataset)
    wish = _wish(desk, view, body, _trainer(body.text("trainer", USUAL_TRAINER)))
    return desk.jobs.start("export", dataset, lambda progress: _exported(desk, wish, progress).outcome)


def train(desk: Desk, dataset: UUID, body: Body) -> Job:
    """Have a dataset exported and its training begun.

    Raises:
        RefusedError: 403, the server does not allow it; 400, a value is wrong; 429, too many wait.
    """
    body.only("profile", "folder", "images", "config")
    name = body.text("profile")
    chosen = next((each for each in launchable(desk) if each.name == name), None)
    if chosen is None:
        how = "from_comfyui = true in its profile" if desk.around.where == "comfyui" else "train = true under [panel]"
        raise RefusedError(
            403,
            "forbidden",
            f"The panel may not start {name!r:.40}: the server's owner allows it by {how} in lorads.toml.",
        )
    wish = _wish(desk, desk.view(dataset), body, chosen.kind)

    def work(progress: Progress) -> Outcome:
        made = _exported(desk, wish, progress)
        progress("train", 0, 1)
        desk.around.make_room()
        run = training.train(desk.store, chosen, made.result.export.folder)
        message = f"{run.name} is {run.state}."
        return Outcome(message, {"run": str(run.id), "manifest_hash": run.manifest_hash})

    return desk.jobs.start("export", dataset, work)


@dataclass(frozen=True, slots=True)
class _Wish:
    """An export that was asked for."""

    dataset: str
    options: ExportOptions
    folder: str
    config: TrainingConfig


def _wish(desk: Desk, view: View, body: Body, name: str) -> _Wish:
    folder = body.text("folder", "").strip()
    if folder in {".", ".."} or _NOT_IN_NAMES & set(folder):
        raise wrong(f"{folder!r:.80} is no name for an export's folder: give one without slashes, e.g. my_lora.")
    images = body.text("images", _USUAL_IMAGES)
    link = images == "link"
    policy = image_policy_word(_USUAL_IMAGES if images in {"copy", "link"} else images)
    options = ExportOptions(name, policy, link, home=training.home_of(desk.settings, name))
    config = _config(view.config, body.table("config"))
    build.check_config(config, name, options.home)
    return _Wish(view.dataset.name, options, folder, config)


def _config(known: TrainingConfig, given: Body) -> TrainingConfig:
    """Return a config with some figures changed; each must be of the kind that it was."""
    usual = TrainingConfig()
    names = [each.name for each in dataclasses.fields(usual) if each.name not in _FILES]
    given.only(*names)
    return dataclasses.replace(known, **{name: _figure(getattr(usual, name), given, name) for name in given.values})


def _figure(usual: object, given: Body, name: str) -> object:
    if isinstance(usual, bool):
        return given.flag(name)
    if isinstance(usual, str):
        return given.text(name)
    if isinstance(usual, tuple):
        return tuple(given.texts(name))
    return given.figure(name, whole=isinstance(usual, int))


@dataclass(frozen=True, slots=True)
class _Made:
    result: ExportResult

    @property
    def outcome(self) -> Outcome:
        """What the page gets of it."""
        exported = self.result.export
        return Outcome(
            f"{exported.training_images + exported.regularization_images:,} images written to {exported.name}.",
            {
                "folder": str(exported.folder),
                "manifest_hash": exported.manifest_hash,
                "summary": build.summary(self.result),
                "problems": as_problems(exported.problems),
            },
        )


def _exported(desk: Desk, wish: _Wish, progress: Progress) -> _Made:
    """Export a dataset as it stands when its turn has come."""
    found = captioning.draft(desk.store, desk.settings, wish.dataset)
    root = desk.around.exports()
    return _Made(build.export(desk.store, found.dataset, wish.config, wish.options, root, wish.folder, progress))
