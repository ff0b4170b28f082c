"""The panel as `lorads panel` serves it, and a client that speaks to it by HTTP as its page does."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .tally import LostError, StuckError
from .world import PATIENCE, wait_until

if TYPE_CHECKING:
    from .world import World

ENDS_WITHIN = 30.0  # seconds after Ctrl-C; usually half a second
INTERRUPTED = 0


class Answer(NamedTuple):
    """Status and JSON of an answer; status 0 where none came."""

    status: int
    value: Any


class Panel:
    """A running panel."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.command = world.start("panel", "--no-browser")
        self.port, self.cookie, self.token = 0, "", ""

    def open(self) -> Panel:
        """Wait for its address, and open it."""
        if not wait_until(lambda: "?token=" in self.command.text or not self.command.runs, PATIENCE):
            raise StuckError(f"the panel does not start; it said {self.command.text!r}")
        found = re.search(r"http://\S+", self.command.text)
        if found is None:
            raise LostError(f"the panel did not start: {self.command.text!r}")
        address = urlsplit(found[0])
        self.port = int(address.port or 0)
        self.cookie = self._enter(f"{address.path}?{address.query}")
        session = self.get("session")
        if session.status != http.client.OK:
            raise LostError(f"the panel's session is answered with {session}")
        self.token = session.value["token"]
        return self

    def _enter(self, path: str) -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            return (connection.getresponse().headers["Set-Cookie"] or "").split(";")[0]

    def get(self, path: str) -> Answer:
        """Return what a route of the API answers."""
        return self._ask("GET", path, None)

    def post(self, path: str, value: object) -> Answer:
        """Return what a writing route answers."""
        return self._ask("POST", path, json.dumps(value).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Cookie": self.cookie, "Content-Type": "application/json", "X-LoRADS-Token": self.token}
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
                connection.request(method, f"/lorads/api/{path}", body, headers)
                answer = connection.getresponse()
                return Answer(answer.status, json.loads(answer.read()))
        except TimeoutError:
            raise StuckError(f"{method} {path} was not answered within {PATIENCE:.0f} s") from None
        except (OSError, http.client.HTTPException, ValueError):  # it was killed
            return Answer(0, None)

    def dataset(self) -> str:
        """Return the id of the first dataset."""
        return self.get("datasets").value[0]["id"]

    def captions(self, dataset: str) -> dict[str, str]:
        """Return the captions of a dataset by their images' keys."""
        answer = self.get(f"datasets/{dataset}/rows")
        return {row["key"]: row["text"] for row in answer.value["rows"]} if answer.status == http.client.OK else {}

    def edit(self, dataset: str, key: str, before: str, after: str) -> Answer:
        """Write a caption."""
        change = {"key": key, "before": before, "after": after}
        return self.post(f"datasets/{dataset}/edits", {"label": after, "changes": [change]})

    def raw(self, request: bytes, seconds: float) -> bytes:
        """Send bytes as they are; return the beginning of what comes back."""
        with closing(socket.create_connection(("127.0.0.1", self.port), seconds)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it was answered before it was read
                connection.sendall(request)
            return connection.recv(65_536)

    def end(self) -> None:
        """Press Ctrl-C."""
        self.command.process.send_signal(signal.SIGINT)
        ended = self.command.end(ENDS_WITHIN)
        if ended.code != INTERRUPTED:
            raise LostError(f"the panel ended with {ended.code}: {ended.text[-300:]!r}")


def labels_of(world: World) -> list[str]:
    """Return the labels of the edits in the store's history."""
    with world.connected() as connection:
        return [label for (label,) in connection.execute("SELECT label FROM lorads.caption_edits ORDER BY edit_id")]
