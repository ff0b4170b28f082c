"""``lorads.toml``: stores, libraries and folders as named profiles; it reads the file and touches nothing it names."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from .errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_VARIABLE = "LORADS_SETTINGS"
EMBEDDED = "embedded"
DEFAULT_LIBRARY = "pictures"
LIBRARY_KINDS = ("index",)


@dataclass(frozen=True, slots=True)
class LibraryProfile:
    """A picture library by name; ``kind`` says which module of ``library/`` reads it."""

    name: str
    kind: str = "index"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the server's owner decides; nothing in it can be set from a workflow.

    ``dsn`` is None for the embedded store; it may hold a password and is kept out of ``repr``.
    """

    source: Path | None = None
    store: str = EMBEDDED
    dsn: str | None = field(default=None, repr=False)
    embedded_folder: Path | None = None
    libraries: tuple[LibraryProfile, ...] = (LibraryProfile(DEFAULT_LIBRARY),)
    picture_roots: tuple[Path, ...] = ()
    export_root: Path | None = None

    def library(self, name: str) -> LibraryProfile:
        """Return the profile called ``name``.

        Raises:
            SettingsError: there is none; the message names those there are.
        """
        for profile in self.libraries:
            if profile.name == name:
                return profile
        known = ", ".join(profile.name for profile in self.libraries)
        raise SettingsError(f"There is no library {name!r}; known are: {known}. Add [libraries.{name}] to lorads.toml.")

    def with_library(self, name: str) -> Settings:
        """Return the same settings with an index called ``name``, which may be there already."""
        others = tuple(profile for profile in self.libraries if profile.name != name)
        return replace(self, libraries=(*others, LibraryProfile(name)))


def settings_path() -> Path:
    """Return where ``lorads.toml`` is looked for: ``$LORADS_SETTINGS``, else the user's settings folder."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(os.path.expanduser(named))  # noqa: PTH111 - Path's own fails where the user is unknown
    from platformdirs import user_config_path  # noqa: PLC0415 - keeps `import lorads_core` light

    return user_config_path("lorads", appauthor=False) / "lorads.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read ``lorads.toml``; without one, the defaults: the embedded store and one library.

    Raises:
        SettingsError: the file named by hand is missing, is not TOML, or holds an unknown key or a wrong value.
    """
    wanted = path or settings_path()
    try:
        text = wanted.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path is None and not os.environ.get(ENVIRONMENT_VARIABLE):
            return Settings()
        raise SettingsError(f"There is no settings file {wanted}: make it, or unset {ENVIRONMENT_VARIABLE}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{wanted} cannot be read ({error}): mend its rights or its encoding (UTF-8).") from error
    try:
        return _parse(tomllib.loads(text), wanted)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{wanted} is not valid TOML: {error}. Write Windows paths in 'single quotes'.") from error


def _parse(data: Mapping[str, object], source: Path) -> Settings:
    _only(data, ("store", "stores", "embedded", "libraries", "roots"), source, "")
    store = _text(data, "store", source, "") or EMBEDDED
    embedded = _table(data, "embedded", source, "")
    _only(embedded, ("folder",), source, "embedded.")
    roots = _table(data, "roots", source, "")
    _only(roots, ("pictures", "exports"), source, "roots.")
    folder = _text(embedded, "folder", source, "embedded.")
    exports = _text(roots, "exports", source, "roots.")
    return Settings(
        source=source,
        store=store,
        dsn=_dsn(_table(data, "stores", source, ""), store, source),
        embedded_folder=_folder(folder, source) if folder else None,
        libraries=_libraries(_table(data, "libraries", source, ""), source),
        picture_roots=tuple(_folder(root, source) for root in _texts(roots, "pictures", source, "roots.")),
        export_root=_folder(exports, source) if exports else None,
    )


def _dsn(stores: Mapping[str, object], chosen: str, source: Path) -> str | None:
    for name in stores:
        _only(_table(stores, name, source, "stores."), ("dsn",), source, f"stores.{name}.")
    if chosen == EMBEDDED:
        return None
    if chosen not in stores:
        known = ", ".join([EMBEDDED, *stores])
        raise SettingsError(f"{source}: store = {chosen!r}, but there is no [stores.{chosen}]; known are: {known}.")
    dsn = _text(_table(stores, chosen, source, "stores."), "dsn", source, f"stores.{chosen}.")
    if not dsn:
        raise SettingsError(f"{source}: [stores.{chosen}] needs a dsn, e.g. dsn = 'postgresql://user@host/database'.")
    return dsn


def _libraries(tables: Mapping[str, object], source: Path) -> tuple[LibraryProfile, ...]:
    profiles = {DEFAULT_LIBRARY: LibraryProfile(DEFAULT_LIBRARY)}
    for name in tables:
        where = f"libraries.{name}."
        table = _table(tables, name, source, "libraries.")
        _only(table, ("kind",), source, where)
        kind = _text(table, "kind", source, where) or "index"
        if kind not in LIBRARY_KINDS:
            raise SettingsError(f"{source}: {where}kind = {kind!r} is none of: {', '.join(LIBRARY_KINDS)}.")
        profiles[name] = LibraryProfile(name, kind)
    return tuple(profiles.values())


def _folder(text: str, source: Path) -> Path:
    """Resolve a folder against the settings file, so that a settings file can travel with what it describes."""
    try:
        return (source.parent / Path(text).expanduser()).resolve()
    except RuntimeError as error:
        raise SettingsError(f"{source}: there is no user for the folder {text!r}: write it in full.") from error


def _only(table: Mapping[str, object], known: Sequence[str], source: Path, where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}."
            raise SettingsError(f"{source}: unknown key {where}{key}; {hint}")


def _table(table: Mapping[str, object], key: str, source: Path, where: str) -> Mapping[str, object]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise SettingsError(f"{source}: {where}{key} must be a table, [{where}{key}].")
    return cast("Mapping[str, object]", value)


def _text(table: Mapping[str, object], key: str, source: Path, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise SettingsError(f"{source}: {where}{key} must be text in quotes.")
    return value


def _texts(table: Mapping[str, object], key: str, source: Path, where: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise SettingsError(f'{source}: {where}{key} must be a list of texts, e.g. ["/data/pictures"].')
    return cast("list[str]", value)
