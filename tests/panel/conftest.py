"""A panel that is served for real, over a real store with real pictures, and asked by HTTP as any program can."""

import asyncio
import http.client
import json
import shutil
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from lorads_core.cli.demo import SAMPLES
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import IndexOptions
from lorads_core.panel.access import Access
from lorads_core.panel.model_files import no_models
from lorads_core.panel.serve import serve
from lorads_core.panel.state import PanelContext
from lorads_core.settings import PanelSettings, Settings, load_settings
from lorads_core.store.connect import Store
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings, sidecar_rule

from .. import standin_trainer
from .json_shape import check_answer

SIDECARS = sidecar_rule([".txt=wd", ".caption=joycaption"])


@dataclass
class Served:
    """A panel at a port; it is asked as its page asks."""

    port: int
    store: object
    settings: Settings
    exports: object
    token: str = ""
    address: str = ""
    cookie: str | None = None

    def opened(self):
        """Open the page's whole address as a browser does, and remember the cookie that it sets."""
        there = urlsplit(self.address)
        status, headers, _ = self.raw("GET", f"{there.path}?{there.query}")
        assert (status, headers["Location"]) == (302, "/lorads/")
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def cookie_at(self, host):
        """Return the cookie as a browser has it that knows the panel's port by another number, as through a tunnel."""
        port = host.rpartition(":")[2] if host.rpartition(":")[2].isdigit() else 80
        return self.cookie and f"lorads-{port}={self.cookie.partition('=')[2]}"

    def raw(self, method, path, body=None, **headers):
        """Return status, headers and body of an answer; headers with None are not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        host = headers.get("Host") or f"127.0.0.1:{self.port}"
        given = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie_at(host), **headers}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def get(self, path, status=200, **headers):
        """Return what a route of the API answers, as JSON."""
        found, _, body = self.raw("GET", f"/lorads/api/{path}", **headers)
        assert found == status, body
        value = json.loads(body)
        check_answer("GET", path, status, value)
        return value

    def post(self, path, values, status=200, **headers):
        """Return what a writing route answers; it is asked as the page does, unless headers say otherwise."""
        body = values if isinstance(values, bytes) else json.dumps(values).encode()
        usual = {"Content_Type": "application/json", "X_LoRADS_Token": self.token}
        found, _, answer = self.raw("POST", f"/lorads/api/{path}", body, **{**usual, **headers})
        assert found == status, answer
        value = json.loads(answer)
        check_answer("POST", path, status, value)
        return value

    def ended(self, job):
        """Return a job when it is over."""
        return self.until(f"jobs/{job}", lambda found: found["state"] in {"done", "failed"})

    def until(self, path, holds):
        """Return what a route of the API answers as soon as this holds of it."""
        waiting = threading.Event()
        for _ in range(400):
            found = self.get(path)
            if holds(found):
                return found
            waiting.wait(0.05)
        raise AssertionError(found)


@pytest.fixture(scope="session")
def samples(make_folder):
    """Return a folder with eight pictures to train and four others, with tags and captions beside them."""
    folder = make_folder()
    for name, count in (("subject", 8), ("other", 4)):
        target = folder / name
        target.mkdir()
        source = SAMPLES / name
        images = sorted(file for file in source.iterdir() if file.suffix in {".jpg", ".webp", ".png"})[:count]
        for image in images:
            for file in source.glob(f"{image.stem}.*"):
                shutil.copy(file, target)
    return folder


@pytest.fixture(scope="session")
def captioned(filled, samples):
    """Return the database of a captioned dataset "towers" and its id; its sidecars were read as a WD tagger's."""
    ids = []

    def fill(conninfo):
        with Store.open(conninfo) as store:
            ids.append(caption_towers(store, samples))

    return filled(fill), *ids


def caption_towers(store, folder):
    settings = Settings()
    for name in ("subject", "other"):
        build.index(store, settings, "pictures", folder / name, IndexOptions(sidecars=SIDECARS))
    library = build.open_library(store, settings, "pictures")

    def of(name):
        return DatasetFilter(folders=(str((folder / name).resolve()),))

    queried = build.query(store, library, "towers", of("subject"))
    queried = build.add_regularization(queried.dataset, library, of("other"))
    captions = caption_settings("wd", ("joycaption",), "oldlandmark", "prepend", "sdxl")
    return captioning.caption(store, settings, queried.dataset, captions).dataset.id


@pytest.fixture
def store_template(captioned):
    return captioned[0]


@pytest.fixture
def dataset(captioned, store):  # noqa: ARG001 - the dataset is in it
    """Return the id of the captioned dataset "towers"."""
    return captioned[1]


@pytest.fixture
def pictures(samples):
    """Return the folder of the pictures of "towers", which all tests share."""
    return samples


@pytest.fixture
def make_panel(store, tmp_path):
    """Return a function that serves a panel with these settings."""
    ends = []

    def make(settings=None, where="page", access=None, models=no_models):
        settings = settings or Settings()
        ready, loop = threading.Event(), asyncio.new_event_loop()
        found, exports = [], tmp_path / "exports"

        def told(addresses):
            found.append(addresses.printed)
            ready.set()

        thumbnails = tmp_path / "thumbnails"
        context = PanelContext(where, lambda: settings, lambda: store, lambda: exports, thumbnails, models=models)
        task = []

        def run():
            asyncio.set_event_loop(loop)
            task.append(loop.create_task(serve(context, access or Access(), 0, told)))
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task[0])
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(20)

        def end():
            loop.call_soon_threadsafe(task[0].cancel)
            thread.join(20)
            assert not thread.is_alive()

        ends.append(end)
        panel = Served(urlsplit(found[0]).port, store, settings, exports, address=found[0])
        panel.end = end
        panel.opened()
        panel.token = panel.get("session")["token"]
        return panel

    yield make
    for end in ends:
        with suppress(RuntimeError):  # a test has ended it
            end()


@pytest.fixture
def panel(make_panel, dataset):  # noqa: ARG001 - there is something to show
    return make_panel()


@pytest.fixture
def training_panel(make_panel, dataset, tmp_path):  # noqa: ARG001
    """Return a function that serves a panel which may train, with a stand-in for the trainer.

    What it does, and in how many steps, is in our environment where it is not given here.
    """

    def make(deed="good", pause="0.01", steps="20"):
        trainer = standin_trainer.install(tmp_path / "trainer")
        file = tmp_path / "lorads.toml"
        file.write_text(
            f"[panel]\ntrain = true\n[trainers.local]\nkind = 'sd-scripts'\nfolder = '{trainer}'\n"
            f"python = '{sys.executable}'\nstop_seconds = 1\n[trainers.local.environment]\n"
            f"{f'STANDIN = {deed!r}' if deed else ''}\nSTANDIN_PAUSE = '{pause}'\n"
            f"{f'STANDIN_STEPS = {steps!r}' if steps else ''}\n",
            encoding="utf-8",
        )
        return make_panel(load_settings(file))

    return make


@pytest.fixture
def closed():
    """Return settings of a panel that may not export."""
    return Settings(panel=PanelSettings(export=False))
