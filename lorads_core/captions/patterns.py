"""Regular expressions of users (the `regex` library): bounded in length, repeats, time and memory.

What a pattern costs is not seen by looking at it: recursion takes half a gigabyte on one caption, `a{1000000000}` all
memory there is while it is compiled, and repeats within repeats longer than the world lasts.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from math import prod
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..errors import CaptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

SECONDS = 2.0
"""How long a pattern may take over all captions."""
LONGEST = 1_000
"""Characters of a pattern."""
_MOST_REPEATS = 10_000  # of all counts multiplied, as they may be nested; the library takes so many in 0.1 s
_LONGEST_RESULT = 1_000_000  # characters of one caption; a template could make gigabytes of a long one

# An escaped character, or what is looked for: `(?R)`, `(?0)`, `(?1)`, `(?+1)`, `(?&name)`, `(?P>name)`.
_RECURSION = re.compile(r"\\.|(\(\?(?:R\)|[+-]?\d+\)|&|P>))", re.DOTALL)
_REPEATS = re.compile(r"\\.|\{\s*(\d*)\s*(?:,\s*(\d*))?\s*\}", re.DOTALL)


def substitution(pattern: str, replacement: str | Callable[[object], str], *, match_case: bool) -> Callable[[str], str]:
    """Return a function that replaces in texts what a pattern finds; all its calls together take `SECONDS` at most.

    The function raises CaptionError as this one does, when the time is up.

    Raises:
        CaptionError: the pattern is empty, malformed, or takes too much memory.
    """
    import regex  # noqa: PLC0415 - used by few

    if not pattern:
        raise CaptionError("There is nothing to find: write a text or a pattern.")
    ends = monotonic() + SECONDS
    with _explained(pattern):
        finder = regex.compile(pattern, 0 if match_case else regex.IGNORECASE)

    def replaced(text: str) -> str:
        with _explained(pattern):
            return finder.sub(_Bounded(replacement), text, timeout=max(1e-3, ends - monotonic()))

    return replaced


class _Bounded:
    """What replaces the matches of one text, as long as it stays within `_LONGEST_RESULT`."""

    def __init__(self, replacement: str | Callable[[object], str]) -> None:
        self._replacement = replacement
        self._size = 0

    def __call__(self, match: Any) -> str:  # noqa: ANN401 - regex.Match
        new: str = match.expand(self._replacement) if isinstance(self._replacement, str) else self._replacement(match)
        self._size += len(new)
        if self._size > _LONGEST_RESULT:
            raise MemoryError
        return new


@contextmanager
def _explained(pattern: str) -> Generator[None]:
    """Translate what the library raises into a CaptionError."""
    import regex  # noqa: PLC0415 - used by few

    shown = repr(pattern[:80])
    try:
        yield
    except TimeoutError as error:
        raise CaptionError(
            f"The pattern {shown} takes longer than {SECONDS:g} seconds: write it without repeats within repeats."
        ) from error
    except (MemoryError, RecursionError, OverflowError) as error:
        raise CaptionError(f"The pattern {shown} takes too much memory: write a simpler one.") from error
    except (regex.error, LookupError, ValueError) as error:
        raise CaptionError(f"The pattern {shown} or what replaces it is malformed: {error}.") from error


def check_pattern(pattern: str) -> None:
    """Refuse a pattern of a user that cannot be bounded.

    Raises:
        CaptionError: it is too long, calls itself, or repeats too often.
    """
    if len(pattern) > LONGEST:
        raise CaptionError(
            f"The pattern has {len(pattern):,} characters, {LONGEST:,} is the most: write a shorter one."
        )
    if any(found[1] for found in _RECURSION.finditer(pattern)):
        raise CaptionError(
            f"The pattern {pattern[:80]!r} calls itself or a group, such as (?R), which takes memory without end: write"
            " out what it repeats."
        )
    counts = [int(count) for found in _REPEATS.finditer(pattern) for count in found.groups() if count]
    if any(len(str(count)) > len(str(_MOST_REPEATS)) for count in counts) or prod(filter(None, counts)) > _MOST_REPEATS:
        raise CaptionError(
            f"The pattern {pattern[:80]!r} repeats too often: its counts multiplied must be at most {_MOST_REPEATS:,}."
        )
