"""Connection pool of the store's PostgreSQL: at most four connections, faults raised as StoreError."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from ..errors import StoreError
from .dsn import describe, parse_dsn
from .embedded import Attached, attach
from .environment import EmbeddedConnection
from .faults import UNSTORABLE, translate
from .rights import missing_grant

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


__all__ = ["MAX_CONNECTIONS", "Store", "describe", "parse_dsn", "translate"]

MAX_CONNECTIONS = 4
# A pool of its own goes on trying a dead server until the time is up; so it gets little, then we look for ourselves.
_QUICK_SECONDS = 0.5
# What a DSN does not say. A network that has gone away is noticed after a minute instead of two hours.
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "lorads",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class Store:
    """A reachable PostgreSQL and at most four connections to it; any thread may use it. Opened by ``Store.open``.

    An embedded server that has died is started again when the next connection is requested. ``patience`` is how many
    seconds to wait for a connection while others have them all. ``person`` is who uses it, for histories; ``owner`` is
    the name space of their datasets, empty where all of them are one person's.
    """

    patience = 30.0

    def __init__(
        self,
        dsn: str | None,
        data_folder: Path | None,
        prepare: Callable[[psycopg.Connection], None] | None,
        person: str = "",
        owner: str = "",
    ) -> None:
        self.person, self.owner = person, owner
        self._dsn = parse_dsn(dsn) if dsn is not None else None
        self._data_folder = data_folder
        self._prepare = prepare
        self._lock = threading.Lock()
        self._attached: Attached | None = None
        self._pool: ConnectionPool | None = None
        self._conninfo = ""
        self._closed = False
        self._rehearsal: psycopg.Connection | None = None
        self._connection_class = EmbeddedConnection if dsn is None else psycopg.Connection
        self.where = describe(self._dsn) if self._dsn is not None else "the embedded store"

    @classmethod
    def open(
        cls,
        dsn: str | None,
        data_folder: Path | None = None,
        prepare: Callable[[psycopg.Connection], None] | None = None,
        person: str = "",
        owner: str = "",
    ) -> Store:
        """Reach the server at ``dsn``, or, without one, the embedded server in ``data_folder``, started where needed.

        ``prepare`` is called with a connection before any other is given away, and again after the server was lost.

        Raises:
            SettingsError: the DSN cannot be read.
            StoreError: the server cannot be started or reached, or refuses what ``prepare`` asks.
        """
        store = cls(dsn, data_folder, prepare, person, owner)
        try:
            store._reached()
        except BaseException:
            store.close()
            raise
        return store

    def __repr__(self) -> str:
        return f"Store({self.where!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def connection(self) -> Generator[psycopg.Connection]:
        """Lend a connection; the block's end commits, an exception rolls back.

        Raises:
            StoreError: the server cannot be reached, all connections stay in use, or a psycopg.Error left the block.
        """
        try:
            if self._rehearsal is not None:
                with self._rehearsal.transaction():
                    yield self._rehearsal
                return
            pool, connection = self._borrow()
            try:
                with connection:
                    yield connection
            finally:
                pool.putconn(connection)
        except UnicodeEncodeError as error:  # psycopg's own, of a text that it was to send
            raise StoreError(UNSTORABLE) from error
        except psycopg.Error as error:
            raise self._translated(error) from error

    @contextmanager
    def rehearsal(self) -> Generator[None]:
        """Undo at the end of the block what one thread writes in it, for a dry run.

        All of it is one transaction. Numbers that were given to new rows are not given again.

        Raises:
            StoreError: as for `connection`.
        """
        try:
            pool, connection = self._borrow()
            try:
                with connection.transaction(force_rollback=True):
                    self._rehearsal = connection
                    yield
            finally:
                self._rehearsal = None
                pool.putconn(connection)
        except psycopg.Error as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Close all connections; the embedded server stops if nobody else uses it."""
        with self._lock:
            self._closed = True
            self._drop_pool()
            attached, self._attached = self._attached, None
        if attached:
            attached.close()

    def _borrow(self) -> tuple[ConnectionPool, psycopg.Connection]:
        pool = self._reached()
        try:
            return pool, pool.getconn(_QUICK_SECONDS)
        except (PoolTimeout, PoolClosed):  # all in use, the server is gone, or another thread has found it gone
            self._drop_if_dead(pool)
        pool = self._reached()
        return pool, pool.getconn(self.patience)

    def _reached(self) -> ConnectionPool:
        """Return a pool for a server that answered when the pool was made."""
        with self._lock:
            if self._closed:
                raise ValueError("this store was closed")
            if self._pool is None:
                self._conninfo = self._address()
                self._greet()
                self._pool = ConnectionPool(
                    self._conninfo,
                    kwargs=self._options(),
                    connection_class=self._connection_class,
                    min_size=0,
                    max_size=MAX_CONNECTIONS,
                    open=False,
                    check=ConnectionPool.check_connection,
                    name="lorads",
                )
                self._pool.open()
            return self._pool

    def _address(self) -> str:
        if self._dsn is not None:
            return _complete(self._dsn)
        if self._attached is None or not self._attached.alive():
            before, self._attached = self._attached, attach(self._data_folder)
            if before:
                before.close()
            self.where = f"the embedded store in {self._attached.folder}"
        return _complete(self._attached.conninfo)

    def _options(self) -> dict[str, None]:
        # A pooler between us and the server may give each transaction another session, without our prepared statements.
        return {} if self._dsn is None else {"prepare_threshold": None}

    def _greet(self) -> None:
        """Connect past the pool, which would hide why it cannot."""
        try:
            with self._connection_class.connect(self._conninfo) as connection:
                if self._prepare:
                    self._prepare(connection)
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> StoreError:
        if self._dsn is None:
            return translate(error, self.where, embedded=True)
        return translate(error, self.where, missing_grant(self._conninfo, error))

    def _drop_if_dead(self, pool: ConnectionPool) -> None:
        try:
            self._connection_class.connect(self._conninfo).close()
        except psycopg.Error:
            with self._lock:
                if self._pool is pool:
                    self._drop_pool()

    def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool:
            pool.close(timeout=1)


def _complete(conninfo: str) -> str:
    return make_conninfo("", **{**_DEFAULTS, **conninfo_to_dict(conninfo)})
