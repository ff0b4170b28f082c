"""Repairs of what killed programs left behind (`lorads doctor --fix`): a hanging store, stale runs, half exports.

Each is found and made by the module that owns it: `store.leftovers`, `export.unfinished`, `runs.state`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LoradsError
from ..export.unfinished import clear_unfinished, unfinished_exports
from ..runs.state import is_stale, refresh_run
from ..store import leftovers
from ..store import runs as kept
from ..store.embedded import find_cluster
from ..system.files import file_error_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..export.layout import ExportFolders
    from ..model import Run
    from ..settings import Settings
    from ..store.connect import Store
    from ..store.postmaster import Cluster, Postmaster


@dataclass(frozen=True, slots=True)
class Repair:
    """Something to repair: what it is, what is wrong with it, and what repairs it and says what it did.

    ``blocks_store`` is True where the store cannot be opened before.
    """

    what: str
    found: str
    make: Callable[[], str]
    blocks_store: bool = False

    def made(self) -> tuple[bool, str]:
        """Make the repair; return whether it succeeded, and what was done or why it was not."""
        try:
            return True, self.make()
        except LoradsError as error:
            return False, str(error)
        except OSError as error:
            return False, f"{error.filename}: {file_error_reason(error)}."


def of_store(settings: Settings) -> Iterator[Repair]:
    """Yield the repairs of the embedded store's folder; a store of its own is for its own administrator."""
    cluster = find_cluster(settings.embedded_folder) if settings.dsn is None else None
    if cluster is None:
        return
    server = leftovers.hanging_server(cluster)
    if server:
        found = f"its server (process {server.pid}) is {server.status}, takes no connections and does not end"
        yield Repair("embedded store", found, lambda: _end(cluster, server), blocks_store=True)
    for what, paths in (("client file", leftovers.dead_clients(cluster)), ("draft", leftovers.drafts(cluster))):
        if paths:
            found = f"{_counted(len(paths), what)} of programs that were killed in {cluster.folder}"
            yield Repair("embedded store", found, _removal(cluster, paths, what))


def _end(cluster: Cluster, server: Postmaster) -> str:
    if leftovers.end_server(cluster, server):
        return f"ended its server (process {server.pid}); the next start recovers all that was saved"
    raise LoradsError(f"its server (process {server.pid}) could not be ended: end that process yourself")


def _removal(cluster: Cluster, paths: list[Path], what: str) -> Callable[[], str]:
    return lambda: f"removed {_counted(leftovers.remove(cluster, paths), what)} from {cluster.folder}"


def of_exports(settings: Settings) -> Iterator[Repair]:
    """Yield the exports in the usual folder that were cut off."""
    for place in unfinished_exports(settings.command_exports):
        found = f"{place.final} was cut off while it was written; the same export goes on where it stopped"
        yield Repair("export", found, _clearing(place))


def _clearing(place: ExportFolders) -> Callable[[], str]:
    def clear() -> str:
        before = place.final.exists()
        left = clear_unfinished(place)
        done = f"removed what was written of {place.final} when it was cut off"
        if place.final.exists() and not before:
            done = f"put the older version of {place.final} back, and {done}"
        return " ".join([f"{done}.", *(problem.message for problem in left)])

    return clear


def of_runs(store: Store) -> Iterator[Repair]:
    """Yield the runs that count as going on though nobody watches them.

    Raises:
        StoreError: the store cannot be read.
    """
    with store.connection() as connection:
        runs = [run for run in kept.live_runs(connection) if is_stale(run)]
    for run in runs:
        yield Repair("run", f"{run.name} ({run.id}) counts as {run.state}, and nothing watches it", _look(store, run))


def _look(store: Store, run: Run) -> Callable[[], str]:
    def look() -> str:
        with store.connection() as connection:
            now = refresh_run(connection, run)
        return f"{now.name} ({now.id}) {now.state_clause}{f': {now.message}' if now.message else ''}"

    return look


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
