"""Versions of trainers that LoRADS was tested with: their own parsers and data loaders read what it writes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATIENCE = 10  # seconds for git, on a sleepy drive


class Version(NamedTuple):
    """A commit of a trainer, its date, and the version that the trainer calls itself, empty for none."""

    commit: str
    date: str
    version: str = ""

    def __str__(self) -> str:
        """Return it as people would say it."""
        return f"{f'{self.version}, ' if self.version else ''}commit {self.commit} of {self.date}"


TESTED: Mapping[str, tuple[Version, ...]] = {
    "sd-scripts": (Version("48d368f", "2026-02-16", "v0.10.1"), Version("6721028", "2026-06-16", "v0.11.1")),
    "onetrainer": (Version("23df383", "2026-08-19", "config 11"),),
    "ai-toolkit": (Version("27a03a9", "2026-08-21", "0.12.26"),),
    "simpletuner": (Version("bc8e6ab", "2026-08-22", "4.8.0"),),
    "musubi-tuner": (Version("30c658c", "2026-06-24", "0.3.4"),),
}
"""By trainer, the oldest first; that of ComfyUI's nodes is in docs/trainers.md, as they are not installed apart."""


def found_version(home: Path) -> Version | None:
    """Return the commit of a trainer's folder; None where it is no clone, or git is not there."""
    words = ["git", "-C", str(home), "log", "-1", "--format=%h %cs", "--abbrev=7"]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        commit, date = ended.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Version(commit, date)


def compared(kind: str, home: Path) -> str:
    """Return which version of a trainer is installed and which were tested."""
    found, tested = found_version(home), TESTED[kind]
    listed = " and ".join(map(str, tested))
    if found is None:
        return f"of an unknown version (tested with {listed})"
    same = next((each for each in tested if each.commit[:7] == found.commit[:7]), None)
    return f"{same}, as tested" if same else f"{found} (tested with {listed})"
