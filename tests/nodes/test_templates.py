"""Example workflows as files: links that hold, files that ComfyUI offers for download, a training that is complete."""

import json
from pathlib import Path

import pytest

from lorads_core.base_models import base_model
from lorads_core.trainers import Subset, trainer
from lorads_core.training_fields import TRAINING_FIELDS

from ..standin_trainer import write_model
from .pack import ROOT, loaded

EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
# By loader: the folder of ComfyUI that it reads, and where among its values its file stands.
LOADERS = {"UNETLoader": "diffusion_models", "CLIPLoader": "text_encoders", "VAELoader": "vae"}


def workflow(path):
    return json.loads(path.read_text(encoding="utf-8"))


def widgets(node):
    """Return the values of a saved Training Config by their names."""
    names = ["preset", *(each.name for each in TRAINING_FIELDS)]
    return dict(zip(names, node["widgets_values"], strict=True))


def files(node):
    """Return the files that a saved node names, each with the folders of ComfyUI that may hold it."""
    if node["type"] in LOADERS:
        return {node["widgets_values"][0]: (LOADERS[node["type"]],)}
    if node["type"] != "LoradsTrainingConfig":
        return {}
    values = widgets(node)
    named = {values[each.name]: each.folders for each in TRAINING_FIELDS if each.kind == "file"}
    return {name: folders for name, folders in named.items() if not name.startswith("(")}


def trains_a_named_file(path):
    return any(node["type"] == "LoradsTrainingConfig" and files(node) for node in workflow(path)["nodes"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_links_of_an_example_are_those_of_its_nodes(example):
    saved = workflow(example)
    nodes = {node["id"]: node for node in saved["nodes"]}
    assert saved["last_node_id"] == max(nodes)
    assert saved["last_link_id"] == max(link[0] for link in saved["links"])
    for number, source, output, target, slot, kind in saved["links"]:
        start, end = nodes[source]["outputs"][output], nodes[target]["inputs"][slot]
        assert number in start["links"]
        assert (end["link"], start["type"], kind) == (number, kind, end["type"])
    wired = [each["link"] for node in nodes.values() for each in node["inputs"] if each["link"] is not None]
    assert sorted(wired) == sorted(link[0] for link in saved["links"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_comfyui_can_offer_each_file_of_an_example_for_download(example):
    for node in workflow(example)["nodes"]:
        links = {each["name"]: each for each in node.get("properties", {}).get("models", ())}
        assert set(links) == set(files(node)), node["type"]
        for name, folders in files(node).items():
            assert links[name]["directory"] in folders
            assert links[name]["url"].startswith("https://huggingface.co/")
            assert links[name]["url"].endswith(f"/{name}")


TRAINING = [path for path in EXAMPLES if trains_a_named_file(path)]


@pytest.mark.parametrize("example", TRAINING, ids=lambda path: path.stem)
def test_what_an_example_trains_is_all_that_its_trainer_asks_for(tmp_path, example):
    nodes = {node["type"]: node for node in workflow(example)["nodes"]}
    saved = nodes["LoradsTrainingConfig"]
    for each in saved["properties"]["models"]:
        file = tmp_path / "models" / each["directory"] / each["name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_model(file)
    (tmp_path / "lorads.toml").touch()
    with loaded(tmp_path, tmp_path / "lorads.toml") as pack:
        config = pack.nodes["LoradsTrainingConfig"].execute(**widgets(saved)).args[0]
    named = trainer(nodes["LoradsExportDataset"]["widgets_values"][0])
    family = base_model(config.base_model).family
    assert family.name in named.families
    assert all(Path(file).is_file() for file in (config.checkpoint, *config.model_files.values()))
    subset = Subset("100_landmark", 100, is_regularization=False, sizes=((1024, 1024),) * 20)
    assert [each.message for each in named.problems(config, [subset]) if each.severity != "info"] == []
