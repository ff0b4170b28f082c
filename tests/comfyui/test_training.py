"""Trainings from a real ComfyUI, with a stand-in for the trainer: waited for, interrupted, found again."""

import time

import psutil
import pytest

from ..standin_trainer import write_lora, write_model
from .conftest import write_settings
from .prompts import node, whole
from .server import started

pytestmark = pytest.mark.comfyui

BASE = "base.safetensors"


@pytest.fixture
def graph(comfy, pictures):
    """Return a function that makes a graph which ends in a training; each profile has an export of its own."""
    return grapher(comfy.base, pictures)


def grapher(base, pictures):
    checkpoints = base / "models" / "checkpoints"
    checkpoints.mkdir(exist_ok=True, parents=True)
    write_model(checkpoints / BASE)

    def make(profile, mode="wait", seed=0):
        place = pictures.relative_to(base / "input").as_posix()
        made = whole(
            f"{place} {profile}",
            f"{place}/subject",
            f"{place}/other",
            training={"maximum_images": 4},
            regularization={"maximum_images": 2},
            config={"checkpoint": BASE, "epochs": 2, "repeats": 1, "seed": seed},
        )
        launch = node("LoradsLaunchTrainer", export=["export", 0], profile=profile, mode=mode, name="", offer="copy")
        preview = node("PreviewImage", images=["launch", 2])
        samples = node("PreviewImage", images=["launch", 3])
        return {**made, "launch": launch, "preview": preview, "samples": samples}

    return make


def trainers():
    """Return the processes of stand-in trainers."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "sdxl_train_network.py" in " ".join(process.info["cmdline"] or ())
    ]


def until(so, seconds=40):
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_graph_trains_and_the_lora_is_there_for_its_loaders(comfy, graph):
    prompt = graph("good")
    ended = comfy.run(prompt)
    assert ended.status == "success", ended.messages
    said = ended.texts["launch"]
    assert "completed, step 20 of 20" in said
    lora = said.partition("LoRA: ")[2].splitlines()[0]
    assert (comfy.base / "models" / "loras" / lora).is_file()
    loaders = comfy.request("/object_info/LoraLoader")["LoraLoader"]["input"]["required"]["lora_name"][0]
    assert lora in loaders
    assert comfy.run(prompt).texts["launch"] == said  # the index has changed since: all is looked at again
    again = comfy.run(prompt)
    assert again.texts["launch"] == said
    assert {"launch", "preview"} <= again.cached


def test_two_prompts_at_once_train_once(comfy, graph, comfy_store):
    prompt = graph("good", seed=2)
    first, second = comfy.queue(prompt), comfy.queue({**prompt, "preview": node("PreviewImage", images=["launch", 2])})
    assert [comfy.wait(each).status for each in (first, second)] == ["success", "success"]
    with comfy_store.connection() as connection:
        name = prompt["training"]["inputs"]["name"]
        count = connection.execute(
            "SELECT count(*) FROM lorads.runs WHERE dataset_id ="
            " (SELECT dataset_id FROM lorads.lora_datasets WHERE name = %s)",
            [name],
        ).fetchone()
    assert count == (1,)


def test_an_interruption_stops_the_trainer(comfy, graph):
    prompt_id = comfy.queue(graph("slow"))
    until(trainers)
    time.sleep(1)
    comfy.request("/interrupt", {})
    ended = comfy.wait(prompt_id)
    assert "execution_interrupted" in ended.messages
    assert trainers() == []


def test_a_failed_training_is_an_error_with_its_reason(comfy, graph):
    ended = comfy.run(graph("broken"))
    assert ended.status == "error"
    assert "ran out of memory" in ended.error
    assert "CUDA out of memory. Tried" in ended.error


@pytest.mark.slow
def test_a_training_goes_on_while_comfyui_is_started_anew(comfyui, make_folder, make_pictures, request):
    settings = write_settings(make_folder(), request.getfixturevalue("comfy_database"))
    base = make_folder()
    with started(comfyui, base, settings) as first:
        prompt = grapher(base, make_pictures(first))("tenseconds", "background")
        ended = first.run(prompt)
        assert ended.status == "success", ended.messages
        assert "starting" in ended.texts["launch"] or "running" in ended.texts["launch"]
        until(trainers)
    assert len(trainers()) == 1
    with started(comfyui, base, settings, "--cache-none") as second:
        shown = second.run(prompt)
        assert shown.status == "success"
        assert shown.texts["launch"] == second.run(prompt).texts["launch"] or "running" in shown.texts["launch"]
        assert len(trainers()) <= 1
        prompt["launch"]["inputs"]["mode"] = "wait"
        ended = second.run(prompt)
        assert ended.status == "success", ended.messages
        assert "completed, step 100 of 100" in ended.texts["launch"]


def test_a_checkpoint_that_contradicts_the_base_model_is_refused_when_the_graph_is_queued(comfy, graph):
    prompt = graph("good", seed=11)
    write_lora(comfy.base / "models" / "checkpoints" / "a lora.safetensors", 4)
    prompt["config"]["inputs"]["checkpoint"] = "a lora.safetensors"
    with pytest.raises(AssertionError, match="is a LoRA, not a checkpoint"):
        comfy.queue(prompt)
    prompt["config"]["inputs"]["base_model"] = "nothing"
    with pytest.raises(AssertionError, match="There is no base model 'nothing'"):
        comfy.queue(prompt)
