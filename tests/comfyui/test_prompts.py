"""The graph as a prompt in a real ComfyUI: run, run again, changed, interrupted, and with bad input."""

import json
import os
import shutil
import sys
import time

import numpy as np
import pytest

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.store import datasets
from lorads_core.store.images import bump_revision
from lorads_core.store.vectors import Space, prepare_space, write_vectors

from ..edits import edit_caption
from .conftest import SAMPLES
from .prompts import finder, index, node, whole
from .server import ROOT

pytestmark = pytest.mark.comfyui

NODES = {"subject", "other", "training", "regularization", "captions", "config", "export"}


def graph(pictures, name, **changed):
    place = pictures.name
    return whole(name, f"{place}/subject", f"{place}/other", **changed)


def captions(folder):
    return {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("10_*/*.txt")}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def executed(ended):
    return NODES - ended.cached


def test_all_nodes_are_there(comfy):
    known = comfy.request("/object_info")
    ours = {name: info for name, info in known.items() if name.startswith("Lorads")}
    assert {info["display_name"] for info in ours.values()} == {
        "Index Images",
        "Query Images",
        "Regularization Finder",
        "Caption Builder",
        "Combine Datasets",
        "Training Config",
        "Export Dataset",
        "Launch Trainer",
        "Load Trained LoRA",
        "LoRA Variants",
        "LoRA Test Grid",
        "Dataset to Images",
    }
    assert {info["python_module"] for info in ours.values()} == {"custom_nodes.LoRADS"}
    templates = comfy.request("/api/workflow_templates")["LoRADS"]
    assert sorted(templates) == sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
    scripts = [path for path in comfy.request("/extensions") if "LoRADS" in path]
    files = [path.relative_to(ROOT / "web").as_posix() for path in (ROOT / "web").rglob("*.js")]
    assert sorted(scripts) == sorted(f"/extensions/LoRADS/{name}" for name in files)
    log = comfy.log.read_text(encoding="utf-8")
    assert "Error while calling comfy_entrypoint" not in log
    assert "IMPORT FAILED" not in log


def test_names_of_nodes_are_served_in_other_languages(comfy):
    said = comfy.request("/i18n")
    assert said["de"]["nodeDefs"]["LoradsLaunchTrainer"]["display_name"] == "Training starten"


@pytest.mark.parametrize("example", sorted((ROOT / "example_workflows").glob("*.json")), ids=lambda path: path.stem)
def test_every_node_of_a_template_is_there_with_its_sockets(comfy, example):
    known = comfy.request("/object_info")
    for saved in json.loads(example.read_text(encoding="utf-8"))["nodes"]:
        if saved["type"] == "MarkdownNote":  # the page's own
            continue
        inputs = known[saved["type"]]["input"]
        names = {*inputs.get("required", {}), *inputs.get("optional", {})}
        assert {each["name"] for each in saved.get("inputs", ())} <= names, saved["type"]
        assert len(saved.get("outputs", ())) <= len(known[saved["type"]]["output"])


