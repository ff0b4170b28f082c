"""Environment variables of libpq and PostgreSQL (PGHOST, PGSERVICE, PGTZ, TZ, LC_ALL …), without effect on our server.

The embedded server and its clients depend on nothing that a shell's profile sets for other servers. Programs of
PostgreSQL get an environment without those variables. A connection names each option that has a variable, and what no
option replaces is hidden while it is made.

https://www.postgresql.org/docs/18/libpq-envars.html
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from typing_extensions import Self

# By name what connections need; an empty value counts as none. The server takes no TLS and no Kerberos, and the
# versions of its protocol are those of any libpq.
_VALUES = {
    "connect_timeout": "10",
    "client_encoding": "UTF8",
    "application_name": "lorads",
    "sslmode": "disable",
    "sslcertmode": "disable",
    "gssencmode": "disable",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
    "channel_binding": "prefer",
    "target_session_attrs": "any",
    "load_balance_hosts": "disable",
    "hostaddr": "",
    "options": "",
    "passfile": "",
    "require_auth": "scram-sha-256",
    "requirepeer": "",
    "sslcert": "",
    "sslkey": "",
    "sslrootcert": "",
    "sslcrl": "",
    "sslcrldir": "",
    "ssl_max_protocol_version": "",
    "gsslib": "",
}
_NO_VALUE = frozenset({"service", "servicefile"})  # an empty one is looked up like any other


@cache
def fixed_options() -> Mapping[str, str]:
    """Return a value for each option that this libpq would else take from a variable; not who connects where."""
    found: dict[str, str] = {}
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        value = _VALUES.get(name, (option.compiled or b"").decode() or None)
        if option.envvar and name not in _NO_VALUE and value is not None:
            found[name] = value
    return found


def _unreplaced_variables() -> dict[str, str]:
    """Return what no option replaces: PGSERVICE, PGTZ, PGDATESTYLE, PGGEQO, and what a later libpq may read."""
    replaced = _replaced_variables()
    return {name: value for name, value in os.environ.items() if name.upper().startswith("PG") and name not in replaced}


@cache
def _replaced_variables() -> frozenset[str]:
    named = {"host", "port", "user", "password", "dbname", *fixed_options()}
    return frozenset(
        (option.envvar or b"").decode() for option in pq.Conninfo.get_defaults() if option.keyword.decode() in named
    )


class _HiddenVariables:
    """Variables that are out of our environment while threads connect: hidden by the first, put back by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._values: dict[str, str] = {}

    def hide(self) -> None:
        with self._lock:
            if not self._threads:
                self._values = _unreplaced_variables()
                for name in self._values:
                    os.environ.pop(name, None)
            self._threads += 1

    def put_back(self) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                os.environ.update(self._values)


_variables = _HiddenVariables()


@contextmanager
def hidden_variables() -> Generator[None]:
    """Take out of our environment, for the moment of a connection, what libpq reads there and no option replaces."""
    _variables.hide()
    try:
        yield
    finally:
        _variables.put_back()


class EmbeddedConnection(psycopg.Connection):
    """A connection to the embedded server, made as if no variable of libpq were set."""

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:  # noqa: ANN401 - psycopg's own
        """Connect as `psycopg.connect` does."""
        with hidden_variables():
            return super().connect(*arguments, **options)
