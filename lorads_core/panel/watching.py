"""What changes without the panel, told to the pages that listen: trainings, and datasets that a graph works on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..store import datasets
from ..workflow import training
from .running import run_values
from .view import config_mark, config_of

if TYPE_CHECKING:
    from uuid import UUID

    from ..store.datasets import DatasetState
    from .events import Event
    from .state import Desk

_EVERY = 2.0  # seconds


def edited(standing: DatasetState) -> Event:
    """Return the event that tells how a dataset stands; a page that shows it so has nothing to do."""
    return {"kind": "edited", "revision": standing.revision, "config": config_mark(config_of(standing))}


class Watch:
    """Looks every other second, as long as any page listens."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Watch from now on, unless it does so already."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="lorads-watch", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Wait for its last look, after the desk has been closed."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join()

    def _watch(self) -> None:
        told: dict[UUID | None, Event] = {}
        while listened := self._listened_for():
            seen = self._look(listened)
            for about, event in seen.items():
                if told.get(about) != event:
                    # A run may be of no dataset, and pages list those of all.
                    self._desk.events.tell(about if about in listened else None, event)
            told = seen
            if self._desk.ended.wait(_EVERY):
                return

    def _listened_for(self) -> frozenset[UUID]:
        """Return the datasets of pages that listen; where there are none, this thread is not the watch any more."""
        with self._lock:
            found = self._desk.events.listened_for()
            if not found:
                self._thread = None
            return found

    def _look(self, listened: frozenset[UUID]) -> dict[UUID | None, Event]:
        """Return what there is to tell: of each run and dataset, and which datasets there are.

        It is nothing while the store is away; pages find that out by what they ask.
        """
        store = self._desk.store
        try:
            seen: dict[UUID | None, Event] = {
                run.id: {"kind": "run", "run": run_values(run)} for run in training.runs(store)
            }
            with store.connection() as connection:
                standings = {each: datasets.dataset_state(connection, each) for each in listened}
                seen[None] = {"kind": "datasets", "names": datasets.dataset_names(connection)}
        except LoradsError:
            return {}
        return seen | {each: edited(standing) for each, standing in standings.items() if standing}
