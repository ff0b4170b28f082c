"""One ComfyUI for all tests here, with a database of its own; where there is none, they skip and say so."""

import shutil

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lorads_core.store.connect import Store

from ..browser.chromium import launched
from .server import ROOT, find, started

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
    settings = make_folder() / "lorads.toml"
    settings.write_text(f"store = 'test'\n[stores.test]\ndsn = '''{database}'''\n", encoding="utf-8")
    with started(comfyui, make_folder(), settings) as running:
        yield running


@pytest.fixture
def comfy_store(comfy_database):
    """Return the store that ComfyUI's nodes use."""
    with Store.open(comfy_database) as store:
        yield store


@pytest.fixture
def pictures(comfy, request):
    """Return the folder of the test's own pictures under ComfyUI's input folder: subject, and other."""
    place = comfy.input / request.node.name.partition("[")[0]
    shutil.rmtree(place, ignore_errors=True)
    for name in ("subject", "other"):
        shutil.copytree(SAMPLES / name, place / name)
    return place


@pytest.fixture(scope="module")  # while it is open, no other test of this thread can run an event loop
def browser():
    with launched() as browser:
        yield browser
