"""The way to a server that is not ours: a short, read-only connection per question, its errors raised as LibraryError.

Each transaction is requested as read-only; what truly protects a server is a role without rights.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import LibraryError
from ..store.dsn import describe
from ..store.faults import UNSTORABLE, is_unstorable, translate

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

STATEMENT_SECONDS = 60.0
LOCK_SECONDS = 10.0
# What a DSN does not say. A network that has gone away is noticed after a minute instead of two hours.
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "lorads",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# In each transaction, and not as options of the connection: a pooler refuses those, or hands them on to strangers.
# Compiling a query (jit) takes longer than most of ours run.
_PREPARE = (
    "SELECT set_config('statement_timeout', %(statement)s, true), set_config('lock_timeout', %(lock)s, true),"
    " set_config('jit', 'off', true), set_config('search_path',"
    " coalesce((SELECT string_agg(quote_ident(name), ', ') FROM unnest(%(schemas)s::text[]) AS name), ''), true)"
)
_LOST = "broke off in the middle: {said}. Nothing was changed there. Run it again"
_CHANGED = "has other tables than a moment ago: {said}. Run it again; if it stays so, update LoRADS"
# Where a fault means something else than with our own store; by sqlstate, or by its first two characters: its class.
_BY_STATE = {
    "08": _LOST,
    "25006": "refuses to be written to: {said}. LoRADS only reads there, so this is a fault of ours: please report it",
    "3F000": _CHANGED,
    "42501": (
        "does not let us read: {said}. Have its owner run GRANT USAGE ON SCHEMA and GRANT SELECT ON the tables for the"
        " role in the dsn"
    ),
    "42P01": _CHANGED,
    "42703": _CHANGED,
    "42704": _CHANGED,
    "42883": _CHANGED,
    "55P03": (
        "has a table that another program keeps locked: {said}. Wait until that program is done, or raise lock_timeout"
        " ({lock:g} s) of [libraries.{library}]"
    ),
    "57014": (
        "took too long: {said}. Narrow the question, or raise statement_timeout ({statement:g} s) of"
        " [libraries.{library}]"
    ),
    "57": _LOST,
}
_USER = re.compile(r'\b(user|role) "[^"]*"')


@dataclass(frozen=True)
class Host:
    """A server and database by ``conninfo``, for the library of a name; time limits are in seconds."""

    library: str
    conninfo: str = field(repr=False)
    statement_timeout: float = STATEMENT_SECONDS
    lock_timeout: float = LOCK_SECONDS

    @property
    def where(self) -> str:
        """Its host, port and database, without user and password."""
        return describe(self.conninfo).removeprefix("the store at ")

    @contextmanager
    def connection(self, schemas: Sequence[str] = ()) -> Generator[psycopg.Connection]:
        """Lend a new connection in one read-only transaction, all of whose queries see the same rows.

        ``schemas`` is where names of tables and types are looked up; without any, only PostgreSQL's own are found.

        Raises:
            LibraryError: the server cannot be reached, or a psycopg.Error left the block.
        """
        conninfo = make_conninfo("", **{**_DEFAULTS, **conninfo_to_dict(self.conninfo)})
        connected = False
        try:
            # A pooler may give each transaction another session, without our prepared statements.
            with psycopg.connect(conninfo, prepare_threshold=None) as connection:
                connected = True
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute(_PREPARE, self._limits | {"schemas": list(schemas)})
                yield connection
        except UnicodeEncodeError as error:  # psycopg's own, of a text that it was to send
            raise LibraryError(UNSTORABLE) from error
        except psycopg.Error as error:
            raise self._library_error(error, connected=connected) from error

    @property
    def _limits(self) -> dict[str, str]:
        return {
            "statement": str(int(1000 * self.statement_timeout)),
            "lock": str(int(1000 * self.lock_timeout)),
        }

    def _library_error(self, error: psycopg.Error, *, connected: bool) -> LibraryError:
        if is_unstorable(error):
            return LibraryError(UNSTORABLE)
        state = error.sqlstate or ""
        meaning = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
        if connected and not state and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            meaning = _LOST
        where = f"library {self.library!r} at {self.where}"
        if meaning is None:
            said = str(translate(error, where))
        else:
            lines = (error.diag.message_primary or str(error)).strip().splitlines() or [type(error).__name__]
            limits = {"lock": self.lock_timeout, "statement": self.statement_timeout}
            said = f"{where} {meaning.format(said=lines[0].rstrip('. '), library=self.library, **limits)}."
        return LibraryError(_USER.sub(r"this \1", said[:1].upper() + said[1:]))
