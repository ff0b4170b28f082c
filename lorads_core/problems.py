"""Problems as lines of text: the worst first, those of one kind together, of many the first few; counts with nouns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, get_args

from .model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Problem

_RANK = {severity: rank for rank, severity in enumerate(get_args(Severity))}
MAX_PER_KIND = 8
"""Problems of one kind that are listed in full, at most, so that a list stays readable."""


def problem_lines(problems: Iterable[Problem], most: int = MAX_PER_KIND) -> list[tuple[Severity, str]]:
    """Return lines with their severity; of each kind at most ``most``, then how many more there are."""
    kinds: dict[tuple[int, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((_RANK[problem.severity], problem.code), []).append(problem)
    lines: list[tuple[Severity, str]] = []
    for (_, code), of_kind in sorted(kinds.items(), key=lambda kind: kind[0][0]):
        severity: Severity = of_kind[0].severity
        lines.extend((severity, _line(problem)) for problem in of_kind[:most])
        if len(of_kind) > most:
            lines.append((severity, f"… and {len(of_kind) - most:,} more of this kind ({code})"))
    return lines


def format_problems(problems: Iterable[Problem], most: int = MAX_PER_KIND) -> str:
    """Return the lines as one text, each with its severity in front."""
    return "\n".join(f"{severity}: {line}" for severity, line in problem_lines(problems, most))


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun in singular or plural, e.g. ``1 image``, ``1,200 images``.

    ``many`` is the plural where an s does not make it, such as ``images are`` for ``image is``.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def severity_counts(problems: Iterable[Problem]) -> str:
    """Return how many there are of each severity, e.g. ``2 errors, 1 warning``; empty where there are none."""
    found = Counter(problem.severity for problem in problems)
    words = {"error": "error", "warning": "warning", "info": "note"}
    return ", ".join(counted(found[each], words[each]) for each in _RANK if found[each])


def _line(problem: Problem) -> str:
    named = problem.subject and problem.subject not in problem.message
    return f"{problem.subject}: {problem.message}" if named else problem.message
