"""Problems as lines of text: the worst first, one line for each kind with two examples; counts with nouns."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from .model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .model import Problem

_RANK = {severity: rank for rank, severity in enumerate(get_args(Severity))}
EXAMPLES = 2
"""Problems of one kind that are listed, at most, so that a list stays readable."""


def problem_lines(problems: Iterable[Problem], most: int = EXAMPLES) -> list[tuple[Severity, str]]:
    """Return lines with their severity, all problems of a kind together.

    Where more than ``most`` say the same, they are one line with their number and the first few subjects; where they
    say different things, the first few are lines of their own and one says how many more there are.
    """
    kinds: dict[tuple[int, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((_RANK[problem.severity], problem.code), []).append(problem)
    lines: list[tuple[Severity, str]] = []
    for (_, code), of_kind in sorted(kinds.items(), key=lambda kind: kind[0][0]):
        severity: Severity = of_kind[0].severity
        lines.extend((severity, line) for line in _lines_of_kind(code, of_kind, most))
    return lines


def _lines_of_kind(code: str, problems: Sequence[Problem], most: int) -> Iterator[str]:
    if len(problems) <= most:
        yield from map(_line, problems)
    elif len(said := {_without_subject(problem) for problem in problems}) == 1:
        examples = ", ".join(problem.subject for problem in problems[:most])
        yield f"{len(problems):,} × {said.pop()} ({examples}, …)"
    else:
        yield from map(_line, problems[:most])
        yield f"… and {len(problems) - most:,} more of this kind ({code})"


def format_problems(problems: Iterable[Problem], most: int = EXAMPLES) -> str:
    """Return the lines as one text, each with its severity in front."""
    return "\n".join(f"{severity}: {line}" for severity, line in problem_lines(problems, most))


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Ask whether the nearest of some known words was meant, in any case; ``otherwise`` where none is near."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), by_lower, 1)
    if not near:
        return otherwise
    stem = _stem(word.lower(), near[0])
    return f"did you mean {by_lower[stem if stem in by_lower else near[0]]}?"


def _stem(word: str, near: str) -> str:
    """Return what stands before the last part of two names, where it is the same and the parts are not alike.

    ``hidream_i1`` is another model than ``hidream_o1``, and no wrong spelling of it; empty where there is no such part.
    """
    (stem, _, last), (near_stem, _, near_last) = word.rpartition("_"), near.rpartition("_")
    return stem if stem == near_stem and not get_close_matches(last, [near_last]) else ""


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


def _without_subject(problem: Problem) -> str:
    """Return what a problem says, without the file or name that it is about where that comes first."""
    text = problem.message.removeprefix(problem.subject).strip() if problem.subject else problem.message
    return text[:1].upper() + text[1:]
