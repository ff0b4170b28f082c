"""The PostgreSQL server's log and its programs' output: the fault in it, with the detail and hint that explain it."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"(?:^|\s)(LOG|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|error|detail|hint): +(.*)")
_FAULTS = frozenset({"ERROR", "FATAL", "PANIC", "error"})
_ADDITIONS = frozenset({"DETAIL", "HINT", "detail", "hint"})
# Each line that is wrong in a configuration file is one of LOG; the FATAL after them only counts them
# (src/backend/utils/misc/guc-file.l).
_OF_CONFIGURATION = re.compile(r'configuration file ".*" contains errors')
_WRONG_SETTING = re.compile(
    r"invalid value|unrecognized configuration|parameter|syntax error|could not open|is outside"
)


class _Entry(NamedTuple):
    severity: str
    text: str
    additions: tuple[str, ...] = ()

    def __str__(self) -> str:
        added = "; ".join(addition.rstrip(".") for addition in self.additions)
        return f"{self.text.rstrip('.')} ({added})" if added else self.text.rstrip(".")


def last_fault(output: str) -> str:
    """Return the last fault with its detail and hint in parentheses, else the last line; empty if there is no line.

    What is wrong in a configuration file is quoted line by line: its own last word says only that there was something.
    """
    entries = _entries(output)
    faults = [entry for entry in entries if entry.severity in _FAULTS]
    if not faults:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return str(entries[-1]) if entries else (lines or [""])[-1].rstrip(".")
    last = faults[-1]
    if _OF_CONFIGURATION.search(last.text):
        wrong = [entry for entry in entries if entry.severity == "LOG" and _WRONG_SETTING.search(entry.text)]
        return "; ".join(dict.fromkeys(map(str, wrong))) or str(last)
    return str(last)


def _entries(output: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for line in output.splitlines():
        found = _LINE.search(line)
        if not found:
            continue
        severity, text = found[1], found[2].strip()
        if severity not in _ADDITIONS:
            entries.append(_Entry(severity, text))
        elif entries:
            entries[-1] = entries[-1]._replace(additions=(*entries[-1].additions, text))
    return entries
