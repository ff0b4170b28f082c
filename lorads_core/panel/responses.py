"""Answers and refusals as JSON, and bodies read within bounds; it knows no route and no dataset."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import web

from ..errors import (
    CaptionError,
    ExportError,
    ImageError,
    LibraryError,
    LoradsError,
    SettingsError,
    StoreError,
    TrainerError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes; all captions of a dataset of 10,000 images in one edit are half of it."""

_COMPRESSED_FROM = 4096  # bytes
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_UNSTORED = {**_SAFE, "Cache-Control": "no-store"}
_log = logging.getLogger(__name__)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

_STATUS: dict[type[LoradsError], tuple[int, str]] = {
    SettingsError: (400, "settings"),
    StoreError: (503, "store"),
    LibraryError: (400, "library"),
    ImageError: (404, "image"),
    CaptionError: (400, "caption"),
    ExportError: (400, "export"),
    TrainerError: (400, "trainer"),
}


class RefusedError(Exception):
    """A request that is not granted: HTTP status, a stable code, and a sentence for a person; ``more`` goes along."""

    def __init__(self, status: int, code: str, message: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.more = more or {}


def unknown(what: str) -> RefusedError:
    """Make the refusal of something that is not there."""
    return RefusedError(404, "unknown", what)


def wrong(what: str) -> RefusedError:
    """Make the refusal of a value that cannot be used."""
    return RefusedError(400, "request", what)


def as_json(text: str, status: int = 200) -> web.Response:
    """Return JSON as an answer, gzipped where that is worth it and the browser takes it."""
    response = web.Response(text=text, status=status, content_type="application/json", headers=_UNSTORED)
    if len(text) >= _COMPRESSED_FROM:
        response.enable_compression()
    return response


def dumps(value: object) -> str:
    """Return a value as compact JSON."""
    return _compact(value)


def picture(data: bytes, content_type: str, mark: str) -> web.Response:
    """Return a picture as an answer; for a minute the browser does not ask again, then only whether it is the same."""
    headers = {**_SAFE, "Cache-Control": "private, max-age=60", "ETag": f'"{mark}"'}
    return web.Response(body=data, content_type=content_type, headers=headers)


def unchanged(mark: str) -> web.Response:
    """Say that the browser has the picture already."""
    headers = {**_SAFE, "Cache-Control": "private, max-age=60", "ETag": f'"{mark}"'}
    return web.Response(status=304, headers=headers)


def refused(error: Exception) -> web.Response:
    """Return an error as an answer; what is our own fault is logged, and told without its details."""
    if isinstance(error, LoradsError):
        status, code = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (400, "request"))
        error = RefusedError(status, code, str(error))
    if isinstance(error, RefusedError):
        told = {"error": {"code": error.code, "message": str(error)}, **error.more}
        return as_json(dumps(told), error.status)
    _log.error("The panel failed", exc_info=error)
    message = "LoRADS failed at this; nothing more was done. The server's log says why: please report it."
    return as_json(dumps({"error": {"code": "internal", "message": message}}), 500)


async def read_body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that a request brings.

    Raises:
        RefusedError: it is larger than `LARGEST_BODY`, is no JSON in UTF-8, or no object.
    """
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        raise _too_large()
    data = bytearray()
    async for block in request.content.iter_chunked(1 << 16):
        data += block
        if len(data) > LARGEST_BODY:  # its length was not said
            raise _too_large()
    try:
        value: object = json.loads(data.decode(), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # half a character (a lone surrogate) could not be stored
    except (ValueError, RecursionError) as error:
        raise wrong("The request's body is no JSON in UTF-8: send an object.") from error
    if not isinstance(value, dict):
        raise wrong("The request's body is no JSON object: send one, {} where there is nothing to say.")
    return value  # pyright: ignore[reportUnknownVariableType] - what is in it is checked where it is used


def _too_large() -> RefusedError:
    return RefusedError(413, "too-large", f"The request is larger than {LARGEST_BODY // 2**20} MiB: send it in parts.")


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
