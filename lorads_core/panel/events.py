"""Server-Sent Events: publishes changes to the open pages; there is no history."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .responses import RefusedError, dumps

if TYPE_CHECKING:
    from uuid import UUID

    from .json_types import PanelEvent

MAX_SUBSCRIBERS = 64
_MAX_WAITING = 256  # events; a page that is further behind reloads


@dataclass(eq=False, slots=True)
class Subscriber:
    """An open page subscribed to a dataset; None in its queue ends the stream."""

    dataset: UUID
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[PanelEvent | None] = field(default_factory=lambda: asyncio.Queue(_MAX_WAITING))

    def put(self, event: PanelEvent | None) -> None:
        """Add an event, in the event loop's thread; a full queue drops the oldest."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


class Events:
    """The subscribers: all open pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Subscriber] = set()

    def subscribe(self, dataset: UUID) -> Subscriber:
        """Subscribe to a dataset; called in an event loop.

        Raises:
            RefusedError: 429, too many pages are open.
        """
        listener = Subscriber(dataset, asyncio.get_running_loop())
        with self._lock:
            if len(self._listeners) >= MAX_SUBSCRIBERS:
                raise RefusedError(429, "busy", f"{MAX_SUBSCRIBERS} pages are open already: close some tabs.")
            self._listeners.add(listener)
        return listener

    def subscribed_datasets(self) -> frozenset[UUID]:
        """Return the datasets that pages are subscribed to."""
        with self._lock:
            return frozenset(each.dataset for each in self._listeners)

    def unsubscribe(self, listener: Subscriber) -> None:
        """Unsubscribe."""
        with self._lock:
            self._listeners.discard(listener)

    def publish(self, dataset: UUID | None, event: PanelEvent) -> None:
        """Send an event to the subscribers of a dataset, from any thread; None: to all of them."""
        with self._lock:
            wanted = [each for each in self._listeners if dataset in {None, each.dataset}]
        for listener in wanted:
            _put(listener, event)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            _put(listener, None)


def _put(listener: Subscriber, event: PanelEvent | None) -> None:
    try:
        listener.loop.call_soon_threadsafe(listener.put, event)
    except RuntimeError:  # its loop has ended
        return


def as_line(event: PanelEvent) -> bytes:
    """Return an event as it goes over the wire."""
    return f"data: {dumps(event)}\n\n".encode()
