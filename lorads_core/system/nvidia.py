"""NVIDIA's graphics cards and the memory that processes hold of them, as the driver's own ``nvidia-smi`` says.

Without such a card, its driver or that program there is nothing to be said, which is no error: all functions then
return nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import NamedTuple

PROGRAM = "nvidia-smi"
_PATIENCE = 10.0  # seconds; a driver that starts up for it takes one or two
_MIB_PER_GB = 1024


class GraphicsCard(NamedTuple):
    """A card: ``memory`` and ``used`` are MiB, all of it and what all programs hold together."""

    id: str
    name: str
    memory: int
    used: int

    @property
    def gigabytes(self) -> int:
        """Its memory as it is sold: a card of 24 GB has 24,564 MiB."""
        return round(self.memory / _MIB_PER_GB)


class Held(NamedTuple):
    """Memory of a card that a process holds, in MiB; None where the driver does not tell (Windows' WDDM)."""

    card: str
    process: int
    memory: int | None


def graphics_cards() -> list[GraphicsCard]:
    """Return the cards of this machine in the driver's order."""
    rows = _query("--query-gpu=uuid,name,memory.total,memory.used", 4)
    return [
        GraphicsCard(card, name, int(memory), int(used))
        for card, name, memory, used in rows
        if memory.isdigit() and used.isdigit()
    ]


def held_memory() -> list[Held]:
    """Return what each process that computes on a card holds of it."""
    rows = _query("--query-compute-apps=gpu_uuid,pid,used_gpu_memory", 3)
    return [
        Held(card, int(process), int(memory) if memory.isdigit() else None)
        for card, process, memory in rows
        if process.isdigit()
    ]


def _query(what: str, columns: int) -> list[list[str]]:
    """Return the rows of a query, without those that are cut off."""
    program = shutil.which(PROGRAM)
    if program is None:
        return []
    try:
        answered = subprocess.run(
            [program, what, "--format=csv,noheader,nounits"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answered.returncode:
        return []
    lines = answered.stdout.decode(errors="replace").splitlines()
    rows = [[each.strip() for each in line.split(",")] for line in lines]
    return [row for row in rows if len(row) == columns]
