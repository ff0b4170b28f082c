"""Rows of runs, one each; their folders and processes are in the package `runs`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from psycopg import sql

from ..errors import TrainerError
from ..model import Run
from ..system.command import command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

_FIELDS = tuple(field.name for field in dataclasses.fields(Run))
# What a run is, and what may become of it.
_UPDATED = tuple(name for name in _FIELDS if name not in {"id", "started_at"})
_COLUMNS = sql.SQL(", ").join(sql.Identifier("run_id" if name == "id" else name) for name in _FIELDS)
_LIVE = sql.SQL("state IN ('starting', 'running')")


class Speed(NamedTuple):
    """How fast earlier runs of a kind went: the median of the newest, in seconds a step, and of how many."""

    seconds_a_step: float
    runs: int


class PeakMemory(NamedTuple):
    """The most graphics memory that an earlier run of a kind held; see `model.Run`."""

    memory: int
    of_card: bool

    @property
    def gigabytes(self) -> float:
        """It in GB of 1,024 MiB, as cards are sold."""
        return self.memory / 1024


def insert_run(connection: psycopg.Connection, run: Run, kind: str) -> bool:
    """Insert a new run; return False, and insert nothing, if another run of its export is still going."""
    columns = ("dataset_id", "started_at", *(name for name in _UPDATED if name != "dataset_id"))
    values = {name: _value(run, name) for name in columns} | {"run_id": run.id, "kind": kind}
    query = sql.SQL(
        "INSERT INTO lorads.runs (run_id, kind, {columns}) VALUES (%(run_id)s, %(kind)s,"
        " (SELECT dataset_id FROM lorads.lora_datasets WHERE dataset_id = %(dataset_id)s), {values})"
        " ON CONFLICT (manifest_hash) WHERE state IN ('starting', 'running') DO NOTHING"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(map(sql.Placeholder, columns[1:])),
    )
    return connection.execute(query, values).rowcount == 1


def update_run(connection: psycopg.Connection, run: Run) -> None:
    """Update a run's row; a run that is over stays as it is."""
    columns = [name for name in _UPDATED if name != "dataset_id"]
    query = sql.SQL("UPDATE lorads.runs SET {} WHERE run_id = %(id)s AND {}").format(
        sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns),
        _LIVE,
    )
    connection.execute(query, {name: _value(run, name) for name in columns} | {"id": run.id})


def get_run(connection: psycopg.Connection, run_id: UUID) -> Run | None:
    """Return a run by its id."""
    found = _runs(connection, sql.SQL("WHERE run_id = %s"), [run_id])
    return found[0] if found else None


def runs_of_export(connection: psycopg.Connection, manifest_hash: str) -> list[Run]:
    """Return the runs of an export, the newest first."""
    return _runs(connection, sql.SQL("WHERE manifest_hash = %s"), [manifest_hash])


def live_runs(connection: psycopg.Connection, name: str = "") -> list[Run]:
    """Return the runs of exports called ``name``, or of all, that went on when they were looked at last."""
    if not name:
        return _runs(connection, sql.SQL("WHERE {}").format(_LIVE), [])
    return _runs(connection, sql.SQL("WHERE name = %s AND {}").format(_LIVE), [name])


def runs_called(connection: psycopg.Connection, name: str) -> list[Run]:
    """Return the runs of exports called ``name``, the newest first."""
    return _runs(connection, sql.SQL("WHERE name = %s"), [name])


def newest_runs(connection: psycopg.Connection, dataset: UUID | None = None, limit: int = 50) -> list[Run]:
    """Return the newest runs, of one dataset or of all, the newest first."""
    if dataset is None:
        return _runs(connection, sql.SQL(""), [], limit)
    return _runs(connection, sql.SQL("WHERE dataset_id = %s"), [dataset], limit)


def find_run(connection: psycopg.Connection, word: str) -> Run:
    """Return the run that a person means: by the first letters of its id, or the newest of a name.

    Raises:
        TrainerError: there is none, or several begin so.
    """
    by_name = _runs(connection, sql.SQL("WHERE name = %s"), [word], 1)
    if by_name:
        return by_name[0]
    by_id = _runs(connection, sql.SQL("WHERE starts_with(run_id::text, %s)"), [word.lower()], 2) if word else []
    if len(by_id) == 1:
        return by_id[0]
    if by_id:
        raise TrainerError(f"Several runs begin with {word!r}: write more of the id; {command('runs')} lists them.")
    raise TrainerError(f"There is no run {word!r}: {command('runs')} lists them.")


def median_speed(connection: psycopg.Connection, kind: str, host: str) -> Speed | None:
    """Return how fast runs of a kind went on a machine, None where none has ended well there."""
    row = connection.execute(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds_a_step), count(*) FROM"
        " (SELECT seconds_a_step FROM lorads.runs WHERE kind = %s AND host = %s AND state = 'completed'"
        " AND seconds_a_step > 0 ORDER BY ended_at DESC LIMIT 5) AS newest",
        [kind, host],
    ).fetchone()
    return Speed(row[0], row[1]) if row and row[1] else None


def last_peak(connection: psycopg.Connection, kind: str, host: str) -> PeakMemory | None:
    """Return what the newest run of a kind held on a machine, of those that ended without a fault; None without any."""
    row = connection.execute(
        "SELECT peak_memory, peak_of_card FROM lorads.runs WHERE kind = %s AND host = %s AND peak_memory > 0"
        " AND step > 0 AND state IN ('completed', 'cancelled') ORDER BY ended_at DESC LIMIT 1",
        [kind, host],
    ).fetchone()
    return PeakMemory(*row) if row else None


def _value(run: Run, name: str) -> object:
    value = getattr(run, name)
    if isinstance(value, Path):
        return str(value)
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


def _runs(
    connection: psycopg.Connection, where: sql.Composable, values: Sequence[object], limit: int | None = None
) -> list[Run]:
    query = sql.SQL("SELECT {} FROM lorads.runs {} ORDER BY started_at DESC, run_id LIMIT {}").format(
        _COLUMNS, where, sql.Literal(limit)
    )
    return [_run(row) for row in connection.execute(query, list(values))]


def _run(row: Sequence[object]) -> Run:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    values["folder"], values["output"] = Path(values["folder"]), Path(values["output"])
    values["loras"] = tuple(values["loras"])
    return Run(**values)
