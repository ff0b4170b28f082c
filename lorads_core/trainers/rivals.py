"""Options that say the same in other words, or contradict each other: of two of them the one that is said last counts.

Without that, what a table sets for a graphics card would contradict what a person says, who never named its option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Rivals(NamedTuple):
    """Two options of which one counts: in all trainers or one, and where both are set or whatever they are set to."""

    one: str
    other: str
    trainer: str = ""
    if_on: bool = False


_RIVALS = (
    _Rivals("fp8_base", "base_precision"),
    _Rivals("blocks_to_swap", "layer_offload"),
    # Its ``assert_extra_args`` and ``cpu_offload_checkpointing``: either blocks or activations wait in RAM.
    _Rivals("blocks_to_swap", "activation_offload", "sd-scripts", if_on=True),
    _Rivals("layer_offload", "activation_offload", "sd-scripts", if_on=True),
)


def over(values: Mapping[str, Any], said: Mapping[str, Any], trainer: str) -> dict[str, Any]:
    """Return options with those that are ``said`` over them: None for what would contradict these, as it is unset."""
    return {**values, **dict.fromkeys(_unsaid(said, trainer)), **said}


def _unsaid(said: Mapping[str, Any], trainer: str) -> list[str]:
    """Return the options whose rival is said, and which are not said themselves."""
    found: list[str] = []
    for each in _RIVALS:
        for name, rival in ((each.one, each.other), (each.other, each.one)):
            counts = said.get(rival) if each.if_on else said.get(rival) is not None
            if counts and name not in said and each.trainer in ("", trainer):
                found.append(name)
    return found
