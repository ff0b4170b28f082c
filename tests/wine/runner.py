"""Test files run one by one by Windows' Python under wine, each with a time limit, and what came of every test."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

from .set_up import QUIET, ROOT, wine_program, wineserver

MARK = "LORADS_WINE_RUN"  # in the environment of all that a run starts, by which it is found again
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
        subprocess.run([wineserver(), "--persistent=60"], env=self.environment(), check=True)
        subprocess.run([wine_program(), "wineboot"], env=self.environment(), stdin=subprocess.DEVNULL, check=False)

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
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                process.kill()
        except psutil.Error:
            continue


@dataclass
class Result:
    """What came of the tests of a file: how many passed; those that failed or were skipped, with their reasons."""

    name: str
    passed: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""


def run_file(wine: Wine, name: str, seconds: float, words: tuple[str, ...] = ()) -> Result:
    """Run the tests of a file; one that is still going on at the end of the time counts as failed, those after it too."""
    results = wine.temporary / f"{uuid.uuid4().hex}.jsonl"
    begun = time.monotonic()
    ended = wine.python(
        *("-m", "pytest", "-p", "tests.wine.plugin", "-p", "no:cacheprovider", "--color=no", "--tb=short", "-rf"),
        *(f"--basetemp={windows_path(wine.temporary / results.stem)}", name, *words),
        seconds=seconds,
        LORADS_WINE_RESULTS=windows_path(results),
    )
    found = Result(name, seconds=time.monotonic() - begun, output=ended.output)
    outcomes: dict[str, dict[str, str]] = {}
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
        said = json.loads(line)
        if outcomes.get(said["test"], {}).get("outcome") != "failed":  # a fault while it is torn down stays one
            outcomes[said["test"]] = said
    for test, said in outcomes.items():
        match said["outcome"]:
            case "passed":
                found.passed += 1
            case "skipped":
                found.skipped[test] = said["reason"]
            case "begun":
                found.failed[test] = f"it did not end within the {seconds:.0f} s of its file"
            case _:
                found.failed[test] = "it failed"
    if ended.code is None and not any(said["outcome"] == "begun" for said in outcomes.values()):
        found.failed[name] = f"it did not end within {seconds:.0f} s"
    elif ended.code not in (0, 1, 5, None) and not found.failed:
        found.failed[name] = f"pytest ended with {ended.code}"
    return found
