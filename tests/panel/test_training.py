"""Trainings from the panel with a stand-in for the trainer: to the end, failed, stopped; told to those who listen."""

import http.client
import io
import json
import os
from contextlib import contextmanager
from uuid import UUID

import pytest
from PIL import Image

from lorads_core.export.plan import ExportOptions
from lorads_core.model import TrainingConfig
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow import training

from ..standin_trainer import write_model

OVER = {"completed", "failed", "cancelled", "lost"}


@contextmanager
def listening(panel, dataset):
    """Give a function that returns the next event that passes; it waits at most 30 seconds for each line."""
    connection = http.client.HTTPConnection("127.0.0.1", panel.port, timeout=30)
    connection.request("GET", f"/lorads/api/events?dataset={dataset}", headers={"Cookie": panel.cookie})
    stream = connection.getresponse()
    assert stream.readline() == b": hello\n"

    def until(passes):
        while True:
            line = stream.readline()
            assert line, "the server has ended the stream"
            if line.startswith(b"data: "):
                event = json.loads(line.removeprefix(b"data: "))
                if passes(event):
                    return event

    yield until
    connection.close()
    stream.close()


@pytest.fixture
def ready(training_panel, store, tmp_path):
    """Return a function that serves a panel which may train, of a dataset whose base model was chosen."""

    def make(*words, **more):
        panel = training_panel(*words, **more)
        checkpoint = tmp_path / "base.safetensors"
        write_model(checkpoint)
        config = TrainingConfig(checkpoint=str(checkpoint), epochs=2, repeats=1)
        found = captioning.draft(store, panel.settings, "towers")
        build.export(store, found.dataset, config, ExportOptions(), panel.exports, "before")
        return panel

    return make


def train(panel, dataset, **more):
    """Begin a training; return its run's id."""
    ended = panel.ended(panel.post(f"datasets/{dataset}/train", {"profile": "local", "folder": "run", **more})["job"])
    assert ended["state"] == "done", ended
    return ended["result"]["run"]


def test_a_training_is_told_to_its_end_and_its_lora_is_shown(ready, dataset, store):
    panel = ready(pause="0.02")
    with listening(panel, dataset) as until:
        run = train(panel, dataset)
        last = until(lambda event: event["kind"] == "run" and event["run"]["state"] in OVER)["run"]
    assert (last["id"], last["state"], last["step"], last["total_steps"]) == (run, "completed", 20, 20)
    found = panel.get(f"runs/{run}")
    assert found["loras"][-1].endswith(".safetensors")
    assert found["history"][-1][0] == 20
    assert "model saved." in found["log"]
    assert (found["trainer"], found["profile"], found["dataset"]) == ("sd-scripts", "local", str(dataset))
    assert found["samples"] == []
    assert panel.get(f"runs?dataset={dataset}")[0]["id"] == run
    assert panel.get(f"runs?dataset={UUID(int=5)}") == []
    assert str(training.run_by_id(store, UUID(run)).folder) not in json.dumps(found)


def test_a_trainers_pictures_are_shown_by_the_names_that_the_run_lists(ready, dataset, store):
    panel = ready()
    with listening(panel, dataset) as until:
        run = train(panel, dataset)
        until(lambda event: event["kind"] == "run" and event["run"]["state"] in OVER)
    output = training.run_by_id(store, UUID(run)).output
    (output / "sample").mkdir()
    Image.new("RGB", (64, 48), "red").save(output / "sample" / "towers_e000001.png")
    (output / "sample" / "notes.txt").write_text("a secret")
    os.link(output / "sample" / "notes.txt", output / "notes.png")
    assert panel.get(f"runs/{run}")["samples"] == ["towers_e000001.png"]
    status, headers, body = panel.raw("GET", f"/lorads/api/runs/{run}/sample/towers_e000001.png")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(body)).size == (64, 48)
    for name in ("notes.txt", "notes.png", "..%2Fnotes.png", "sample%2Ftowers_e000001.png", "%2Fetc%2Fpasswd"):
        assert panel.raw("GET", f"/lorads/api/runs/{run}/sample/{name}")[0] == 404, name


def test_a_training_that_fails_is_told_with_its_reason(ready, dataset):
    panel = ready("oom")
    with listening(panel, dataset) as until:
        run = train(panel, dataset)
        last = until(lambda event: event["kind"] == "run" and event["run"]["state"] in OVER)["run"]
    assert last["state"] == "failed"
    assert "memory" in last["message"]
    assert "CUDA out of memory" in panel.get(f"runs/{run}")["log"]


