"""A real dataset for the panel: pictures with captions beside them, indexed, queried and captioned into a store."""

import asyncio
import random
import shutil
import sys
import threading
import zlib
from contextlib import suppress
from dataclasses import replace
from functools import cache
from struct import pack
from urllib.parse import urlsplit

from lorads_core.library.filter import DatasetFilter
from lorads_core.panel.access import Access
from lorads_core.panel.serve import serve
from lorads_core.panel.state import PanelContext
from lorads_core.settings import PanelSettings, Settings, Table, TrainerProfile
from lorads_core.store import captions as kept
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings

from .. import standin_trainer
from ..edits import edit_caption

NAME = "first dataset"
LIBRARY = "pictures"
TRIGGER = "oldlandmark"
WORDS = [
    *("long hair", "short hair", "smile", "hat", "looking at viewer", "outdoors", "sky", "tree", "dress", "standing"),
    *("sitting", "window", "night", "rain", "red scarf", "glasses", "book", "upper body", "from side", "blush"),
]
PROSE = "A person is standing under a tree, and looks at us. The light is low."
SIZES = [(1024, 1024), (832, 1216), (1216, 832), (1536, 1024)]


@cache
def _rows_of(size):
    """Return the compressed rows of a picture of one colour, 1 bit a pixel."""
    width, height = size
    return zlib.compress((b"\0" + bytes((width + 7) // 8)) * height)


def png(size, colour):
    """Return a PNG of one colour."""
    chunk = lambda kind, data: pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))  # noqa: E731
    head = chunk(b"IHDR", pack(">IIBBBBB", *size, 1, 3, 0, 0, 0)) + chunk(b"PLTE", bytes(colour))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", _rows_of(size)) + chunk(b"IEND", b"")


def make_pictures(folder, count, *, prose=False, without=()):
    """Write pictures with captions beside them; the last tenth are for regularization. ``without`` get none."""
    chance = random.Random(7)
    for number in range(count):
        part = folder / ("training" if number < count - count // 10 else "regularization")
        part.mkdir(exist_ok=True)
        colour = (number * 37 % 200 + 30, number * 53 % 200 + 30, 60 + number // 200)
        (part / f"picture {number:05}.png").write_bytes(png(chance.choice(SIZES), colour))
        text = PROSE if prose else ", ".join(chance.sample(WORDS, 8))
        if number not in without:
            (part / f"picture {number:05}.txt").write_text(text, encoding="utf-8")


def make_dataset(store, settings, folder):
    """Index the pictures and keep a captioned dataset of them; return it."""
    build.index(store, settings, LIBRARY, folder)
    library = build.open_library(store, settings, LIBRARY)
    part = lambda name: DatasetFilter(folders=(str(folder / name),))  # noqa: E731
    dataset = build.query(store, library, NAME, part("training")).dataset
    if (folder / "regularization").is_dir():
        dataset = build.add_regularization(dataset, library, part("regularization")).dataset
        near = tuple(replace(each, reason="near the centre (0.81)") for each in dataset.regularization)
        dataset = replace(dataset, regularization=near)
    captions = caption_settings("sidecar", (), TRIGGER, "prepend", "sdxl")
    return captioning.caption(store, settings, dataset, captions).dataset


class Served:
    """The panel's server in a thread of its own; ``away`` ends it, and another is then started at its port."""

    def __init__(self, context):
        self._surroundings = context
        self.access = Access()
        self.url = ""
        self.away = True
        self.start()

    def start(self):
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        port = urlsplit(self.url).port or 0

        def told(addresses):
            self.url = addresses.printed
            ready.set()

        def run():
            self._task = self._loop.create_task(serve(self._surroundings, self.access, port, told))
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            self._loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert ready.wait(20)
        self.away = False

    def stop(self):
        self.away = True
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)
        assert not self._thread.is_alive()


class World:
    """A dataset in a store and the panel's server over it; images are called by their number."""

    def __init__(self, store, dataset, folder, **panel):
        self.store, self.dataset, self.folder = store, dataset, folder
        trainer = standin_trainer.install(folder / "trainer")
        options = {"kind": "sd-scripts", "folder": str(trainer), "python": sys.executable, "stop_seconds": 1.0}
        options["environment"] = {"STANDIN": "good", "STANDIN_PAUSE": "0.2", "STANDIN_STEPS": "1000"}
        profile = TrainerProfile("standin", Table(options, "trainers.standin."))
        self.settings = Settings(trainers=(profile,), panel=PanelSettings(**{"train": True, **panel}))
        around = (lambda: self.settings, lambda: store, lambda: folder / "exports", folder / "thumbnails")
        self.server = Served(PanelContext("page", *around, models=self.models))

    def models(self, folders):
        """Return the model files that a test has put into ``models`` of the world's folder, by name."""
        places = [self.folder / "models" / name for name in folders]
        return {file.name: file for place in places if place.is_dir() for file in sorted(place.iterdir())}

    @property
    def url(self):
        return self.server.url

    @property
    def away(self):
        return self.server.away

    @away.setter
    def away(self, away):
        if away != self.server.away:
            (self.server.stop if away else self.server.start)()

    def key(self, number):
        return "{}:{}".format(*self.dataset.images[number].key)

    def _now(self, number):
        with self.store.connection() as connection:
            key = self.dataset.images[number].key
            return kept.captions_of(connection, self.dataset.id, [key])[key]

    def text(self, number):
        caption = self._now(number)
        return caption.text if caption else None

    def write(self, number, text):
        """Change a caption as the graph does, or another program: the panel's server knows nothing of it."""
        with self.store.connection() as connection:
            edit_caption(connection, self.dataset.id, self.dataset.images[number].key, text)

    def texts(self):
        with self.store.connection() as connection:
            keys = [image.key for image in self.dataset.images]
            found = kept.captions_of(connection, self.dataset.id, keys)
        return [found[key].text if found[key] else None for key in keys]

    def having(self, tag):
        """Return the numbers of the images with a tag."""
        return [number for number, text in enumerate(self.texts()) if tag in (text or "").split(", ")]

    def add_dataset(self, name):
        """Make another dataset of the same pictures, as a graph does."""
        library = build.open_library(self.store, self.settings, LIBRARY)
        dataset = build.query(self.store, library, name, DatasetFilter()).dataset
        captions = caption_settings("sidecar", (), TRIGGER, "prepend", "sdxl")
        return captioning.caption(self.store, self.settings, dataset, captions).dataset

    def rejected(self, number):
        draft = captioning.draft(self.store, self.settings, NAME).dataset
        return self.dataset.images[number].key not in {image.key for image in draft.images}

    def close(self):
        self.away = True
        shutil.rmtree(self.folder / "trainer", ignore_errors=True)
