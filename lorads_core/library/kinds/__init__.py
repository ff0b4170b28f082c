"""The kinds of library, one module each, found by a scan of this folder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...plugins import plugins

if TYPE_CHECKING:
    from ...settings import LibraryProfile
    from ...store.connect import Store
    from .. import Library, LibraryKind


@cache
def kinds() -> dict[str, LibraryKind]:
    """Return every kind of library by name."""
    found: list[LibraryKind] = plugins(__name__, __path__, "KIND")
    return {kind.name: kind for kind in found}


def open_library(store: Store, profile: LibraryProfile) -> Library:
    """Return the library of a profile.

    Raises:
        SettingsError: there is no such kind, or one of its options is wrong.
    """
    known = kinds()
    if profile.kind not in known:
        options = profile.options
        raise SettingsError(f"{options.source}: {options.where}kind = {profile.kind!r} is none of: {', '.join(known)}.")
    return known[profile.kind].open(store, profile)
