"""Log of malformed HTTP requests: one line instead of aiohttp's traceback, which a port scan prints by the thousand."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

_LOGGER = "aiohttp.server"


def shorten_malformed(record: logging.LogRecord) -> bool:
    """Take the traceback off a record about a request that is not HTTP; a filter, so it lets every record through."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        reason = " ".join(str(error.message).split())[:200]
        record.msg, record.args = f"A request was refused, it is not valid HTTP: {reason}", ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def quiet_server_log() -> None:
    """Have the server's log shortened so in this process, which must be the panel's own: ComfyUI's log is its own."""
    logger = logging.getLogger(_LOGGER)
    if shorten_malformed not in logger.filters:
        logger.addFilter(shorten_malformed)