def test_run_twice_then_with_a_change_then_with_an_edit(comfy, pictures, comfy_store):
    prompt = graph(pictures, "run twice")
    first = comfy.run(prompt)
    folder = comfy.exports / "run-twice"
    assert first.status == "success", first.messages
    assert "Total steps: 2,010" in first.texts["export"]
    assert "20 training images" in first.texts["training"]
    assert "14 regularization images" in first.texts["regularization"]
    assert len(captions(folder)) == 20
    assert {file.name for file in folder.iterdir()} == {
        "10_oldlandmark",
        "1_regularization",
        "dataset_config.toml",
        "training_config.toml",
        "train.bat" if sys.platform == "win32" else "train.sh",
        "manifest.json",
    }

    written = (folder / "manifest.json").stat().st_mtime_ns
    second = comfy.run(prompt)  # the index has changed since the first run began, so the queries look again
    assert second.status == "success"
    assert {"subject", "other", "config"} <= second.cached
    assert second.texts == first.texts, "cached nodes say again what they did"
    third = comfy.run(prompt)
    assert executed(third) == set()
    assert (folder / "manifest.json").stat().st_mtime_ns == written, "nothing was written again"

    (pictures / "subject" / "colosseum.txt").write_text("an arena at night", encoding="utf-8")
    changed = comfy.run(prompt)
    assert "1 changed, 19 unchanged" in changed.texts["subject"]
    assert "oldlandmark, an arena at night" in captions(folder).values()
    comfy.run(prompt)

    image = manifest(folder)["images"][0]["source"]
    with comfy_store.connection() as connection:
        dataset = datasets.ensure_dataset(connection, "run twice", "pictures", comfy_store.owner)
        edit_caption(connection, dataset, (image["library"], image["id"]), "written by hand")
    edited = comfy.run(prompt)
    assert executed(edited) == {"captions", "export"}
    assert "written by hand" in captions(folder).values(), "as it was written"

    shutil.rmtree(folder)
    again = comfy.run(prompt)
    assert executed(again) == {"export"}
    assert len(captions(folder)) == 20, "an export that was removed is written again"


def test_regularization_images_are_found_by_likeness(comfy, pictures, comfy_store):
    """The vectors are made up here: subjects and others lie apart, and four of the others nearer."""
    assert comfy.run(graph(pictures, "by likeness")).status == "success"
    library = IndexedLibrary(comfy_store, "pictures")
    records = library.find(DatasetFilter(folders=(str(pictures),)))
    noise = np.random.default_rng(0).standard_normal((len(records), 64))
    others = [n for n, record in enumerate(records) if "/other/" in record.path]
    near = {records[n].id for n in others[:4]}
    vectors = 0.6 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors[:, 0] += 1
    vectors[others, 1] += 1.5
    vectors[others[:4], 1] -= 0.8
    with comfy_store.connection() as connection:
        space = Space("test-64", 64)
        prepare_space(connection, "pictures", space)
        write_vectors(connection, "pictures", space, [record.id for record in records], vectors)
        bump_revision(connection, "pictures")
    prompt = graph(pictures, "by likeness")
    prompt["regularization"] = finder(["training", 0], count=4)
    prompt["histogram"] = node("PreviewImage", images=["regularization", 1])
    prompt["sheet"] = node("PreviewImage", images=["regularization", 2])
    found = comfy.run(prompt)
    assert found.status == "success", found.messages
    assert "4 of 4 regularization images" in found.texts["regularization"]
    picked = {image["source"]["id"] for image in manifest(comfy.exports / "by-likeness")["images"][-4:]}
    assert picked == near
    assert executed(comfy.run(prompt)) == set(), "nothing has changed"


def test_progress_and_interruption_of_index(comfy):
    place = comfy.input / "many"
    copies(place, 1500)
    with comfy.events("index") as events:
        began = comfy.queue({"subject": index("many"), "show": preview("subject")}, client="index")
        steps = until_progress(events, "subject", 40)
        interrupted_at = time.monotonic()
        comfy.request("/interrupt", {"prompt_id": began})
        ended = comfy.wait(began)
    assert time.monotonic() - interrupted_at < 15
    assert steps == sorted(steps)
    assert "execution_interrupted" in ended.messages
    assert ended.messages["execution_interrupted"]["node_id"] == "subject"
    assert "execution_error" not in ended.messages
    full = comfy.run({"subject": index("many"), "show": preview("subject")})
    assert full.status == "success"
    assert full.texts["subject"].startswith("1,500 images")


