"""Values of a config file by type: what is of another type or unknown is noted once, and the default is used."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from ...model import Problem
from ...problems import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_MOST_NAMED = 8  # unknown keys in a sentence


class Notes:
    """What was not understood in a config of the trainer called ``label``: values of a wrong type, unknown keys."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._wrong: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._more: list[Problem] = []

    def wrong(self, key: str, value: object, wanted: str) -> None:
        """Note a value of a wrong type."""
        self._wrong[f"{key:.60} is {_shown(value)}, not {wanted}"] += 1

    def unknown(self, values: Mapping[str, object], known: Collection[str]) -> None:
        """Note the keys that are not ``known``."""
        self._unknown.update(str(key)[:60] for key in values if key not in known)

    def add(self, problem: Problem) -> None:
        """Note anything else, once."""
        if problem not in self._more:
            self._more.append(problem)

    def problems(self) -> tuple[Problem, ...]:
        """Return all notes, a problem for each kind."""
        found = list(self._more)
        for sentence, count in self._wrong.most_common(_MOST_NAMED):
            times = f" ({count:,} times)" if count > 1 else ""
            message = f"{sentence}{times}: {self._label} would stop at it or take it for something else. Correct it."
            found.append(Problem("error", "wrong-type", message))
        if self._unknown:
            names = ", ".join(sorted(self._unknown)[:_MOST_NAMED])
            more = ", …" if len(self._unknown) > _MOST_NAMED else ""
            what = counted(len(self._unknown), "setting is", "settings are")
            message = f"{what} not taken into account: {names}{more}."
            found.append(Problem("info", "not-understood", message))
        return tuple(found)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return repr(value)[:60]


class Values:
    """A table of a config, with readers that note what is of another type."""

    def __init__(self, values: object, notes: Notes) -> None:
        self.all: Mapping[str, Any] = cast("Mapping[str, Any]", values) if isinstance(values, dict) else {}
        self._notes = notes
        if not isinstance(values, dict):
            notes.wrong("a table", values, "one")

    def __contains__(self, key: str) -> bool:
        """Whether a key is set to anything."""
        return self.all.get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        value = self.all.get(key)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self._notes.wrong(key, value, "a text")
        return default

    def number(self, key: str, default: float = 0) -> float:
        """Return a finite number."""
        value = self.all.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:  # noqa: PLR2004 - not inf
            return value
        if value is not None:
            self._notes.wrong(key, value, "a number")
        return default

    def whole(self, key: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self.number(key, default)
        if value != math.floor(value):
            self._notes.wrong(key, value, "a whole number")
            return default
        return int(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self.all.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._notes.wrong(key, value, "true or false")
        return default

    def table(self, key: str) -> Values:
        """Return a table, empty where it is not set."""
        return Values(self.all.get(key) or {}, self._notes)

    def tables(self, key: str) -> Iterator[Values]:
        """Yield the tables of a list."""
        value = self.all.get(key)
        if isinstance(value, list):
            for each in cast("list[object]", value):
                yield Values(each, self._notes)
        elif value is not None:
            self._notes.wrong(key, value, "a list of tables")

    def sides(self, key: str) -> tuple[int, ...]:
        """Return resolutions as sides of a square: written as a number, ``1024,1024``, or a list of numbers."""
        value: object = self.all.get(key)
        given: list[object] = []
        if isinstance(value, str):
            given = list(value.split(","))
        elif isinstance(value, int | float):
            given = [value]
        elif isinstance(value, list):
            given = cast("list[object]", value)[:64]
        numbers = [side for side in map(_side, given) if side]
        if value is not None and not numbers:
            self._notes.wrong(key, cast("object", value), "a resolution")
        return tuple(numbers)


def _side(value: object) -> int:
    """Return a side in pixels, 0 where it is none."""
    text = str(value).strip()
    try:
        side = round(float(text))
    except (ValueError, OverflowError):
        return 0
    return side if 1 <= side <= 16384 else 0  # noqa: PLR2004 - the longest side that any training option takes
