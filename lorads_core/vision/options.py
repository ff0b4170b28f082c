"""A model's settings in ``lorads.toml`` validated as choices and integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..settings import Table


def choice(table: Table, key: str, default: str, known: Sequence[str]) -> str:
    """Return one of the words that are known.

    Raises:
        SettingsError: it is another one.
    """
    value = table.text(key, default)
    if value not in known:
        listed = ", ".join(word for word in known if word)
        raise SettingsError(f"{key_path(table, key)} is {value!r}; known are: {listed}.")
    return value


def integer(table: Table, key: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number within bounds, both of them allowed.

    Raises:
        SettingsError: it is outside, or has a fraction.
    """
    value = table.number(key, default, lowest, highest)
    if value != int(value):
        raise SettingsError(f"{key_path(table, key)} must be a whole number.")
    return int(value)


def key_path(table: Table, key: str) -> str:
    """Return where a setting stands."""
    return f"{table.source}: {table.where}{key}"
