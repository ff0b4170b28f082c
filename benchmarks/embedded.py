"""How long the embedded store takes to start, and to attach to, beside PostgreSQL's own initdb and pg_ctl by hand."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lorads_core.store.binaries import Binaries, find_binaries, make_folders, server_account
from lorads_core.store.embedded import attach

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 5


def timed(work: Callable[[], object]) -> float:
    """Return how long one call took, in milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def ours(folder: Path) -> dict[str, float]:
    """Start in an empty folder, start in one with data, attach to a running server, stop."""
    attached = []
    times = {"cold start": timed(lambda: attached.append(attach(folder)))}
    times["attach"] = statistics.median(timed(lambda: attached.append(attach(folder))) for _ in range(9))
    for client in attached[1:]:
        client.close()
    times["stop"] = timed(attached[0].close)
    times["warm start"] = timed(lambda: attached.append(attach(folder)))
    attached[-1].close()
    return times


def by_hand(folder: Path, tools: Binaries) -> dict[str, float]:
    """Do the same with the bare programs and their defaults, which is what anybody would type."""
    make_folders(folder, tools.account)
    data = f"--pgdata={folder / 'data'}"
    where = f"--options=-c listen_addresses= -c unix_socket_directories={folder}"

    def run(program: str, *arguments: str) -> None:
        ended = tools.run(program, *arguments, data, cwd=folder)
        if ended.code:
            raise SystemExit(ended.output)

    def start() -> None:
        run("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", where)

    times = {"cold start": timed(lambda: (run("initdb"), start()))}
    times["stop"] = timed(lambda: run("pg_ctl", "stop", "--wait"))
    times["warm start"] = timed(start)
    run("pg_ctl", "stop", "--wait")
    return times


def main() -> None:
    """Print medians in milliseconds, and ours relative to by hand."""
    with tempfile.TemporaryDirectory(prefix="lorads-benchmark-") as name:
        root = Path(name).resolve()
        root.chmod(0o755)  # as root the server runs as another user
        tools = find_binaries(root, server_account())
        pairs = [(ours(root / f"ours{run}"), by_hand(root / f"hand{run}", tools)) for run in range(RUNS)]
    print(f"median of {RUNS}, ms   LoRADS   by hand   ratio")
    for what in ("cold start", "warm start", "attach", "stop"):
        mine = statistics.median(times[0][what] for times in pairs)
        line = f"{what:<17} {mine:8.1f}"
        if what in pairs[0][1]:
            theirs = statistics.median(times[1][what] for times in pairs)
            line += f"  {theirs:8.1f}  {mine / theirs:6.2f}"
        print(line)


if __name__ == "__main__":
    main()
