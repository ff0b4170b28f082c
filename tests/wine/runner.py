"""Test files run one by one by Windows' Python under wine, each with a time limit, and what came of every test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import psutil

from .set_up import QUIET, ROOT, wine_program, wineserver

if TYPE_CHECKING:
    from pathlib import Path

MARK = "LORADS_WINE_RUN"  # in the environment of all that a run starts, by which it is found again
TEST_SECONDS = 300  # for one test; a connection to PostgreSQL takes a second under wine
NOTHING_TO_RUN = 5  # pytest's exit code
MAKE_STORE = """
import sys
from pathlib import Path
import psycopg
from lorads_core.store.embedded import attach
with attach(Path(sys.argv[1])) as client, psycopg.connect(client.conninfo, autocommit=True) as connection:
    connection.execute("ALTER SYSTEM SET fsync = off")
"""
AFTERWARDS = 5.0  # seconds for the pipe of a program that has ended


class Ended(NamedTuple):
    """How a program ended, None where it was ended by us, and what it printed."""

    code: int | None
    output: str


@dataclass(frozen=True)
class Wine:
    """Windows' Python in a folder that was set up, with a temporary folder for one run."""

    folder: Path
    temporary: Path

    def start(self) -> None:
        """Start what all programs share, so that it does not end with the first of them."""
        subprocess.run([wineserver(), "--persistent=60"], env=self.environment(), check=False)  # it may run
        subprocess.run([wine_program(), "wineboot"], env=self.environment(), stdin=subprocess.DEVNULL, check=False)

    def make_store(self) -> None:
        """Make an embedded store, of which each file gets a copy; without fsync, which guards nothing here."""
        ended = self.python("-c", MAKE_STORE, windows_path(self.temporary / "ready"), seconds=600)
        if ended.code:
            shutil.rmtree(self.temporary / "ready", ignore_errors=True)
            print(f"== wine: no embedded store could be made beforehand:\n{ended.output}", flush=True)

    def copy_of_store(self, target: Path) -> dict[str, str]:
        """Return the environment that names a copy of that store."""
        if not (self.temporary / "ready").is_dir():
            return {}
        shutil.copytree(self.temporary / "ready", target)
        return {"LORADS_TEST_STORE": windows_path(target)}

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a program: nothing of this system's Python, our settings, quiet."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WINE", "PYTEST"))}
        ours = {
            "WINEPREFIX": str(self.folder / "prefix"),
            "PYTHONPATH": windows_path(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LORADS_WINE_TEMP": windows_path(self.temporary),
            "LORADS_SETTINGS": windows_path(self.temporary / "lorads.toml"),
        }
        return {**kept, **QUIET, **ours, **more}

    def python(self, *words: str, seconds: float, **environment: str) -> Ended:
        """Run Windows' Python in the checkout; whatever it has started ends with it, or with its time."""
        mark = uuid.uuid4().hex
        with subprocess.Popen(
            [str(wine_program()), str(self.folder / "py" / "python.exe"), *words],
            cwd=ROOT,
            env=self.environment(**environment, **{MARK: mark}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # wine gives its programs no handle for a file
            stderr=subprocess.STDOUT,
        ) as process:
            chunks: list[bytes] = []
            reader = threading.Thread(target=lambda: chunks.extend(process.stdout or ()), daemon=True)
            reader.start()
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            end_marked(mark)
            reader.join(AFTERWARDS)
        return Ended(code, b"".join(chunks).decode(errors="replace"))


def windows_path(path: Path) -> str:
    """Return how Windows' programs name a file of this system: wine's drive Z is its root."""
    return "Z:" + str(path).replace("/", "\\")


def end_marked(mark: str) -> None:
    """End all processes of a run."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(MARK) == mark:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@dataclass
class Result:
    """What came of the tests of a file: how many passed; those that failed or were skipped, with their reasons."""

    name: str
    passed: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""

    def note(self, test: str, outcome: str, reason: str = "") -> None:
        """Count a test."""
        if outcome == "passed":
            self.passed += 1
        elif outcome == "skipped":
            self.skipped[test] = reason
        else:
            self.failed[test] = "it did not end in time" if outcome == "begun" else "it failed"


def run_file(wine: Wine, name: str, seconds: float, words: tuple[str, ...] = ()) -> Result:
    """Run the tests of a file. One that hangs ends pytest, which is started again for those that come after it."""
    found = Result(name)
    results = wine.temporary / f"{uuid.uuid4().hex}.jsonl"
    outcomes: dict[str, tuple[str, str]] = {}
    begun = time.monotonic()
    while True:
        ended = run_pytest(wine, name, results, words, seconds - (time.monotonic() - begun))
        found.output += ended.output
        before, outcomes = hanging(outcomes), read_outcomes(results)
        if ended.code is None or hanging(outcomes) == before:
            break
    for test, (outcome, reason) in outcomes.items():
        found.note(test, outcome, reason)
    if ended.code is None:
        found.failed[name] = f"it did not end within {seconds:.0f} s; what comes after that is unknown"
    elif not outcomes:
        found.failed[name] = f"no test was run; pytest ended with {ended.code}"
    elif ended.code and not found.failed and ended.code != NOTHING_TO_RUN:
        found.failed[name] = f"pytest ended with {ended.code}"
    found.seconds = time.monotonic() - begun
    return found


def run_pytest(wine: Wine, name: str, results: Path, words: tuple[str, ...], seconds: float) -> Ended:
    """Run those tests of a file of which ``results`` has nothing yet."""
    store = results.with_name(f"{results.stem}-store")
    try:
        return wine.python(
            *("-m", "pytest", "-p", "tests.wine.plugin", "-p", "no:cacheprovider", "--color=no", "--tb=short", "-rf"),
            *("-o", f"faulthandler_timeout={TEST_SECONDS}", "-o", "faulthandler_exit_on_timeout=true"),
            *(f"--basetemp={windows_path(results.with_suffix(''))}", name, *words),
            seconds=max(seconds, 1),
            LORADS_WINE_RESULTS=windows_path(results),
            **wine.copy_of_store(store),
        )
    finally:
        shutil.rmtree(store, ignore_errors=True)


def hanging(outcomes: dict[str, tuple[str, str]]) -> list[str]:
    """Return the tests that have begun and have not ended."""
    return [test for test, (outcome, _) in outcomes.items() if outcome == "begun"]


def read_outcomes(results: Path) -> dict[str, tuple[str, str]]:
    """Return how each test ended, and why it was skipped; ``begun`` where it did not end."""
    outcomes: dict[str, tuple[str, str]] = {}
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
        said = json.loads(line)
        if outcomes.get(said["test"], ("",))[0] != "failed":  # a fault while it is torn down stays one
            outcomes[said["test"]] = said["outcome"], said.get("reason", "")
    return outcomes
