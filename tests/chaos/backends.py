"""Kills of a lone backend, as of the out-of-memory killer, whose client leaves at once: the store comes back."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from .tally import LostError, StuckError
from .world import PATIENCE

if TYPE_CHECKING:
    from .tally import Tally
    from .world import World

CLIENT = """
import os, signal, sys
from pathlib import Path
import psycopg
from lorads_core.store.embedded import attach
attached = attach(Path(sys.argv[1]))
connection = psycopg.connect(attached.conninfo)
connection.execute("CREATE TABLE IF NOT EXISTS rounds (number integer)")
connection.execute("INSERT INTO rounds VALUES (%s)", [int(sys.argv[2])])
connection.commit()
print(sorted(number for number, in connection.execute("SELECT number FROM rounds")))
os.kill(connection.info.backend_pid, signal.SIGKILL)
attached.close()
"""


def attack(world: World, tally: Tally) -> None:
    """Write a row, kill the backend and leave; the next client must find all rows."""

    def one(number: int) -> bool:
        found = visit(world, number)
        if found != str(list(range(number + 1))):
            raise LostError(f"rows are missing: there are {found}")
        world.ended_store()
        return True

    tally.repeat(one)


def visit(world: World, number: int) -> str:
    """Be a client; return what it printed."""
    command = [sys.executable, "-c", CLIENT, str(world.home), str(number)]
    try:
        ended = subprocess.run(
            command, env=world.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise StuckError(f"a client did not leave within {PATIENCE:.0f} s") from None
    world.tally.read("client", ended.stderr)
    if ended.returncode:
        raise LostError(f"a client ended with {ended.returncode}: {ended.stderr[-300:]!r}")
    return ended.stdout.strip()
