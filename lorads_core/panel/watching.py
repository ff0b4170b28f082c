"""Polls the store for changes made outside the panel (runs, datasets) and publishes them as events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..store import datasets
from ..workflow import training
from ..workflow.last_export import last_config
from .running import run_json
from .view import config_mark

if TYPE_CHECKING:
    from uuid import UUID

    from ..store.datasets import DatasetState
    from .json_types import EditedEvent, PanelEvent
    from .state import PanelState

_INTERVAL = 2.0  # seconds between polls


def edited_event(standing: DatasetState) -> EditedEvent:
    """Return the event with a dataset's current revision; a page that shows it ignores the event."""
    return {"kind": "edited", "revision": standing.revision, "config": config_mark(last_config(standing))}


class Watch:
    """Polls every two seconds while any page is open."""

    def __init__(self, state: PanelState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start polling, unless it runs already."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="lorads-watch", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Wait for the last poll, after the state was closed."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join()

    def _watch(self) -> None:
        published: dict[UUID | None, PanelEvent] = {}
        while watched := self._datasets_or_end():
            seen = self._poll(watched)
            for about, event in seen.items():
                if published.get(about) != event:
                    # A run may have no dataset, and pages list all runs.
                    self._state.events.publish(about if about in watched else None, event)
            published = seen
            if self._state.ended.wait(_INTERVAL):
                return

    def _datasets_or_end(self) -> frozenset[UUID]:
        """Return the datasets with open pages; without any, this thread ends."""
        with self._lock:
            found = self._state.events.subscribed_datasets()
            if not found:
                self._thread = None
            return found

    def _poll(self, watched: frozenset[UUID]) -> dict[UUID | None, PanelEvent]:
        """Return the current events: of each run and dataset, and the list of datasets.

        Empty while the store cannot be reached; pages notice that by their own requests.
        """
        store = self._state.store
        try:
            seen: dict[UUID | None, PanelEvent] = {
                run.id: {"kind": "run", "run": run_json(run)} for run in training.runs(store)
            }
            with store.connection() as connection:
                standings = {each: datasets.dataset_state(connection, each) for each in watched}
                seen[None] = {"kind": "datasets", "names": datasets.listed_names(connection, self._state.store.owner)}
        except LoradsError:
            return {}
        return seen | {each: edited_event(standing) for each, standing in standings.items() if standing}
