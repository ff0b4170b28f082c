"""The part of the runner that lives in pytest under wine: temporary folders, known differences, results on the disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.wine.differences import reason_for

RESULTS = Path(os.environ["LORADS_WINE_RESULTS"])
_results = RESULTS.open("a", encoding="utf-8", newline="\n", buffering=1)  # now: a test may put its own open in place


def pytest_collection_modifyitems(items):
    """Leave out what an earlier pytest has run, before a test ended it; skip what wine does otherwise than Windows."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    known = {json.loads(line)["test"] for line in lines}
    items[:] = [item for item in items if item.nodeid not in known]
    for item in items:
        reason = reason_for(item.nodeid)
        if reason:
            item.add_marker(pytest.mark.skip(reason=f"wine: {reason}"))


def pytest_runtest_logstart(nodeid):
    """Write down what is begun, so that a test that never ends is known."""
    write(test=nodeid, outcome="begun")


def pytest_runtest_logreport(report):
    """Write down how a test ended."""
    if report.when == "call" or report.outcome != "passed":
        reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        write(test=report.nodeid, outcome=report.outcome, reason=reason.removeprefix("Skipped: "))


def pytest_collectreport(report):
    """Write down a file that cannot be read, or skips as a whole."""
    if report.outcome != "passed":
        reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        write(test=report.nodeid, outcome=report.outcome, reason=reason.removeprefix("Skipped: "))


def write(**values):
    """Append a line; each is in the file before the next test begins."""
    _results.write(json.dumps(values) + "\n")
