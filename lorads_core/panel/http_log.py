"""Log of malformed HTTP: a line for some of the requests and no traceback, as a port scan prints by the thousand."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER = "aiohttp.server"
_LINES = 5
_SECONDS = 60.0  # in which so many lines are shown


class MalformedRequests(logging.Filter):
    """Filter of the server's log: a request that is not HTTP is one line, five a minute; the rest is counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since = clock()
        self._found = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record through, shortened where it is about such a request, or leave it out."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        left_out = self._left_out_before()
        self._found += 1
        if self._found > _LINES:
            return False
        reason = " ".join(str(error.message).split())[:200]
        record.msg, record.args = f"A request was refused, it is not valid HTTP: {reason}{left_out}", ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True

    def _left_out_before(self) -> str:
        """Begin another minute where one is over; return how many requests of the last one were not shown."""
        now = self._clock()
        if now - self._since < _SECONDS:
            return ""
        left_out, self._since, self._found = self._found - _LINES, now, 0
        return f" ({left_out:,} more before it are not shown)" if left_out > 0 else ""


_MALFORMED = MalformedRequests()


def quiet_server_log() -> None:
    """Have the server's log shortened so in this process, which must be the panel's own: ComfyUI's log is its own."""
    logging.getLogger(_LOGGER).addFilter(_MALFORMED)  # once, however often
