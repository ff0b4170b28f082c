"""Tally of an attack: how many rounds were tried, survived, lost something or got stuck, and why."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STUCK = 3  # after so many an attack gives up: each takes minutes
MISSES = 4  # times as many rounds as are wanted are begun: a kill that comes too early or too late is no round
TRACEBACK = "Traceback (most recent call last)"


class LostError(Exception):
    """Something that was saved is gone, or wrong."""


class StuckError(Exception):
    """Something does not end, or does not come back."""


@dataclass
class Tally:
    """The row of an attack in the table."""

    name: str
    wanted: int
    deadline: float = math.inf
    """When no further round is begun, by time.monotonic()."""
    tried: int = 0
    survived: int = 0
    lost: int = 0
    stuck: int = 0
    tracebacks: int = 0
    why: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def failed(self) -> bool:
        """Whether the product has failed, or the attack could not be finished."""
        return bool(self.lost or self.stuck or self.tracebacks) or self.tried < self.wanted

    def survive(self, rounds: int = 1) -> None:
        """Count rounds after which all is as it should be."""
        self.tried += rounds
        self.survived += rounds

    def fail(self, label: str, error: Exception) -> None:
        """Count a round that lost something, or got stuck."""
        self.tried += 1
        if isinstance(error, StuckError):
            self.stuck += 1
        else:
            self.lost += 1
        self.why.append(f"{label}: {error}" if isinstance(error, LostError | StuckError) else f"{label}: {error!r}")

    def crash(self, label: str, text: str) -> None:
        """Count a round that ended in an exception of which no sentence was made."""
        self.tried += 1
        self.tracebacks += 1
        self.why.append(f"{label}: {text}")

    def read(self, label: str, text: str) -> None:
        """Look for tracebacks in what a program has printed."""
        with self._lock:
            if found := text.count(TRACEBACK):
                self.tracebacks += found
                self.why.append(f"{label}: a traceback that ends with {text.strip().splitlines()[-1][:200]}")

    def check(self, label: str, check: Callable[[], None]) -> None:
        """Look once at the end; what is wrong then is one more loss, not a round."""
        try:
            check()
        except (LostError, StuckError) as error:
            self.fail(label, error)
            self.tried -= 1

    def repeat(self, one: Callable[[int], bool]) -> None:
        """Attack until enough rounds have hit; ``one`` takes the round's number and returns whether its kill did."""
        for number in range(self.wanted * MISSES):
            if self.tried >= self.wanted or self.stuck >= MOST_STUCK or time.monotonic() > self.deadline:
                break
            try:
                hit = one(number)
            except (LostError, StuckError) as error:
                self.fail(f"round {number}", error)
            else:
                if hit:
                    self.survive()
        if self.tried < self.wanted:
            self.notes.append(f"only {self.tried} of {self.wanted} rounds: the time was over, or kills missed")
