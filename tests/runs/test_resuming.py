"""Stopped and failed trainings that go on from their last saved state: steps, epochs, history and LoRAs count on."""

from datetime import datetime, timezone
from uuid import uuid4

import pytest

from lorads_core.errors import TrainerError
from lorads_core.model import Run, TrainingConfig
from lorads_core.runs import run_folder as files
from lorads_core.runs.follow import Follower
from lorads_core.runs.launch import launch
from lorads_core.runs.outcome import determine_outcome
from lorads_core.runs.resume import Stopped, resumed_order, stopped_run, take_over
from lorads_core.runs.state import stop
from lorads_core.trainers import SavedState, trainer, trainers

from ..standin_trainer import write_lora
from .conftest import trainer_of

STEPS = {"STANDIN_STEPS": "12", "STANDIN_PAUSE": "0.3"}
RESUMABLE = ("ai-toolkit", "musubi-tuner", "onetrainer", "sd-scripts", "simpletuner")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_training_that_ended_early_goes_on_from_its_last_state(store, make_profile, make_export, until, how):
    profile, export = make_profile(environment=STEPS), make_export(epochs=4)
    first = until(launch(store, profile, export), lambda run: run.loras and run.step > 3, seconds=60)
    if how == "stopped":
        assert stop(store, first).state == "cancelled"
    else:
        trainer_of(first).kill()
        assert until(first).state == "failed"
    resumed = launch(store, profile, export, resume=True)
    assert (resumed.id != first.id, resumed.output) == (True, first.output)
    assert resumed.step in (3, 6, 9)
    assert launch(store, profile, export, resume=True).id == resumed.id  # it goes on
    run = until(resumed, seconds=60)
    assert (run.state, run.message, run.step, run.epoch, run.total_steps) == ("completed", "", 12, 4, 12)
    assert run.loras == (*(f"Tom-{epoch:06d}.safetensors" for epoch in (1, 2, 3)), "Tom.safetensors")
    points = files.read_history(run.folder)
    assert [point.step for point in points] == list(range(1, 13))
    assert [point.seconds for point in points] == sorted(point.seconds for point in points)
    with pytest.raises(TrainerError, match="No training of Tom was stopped before its end"):
        launch(store, profile, export, resume=True)


@pytest.mark.parametrize(
    ("save_state", "said"),
    [(True, r"has saved no state yet \(it has failed"), (False, "save_state is off in its config")],
)
def test_without_a_state_nothing_is_resumed_and_the_reason_is_said(
    store, make_profile, make_export, until, save_state, said
):
    profile, export = make_profile("dies"), make_export(save_state=save_state)
    with pytest.raises(TrainerError, match="No training of Tom was stopped"):
        launch(store, profile, export, resume=True)
    until(launch(store, profile, export))
    with pytest.raises(TrainerError, match=said):
        launch(store, profile, export, resume=True)
    with store.connection() as connection, pytest.raises(TrainerError, match=said):
        stopped_run(connection, export)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_sd_scripts_goes_on_from_the_epoch_in_the_name_of_its_newest_whole_state(tmp_path):
    for epoch in (1, 2):
        touch(tmp_path / f"T[o]m-{epoch:06d}-state" / "random_states_0.pkl")
    touch(tmp_path / "T[o]m-000003-state" / "train_state.json")  # cut off while it was saved
    touch(tmp_path / "Tim-000009-state" / "random_states_0.pkl")
    state = trainer("sd-scripts").saved_state(TrainingConfig(), tmp_path, "T[o]m", 50)
    path = tmp_path / "T[o]m-000002-state"
    assert (state.path, state.steps, state.epochs, state.uncounted_steps) == (path, 100, 2, 100)
    assert state.arguments == ("--resume", str(path), "--initial_step", "100")


def test_onetrainer_goes_on_from_its_newest_whole_backup(tmp_path):
    backups = tmp_path / "backup"
    touch(backups / "2026-11-28_10-00-00-backup-30-1-0" / "onetrainer_config" / "args.json")
    whole = touch(backups / "2026-11-29_09-00-00-backup-60-2-0" / "onetrainer_config" / "args.json").parents[1]
    half = touch(backups / "2026-11-29_11-00-00-backup-90-3-0" / "meta.json").parent
    state = trainer("onetrainer").saved_state(TrainingConfig(), tmp_path, "Tom", 15)
    assert (state.path, state.steps, state.epochs, state.uncounted_epochs) == (whole, 30, 2, 2)
    assert state.unfinished == (half,)
    assert (state.file, state.keys) == ("onetrainer_config.json", {"continue_last_backup": True})


