"""Launching a training of an export, and looking what became of it; the watcher does the rest on its own.

A run is known by the manifest's hash of its export, which covers images, captions and configs: what trains is not
started again, and what was trained is not trained again unasked.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from ..base_models import base_model
from ..errors import TrainerError
from ..model import Run
from ..store import runs as kept
from ..system.files import file_error_reason
from ..system.paths import RUNS, STAGING
from ..system.rights import common_rights, limit_rights
from ..trainers import CACHE, trainer
from . import run_folder as files
from .caching import make_cache
from .configs import prepare_configs
from .initial_lora import check_initial_lora
from .output import make_output
from .profile import secret_names
from .resume import resumed_order, stopped_run, take_over
from .state import failed_run, refresh_run, start_watcher

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from ..store.connect import Store
    from .profile import Profile
    from .read_export import TrainableExport
    from .resume import Stopped

_CONFIGS = "config"
"""In a run's folder: configs of its own, where those in the export name another output or are not to be trusted."""


def launch(
    store: Store, profile: Profile, export: TrainableExport, *, again: bool = False, resume: bool = False
) -> Run:
    """Return the run of an export: the one that goes on, the one that has ended well, or a new one.

    Args:
        store: where runs are stored.
        profile: the installed trainer.
        export: what to train.
        again: train it also where it was trained already; it saves into a new folder.
        resume: go on from the last saved state of the training that was stopped or failed last, in its folder.

    Raises:
        TrainerError: the export is for another trainer, this trainer would refuse it, or nothing can be resumed.
        SettingsError: the trainer is not where its profile says.
    """
    with store.connection() as connection:
        there = existing_run(connection, export)
        if there and not (there.is_over and (again or resume)):
            return there
        stopped = stopped_run(connection, export) if resume else None
    note = _check(profile, export)
    run = _new_run(profile, export, note)
    with store.connection() as connection:
        if not kept.insert_run(connection, run, export.speed_key):
            return _alive(connection, export)
    # From here on everybody knows of it: nobody else starts a second one.
    try:
        run, configs = _prepare_folders(run, export, profile, stopped)
        order, environment = _order(profile, export, run, configs)
        if order.caching and not profile.is_remote:
            make_cache(export.folder / CACHE, {row["file"].partition("/")[0] for row in export.manifest["images"]})
        if stopped:
            order = resumed_order(order, stopped)
        with store.connection() as connection:
            kept.update_run(connection, run)
        files.write_order(run.folder, order)
        start_watcher(run.folder, {"environment": environment})
    except (OSError, TrainerError) as error:
        with suppress(OSError):
            if run.folder.is_dir() and not files.claim(run.folder):
                return run  # its watcher is at it all the same
        why = f"{error.filename}: {file_error_reason(error)}." if isinstance(error, OSError) else str(error)
        message = f"The training could not be started: {why}"
        with store.connection() as connection:
            kept.update_run(connection, failed_run(run, message))
        raise TrainerError(message) from error
    return run


def _prepare_folders(run: Run, export: TrainableExport, profile: Profile, stopped: Stopped | None) -> tuple[Run, Path]:
    """Make the folders of a run; return it with its output, and where the configs lie that name that.

    Its message says which configs of the export are not used, while it runs.
    """
    run.folder.mkdir(parents=True)
    if stopped:
        take_over(stopped, run.folder)
        run = dataclasses.replace(run, output=stopped.run.output, step=stopped.state.steps, epoch=stopped.state.epochs)
    else:
        run = dataclasses.replace(run, output=make_output(export.output))
    for folder in (run.folder, run.output):  # logs, sample images and LoRAs are for those who may read the export
        limit_rights(folder, common_rights([export.folder]))
    state = stopped.state if stopped else None
    configs = prepare_configs(export, profile.home, run.output, run.folder / _CONFIGS, state)
    return dataclasses.replace(run, message=f"{run.message} {configs.message}".strip()), configs.folder


def existing_run(connection: psycopg.Connection, export: TrainableExport) -> Run | None:
    """Return the run of an export that goes on or has ended well, None where there is none."""
    for run in kept.runs_of_export(connection, export.manifest_hash):
        now = refresh_run(connection, run)
        if not now.is_over or (now.state == "completed" and _is_there(now)):
            return now
    return None


