"""Names of modules in a short notation: ``blocks.(0..27).(attn|mlp)`` stands for 56 names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
# How a processor's projections are called instead of the attention's own (diffusers before 0.22, attention processors).
_PROCESSOR = (".to_", ".processor.to_")


@dataclass(frozen=True, slots=True)
class Names:
    """Modules in the notation of `expand`, separated by spaces, and what stands before them in a LoRA's keys.

    A form that ends in ``_`` has underscores instead of dots, as kohya writes them. With ``processor`` the projections
    of attention are called as those of its processor (``attn1.processor.to_q``, ``attn1.processor.to_out``).
    """

    forms: tuple[str, ...]
    names: str
    processor: bool = False

    def keys(self) -> Iterator[str]:
        """Yield the keys that ComfyUI knows these modules by."""
        names = [_of_processor(name) for name in expand(self.names)] if self.processor else expand(self.names)
        for form in self.forms:
            for name in names:
                yield form + (name.replace(".", "_") if form.endswith("_") else name)


def _of_processor(name: str) -> str:
    return name.replace(*_PROCESSOR).replace(".processor.to_out.0", ".processor.to_out")


@lru_cache(maxsize=256)
def expand(text: str) -> tuple[str, ...]:
    """Return the names that a text in this notation stands for.

    Names are separated by spaces. ``(a|b)`` is one or the other, ``(0..3)`` a number from 0 to 3; they can be nested.
    """
    return tuple(name for pattern in text.split() for name in _expanded(pattern))


def _expanded(pattern: str) -> list[str]:
    begin = pattern.find("(")
    if begin < 0:
        return [pattern]
    end, alternatives = _alternatives(pattern, begin)
    heads = [name for each in alternatives for name in _alternative(each)]
    return [pattern[:begin] + head + rest for rest in _expanded(pattern[end:]) for head in heads]


def _alternative(text: str) -> list[str]:
    if match := _RANGE.fullmatch(text):
        return [str(number) for number in range(int(match[1]), int(match[2]) + 1)]
    return _expanded(text)


def _alternatives(pattern: str, begin: int) -> tuple[int, list[str]]:
    """Return where the bracket that opens at ``begin`` has ended, and the alternatives in it."""
    found: list[str] = []
    depth, last = 0, begin + 1
    for place in range(begin, len(pattern)):
        letter = pattern[place]
        depth += (letter == "(") - (letter == ")")
        if (letter == "|" and depth == 1) or not depth:
            found.append(pattern[last:place])
            last = place + 1
        if not depth:
            return last, found
    raise ValueError(pattern)  # a row of ours is wrong
