"""One ComfyUI for all tests here, with a database of its own; where there is none, they skip and say so."""

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lorads_core.settings import Settings
from lorads_core.store.connect import Store

from .. import standin_trainer
from ..browser.chromium import launched
from ..library import diffusiontoolkit, shelf
from .server import ROOT, find, started

TRAINERS = {
    "good": {"STANDIN": "good", "STANDIN_PAUSE": "0.05"},
    "slow": {"STANDIN": "good", "STANDIN_PAUSE": "0.05", "STANDIN_STEPS": "4000"},
    "broken": {"STANDIN": "oom"},
    "tenseconds": {"STANDIN": "good", "STANDIN_PAUSE": "0.1", "STANDIN_STEPS": "100"},
}
OTHER_TRAINERS = {
    "musubi-tuner": standin_trainer.install_musubi,
    "ai-toolkit": standin_trainer.install_ai_toolkit,
}
SAMPLES = ROOT / "lorads_core" / "samples"


@pytest.fixture(scope="session")
def comfyui():
    """Return where a ComfyUI lies and what runs it."""
    found, why_not = find()
    if found is None:
        pytest.skip(why_not)
    return found


@pytest.fixture(scope="session")
def comfy_database(embedded, template):
    with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE comfyui TEMPLATE {template}")
    yield make_conninfo(embedded.conninfo, dbname="comfyui")
    with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
        connection.execute("DROP DATABASE comfyui WITH (FORCE)")


@pytest.fixture(scope="session")
def comfy(comfyui, make_folder, request):
    """Return a running ComfyUI with our pack."""
    database = request.getfixturevalue("comfy_database")  # not before it is clear that there is a ComfyUI
    settings = write_settings(make_folder(), database)
    add_diffusiontoolkit(settings, request.getfixturevalue("server"), make_folder())
    base = make_folder()
    (base / "custom_nodes").mkdir()
    shutil.copy(Path(__file__).with_name("standin_sizes.py"), base / "custom_nodes")
    with started(comfyui, base, settings) as running:
        yield running


def add_diffusiontoolkit(settings, server, folder):
    """Add a library with the name that the template asks for: DiffusionToolkit's tables, on pictures in a folder.

    It is on another server than our store: its revision changes with every write on its server.
    """
    dsn = server.dsn(database=server.database())
    shelf.draw(folder)
    diffusiontoolkit.fill(dsn, folder)
    lines = ["[libraries.diffusiontoolkit]", "kind = 'diffusiontoolkit'", f"dsn = '''{dsn}'''"]
    lines += ["[libraries.diffusiontoolkit.paths]", f"'{diffusiontoolkit.ROOT}' = '{folder}'"]
    with settings.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def models(comfy, comfyui):
    """Put tiny models where ComfyUI loads them; return the names of a checkpoint and of a CLIP vision model."""
    folder, python = comfyui
    files = [comfy.base / "models" / kind for kind in ("checkpoints/standin.ckpt", "clip_vision/standin.pth")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_name("standin_models.py")
    subprocess.run([python, script, folder, *files], check=True, capture_output=True)
    return tuple(file.name for file in files)


@pytest.fixture(scope="session")
def flow_models(comfy, comfyui):
    """Put tiny models of the newer families where ComfyUI loads them, by the names that the templates give."""
    folder, python = comfyui
    script = Path(__file__).with_name("standin_flow_models.py")
    subprocess.run([python, script, folder, comfy.base / "models"], check=True, capture_output=True)


def write_settings(folder, database):
    """Return settings with stand-ins for trainers: each profile is called by what it does, or by another trainer."""
    lines = ["store = 'test'", "[stores.test]", f"dsn = '''{database}'''"]
    trainer = standin_trainer.install(folder / "trainer")
    for name, environment in TRAINERS.items():
        lines += [f"[trainers.{name}]", "kind = 'sd-scripts'", f"folder = '''{trainer}'''"]
        lines += [f"python = '''{sys.executable}'''", "stop_seconds = 1", "from_comfyui = true"]
        lines += [f"environment.{key} = '{value}'" for key, value in environment.items()]
    for kind, install in OTHER_TRAINERS.items():
        lines += [f"[trainers.{kind}]", f"kind = '{kind}'", f"folder = '''{install(folder / kind)}'''"]
        lines += [f"python = '''{sys.executable}'''", "from_comfyui = true"]
    settings = folder / "lorads.toml"
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return settings


@pytest.fixture
def comfy_store(comfy_database):
    """Return the store that ComfyUI's nodes use."""
    with Store.open(comfy_database, owner=Settings(dsn=comfy_database).name_space) as store:
        yield store


@pytest.fixture
def make_pictures(request):
    """Return a function that makes a folder of the test's own pictures under a ComfyUI's input folder."""

    def make(comfy):
        place = comfy.input / request.node.name.partition("[")[0]
        shutil.rmtree(place, ignore_errors=True)
        for name in ("subject", "other"):
            shutil.copytree(SAMPLES / name, place / name)
        return place

    return make


@pytest.fixture
def pictures(comfy, make_pictures):
    """Return the folder of the test's own pictures under ComfyUI's input folder: subject, and other."""
    return make_pictures(comfy)


@pytest.fixture(scope="module")  # while it is open, no other test of this thread can run an event loop
def browser():
    with launched() as browser:
        yield browser
