"""The peak of graphics memory while a training is watched, sampled by nvidia-smi; without an NVIDIA card there is none.

A trainer's own PyTorch knows its peak better, but tells nobody outside. What its processes hold is read every other
second: PyTorch keeps what it has once taken, so that a short peak is seen later too.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ..system.nvidia import graphics_cards, held_memory

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERY = 2.0
"""Seconds between two samples."""
_RISE = 512  # MiB from which on a card is taken to be used by the training, where its processes are not listed


class Peak(NamedTuple):
    """The most graphics memory in MiB, 0 where none was seen; ``of_card`` is all that the card held for any program."""

    memory: int = 0
    of_card: bool = False


class MemoryWatch:
    """Samples in a thread, as nvidia-smi takes up to a second; it ends at once where no card answers.

    Of several cards the one counts that holds most. Where the driver does not list a trainer's processes (in a
    container) or what they hold (on Windows), all that the card holds counts instead, if there is just one card.
    """

    def __init__(self, former: Peak = Peak()) -> None:  # noqa: B008 - it cannot be changed
        self._processes: frozenset[int] = frozenset()
        self._of_processes = 0 if former.of_card else former.memory
        self._of_card = former.memory if former.of_card else 0
        self._before: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="graphics memory")

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Sample no more; the sample that is being taken is not waited for."""
        self._ended.set()

    def follow(self, processes: Iterable[int]) -> None:
        """Take these to be the training's processes from now on."""
        self._processes = frozenset(processes)

    @property
    def peak(self) -> Peak:
        """What was seen so far."""
        return Peak(self._of_processes) if self._of_processes else Peak(self._of_card, of_card=bool(self._of_card))

    def _run(self) -> None:
        cards = graphics_cards()
        if not cards:
            return
        self._before = cards[0].used if len(cards) == 1 else None
        while not self._ended.wait(EVERY):
            self._sample()

    def _sample(self) -> None:
        own = [each for each in held_memory() if each.process in self._processes]
        by_card: Counter[str] = Counter()
        for each in own:
            by_card[each.card] += each.memory or 0
        self._of_processes = max(self._of_processes, *by_card.values(), 0)
        if self._before is None or self._of_processes or not self._processes:
            return
        cards = graphics_cards()
        if len(cards) == 1 and (own or cards[0].used >= self._before + _RISE):
            self._of_card = max(self._of_card, cards[0].used)
