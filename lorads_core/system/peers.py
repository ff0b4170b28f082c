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
_LOCAL, _REMOTE, _USER = 1, 2, 7  # columns
_TRIES = 3


def peer_user(peer: tuple[Any, ...] | None, own: tuple[Any, ...] | None) -> int | None:
    """Return the user id at ``peer`` of the connection from there to ``own``; None if unknown.

    Both are an IPv4 address and port of this machine. Both count: connections to other servers may have the same port
    at their end, and one that was closed is shown as root's, whosever it was.

    Linux shows root for a socket that its program has closed: no program can then read what is sent to it.
    """
    if not sys.platform.startswith("linux"):
        return None
    local, remote = _ending(peer), _ending(own)
    if not local or not remote:
        return None
    for _ in range(_TRIES):  # a row can be passed over while others come and go
        for row in _rows():
            if row[_LOCAL].endswith(local) and row[_REMOTE].endswith(remote):
                return int(row[_USER])
    return None


def _ending(address: tuple[Any, ...] | None) -> str:
    """Return how an address ends in the table, which is all of it for IPv4; empty for what is none."""
    if address is None:
        return ""
    host, port, *_ = address
    try:
        number = int.from_bytes(socket.inet_aton(str(host)), sys.byteorder)
    except OSError:
        return ""
    return f"{number:08X}:{int(str(port)):04X}"


def _rows() -> Iterator[list[str]]:
    for table in _TABLES:
        with suppress(OSError), table.open(encoding="ascii") as lines:
            next(lines, None)  # the header
            yield from (line.split() for line in lines)
