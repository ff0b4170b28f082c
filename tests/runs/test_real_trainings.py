"""Real trainings on the CPU: an installed trainer trains a few steps of a tiny, random model.

``SD_SCRIPTS_PATH`` names the folder of sd-scripts, ``SIMPLETUNER_PATH`` that of SimpleTuner; the Python of each is that
of the venv in its folder, or ``SD_SCRIPTS_PYTHON`` and ``SIMPLETUNER_PYTHON``. Nothing is downloaded.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from lorads_core.runs.launch import launch
from lorads_core.runs.log import tail
from lorads_core.runs.lora_loading import saved_loadings
from lorads_core.runs.profile import read_profile
from lorads_core.settings import Table, TrainerProfile

pytestmark = pytest.mark.slow
TRAINERS = {"sd-scripts": "SD_SCRIPTS", "simpletuner": "SIMPLETUNER"}
MODELS = {"sd-scripts": "sd15", "simpletuner": "sdxl"}
PATIENCE = 600  # seconds; half a minute without other work
# What trainers have as constants, or take from a graphics card, is changed when they import it: sd-scripts has the
# widths of Stable Diffusion 1.5, and SimpleTuner pins the memory of latents.
CHANGED = """
import importlib.abc, importlib.machinery, sys
def narrow(unet):
    unet.BLOCK_OUT_CHANNELS, unet.TIMESTEP_INPUT_DIM, unet.TIME_EMBED_DIM = (32, 64, 64, 64), 32, 128
def unpinned(collate):
    collate.torch.Tensor.pin_memory = lambda tensor, *_: tensor
CHANGES = {"library.original_unet": narrow, "simpletuner.helpers.training.collate": unpinned}
class Changing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in CHANGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def changed(module):
            run(module)
            CHANGES[name](module)
        spec.loader.exec_module = changed
        return spec
sys.meta_path.insert(0, Changing())
"""
CLIP = "models--openai--clip-vit-large-patch14"


@pytest.fixture(params=TRAINERS)
def real_profile(request, tmp_path):
    """Return the profile of an installed trainer that finds its tokenizer in a cache of Hugging Face's of ours."""
    variable = TRAINERS[request.param]
    folder = os.environ.get(f"{variable}_PATH")
    if not folder:
        pytest.skip(f"{variable}_PATH names no {request.param} to train with")
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(CHANGED, encoding="utf-8")
    environment = {"PYTHONPATH": str(tmp_path / "start"), "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    table = {"kind": request.param, "folder": folder, "environment": environment, "stop_seconds": 5.0}
    if python := os.environ.get(f"{variable}_PYTHON"):
        table["python"] = python
    profile = read_profile(TrainerProfile("real", Table(table, "trainers.real.")))
    profile.check()
    return profile


@pytest.fixture
def tiny_model(real_profile, tmp_path):
    """Return the folder of a tiny model, whose tokenizer is also what the name of CLIP's stands for."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    script = Path(__file__).with_name("tiny_models.py")
    command = [str(real_profile.python), str(script), MODELS[real_profile.kind], str(folder)]
    subprocess.run(command, check=True, env=real_profile.environment_of_trainer())
    cached = tmp_path / "hub" / "hub" / CLIP
    shutil.copytree(folder / "tokenizer", cached / "snapshots" / "tiny")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("tiny", encoding="utf-8")
    return folder


@pytest.mark.parametrize("network", ["lora", "locon"])
def test_a_trainer_trains_a_lora_whose_every_module_loads(store, make_export, until, real_profile, tiny_model, network):
    export = make_export(
        real_profile.kind,
        base_model=MODELS[real_profile.kind],
        network=network,
        checkpoint=str(tiny_model),
        resolution=128,
        network_dim=4,
        network_alpha=4,
        conv_dim=4,
        conv_alpha=4,
        optimizer="AdamW",
        mixed_precision="no",
        seed=7,
    )
    run = until(launch(store, real_profile, export), seconds=PATIENCE)
    assert (run.state, run.message) == ("completed", ""), tail(run.folder)
    assert run.step == run.total_steps == export.manifest["training"]["total_steps"]
    last = run.loras[-1]
    tensors = load_file(run.output / last)
    assert any(tensor.any() for name, tensor in tensors.items() if ".lora_up." in name)  # it has learned something
    found = saved_loadings(run.folder)[last].coverage  # by our key table
    assert (found.is_full, found.missed) == (True, ())
    assert found.modules > 100