def _is_there(run: Run) -> bool:
    return bool(run.loras) and (run.output / run.loras[-1]).is_file()


def _alive(connection: psycopg.Connection, export: TrainableExport) -> Run:
    for run in kept.runs_of_export(connection, export.manifest_hash):
        if not run.is_over:
            return run
    raise TrainerError("The training was begun and ended by another program just now: launch it again.")


def _check(profile: Profile, export: TrainableExport) -> str:
    """Refuse what cannot be trained; return what a user should know of what is."""
    if profile.kind != export.trainer:
        wanted, has = trainer(export.trainer).label, trainer(profile.kind).label
        raise TrainerError(
            f"{export.folder} was exported for {wanted}, and the profile {profile.name!r} is {has}: export it for"
            f" {has}, or choose another profile."
        )
    if profile.is_remote and sys.platform == "win32":
        raise TrainerError(
            f"{profile.name!r} trains on another machine by ssh, where an export must have the very path that it has"
            f" here, and {export.folder} is not a Linux folder: copy the export there and train it there, or run LoRADS"
            " in WSL on a folder that both machines have under one path."
        )
    profile.check()
    problems = trainer(profile.kind).problems(export.config, (), profile.home)
    refused = [problem.message for problem in problems if problem.severity == "error" and problem.code == "config"]
    if refused:
        raise TrainerError(" ".join(refused))
    trainer(profile.kind).stages(export.config, export.folder, profile.accelerate)  # it may refuse the options
    return _check_models(profile, export)


def _check_models(profile: Profile, export: TrainableExport) -> str:
    """Refuse to start what would stop after a minute of loading, for want of a file; return what else to know."""
    config = export.config
    fetched = trainer(export.trainer).downloads and base_model(config.base_model).usual_checkpoint
    if not config.checkpoint and not fetched:
        raise TrainerError(
            f"{export.folder} names no base model: choose its file in the training config, export again."
        )
    if profile.is_remote:
        return ""
    for file in filter(os.path.isabs, (config.checkpoint, *config.model_files.values())):
        if not os.path.exists(file):  # noqa: PTH110 - Path's own may raise
            raise TrainerError(f"There is no model {file}: choose another in the training config, and export again.")
    return check_initial_lora(config, export.trainer) if config.initial_lora else ""


def _new_run(profile: Profile, export: TrainableExport, note: str) -> Run:
    manifest = export.manifest
    run_id = uuid4()
    return Run(
        id=run_id,
        name=manifest["name"],
        trainer=export.trainer,
        profile=profile.name,
        manifest_hash=export.manifest_hash,
        dataset_id=UUID(manifest["dataset"]["id"]),
        folder=export.folder.parent / STAGING / RUNS / str(run_id),
        output=export.output,
        state="starting",
        total_steps=manifest["training"]["total_steps"],
        message=note,
        host=socket.gethostname(),
        started_at=datetime.now(timezone.utc),
    )


def _order(profile: Profile, export: TrainableExport, run: Run, configs: Path) -> tuple[files.Order, dict[str, str]]:
    """Return what to start, and with which environment."""
    chosen = trainer(profile.kind)
    training = export.manifest["training"]
    environment = profile.environment_of_trainer()
    reports = chosen.reports(run.output)
    *caching, last = chosen.stages(export.config, configs, profile.accelerate)
    order = files.Order(
        trainer=profile.kind,
        argv=tuple(profile.argv(last.arguments)),
        cwd=str(export.folder.parent if profile.is_remote else profile.folder),
        output=str(run.output),
        checkpoints=tuple(training["checkpoints"]),
        rank=export.config.network_dim,
        key_prefixes=base_model(export.config.base_model).family.lora_prefixes,
        family=base_model(export.config.base_model).family.name,
        total_steps=training["total_steps"],
        epochs=training["epochs"],
        trigger=", ".join(export.triggers),
        reports=str(reports) if reports else "",
        masked=secret_names(environment),
        grace=profile.stop_seconds,
        note=run.message,
        caching=tuple(files.Caching(each.name, tuple(profile.argv(each.arguments)), each.suffix) for each in caching),
        cache=str(export.folder / CACHE),
        images=len(export.manifest["images"]),
        is_here=not profile.is_remote,
    )
    return order, environment
