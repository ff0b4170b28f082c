"""`lorads checkpoints`, what doctor says of models, and base models that are taken from a file."""

import json

import pytest

from lorads_core.checkpoints.parts import KNOWN_PARTS
from lorads_core.cli import doctor
from lorads_core.cli.comfyui_folders import COMFYUI_FILES
from lorads_core.cli.main import main
from lorads_core.cli.model_list import list_models, missing_parts

from ..checkpoints.test_base_model import GOLDEN
from ..checkpoints.test_diffusers_names import saved, tensors

PARTS = {each.name: each for each in KNOWN_PARTS}


def model(path, name, prefix="", **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    return saved(path, {**{f"{prefix}{key}": shape for key, shape in GOLDEN[name]["tensors"].items()}, **more})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a ComfyUI that is known by its environment variable."""
    folder = tmp_path / "ComfyUI"
    for name in COMFYUI_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    return folder


@pytest.fixture
def lorads(store_settings, capsys):
    def run(*words):
        code = main([*map(str, words), "--settings", str(store_settings)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_files_are_listed_with_what_is_certain_and_what_is_a_guess(lorads, tmp_path):
    model(tmp_path / "noob-vpred.safetensors", "sdxl", "model.diffusion_model.", **{"first_stage_model.x": [1]})
    model(tmp_path / "flux1-schnell.safetensors", "flux:schnell")
    model(tmp_path / "anima.safetensors", "anima")
    code, out, _ = lorads("checkpoints", tmp_path)
    assert code == 0
    lines = {line.split(": ")[0].rsplit("/", 1)[-1]: line for line in out.splitlines()}
    assert "a checkpoint of SDXL; base model sdxl or" in lines["noob-vpred.safetensors"]
    assert "perhaps v-prediction (a guess by its file name)" in lines["noob-vpred.safetensors"]
    assert "distilled: train on FLUX.1 dev" in lines["flux1-schnell.safetensors"]
    assert "base model anima; bf16" in lines["anima.safetensors"]
    assert out.endswith("3 models\n")


def test_as_json_what_is_not_known_is_null(lorads, tmp_path):
    model(tmp_path / "a.safetensors", "flux2:klein")
    (tmp_path / "b.ckpt").write_bytes(b"x")
    (found, other) = json.loads(lorads("checkpoints", tmp_path, "--json")[1])
    assert (found["families"], found["base_models"], found["variant"]) == (["flux2"], ["flux2_klein_4b"], "klein 4B")
    assert (found["precision"], found["v_prediction"], found["parts"], found["guesses"]) == ("bf16", None, [], [])
    assert (other["damaged"], "of a format" in other["error"]) == (False, True)


def test_a_file_that_is_cut_off_is_an_error(lorads, tmp_path):
    path = model(tmp_path / "a.safetensors", "anima")
    path.write_bytes(path.read_bytes()[:-9])
    code, out, _ = lorads("checkpoints", path)
    assert (code, "cut off" in out) == (1, True)
    code, out, _ = lorads("checkpoints", path, "--json")
    assert (code, json.loads(out)[0]["damaged"]) == (1, True)


def test_what_is_no_model_is_named_once_and_not_counted_as_one(lorads, tmp_path):
    model(tmp_path / "a.safetensors", "anima")
    (tmp_path / "b\x1b[31m.ckpt").write_bytes(b"x")
    code, out, _ = lorads("checkpoints", tmp_path, tmp_path / "b\x1b[31m.ckpt")
    assert code == 0
    assert "\x1b" not in out, "whoever pipes it into a file shows it later"
    assert out.count(".ckpt") == 1
    assert out.endswith("1 model and 1 other file\n")


def test_a_diffusers_folder_and_a_model_in_several_files_are_one_each(tmp_path):
    (tmp_path / "sd" / "unet").mkdir(parents=True)
    (tmp_path / "sd" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    saved(tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors", {"x": [1]})
    shards = dict.fromkeys(GOLDEN["anima"]["tensors"], "m-00001-of-00002.safetensors")
    model(tmp_path / "m" / "m-00001-of-00002.safetensors", "anima")
    (tmp_path / "m" / "m.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    found = list(list_models([tmp_path], print))
    assert [(each.path.name, each.found.architecture.name) for each in found] == [
        ("m.safetensors.index.json", "anima"),
        ("sd", "sd15"),
    ]


def test_without_a_path_the_models_of_the_known_comfyui_are_listed(lorads, home):
    model(home / "models" / "unet" / "x.safetensors", "zimage")
    model(home / "models" / "loras" / "no.safetensors", "zimage")
    code, out, _ = lorads("checkpoints")
    assert (code, "unet/x.safetensors: the denoiser of Z-Image alone" in out, out.endswith("1 model\n")) == (
        0,
        True,
        True,
    )


def test_without_a_comfyui_a_path_is_wanted(lorads, monkeypatch, tmp_path):
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    code, _, err = lorads("checkpoints")
    assert (code, "No ComfyUI is known" in err) == (3, True)
    model(tmp_path / "a.safetensors", "anima")
    code, out, _ = lorads("checkpoints", tmp_path / "gone", tmp_path / "a.safetensors")
    assert (code, "There is no file or folder" in out, "base model anima" in out) == (1, True, True)


def test_text_encoders_and_vaes_that_a_denoiser_lacks_are_named(home):
    model(home / "models" / "diffusion_models" / "flux.safetensors", "flux")
    model(home / "models" / "diffusion_models" / "klein.safetensors", "flux2:klein")
    for folder, name in (("text_encoders", "clip_l"), ("clip", "qwen3_4b"), ("vae", "flux2")):
        path = home / "models" / folder / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        saved(path, tensors(PARTS[name]))
    models = list(list_models((), print))
    assert {each.name: missing for each, missing in missing_parts(models)} == {
        "flux": ["T5-XXL", "the VAE of Flux, or of SD 3.5"],
    }
    found = [each for each in doctor._models() if each.what == "models"]
    assert [each.state for each in found] == ["good", "warning"]
    assert "FLUX.1" in found[0].message
    assert found[1].message.startswith("Flux lacks T5-XXL, the VAE of Flux")


def test_doctor_names_a_model_that_is_cut_off(home):
    path = model(home / "models" / "checkpoints" / "x.safetensors", "sdxl")
    path.write_bytes(path.read_bytes()[:-3])
    assert [each.state for each in doctor._models()] == ["good", "error"]


def test_doctor_says_nothing_of_models_without_a_comfyui(monkeypatch):
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    assert list(doctor._models()) == []


@pytest.fixture
def build(lorads, picture, tmp_path):
    for n in range(2):
        picture(f"mine/{n}.png", (256, 256))
        (tmp_path / "mine" / f"{n}.txt").write_text("a cat")

    def run(checkpoint, *words):
        usual = ("--trigger", "tom", "--caption", "sidecar", "--out", tmp_path / "exports", "--minimum-side", "0")
        return lorads("build", tmp_path / "mine", *usual, "--checkpoint", checkpoint, *words)

    return run


@pytest.mark.slow
def test_the_base_model_is_taken_from_the_checkpoint_and_said(build, tmp_path):
    path = model(tmp_path / "x.safetensors", "flux")
    code, out, err = build(path)
    assert code == 0, err
    assert "FLUX.1 dev, a guess; --base-model names another of the same tensors: flux_krea" in out
    (config,) = [json.loads(file.read_text())["config"] for file in (tmp_path / "exports").glob("*/manifest.json")]
    assert config["base_model"] == "flux"


@pytest.mark.slow
def test_a_base_model_that_is_given_wins_and_is_contradicted(build, tmp_path):
    path = model(tmp_path / "x.safetensors", "flux")
    code, out, err = build(path, "--base-model", "illustrious")
    assert (code, "as the checkpoint says" in out, "a guess" in out) == (9, False, False)
    assert "and the base model is Illustrious XL" in err


@pytest.mark.slow
def test_the_usual_base_model_stays_where_the_file_can_be_it(build, tmp_path):
    path = model(
        tmp_path / "x.safetensors",
        "sdxl",
        "model.diffusion_model.",
        **{"first_stage_model.x": [1], "conditioner.x": [1]},
    )
    code, out, err = build(path)
    assert code == 0, err
    assert "as the checkpoint says" not in out
    assert "a guess" not in out


@pytest.mark.slow
def test_an_export_goes_on_with_the_base_model_of_another_checkpoint(build, lorads, tmp_path):
    assert build(model(tmp_path / "flux.safetensors", "flux"), "--epochs", "3")[0] == 0
    path = model(tmp_path / "anima.safetensors", "anima")
    parts = [tmp_path / "text.safetensors", tmp_path / "vae.safetensors"]
    for each in parts:
        saved(each, {"x": [1]})
    words = ("--text-encoder", parts[0], "--vae", parts[1], "--out", tmp_path / "exports")
    code, out, err = lorads("export", "tom", "--checkpoint", path, *words)
    assert code == 0, err
    assert "Anima, as the checkpoint says" in out
    (config,) = [json.loads(file.read_text())["config"] for file in (tmp_path / "exports").glob("*/manifest.json")]
    assert (config["base_model"], config["epochs"]) == ("anima", 3)
