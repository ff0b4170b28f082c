"""Shared state of the panel: the lazily opened store, cached views of datasets, the token, thread pools."""

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
from .model_files import ModelFiles, no_models
from .responses import not_found
from .thumbnails import Thumbnails
from .view import build_view, reuse_if_current

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from uuid import UUID

    from ..settings import Settings
    from ..store.connect import Store
    from ..store.datasets import DatasetState
    from .model_files import FindModels
    from .view import View

_MAX_VIEWS = 4
_STORE_THREADS = 3  # the store's pool has four connections, and nodes may need one
_IMAGE_THREADS = min(4, os.cpu_count() or 1)


def _do_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class PanelContext:
    """The panel's environment: settings, store and folders, each resolved at first use.

    ``thumbnails`` is the thumbnail cache folder, ``exports`` the root of all exports; ``make_room`` frees GPU memory
    before a training starts. ``models`` finds the model files that the form of an export offers.
    """

    where: Literal["comfyui", "page"]
    settings: Callable[[], Settings]
    store: Callable[[], Store]
    exports: Callable[[], Path]
    thumbnails: Path
    make_room: Callable[[], None] = field(default=_do_nothing)
    models: FindModels = field(default=no_models)


class PanelState:
    """The panel's state; its methods are thread-safe, and may block."""

    def __init__(self, context: PanelContext) -> None:
        self.context = context
        self.token = secrets.token_urlsafe(32)
        self.events = Events()
        self.jobs = Jobs(self.events)
        self.thumbnails = Thumbnails(context.thumbnails)
        self.store_pool = ThreadPoolExecutor(_STORE_THREADS, "lorads-panel")
        self.image_pool = ThreadPoolExecutor(_IMAGE_THREADS, "lorads-thumbnails")
        # One thread: results over a whole dataset are CPU-bound, and edits must not wait for them.
        self.cpu_pool = ThreadPoolExecutor(1, "lorads-cpu")
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._locks: dict[UUID, threading.RLock] = {}
        self._views: OrderedDict[UUID, View] = OrderedDict()

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.context.settings()

    @property
    def store(self) -> Store:
        """Our store."""
        return self.context.store()

    @property
    def model_files(self) -> ModelFiles:
        """The model files that there are now."""
        return ModelFiles(self.context.models)

    @contextmanager
    def locked(self, dataset: UUID) -> Generator[None]:
        """Hold the lock of a dataset, so that only one request builds or changes its view."""
        with self._lock:
            lock = self._locks.setdefault(dataset, threading.RLock())
        with lock:
            yield

    def standing(self, dataset: UUID) -> DatasetState:
        """Return a dataset's current revision, config and name.

        Raises:
            RefusedError: 404, there is no such dataset.
        """
        with self.store.connection() as connection:
            found = datasets.dataset_state(connection, dataset)
        if found is None:
            self.drop_view(dataset)
            raise not_found(f"There is no dataset {dataset}: it was removed, or belongs to another store.")
        return found

    def view(self, dataset: UUID) -> View:
        """Return the current view of a dataset, from the cache if nothing has changed.

        Raises:
            RefusedError: 404, there is no such dataset.
            LoradsError: it cannot be read.
        """
        with self.locked(dataset):
            standing = self.standing(dataset)
            with self.store.connection() as connection:
                rejected = rejected_images(connection, dataset)
            known = self._views.get(dataset)
            found = reuse_if_current(known, standing) if known else None
            return self.remember(found or build_view(self.store, self.settings, standing, rejected))

    def remember(self, view: View) -> View:
        """Cache a view; the least recently used ones are dropped."""
        with self._lock:
            self._views[view.dataset.id] = view
            self._views.move_to_end(view.dataset.id)
            while len(self._views) > _MAX_VIEWS:
                self._views.popitem(last=False)
        return view

    def drop_view(self, dataset: UUID) -> None:
        """Drop a view from the cache."""
        with self._lock:
            self._views.pop(dataset, None)

    def cached(self, view: View, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Return a result computed from a view by its name, computed at first use.

        It takes no lock: a view is immutable, so edits need not wait. Slow results are computed in the ``cpu_pool``,
        whose single thread computes nothing twice.
        """
        if name not in view.cache:
            view.cache[name] = make()
        return view.cache[name]

    def last_view(self, dataset: UUID) -> View | None:
        """Return the cached view of a dataset, which may be outdated; None if there is none."""
        with self._lock:
            return self._views.get(dataset)

    def open_views(self) -> list[View]:
        """Return the cached views."""
        with self._lock:
            return list(self._views.values())

    def close(self) -> None:
        """Shut down jobs, events and pools; the store is closed by its owner."""
        self.ended.set()
        self.jobs.close()
        self.events.close()
        self.store_pool.shutdown(wait=False, cancel_futures=True)
        self.image_pool.shutdown(wait=False, cancel_futures=True)
        self.cpu_pool.shutdown(wait=False, cancel_futures=True)

    def finish(self) -> None:
        """Wait, after `close`, for open requests; not for jobs."""
        for each in (self.store_pool, self.image_pool, self.cpu_pool):
            each.shutdown(wait=True)
