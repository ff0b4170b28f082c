"""JSON responses, error responses and size-limited request bodies of the panel."""

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

MAX_BODY = 8 * 1024 * 1024
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
    """An error response: HTTP status, a stable code, a message for the user, and ``more`` fields."""

    def __init__(self, status: int, code: str, message: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.more = more or {}


def not_found(what: str) -> RefusedError:
    """Return the 404 error for something that does not exist."""
    return RefusedError(404, "unknown", what)


def bad_request(what: str) -> RefusedError:
    """Return the 400 error for an invalid value."""
    return RefusedError(400, "request", what)


def json_response(text: str, status: int = 200) -> web.Response:
    """Return a JSON response, gzipped if it is large and the browser accepts that."""
    response = web.Response(text=text, status=status, content_type="application/json", headers=_UNSTORED)
    if len(text) >= _COMPRESSED_FROM:
        response.enable_compression()
    return response


def dumps(value: object) -> str:
    """Return a value as compact JSON."""
    return _compact(value)


def image_response(data: bytes, content_type: str, mark: str) -> web.Response:
    """Return an image response; the browser caches it for a minute, then revalidates it by its ETag."""
    headers = {**_SAFE, "Cache-Control": "private, max-age=60", "ETag": f'"{mark}"'}
    return web.Response(body=data, content_type=content_type, headers=headers)


def not_modified(mark: str) -> web.Response:
    """Return 304: the browser's cached image is current."""
    headers = {**_SAFE, "Cache-Control": "private, max-age=60", "ETag": f'"{mark}"'}
    return web.Response(status=304, headers=headers)


def error_response(error: Exception) -> web.Response:
    """Return an error response; an internal error is logged and shown without its details."""
    if isinstance(error, LoradsError):
        status, code = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (400, "request"))
        error = RefusedError(status, code, str(error))
    if isinstance(error, RefusedError):
        values = {"error": {"code": error.code, "message": str(error)}, **error.more}
        return json_response(dumps(values), error.status)
    _log.error("The panel failed", exc_info=error)
    message = "Internal error of LoRADS. See the server log for the cause, and please report it."
    return json_response(dumps({"error": {"code": "internal", "message": message}}), 500)


async def read_body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        RefusedError: it is larger than `MAX_BODY`, not JSON in UTF-8, or not an object.
    """
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise _too_large()
    data = bytearray()
    async for block in request.content.iter_chunked(1 << 16):
        data += block
        if len(data) > MAX_BODY:  # no Content-Length
            raise _too_large()
    try:
        value: object = json.loads(data.decode(), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # half a character (a lone surrogate) could not be stored
    except (ValueError, RecursionError) as error:
        raise bad_request("The request body is not JSON in UTF-8: send a JSON object.") from error
    if not isinstance(value, dict):
        raise bad_request("The request body is not a JSON object: send one, {} if it is empty.")
    return value  # pyright: ignore[reportUnknownVariableType] - what is in it is checked where it is used


def _too_large() -> RefusedError:
    return RefusedError(413, "too-large", f"The request is larger than {MAX_BODY // 2**20} MiB: split it.")


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
