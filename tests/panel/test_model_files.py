"""Model files in the panel: offered by name, never by path; a checkpoint says its base model, and what it is not."""

import json

import pytest

from lorads_core.panel.model_files import FILE_FIELDS

from ..checkpoints.test_base_model import GOLDEN
from ..checkpoints.test_diffusers_names import saved


@pytest.fixture
def models(tmp_path):
    """Return a folder of models by ComfyUI's folders, with checkpoints of several families and a VAE."""
    made = {
        "checkpoints/waiIllustrious.safetensors": "sdxl",
        "checkpoints/mine.safetensors": "sdxl",
        "diffusion_models/z_image_turbo_bf16.safetensors": "zimage",
        "diffusion_models/anima.safetensors": "anima",
        "diffusion_models/refiner.safetensors": "sdxl_refiner",
    }
    for name, architecture in made.items():
        file = tmp_path / "models" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        saved(file, GOLDEN[architecture]["tensors"])
    (tmp_path / "models" / "vae").mkdir()
    saved(tmp_path / "models" / "vae" / "ae.safetensors", {"decoder.conv_in.weight": [512, 16, 3, 3]})
    (tmp_path / "models" / "checkpoints" / "damaged.safetensors").write_bytes(b"no model")
    return tmp_path / "models"


@pytest.fixture
def panel(make_panel, dataset, models):  # noqa: ARG001 - there is something to show
    def find(folders):
        places = [models / name for name in folders]
        return {file.name: file for place in places if place.is_dir() for file in sorted(place.iterdir())}

    return make_panel(models=find)


def facts(panel, name, base="sdxl", status=200):
    return panel.get(f"checkpoint?name={name}&base_model={base}", status)


def check(panel, dataset, config):
    return panel.post(f"datasets/{dataset}/training-options", {"trainer": "sd-scripts", "config": config})


def test_each_file_is_offered_by_its_name_in_the_folders_of_its_kind(panel, dataset, models):
    found = panel.get(f"datasets/{dataset}/training-options")
    assert set(found["files"]) == {each.name for each in FILE_FIELDS}
    assert found["files"]["ae"] == ["ae.safetensors"]
    assert found["files"]["t5xxl"] == []
    assert {"mine.safetensors", "z_image_turbo_bf16.safetensors"} <= set(found["files"]["checkpoint"])
    assert str(models) not in json.dumps(found)


@pytest.mark.parametrize(
    ("name", "base", "taken", "is_guess"),
    [
        ("waiIllustrious.safetensors", "sdxl", "illustrious", True),
        ("waiIllustrious.safetensors", "flux", "illustrious", True),
        ("mine.safetensors", "pony", "pony", True),
        ("mine.safetensors", "flux", "sdxl", True),
        ("z_image_turbo_bf16.safetensors", "sdxl", "zimage_turbo", True),
        ("refiner.safetensors", "sdxl", None, False),
        ("damaged.safetensors", "sdxl", None, False),
    ],
)
def test_a_checkpoint_says_its_base_model_and_the_one_before_stays_where_it_fits(panel, name, base, taken, is_guess):
    found = facts(panel, name, base)
    assert (found["base_model"], found["is_guess"]) == (taken, is_guess)


def test_what_is_a_guess_names_the_others_that_it_may_be(panel):
    said = facts(panel, "waiIllustrious.safetensors")["message"]
    assert said.startswith("Illustrious XL, a guess: SDXL 1.0,")


def test_a_file_that_is_no_checkpoint_is_refused_with_the_reason_and_without_its_path(panel, models):
    for name, reason in (("refiner", "is the denoiser of SDXL refiner alone"), ("damaged", "copy it again")):
        (problem,) = facts(panel, f"{name}.safetensors")["problems"]
        assert problem["severity"] == "error"
        assert problem["message"].startswith(f"{name}.safetensors ")
        assert reason in problem["message"]
        assert str(models) not in problem["message"]


def test_no_other_file_is_looked_into(panel, models):
    (models.parent / "secret.safetensors").write_bytes(b"x")
    for name in ("../secret.safetensors", str(models / "checkpoints" / "mine.safetensors"), "gone.safetensors", ""):
        refused = facts(panel, name, status=400)
        assert "choose one of the list" in refused["error"]["message"]
    assert "no base model" in facts(panel, "mine.safetensors", "nothing", 400)["error"]["message"]


def test_a_checkpoint_of_another_family_is_a_fault_before_the_export(panel, dataset, models):
    config = {"base_model": "flux", "checkpoint": "z_image_turbo_bf16.safetensors"}
    (fault,) = check(panel, dataset, config)["faults"]
    assert fault["name"] == "checkpoint"
    assert fault["message"].startswith("z_image_turbo_bf16.safetensors is the denoiser of Z-Image")
    assert str(models) not in fault["message"]
    (unknown,) = check(panel, dataset, {"checkpoint": str(models / "checkpoints" / "mine.safetensors")})["faults"]
    assert (unknown["name"], "choose one of the list" in unknown["message"]) == ("checkpoint", True)
    refused = panel.post(f"datasets/{dataset}/export", {"config": {"checkpoint": "../secret.safetensors"}}, 400)
    assert "choose one of the list" in refused["error"]["message"]


def test_files_of_an_export_are_those_that_the_form_has_next_until_they_are_taken_away(panel, dataset, models):
    config = {"base_model": "anima", "checkpoint": "anima.safetensors", "vae": "ae.safetensors"}
    certain = facts(panel, config["checkpoint"])
    assert (certain["base_model"], certain["is_guess"], certain["problems"]) == ("anima", False, [])
    assert certain["message"] == "Anima, as the file says."
    export(panel, dataset, config)
    values = panel.get(f"datasets/{dataset}/training-options")["values"]
    assert {name: values[name] for name in config} == config
    (folder,) = {file.parent for file in panel.exports.rglob("manifest.json")}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["config"]["checkpoint"] == str(models / "diffusion_models" / config["checkpoint"])
    export(panel, dataset, {"epochs": 3})
    assert panel.get(f"datasets/{dataset}/training-options")["values"]["vae"] == "ae.safetensors", "it was not named"
    export(panel, dataset, {"vae": None})
    assert panel.get(f"datasets/{dataset}/training-options")["values"]["vae"] is None


def export(panel, dataset, config):
    ended = panel.ended(panel.post(f"datasets/{dataset}/export", {"config": config})["job"])
    assert ended["state"] == "done", ended["message"]