def test_simpletuner_goes_on_from_its_newest_whole_checkpoint(tmp_path):
    for step in (50, 100):
        touch(tmp_path / f"checkpoint-{step}" / "random_states_0.pkl")
    touch(tmp_path / "checkpoint-150" / "pytorch_lora_weights.safetensors")
    state = trainer("simpletuner").saved_state(TrainingConfig(), tmp_path, "Tom", 50)
    assert (state.steps, state.epochs) == (100, 2)
    assert (state.file, state.keys) == ("config.json", {"resume_from_checkpoint": "checkpoint-100"})


def test_ai_toolkit_goes_on_by_itself_from_its_newest_lora(tmp_path):
    for step in (500, 1000):
        touch(tmp_path / "Tom" / f"Tom_{step:09d}.safetensors")
    state = trainer("ai-toolkit").saved_state(TrainingConfig(), tmp_path, "Tom", 250)
    assert (state.steps, state.epochs, state.arguments, state.keys) == (1000, 4, (), {})


def test_what_was_half_written_goes_before_a_training_is_resumed_and_history_ends_at_the_state(tmp_path):
    half = touch(tmp_path / "out" / "backup" / "half" / "meta.json").parent
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(), new.mkdir()
    files.write_history(old, [files.Point(step, 1.0, 0.5, None) for step in (1, 2, 3)])
    run = Run(uuid4(), "Tom", "onetrainer", "x", "ab", None, old, tmp_path / "out", "cancelled")
    take_over(Stopped(run, SavedState(tmp_path, 2, 1, unfinished=(half,))), new)
    assert not half.exists()
    assert [point.step for point in files.read_history(new)] == [1, 2]


@pytest.mark.parametrize("name", trainers())
def test_where_nothing_was_saved_there_is_no_state(tmp_path, name):
    assert trainer(name).saved_state(TrainingConfig(), tmp_path, "Tom", 10) is None
    assert trainer(name).saved_state(TrainingConfig(), tmp_path / "nowhere", "Tom", 10) is None


def order(name, **values):
    return files.Order(name, ("x",), ".", ".", ("Tom.safetensors",), 4, 100, 10, **values)


@pytest.mark.parametrize(
    ("name", "values", "lines"),
    [
        (
            "sd-scripts",
            {"uncounted_steps": 50},
            ["epoch 6/10", "steps: 1%|x| 1/100 [00:01<00:09, 1.0it/s, avr_loss=1]"],
        ),
        (
            "onetrainer",
            {"uncounted_epochs": 5},
            ["epoch: 0%|x| 0/5 [00:00<?", "step: 10%|x| 1/10 [00:01<00:09, 1.0it/s]"],
        ),
        ("simpletuner", {}, ["Epoch 6/10 Steps: 51%|x| 51/100 [00:01<00:09, 1.0it/s, lr=0.1, step_loss=1]"]),
        ("ai-toolkit", {}, ["Tom: 51%|x| 51/100 [00:01<00:09, 1.0it/s, lr: 1.0e-04 loss: 1.0e+00]"]),
    ],
)
def test_steps_and_epochs_of_a_resumed_training_count_on(name, values, lines):
    follower = Follower(order(name, steps_done=50, epochs_done=5, **values))
    assert (follower.step, follower.epoch) == (50, 5)
    follower.read(lines)
    assert follower.step == 51
    assert follower.epoch == (5 if name == "ai-toolkit" else 6)


def test_a_training_resumed_twice_has_the_loras_of_all_its_runs(tmp_path, run_of):
    files.write_order(tmp_path, order("sd-scripts", since=123.0))
    assert resumed_order(order("sd-scripts"), run_of(tmp_path)).since == 123.0


@pytest.fixture
def run_of():
    """Return a function that makes a stopped run with a folder."""

    def make(folder):
        run = Run(uuid4(), "Tom", "sd-scripts", "x", "ab", None, folder, folder, "cancelled",
                  started_at=datetime.now(timezone.utc))  # fmt: skip
        return Stopped(run, SavedState(folder, 1, 1))

    return make


def test_a_stopped_training_that_saved_its_lora_and_ended_well_is_cancelled(tmp_path):
    write_lora(tmp_path / "Tom.safetensors", 4)
    made = files.Order("onetrainer", ("x",), ".", str(tmp_path), ("Tom.safetensors",), 4, 100, 10)
    assert determine_outcome(made, 0, [], since=0, stopped=True).state == "cancelled"
    assert determine_outcome(made, 0, [], since=0, stopped=True, reached=True).state == "completed"
    assert determine_outcome(made, 0, [], since=0).state == "completed"


def test_every_trainer_that_is_started_from_here_can_resume():
    startable = tuple(name for name, each in trainers().items() if each.install_files)
    assert startable == RESUMABLE
