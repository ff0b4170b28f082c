"""What happens, told to the pages that listen: Server-Sent Events; it keeps no history."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .responses import RefusedError, dumps

if TYPE_CHECKING:
    from uuid import UUID

Event = Mapping[str, object]

MOST_LISTENERS = 64
_MOST_WAITING = 256  # events; a page that is so far behind starts anew


@dataclass(eq=False, slots=True)
class Listener:
    """A page that listens for a dataset; None in its queue is the end."""

    dataset: UUID
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(_MOST_WAITING))

    def put(self, event: Event | None) -> None:
        """Take an event, in the loop's own thread; of a page that reads nothing the oldest are dropped."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


class Events:
    """All pages that listen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()

    def listen(self, dataset: UUID) -> Listener:
        """Begin to listen; called in an event loop.

        Raises:
            RefusedError: 429, too many do.
        """
        listener = Listener(dataset, asyncio.get_running_loop())
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                raise RefusedError(429, "busy", f"{MOST_LISTENERS} pages listen already: close some tabs.")
            self._listeners.add(listener)
        return listener

    def listened_for(self) -> frozenset[UUID]:
        """Return the datasets that pages listen for."""
        with self._lock:
            return frozenset(each.dataset for each in self._listeners)

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        with self._lock:
            self._listeners.discard(listener)

    def tell(self, dataset: UUID | None, event: Event) -> None:
        """Tell all who listen for a dataset, from any thread; None: whatever they listen for."""
        with self._lock:
            wanted = [each for each in self._listeners if dataset in {None, each.dataset}]
        for listener in wanted:
            _put(listener, event)

    def close(self) -> None:
        """End all listening."""
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            _put(listener, None)


def _put(listener: Listener, event: Event | None) -> None:
    try:
        listener.loop.call_soon_threadsafe(listener.put, event)
    except RuntimeError:  # its loop has ended
        return


def as_line(event: Event) -> bytes:
    """Return an event as it goes over the wire."""
    return f"data: {dumps(event)}\n\n".encode()
