"""Trainings of several stages: each one can be stopped, killed, watched again and resumed."""

import os
import subprocess

import psutil
import pytest

from lorads_core.errors import TrainerError
from lorads_core.export.plan import ExportOptions
from lorads_core.export.start_script import start_script
from lorads_core.runs import run_folder as files
from lorads_core.runs.launch import launch
from lorads_core.runs.log import tail
from lorads_core.runs.state import stop

from .. import standin_trainer
from .conftest import trainer_of, watcher_of

pytestmark = pytest.mark.slow
SLOW = {"STANDIN_IMAGE": "0.5"}
STAGES = ("cache latents", "cache text encoder outputs")
CONVERTED = (
    "ComfyUI loads all of it once it is converted, as it is when LoRADS installs or loads it (0 of 1 module loads as it"
    " is)."
)


@pytest.fixture
def musubi(make_profile, tmp_path):
    folder = standin_trainer.install_musubi(tmp_path / "musubi's folder")

    def make(deed="good", **environment):
        return make_profile(
            deed, kind="musubi-tuner", folder=str(folder), environment={"STANDIN_STEPS": "12", **environment}
        )

    return make


@pytest.fixture
def export(make_export, tmp_path):
    base = str(tmp_path / "base.safetensors")
    return make_export("musubi-tuner", base_model="zimage", model_files={"text_encoder": base, "ae": base}, epochs=4)


def cached(export):
    """Return when each cached file was written."""
    return {file.name: file.stat().st_mtime_ns for file in (export.folder / "cache").rglob("*.safetensors")}


def in_stage(name, images=1):
    return lambda run: run.is_over or (run.stage == name and run.cached > images)


def test_the_stages_run_one_after_the_other_and_each_says_how_far_it_is(store, musubi, export, until):
    seen = []

    def look(run):
        if (run.stage, run.cached) not in seen:
            seen.append((run.stage, run.cached))
        return run.is_over

    run = until(launch(store, musubi(STANDIN_IMAGE="0.8"), export), look, seconds=60)
    assert (run.state, run.message, run.stage, run.step) == ("completed", CONVERTED, "", 12)
    assert [stage for stage in dict.fromkeys(stage for stage, _ in seen) if stage] == list(STAGES)
    for stage in STAGES:
        counts = [count for name, count in seen if name == stage]
        assert counts == sorted(counts)
        assert len(set(counts) & {1, 2, 3}) > 1
    assert run.to_cache == 0
    assert len(cached(export)) == 6
    assert run.progress == "step 12 of 12"
    assert run.loras[-1] == "Tom.safetensors"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_training_that_ended_in_a_stage_is_resumed_with_what_is_cached(store, musubi, export, until, stage, how):
    first = until(launch(store, musubi(**SLOW), export), in_stage(stage))
    assert first.progress.startswith(f"{stage}: ")
    if how == "stopped":
        first = stop(store, first)
        assert (first.state, first.message) == ("cancelled", f"It was stopped in the stage {stage!r}.")
    else:
        trainer_of(first).kill()
        first = until(first)
        assert first.state == "failed"
        assert f"The stage {stage!r} failed. " in first.message
    assert (first.stage, first.step, first.loras) == (stage, 0, ())
    before = {name: when for name, when in cached(export).items() if size_of(export, name) > 4}
    run = until(launch(store, musubi(), export, resume=True), seconds=60)
    assert (run.state, run.message, run.output) == ("completed", CONVERTED, first.output)
    after = cached(export)
    assert len(after) == 6
    assert before.items() <= after.items()
    assert before
    assert min(size_of(export, name) for name in after) > 4


def size_of(export, name):
    return next((export.folder / "cache").rglob(name)).stat().st_size


def test_a_stage_goes_on_without_its_watcher_and_the_next_one_starts_the_others(store, musubi, export, until):
    run = until(launch(store, musubi(STANDIN_IMAGE="3", HF_TOKEN="hf_secret_of_mine"), export), in_stage(STAGES[0], 0))
    watcher_of(run).kill()
    run = until(run, seconds=60)
    assert (run.state, run.step) == ("completed", 12)
    assert len(cached(export)) == 6
    assert "hf_secret" not in "".join(tail(run.folder))


