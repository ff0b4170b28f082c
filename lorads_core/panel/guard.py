"""Request checks against DNS rebinding and CSRF: Host, origin, token and content type; ComfyUI makes none of them.

An attacker can make a domain resolve to 127.0.0.1 (DNS rebinding); it then passes every origin check. So only
localhost, IP addresses, which cannot be rebound, and the names in ``lorads.toml`` are accepted, as in Vite 6
(``server.allowedHosts``).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .responses import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TOKEN = "X-LoRADS-Token"  # noqa: S105 - the header's name
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+)(?::(\d{1,5}))?")
_USUAL_PORTS = {"http": "80", "https": "443"}


def check_host(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Refuse a Host header that is not localhost, an IP address or one of the ``allowed`` names.

    Raises:
        RefusedError: 403.
    """
    named = headers.get("Host", "")
    found = _HOST.fullmatch(named)
    name = found[1].rstrip(".").lower() if found else ""
    if name in {"localhost", *allowed} or name.endswith(".localhost") or _is_address(name):
        return
    raise RefusedError(
        403,
        "host",
        f"The panel does not answer under the name {named!r:.80}: open it as 127.0.0.1 or by the server's IP address,"
        " or add the name to hosts under [panel] in lorads.toml.",
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def check_site(headers: Mapping[str, str], *, opening: bool = False) -> None:
    """Refuse cross-site requests; clients that are not browsers send no Sec-Fetch-Site and need the token.

    ``opening`` allows a navigation from another site, such as a link to the page.

    Raises:
        RefusedError: 403.
    """
    site = headers.get("Sec-Fetch-Site", "same-origin")
    opened = opening and headers.get("Sec-Fetch-Mode") == "navigate"
    own_origin = "Origin" not in headers or _is_same(headers["Origin"], headers.get("Host", ""))
    if own_origin and (site in {"same-origin", "none"} or opened):
        return
    raise RefusedError(403, "origin", "The panel answers only its own page: open it at this server's own address.")


def _is_same(origin: str, host: str) -> bool:
    """Tell whether an origin is this server's, by host and port: a proxy in front may have changed the scheme."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in _USUAL_PORTS or not parts.netloc:
        return False
    usual = f":{_USUAL_PORTS[parts.scheme]}"
    return parts.netloc.lower().removesuffix(usual) == host.lower().removesuffix(usual)


def check_writing(headers: Mapping[str, str], content_type: str, token: str) -> None:
    """Refuse a write request that is not JSON or lacks the session's token.

    A form on another site can send neither: browsers send a CORS preflight first, which is not answered.

    Raises:
        RefusedError: 415 or 403.
    """
    if content_type != "application/json":
        raise RefusedError(
            415, "content-type", f"The request is {content_type!r:.80}: send JSON with Content-Type: application/json."
        )
    given = headers.get(TOKEN, "")
    if not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
        raise RefusedError(
            403, "token", f"The token is missing or from another session: fetch the session and send its {TOKEN}."
        )
