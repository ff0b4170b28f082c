"""Batch inserts in which a row that the server refuses costs that row alone: savepoints and bisection."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import psycopg

from .faults import is_unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = TypeVar("Row")

# What is wrong with a row, not with the server: values out of range, NUL and lone surrogates, constraints, and entries
# too large for an index.
_OF_A_ROW = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeEncodeError,
)


class Refused(NamedTuple):
    """A row of a batch that the server refused: its position in the batch, and the reason."""

    position: int
    reason: str


def write_batch(
    connection: psycopg.Connection, rows: Sequence[Row], write: Callable[[Sequence[Row]], None]
) -> list[Refused]:
    """Write rows in one transaction, leave out those that the server refuses, and return these.

    A batch that is refused is halved until the refused row stands alone: a bad row among 500 costs some twenty
    statements, a batch without one costs nothing more than a savepoint.

    Raises:
        psycopg.Error: the server fails for another reason than a row; nothing is written.
    """
    with connection.transaction():
        return _write(connection, rows, write, 0)


def _write(
    connection: psycopg.Connection, rows: Sequence[Row], write: Callable[[Sequence[Row]], None], first: int
) -> list[Refused]:
    try:
        with connection.transaction():
            write(rows)
    except _OF_A_ROW as error:
        if len(rows) == 1:
            return [Refused(first, _reason(error))]
    else:
        return []
    half = len(rows) // 2
    return [
        *_write(connection, rows[:half], write, first),
        *_write(connection, rows[half:], write, first + half),
    ]


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it has text that is not valid Unicode"
    if isinstance(error, psycopg.Error) and is_unstorable(error):
        return "it has text with a NUL character"
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return (said or str(error)).splitlines()[0].rstrip(". ")
