"""The secret token in the address of the panel's own page, like Jupyter's: it keeps other users of the machine out.

The page's first request exchanges the token for a cookie and is redirected to the address without it. ComfyUI, which
lets in everyone who reaches its port, has no such secret; there the panel has none either.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from html import escape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from ..system.peers import peer_user
from .api_spec import PREFIX
from .responses import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUERY = "token"
_SENTENCE = (
    "This panel opens only by its whole address with the token, which the terminal shows where the panel was started."
)
_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>LoRADS</title><p>{}</p></html>\n'
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_PORT = re.compile(r":(\d{1,5})$")
_ROOT = 0


class Addresses(NamedTuple):
    """The page's addresses with a token: the one to print, and one that works once, for the browser we start.

    Other users can read the command line of a browser, and with it the address that it was started with.
    """

    printed: str
    once: str


class Access:
    """The secret of one start of the server; it is in this process's memory only."""

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(32)
        self._once: str | None = secrets.token_urlsafe(32)

    def addresses(self, page: str) -> Addresses:
        """Return the addresses that open ``page``, which is one without a query."""
        return Addresses(*(f"{page}?{urlencode({_QUERY: token})}" for token in (self._secret, self._once or "")))

    def check(self, request: web.Request) -> None:
        """Refuse a request without the cookie.

        Raises:
            RefusedError: 403.
        """
        if not self._has_cookie(request):
            raise RefusedError(403, "secret", _SENTENCE)

    def entrance(self, request: web.Request) -> web.Response | None:
        """Answer the opening of the page where it brings a token or lacks the cookie; None where it may go on."""
        if _QUERY in request.query and (self._is_valid(request) or self._has_cookie(request)):
            return self._admitted(request)
        return None if self._has_cookie(request) else _closed(request)

    def _is_valid(self, request: web.Request) -> bool:
        given = request.query[_QUERY]
        if _is_same(given, self._secret):
            return True
        if self._once is None or not _is_same(given, self._once) or not _is_ours(request):
            return False
        self._once = None
        return True

    def _admitted(self, request: web.Request) -> web.Response:
        rest = {name: value for name, value in request.query.items() if name != _QUERY}
        location = f"{PREFIX}/?{urlencode(rest)}" if rest else f"{PREFIX}/"
        response = web.Response(status=302, headers={**_HEADERS, "Location": location})
        response.set_cookie(_cookie_name(request.headers), self._secret, httponly=True, samesite="Strict", path="/")
        return response

    def _has_cookie(self, request: web.Request) -> bool:
        return _is_same(request.cookies.get(_cookie_name(request.headers), ""), self._secret)


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def _is_ours(request: web.Request) -> bool:
    """Tell whether the connection may be our browser's: no other user's, as far as the system says whose it is."""
    ends = (request.transport.get_extra_info(name) if request.transport else None for name in ("peername", "sockname"))
    user = peer_user(*ends)
    return user is None or user in {os.getuid(), _ROOT}  # root's: WSL relays connections from Windows


def _cookie_name(headers: Mapping[str, str]) -> str:
    """Name the cookie after the port that the browser uses: browsers send a host's cookies to all of its ports."""
    found = _PORT.search(headers.get("Host", ""))
    return f"lorads-{found[1] if found else 80}"


def _closed(request: web.Request) -> web.Response:
    """Return the page that says where the address is.

    A browser leaves a strict cookie out where a link or a redirect from another site leads here, and sends it when
    this page reloads itself.
    """
    again = {"Refresh": f"0; url={PREFIX}/"} if request.headers.get("Sec-Fetch-Site") == "cross-site" else {}
    headers = {**_HEADERS, **again}
    return web.Response(text=_PAGE.format(escape(_SENTENCE)), status=403, content_type="text/html", headers=headers)
