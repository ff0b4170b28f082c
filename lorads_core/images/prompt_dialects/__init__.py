"""Prompt dialects: one module for each program that writes prompts into images, found by a scan of this folder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ...plugins import plugins

if TYPE_CHECKING:
    from .base import Dialect

PLAIN = "plain"
"""The dialect of prompts of which nobody knows what program they were written for."""


@cache
def dialects() -> dict[str, Dialect]:
    """Return every dialect by name, in the order in which they are tried."""
    found: list[Dialect] = plugins(__name__, __path__, "DIALECT")
    return {dialect.name: dialect for dialect in sorted(found, key=lambda dialect: dialect.rank)}


def dialect(name: str) -> Dialect:
    """Return the dialect called ``name``, that of unknown programs where there is none."""
    known = dialects()
    return known.get(name) or known[PLAIN]
