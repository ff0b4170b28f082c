"""Processes of commands, forked by a fork server: what their attacker sees of them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAUSE = 0.01


class Process:
    """A process of a command."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        """Its exit code, a signal's number below zero, as of subprocess; None while it runs."""
        self.seconds = 0.0
        """The processor time that it took with all that it waited for, once it has ended."""
        self.ended = threading.Event()

    @property
    def used(self) -> float:
        """The processor time that it has taken so far; unlike the clock it does not depend on what else runs."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return self.seconds
        return times.user + times.system

    def wait_for_use(self, seconds: float) -> None:
        """Wait until it has taken so much processor time, or has ended."""
        while not self.ended.is_set() and self.used < seconds:
            time.sleep(PAUSE)

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if not self.ended.is_set():
            os.kill(self.pid, number)


class ForkServer:
    """A running fork server, and the processes that it has forked."""

    def __init__(self, root: Path) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.fork_server"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes: dict[int, Process] = {}
        self._started: queue.Queue[Process] = queue.Queue()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self, argv: list[str], environment: Mapping[str, str], cwd: Path, output: Path, largest_file: int
    ) -> Process:
        """Start a command."""
        order = {"argv": argv, "environment": dict(environment), "cwd": str(cwd), "output": str(output)}
        with self._lock:
            self._server.stdin.write(json.dumps({**order, "largest_file": largest_file}) + "\n")
            self._server.stdin.flush()
            return self._started.get(timeout=600)

    def _listen(self) -> None:
        for line in self._server.stdout:
            what, pid, *rest = line.split()
            if what == "started":
                self._processes[int(pid)] = Process(int(pid))
                self._started.put(self._processes[int(pid)])
            else:
                process = self._processes.pop(int(pid))
                process.code, process.seconds = int(rest[0]), float(rest[1])
                process.ended.set()

    def close(self) -> None:
        """End it."""
        self._server.stdin.close()
        self._server.wait(60)
