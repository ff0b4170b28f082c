"""The user at the other end of a local TCP connection, as Linux's /proc/net/tcp has it; other systems do not say."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # an IPv6 socket can connect to an IPv4 address, too
_ADDRESS, _USER = 1, 7  # columns


def peer_user(peer: tuple[Any, ...] | None) -> int | None:
    """Return the user id that owns the socket at ``peer``, an IPv4 address and port of this machine; None if unknown.

    Linux shows root for a socket that its program has closed: no program can then read what is sent to it.
    """
    if not sys.platform.startswith("linux") or peer is None:
        return None
    host, port, *_ = peer
    try:
        number = int.from_bytes(socket.inet_aton(str(host)), sys.byteorder)
    except OSError:
        return None
    ending = f"{number:08X}:{int(str(port)):04X}"
    return next((int(row[_USER]) for row in _rows() if row[_ADDRESS].endswith(ending)), None)


def _rows() -> Iterator[list[str]]:
    for table in _TABLES:
        with suppress(OSError), table.open(encoding="ascii") as lines:
            next(lines, None)  # the header
            yield from (line.split() for line in lines)