def test_where_watcher_and_trainer_are_killed_the_run_is_lost_and_can_be_resumed(store, musubi, export, until):
    run = until(launch(store, musubi(**SLOW), export), in_stage(STAGES[1], 0))
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    trainer.kill()
    psutil.wait_procs([watcher, trainer], timeout=10)
    run = until(run, seconds=60)
    assert run.state == "lost"
    assert STAGES[1] in run.message
    run = until(launch(store, musubi(), export, resume=True), seconds=60)
    assert run.state == "completed"


def test_a_stage_that_ended_with_nobody_there_to_start_the_next_one_is_resumed(store, musubi, export, until):
    run = until(launch(store, musubi(STANDIN_IMAGE="2"), export), in_stage(STAGES[0], 0))
    watcher, trainer = watcher_of(run), trainer_of(run)
    watcher.kill()
    psutil.wait_procs([watcher, trainer], timeout=20)
    assert len(cached(export)) == 3
    run = until(run, seconds=60)
    assert (run.state, run.message) == ("lost", "Nobody was there to start its next stage: resume the training.")
    run = until(launch(store, musubi(), export, resume=True), seconds=60)
    assert run.state == "completed"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("dies", "The stage 'cache latents' failed. The graphics card ran out of memory"),
        ("leaves one out", "The stage 'cache latents' ended without an error, but in "),
    ],
)
def test_nothing_is_trained_where_something_was_not_cached(store, musubi, export, until, deed, said):
    run = until(launch(store, musubi(STANDIN_CACHING=deed), export), seconds=60)
    assert run.state == "failed"
    assert said in run.message
    assert run.loras == ()
    assert not [line for line in tail(run.folder) if line.startswith("steps:")]


def test_what_is_cached_serves_the_next_training_of_the_export(store, musubi, export, until):
    until(launch(store, musubi(), export), seconds=60)
    before = cached(export)
    run = until(launch(store, musubi(STANDIN_CACHING="dies"), export, again=True), seconds=60)
    assert (run.state, cached(export)) == ("completed", before)


@pytest.mark.posix
def test_a_cache_that_leads_elsewhere_is_refused(store, musubi, export, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (export.folder / "cache").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrainerError, match="is a link"):
        launch(store, musubi(), export)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_training_that_ended_early_goes_on_under_another_name_with_the_earlier_loras(
    store, musubi, export, until, how
):
    slow = {"STANDIN_PAUSE": "0.3"}
    first = until(launch(store, musubi(**slow), export), lambda run: run.loras and run.step > 3, seconds=60)
    if how == "stopped":
        assert stop(store, first).state == "cancelled"
    else:
        trainer_of(first).kill()
        assert until(first).state == "failed"
    resumed = launch(store, musubi(**slow), export, resume=True)
    done = resumed.epoch
    assert resumed.step == done * 3
    run = until(resumed, seconds=60)
    assert (run.state, run.message, run.step, run.epoch) == ("completed", CONVERTED, 12, 4)
    name = f"Tom-after-{done:06d}"
    assert run.loras == (
        *(f"Tom-{epoch:06d}.safetensors" for epoch in range(1, done + 1)),
        *(f"{name}-{epoch:06d}.safetensors" for epoch in range(1, 4 - done)),
        f"{name}.safetensors",
    )
    assert [point.step for point in files.read_history(run.folder)] == list(range(1, 13))


@pytest.mark.posix
@pytest.mark.parametrize(("deed", "code"), [("good", 0), ("dies", 1)])
def test_the_training_script_runs_all_stages_as_long_as_they_end_well(musubi, export, tmp_path, deed, code):
    options = ExportOptions("musubi-tuner", installed=musubi())
    (text,) = start_script(export.config, options, export.folder, windows=False).values()
    script = tmp_path / "train.sh"
    script.write_text(text, encoding="utf-8")
    export.output.mkdir(parents=True)
    environment = {**os.environ, "STANDIN_CACHING": deed}
    ended = subprocess.run(["sh", str(script)], cwd="/", env=environment, capture_output=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert (export.output / "Tom.safetensors").is_file() == (code == 0)
    assert len(cached(export)) == (6 if code == 0 else 1)
