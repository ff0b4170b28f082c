"""SQLite files of other programs: opened read-only while those write, with errors translated and values validated.

It knows no table by name. SQLite's columns hold whatever was put into them, in whatever encoding: so each value is
looked at when it is read.
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg import sql

from ..errors import LibraryError
from ..model import FileStamp

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

_TRIES = 3
_LARGEST_FLOAT = 3e38  # of PostgreSQL's type real

# By what SQLite says; its texts are the same in every version since 3.7, and Python 3.10 gives nothing else.
_FAULTS = (
    ("not a database", "is not an SQLite database, or is encrypted: name the program's own file"),
    ("malformed", "is damaged: let the program restore a backup of it"),
    ("locked", "is being written to by another program, and stays so: try again when that has finished"),
    ("unable to open", "cannot be opened: give this user the right to read it and its folder"),
    ("readonly", "cannot be opened: give this user the right to read it and its folder"),
    ("disk I/O", "cannot be read from its drive: check the drive"),
)
_CLOSED = ("unable to open", "readonly")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """An open SQLite file; all that is read from it is as it was at one moment."""

    path: Path
    connection: sqlite3.Connection

    def columns(self, table: str) -> dict[str, str]:
        """Return a table's columns by their names in lower case, none where there is no such table."""
        query = sql.SQL("PRAGMA table_info({})").format(sql.Identifier(table)).as_string()
        names = [as_text(row[1]) for row in self.connection.execute(query)]
        return {name.lower(): name for name in names}

    def rows(self, table: str, columns: Iterable[str]) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a table; None stands for columns that it lacks, text comes as bytes."""
        known = self.columns(table)
        wanted = [sql.Identifier(known[name.lower()]) if name.lower() in known else sql.SQL("NULL") for name in columns]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(wanted), sql.Identifier(table))
        yield from self.connection.execute(query.as_string())


@contextmanager
def open_sqlite(path: Path, library: str, patience: float = 10.0) -> Generator[SqliteFile]:
    """Open a file to read it in one transaction, waiting at most ``patience`` seconds while others write to it.

    Raises:
        LibraryError: the file is no database, is encrypted, damaged or locked, or cannot be opened or read.
    """
    try:
        with _connected(path, patience) as connection:
            connection.text_factory = bytes
            connection.execute("BEGIN")
            yield SqliteFile(path, connection)
    except (sqlite3.Error, OSError) as error:
        raise LibraryError(f"Library {library!r}: {path} {_fault(error)} (SQLite: {error}).") from error


def _fault(error: Exception) -> str:
    said = str(error)
    return next((fault for text, fault in _FAULTS if text in said), "cannot be read: check it with the program")


@contextmanager
def _connected(path: Path, patience: float) -> Generator[sqlite3.Connection]:
    """Connect, to a copy where a folder that is read-only keeps SQLite from following a write-ahead log beside it."""
    with closing(_connect(path, patience)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            if os.access(path.parent, os.W_OK) or not any(text in str(error) for text in _CLOSED):
                raise
        else:
            yield connection
            return
    with (
        tempfile.TemporaryDirectory(prefix="lorads-") as folder,
        closing(_connect(_copy(path, Path(folder)), patience)) as connection,
    ):
        yield connection


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    # Four slashes stand before a share of Windows' network, three before everything else. `immutable` would be faster,
    # and wrong as soon as the program writes.
    place = path.absolute().as_posix()
    uri = f"file://{'' if place.startswith('/') else '/'}{quote(place)}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)


def _copy(path: Path, folder: Path) -> Path:
    """Copy a file with its log; what changed meanwhile would not fit together."""
    beside = [path, path.with_name(f"{path.name}-wal")]
    for _ in range(_TRIES):
        before = [fingerprint(each) for each in beside]
        for each in beside:
            if each.exists():
                shutil.copyfile(each, folder / each.name)
        if before == [fingerprint(each) for each in beside]:
            return folder / path.name
    raise sqlite3.OperationalError("database is locked")


def fingerprint(path: Path) -> FileStamp | None:
    """Return the stamp of a file, None where there is none.

    Raises:
        OSError: it is a folder or a device, or cannot be reached.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        raise IsADirectoryError("it is not a file")
    return FileStamp.of(facts)


def as_text(value: object) -> str:
    """Return a value as text that PostgreSQL takes: without NUL, with a mark for what is not UTF-8; empty for None."""
    if not value and value != 0:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "")


def as_path(value: object, longest: int) -> str:
    """Return a path, empty where it cannot be stored: not UTF-8, with a NUL, too long in bytes."""
    if not isinstance(value, bytes) or b"\0" in value or len(value) > longest:
        return ""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def as_integer(value: object, lowest: int, highest: int) -> int | None:
    """Return a whole number, None where it is none or beyond its bounds."""
    if not isinstance(value, int):
        number = as_float(value)
        if number is None:
            return None
        value = int(number)
    return value if lowest <= value <= highest else None


def as_float(value: object) -> float | None:
    """Return a number, None where it is none, is endless, or too large for PostgreSQL's type real."""
    if not isinstance(value, (int, float, bytes)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < _LARGEST_FLOAT else None


def as_flag(value: object) -> bool:
    """Return a truth value as SQLite's programs keep it: 0 or NULL for no."""
    return bool(value if isinstance(value, int) else as_float(value))