def test_a_training_is_begun_once(ready, dataset):
    panel = ready(pause="0.05", steps="4000")
    first = train(panel, dataset)
    assert train(panel, dataset) == first, "the same export goes on, and is not started a second time"
    assert len(panel.get(f"runs?dataset={dataset}")) == 1
    stopped = panel.ended(panel.post(f"runs/{first}/stop", {})["job"])
    assert (stopped["state"], stopped["result"]["state"]) == ("done", "cancelled")
    again = panel.ended(panel.post(f"runs/{first}/stop", {})["job"])
    assert again["result"]["state"] == "cancelled", "what has ended stays as it is"


def test_a_failed_training_is_resumed_from_its_state_and_counts_on(ready, dataset, monkeypatch):
    panel = ready("", steps="")
    total = panel.get(f"datasets/{dataset}/summary")["total_steps"]
    monkeypatch.setenv("STANDIN_STEPS", str(total))
    monkeypatch.setenv("STANDIN", "last")
    with listening(panel, dataset) as until:
        first = train(panel, dataset)
        until(lambda event: event["kind"] == "run" and event["run"]["state"] == "failed")
        monkeypatch.setenv("STANDIN", "good")
        run = train(panel, dataset, resume=True)
        last = until(lambda event: event["kind"] == "run" and event["run"]["state"] == "completed")["run"]
    assert (last["id"], last["id"] != first, last["step"], last["epoch"]) == (run, True, total, 2)
    found = panel.get(f"runs/{run}")
    assert [point[0] for point in found["history"]] == list(range(1, total + 1))
    assert len(found["loras"]) == 2


def test_what_cannot_be_resumed_says_why_and_what_to_do(ready, dataset):
    panel = ready("oom")
    train(panel, dataset)
    body = {"profile": "local", "folder": "run", "resume": True}
    ended = panel.ended(panel.post(f"datasets/{dataset}/train", body)["job"])
    while ended["state"] != "failed":  # the first one was still ending: it was shown instead
        ended = panel.ended(panel.post(f"datasets/{dataset}/train", body)["job"])
    assert "has saved no state yet" in ended["message"]
    assert "train it without resume" in ended["message"]


def test_a_training_goes_on_without_the_panel_and_another_one_stops_it(ready, make_panel, dataset):
    panel = ready(pause="0.05", steps="4000")
    run = train(panel, dataset)
    settings = panel.settings
    panel.end()
    other = make_panel(settings)
    assert other.get(f"runs/{run}")["state"] in {"starting", "running"}
    assert other.ended(other.post(f"runs/{run}/stop", {})["job"])["result"]["state"] == "cancelled"


def test_steps_of_an_export_are_told_while_it_goes_on(panel, dataset):
    with listening(panel, dataset) as until:
        job = panel.post(f"datasets/{dataset}/export", {"folder": "mine"})["job"]
        begun = until(lambda event: event["kind"] == "job" and event["state"] == "running")
        assert begun["job"] == job
        step = until(lambda event: event["kind"] == "job" and event["total"] == 12)
        assert 0 <= step["done"] <= 12
        over = until(lambda event: event["kind"] == "job" and event["state"] == "done")
    assert over["message"] == "12 images written to mine."
    assert "result" not in over, "the page asks for it"


@pytest.mark.parametrize("profile", ["nobody", "", "../local", "local\n"])
def test_a_profile_that_the_server_has_not(training_panel, dataset, profile):
    panel = training_panel()
    error_response = panel.post(f"datasets/{dataset}/train", {"profile": profile}, 403)
    assert error_response["error"]["code"] == "forbidden"


@pytest.mark.parametrize("folder", ["..", ".", "a/b", "a\\b", "/tmp/x", "~/x/.."])
def test_nothing_is_written_outside_the_folder_of_exports(training_panel, dataset, folder, tmp_path):
    panel = training_panel()
    before = sorted(path for path in tmp_path.rglob("*") if "thumbnails" not in path.parts)
    for action, body in (("export", {}), ("train", {"profile": "local"})):
        error_response = panel.post(f"datasets/{dataset}/{action}", {**body, "folder": folder}, 400)
        assert error_response["error"]["code"] == "request"
    assert sorted(path for path in tmp_path.rglob("*") if "thumbnails" not in path.parts) == before
