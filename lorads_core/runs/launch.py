"""Launching a training of an export, and looking what became of it; the watcher does the rest on its own.

A run is known by the manifest's hash of its export, which covers pictures, captions and configs: what trains is not
started again, and what was trained is not trained again unasked.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from ..errors import TrainerError
from ..model import Run
from ..paths import RUNS, STAGING
from ..store import runs as kept
from ..trainers import trainer
from . import folder as files
from .profile import secrets_of
from .state import failed, refreshed, start_watcher

if TYPE_CHECKING:
    import psycopg

    from ..store.connect import Store
    from .profile import Profile
    from .trainable import Trainable


def launch(store: Store, profile: Profile, export: Trainable, *, again: bool = False) -> Run:
    """Return the run of an export: the one that goes on, the one that has ended well, or a new one.

    Args:
        store: where runs are kept.
        profile: the installed trainer.
        export: what to train.
        again: train anew although it was trained; what it gave is moved aside.

    Raises:
        TrainerError: the export is for another trainer, or this trainer would refuse it.
        SettingsError: the trainer is not where its profile says.
    """
    with store.connection() as connection:
        if not again and (there := found(connection, export)):
            return there
    _check(profile, export)
    run = _new_run(profile, export)
    order, environment = _order(profile, export)
    with store.connection() as connection:
        if not kept.begin(connection, run, export.kind):
            return _alive(connection, export)
    # From here on everybody knows of it: nobody else makes room, or starts a second one.
    try:
        with store.connection() as connection:
            _make_room(connection, run)
        run.folder.mkdir(parents=True)
        files.write_order(run.folder, order)
        start_watcher(run.folder, {"environment": environment})
    except OSError as error:
        message = f"The training could not be started: {error}."
        with store.connection() as connection:
            kept.change(connection, failed(run, message))
        raise TrainerError(message) from error
    return run


def found(connection: psycopg.Connection, export: Trainable) -> Run | None:
    """Return the run of an export that goes on or has ended well, None where there is none."""
    for run in kept.runs_of(connection, export.manifest_hash):
        now = refreshed(connection, run)
        if not now.is_over or (now.state == "completed" and _is_there(now)):
            return now
    return None


def _is_there(run: Run) -> bool:
    return bool(run.loras) and (run.output / run.loras[-1]).is_file()


def _alive(connection: psycopg.Connection, export: Trainable) -> Run:
    for run in kept.runs_of(connection, export.manifest_hash):
        if not run.is_over:
            return run
    raise TrainerError("The training was begun and ended by another program just now: launch it again.")


def _check(profile: Profile, export: Trainable) -> None:
    if profile.kind != export.trainer:
        wanted, has = trainer(export.trainer).label, trainer(profile.kind).label
        raise TrainerError(
            f"{export.folder} was exported for {wanted}, and the profile {profile.name!r} is {has}: export it for"
            f" {has}, or choose another profile."
        )
    profile.check()
    problems = trainer(profile.kind).problems(export.config, (), profile.home)
    refused = [problem.message for problem in problems if problem.severity == "error" and problem.code == "config"]
    if refused:
        raise TrainerError(" ".join(refused))
    _check_models(profile, export)


def _check_models(profile: Profile, export: Trainable) -> None:
    """Refuse to start what would stop after a minute of loading, for want of a file."""
    config = export.config
    if not config.checkpoint:
        raise TrainerError(
            f"{export.folder} names no base model: choose its file in the training config, export again."
        )
    if profile.is_remote:
        return
    for file in filter(os.path.isabs, (config.checkpoint, config.clip_l, config.t5xxl, config.ae)):
        if not os.path.exists(file):  # noqa: PTH110 - Path's own may raise
            raise TrainerError(f"There is no model {file}: mend it in the training config, and export again.")


def _new_run(profile: Profile, export: Trainable) -> Run:
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
        host=socket.gethostname(),
        started_at=datetime.now(timezone.utc),
    )


def _order(profile: Profile, export: Trainable) -> tuple[files.Order, dict[str, str]]:
    """Return what to start, and with which environment."""
    chosen = trainer(profile.kind)
    training = export.manifest["training"]
    environment = profile.environment_of_trainer()
    reports = chosen.reports(export.output)
    order = files.Order(
        trainer=profile.kind,
        argv=tuple(profile.argv(chosen.command(export.config, export.folder, profile.accelerate))),
        cwd=str(export.folder.parent if profile.is_remote else profile.folder),
        output=str(export.output),
        checkpoints=tuple(training["checkpoints"]),
        rank=export.config.network_dim,
        total_steps=training["total_steps"],
        epochs=training["epochs"],
        trigger=", ".join(export.triggers),
        reports=str(reports) if reports else "",
        masked=secrets_of(environment),
        grace=profile.stop_seconds,
    )
    return order, environment


def _make_room(connection: psycopg.Connection, run: Run) -> None:
    """Make an empty folder to train into; what an earlier training has left there is moved aside."""
    if run.output.exists() and any(run.output.iterdir()):
        number = 1
        while (aside := run.output.with_name(f"{run.output.name}.{number}")).exists():
            number += 1
        run.output.rename(aside)
        kept.move_output(connection, run, aside)
    run.output.mkdir(parents=True, exist_ok=True)
