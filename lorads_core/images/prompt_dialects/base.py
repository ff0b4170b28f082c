"""What a prompt dialect is: how a program's images are recognised, and how its prompts are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .parts import Part
    from .syntax import Syntax
    from .texts import Texts


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of an image as written, empty where none is known; ``source`` names the dialect.

    ``uncertain`` are texts that a graph may have used or not, which are not in ``positive``.
    """

    positive: str = ""
    negative: str = ""
    source: str = ""
    uncertain: tuple[Part, ...] = ()


NO_PROMPTS = Prompts()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program that writes prompts: ``read`` finds them, empty where the texts are not its own.

    Of dialects that find something in the same image that of the lowest ``rank`` counts.
    """

    name: str
    label: str
    rank: int
    read: Callable[[Texts], Prompts]
    syntax: Syntax