def test_interruption_of_export_leaves_no_half(comfy, pictures):
    copies(pictures / "subject" / "more", 150)
    prompt = graph(pictures, "cut off", export={"images": "normalised"})
    folder = comfy.exports / "cut-off"
    with comfy.events("export") as events:
        began = comfy.queue(prompt, client="export")
        until_progress(events, "export", 3)
        interrupted_at = time.monotonic()
        comfy.request("/interrupt", {"prompt_id": began})
        ended = comfy.wait(began)
    assert time.monotonic() - interrupted_at < 15
    assert ended.messages["execution_interrupted"]["node_id"] == "export"
    assert not folder.exists()
    assert comfy.run(prompt).status == "success"
    assert len(manifest(folder)["images"]) == 20 + 150 + 14
    assert not list((comfy.exports / ".lorads").glob("_*"))


def copies(place, count):
    """Lay out many names of real pictures."""
    place.mkdir(exist_ok=True)
    sources = sorted((SAMPLES / "subject").glob("*.jpg"))
    for n in range(count):
        source = sources[n % len(sources)]
        os.link(source, place / f"{n:05}.jpg") if can_link(source, place) else shutil.copy(
            source, place / f"{n:05}.jpg"
        )
        (place / f"{n:05}.txt").write_text(f"tower, number {n}", encoding="utf-8")


def can_link(source, place):
    return source.stat().st_dev == place.stat().st_dev


def preview(place):
    """Return an output node that asks for a place's number."""
    return {"class_type": "PreviewAny", "inputs": {"source": [place, 1]}}


def until_progress(events, place, least):
    """Return the steps of a node up to the first that is ``least`` or more."""
    steps = []
    for kind, data in events:
        assert kind != "execution_error", data
        if kind == "progress" and data["node"] == place:
            steps.append(data["value"])
            if data["value"] >= least:
                return steps
    return steps


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subject": {"folder": ""}}, "No folder is given"),
        ({"subject": {"folder": "../.."}}, "There is no folder"),
        ({"subject": {"folder": "/"}}, "There is no folder"),
        ({"subject": {"folder": "bad/away"}}, "There is no folder"),
        ({"subject": {"folder": "x" * 5000}}, "There is no folder"),
        ({"subject": {"folder": "bad/missing"}}, "There is no folder"),
        ({"subject": {"folder": "bad/empty"}}, "passes the filter"),
        ({"subject": {"sidecars": "txt=sidecar"}}, "does not say what a sidecar holds"),
        ({"training": {"name": "  "}}, "The dataset has no name"),
        ({"training": {"cluster": "nobody"}}, "has no cluster 'nobody'"),
        ({"training": {"ids": "one"}}, "is no image id"),
        ({"training": {"required_tags": "nothing has this"}}, "passes the filter"),
        ({"captions": {"fallback": "gossip"}}, "There is no caption source 'gossip'"),
        ({"captions": {"source": "custom", "uncaptioned": "leave-out"}}, "caption"),
        ({"export": {"folder": "../x"}}, "without slashes"),
        ({"export": {"folder": ".."}}, "without slashes"),
        ({"export": {"folder": "/tmp/x"}}, "without slashes"),
    ],
    ids=lambda each: f"{each!r:.60}",
)
def test_bad_input_is_told_in_our_words(comfy, changed, message):
    place = comfy.input / "bad"
    if not place.exists():
        place.mkdir()
        (place / "empty").mkdir()
        (place / "away").symlink_to(comfy.base.parent, target_is_directory=True)
    before = outside(comfy)
    ended = comfy.run(whole("bad", "samples/subject", "samples/other", **changed))
    assert ended.status == "error"
    assert message in ended.error
    assert "\n" not in ended.error
    assert ended.messages["execution_error"]["exception_type"].startswith("LoRADS."), "no path of the server"
    assert outside(comfy) == before
    assert not (comfy.exports / "bad").exists()


def outside(comfy):
    """Return what lies around ComfyUI's folders and in its output folder."""
    return sorted(map(str, [*comfy.base.parent.iterdir(), *comfy.base.iterdir(), *comfy.exports.parent.iterdir()]))
