"""What the panel's routes share: the store, opened late, views of datasets, the token, threads; it answers nothing."""

from __future__ import annotations

import os
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..store import datasets
from ..store.rejected import rejected_images
from .events import Events
from .jobs import Jobs
from .responses import unknown
from .thumbnails import Thumbnails
from .view import read_view, still

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from uuid import UUID

    from ..settings import Settings
    from ..store.connect import Store
    from ..store.datasets import DatasetState
    from .view import View

_MOST_VIEWS = 4
_STORE_THREADS = 3  # the store lends four connections, and nodes may want one
_PICTURE_THREADS = min(4, os.cpu_count() or 1)


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the panel stands in, asked when it is first needed.

    ``thumbnails`` is the folder of their cache, ``exports`` that of all exports; ``make_room`` is called before a
    training starts.
    """

    where: Literal["comfyui", "page"]
    settings: Callable[[], Settings]
    store: Callable[[], Store]
    exports: Callable[[], Path]
    thumbnails: Path
    make_room: Callable[[], None] = field(default=_nothing)


class Desk:
    """The panel's state; its methods may be called from any thread, and wait."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.around = surroundings
        self.token = secrets.token_urlsafe(32)
        self.events = Events()
        self.jobs = Jobs(self.events)
        self.thumbnails = Thumbnails(surroundings.thumbnails)
        self.threads = ThreadPoolExecutor(_STORE_THREADS, "lorads-panel")
        self.painters = ThreadPoolExecutor(_PICTURE_THREADS, "lorads-thumbnails")
        # One alone: what is worked out of a whole dataset takes the processor, and edits must not wait for it.
        self.thinker = ThreadPoolExecutor(1, "lorads-thinker")
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._locks: dict[UUID, threading.RLock] = {}
        self._views: OrderedDict[UUID, View] = OrderedDict()

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.around.settings()

    @property
    def store(self) -> Store:
        """Our store."""
        return self.around.store()

    @contextmanager
    def alone(self, dataset: UUID) -> Generator[None]:
        """Keep other requests of a dataset that would work out or change its view waiting."""
        with self._lock:
            lock = self._locks.setdefault(dataset, threading.RLock())
        with lock:
            yield

    def standing(self, dataset: UUID) -> DatasetState:
        """Return how a dataset stands.

        Raises:
            RefusedError: 404, there is none.
        """
        with self.store.connection() as connection:
            found = datasets.dataset_state(connection, dataset)
        if found is None:
            self.forget(dataset)
            raise unknown(f"There is no dataset {dataset}: it was removed, or is another store's.")
        return found

    def view(self, dataset: UUID) -> View:
        """Return a dataset as it stands.

        Raises:
            RefusedError: 404, there is none.
            LoradsError: it cannot be read.
        """
        with self.alone(dataset):
            standing = self.standing(dataset)
            with self.store.connection() as connection:
                rejected = rejected_images(connection, dataset)
            known = self._views.get(dataset)
            found = still(known, standing) if known else None
            return self.keep(found or read_view(self.store, self.settings, standing, rejected))

    def keep(self, view: View) -> View:
        """Keep a view, and let go of those that were not asked for lately."""
        with self._lock:
            self._views[view.dataset.id] = view
            self._views.move_to_end(view.dataset.id)
            while len(self._views) > _MOST_VIEWS:
                self._views.popitem(last=False)
        return view

    def forget(self, dataset: UUID) -> None:
        """Let go of a view."""
        with self._lock:
            self._views.pop(dataset, None)

    def made(self, view: View, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - as it is made
        """Return what was worked out of a view under a name, made where it is not there yet.

        Nothing is locked meanwhile: a view never changes, so that an edit need not wait. What takes long is asked for
        in the ``thinker``'s thread, where nobody makes the same at the same time.
        """
        if name not in view.made:
            view.made[name] = make()
        return view.made[name]

    def kept(self, dataset: UUID) -> View | None:
        """Return a dataset's view as it was last asked for; it may have changed since."""
        with self._lock:
            return self._views.get(dataset)

    def open_views(self) -> list[View]:
        """Return the views that are kept."""
        with self._lock:
            return list(self._views.values())

    def close(self) -> None:
        """End what goes on; the store is its owner's."""
        self.ended.set()
        self.jobs.close()
        self.events.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.painters.shutdown(wait=False, cancel_futures=True)
        self.thinker.shutdown(wait=False, cancel_futures=True)

    def finish(self) -> None:
        """Wait, after `close`, for what is still being answered; jobs are not waited for."""
        for each in (self.threads, self.painters, self.thinker):
            each.shutdown(wait=True)
