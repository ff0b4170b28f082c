"""``lorads.toml``: stores, libraries and folders as named profiles; it reads the file and touches nothing it names."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Protocol, TypeVar, cast

from .base_models import BASE_MODELS, BaseModel, set_custom_base_models
from .errors import SettingsError
from .problems import did_you_mean
from .system.files import read_text
from .system.names import true_path
from .system.person import user_and_machine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_VARIABLE = "LORADS_SETTINGS"
EMBEDDED = "embedded"
DEFAULT_LIBRARY = "pictures"
_LONGEST_OWNER = 100  # characters; it is shown in front of the names of datasets
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the settings file that knows where it stands, so that a wrong value is refused by its place.

    ``where`` is its full name with a dot behind it, empty for the file itself. Values may hold passwords: no ``repr``.
    """

    values: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    where: str = ""
    source: Path = Path("lorads.toml")

    def only(self, *known: str) -> Table:
        """Return the table itself.

        Raises:
            SettingsError: it has a key that is not among these.
        """
        for key in self.values:
            if key not in known:
                hint = did_you_mean(key, known, f"known are: {', '.join(known)}.")
                raise SettingsError(f"{self.source}: unknown key {self.where}{key}; {hint}")
        return self

    def table(self, key: str) -> Table:
        """Return the table called ``key``, empty where there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise SettingsError(f"{self._name(key)} must be a table, [{self.where}{key}].")
        return Table(cast("Mapping[str, object]", value), f"{self.where}{key}.", self.source)

    def tables(self) -> dict[str, Table]:
        """Return all that is in it as tables, by name."""
        return {name: self.table(name) for name in self.values}

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise SettingsError(f"{self._name(key)} must be text in quotes.")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
            raise SettingsError(f'{self._name(key)} must be a list of texts, e.g. ["/data/pictures"].')
        return cast("list[str]", value)

    def number(self, key: str, default: float, lowest: float, highest: float) -> float:
        """Return a number within bounds, both of them allowed."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
            raise SettingsError(f"{self._name(key)} must be a number from {lowest:g} to {highest:g}.")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false, the default where it is not there."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise SettingsError(f"{self._name(key)} must be true or false.")
        return value

    def path(self, key: str) -> Path | None:
        """Return a path, None where there is none.

        It is resolved against the settings file, so that a settings file can travel with what it describes.
        """
        text = self.text(key)
        return self.resolve(text) if text else None

    def resolve(self, text: str) -> Path:
        """Return a path of this file in full."""
        path = PureWindowsPath(text)
        if sys.platform == "win32" and path.drive.endswith(":") and not path.root:
            raise SettingsError(f"{self.source}: {text!r} lacks a backslash behind its drive: write e.g. 'D:\\Images'.")
        try:
            found = Path(text).expanduser()
        except RuntimeError as error:
            raise SettingsError(
                f"{self.source}: there is no user for the folder {text!r}: write it in full."
            ) from error
        try:
            return true_path(self.source.parent / found)
        except (OSError, RuntimeError, ValueError) as error:  # a device of Windows, a pipe, a NUL character
            raise SettingsError(f"{self.source}: {text!r} is not a path of a file or folder ({error}).") from error

    def _name(self, key: str) -> str:
        return f"{self.source}: {self.where}{key}"


@dataclass(frozen=True, slots=True)
class LibraryProfile:
    """An image library by name; ``kind`` says which module of ``library/kinds`` reads it, ``options`` are for that.

    ``others`` are the other libraries of the same settings, for a kind that builds on one of them.
    """

    name: str
    kind: str = "index"
    options: Table = field(default_factory=Table)
    others: tuple[LibraryProfile, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbedderProfile:
    """An image encoder by name, with what `vision.encoders` wants to know of it."""

    name: str
    options: Table = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class TaggerProfile:
    """A tagger by name, with what `vision.taggers` wants to know of it."""

    name: str
    options: Table = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class VocabularyProfile:
    """What a user adds to the shipped vocabulary, by name; `captions.dictionaries` reads the files that it names."""

    name: str
    options: Table = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class TrainerProfile:
    """An installed trainer by name, with what `runs.profile` wants to know of it."""

    name: str
    options: Table = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """What the panel may do, and under which names besides localhost and bare addresses a browser may reach it.

    ``train`` is for `lorads panel`; within ComfyUI each trainer profile says whether it is started from there.
    """

    hosts: tuple[str, ...] = ()
    export: bool = True
    train: bool = False


class _Named(Protocol):
    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=_Named)


def _profile(profiles: tuple[P, ...], name: str, what: str, how: str) -> P:
    """Return the profile called ``name``, or refuse it by the names that there are; ``how`` says how one is added."""
    names = [each.name for each in profiles]
    if name in names:
        return profiles[names.index(name)]
    if not name and names:
        raise SettingsError(f"No {what} is named: choose {' or '.join(names)}.")
    wanted = f"There is no {what} {name!r}" if name else f"No {what} is named"
    near = did_you_mean(name, names)
    raise SettingsError(f"{wanted}; known are: {', '.join(names) or 'none'}{f'; {near}' if near else f'. {how}'}")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the server's owner decides; nothing in it can be set from a workflow.

    ``dsn`` is None for the embedded store; it may hold a password and is left out of ``repr``. ``owner`` is what other
    users of the store call its user, empty for the user and machine.
    """

    source: Path | None = None
    store: str = EMBEDDED
    dsn: str | None = field(default=None, repr=False)
    embedded_folder: Path | None = None
    libraries: tuple[LibraryProfile, ...] = (LibraryProfile(DEFAULT_LIBRARY),)
    base_models: tuple[BaseModel, ...] = ()
    embedders: tuple[EmbedderProfile, ...] = ()
    taggers: tuple[TaggerProfile, ...] = ()
    vocabularies: tuple[VocabularyProfile, ...] = ()
    trainers: tuple[TrainerProfile, ...] = ()
    image_roots: tuple[Path, ...] = ()
    export_root: Path | None = None
    panel: PanelSettings = PanelSettings()
    owner: str = ""

    @property
    def person(self) -> str:
        """Who edits captions, as their history names them."""
        return self.owner or user_and_machine()

    @property
    def name_space(self) -> str:
        """The owner of new datasets, whose names need to differ from the owner's others only.

        Empty for the embedded store, which is one person's: there a new host name must not hide a dataset.
        """
        return self.owner or ("" if self.dsn is None else user_and_machine())

    @property
    def command_exports(self) -> Path:
        """The folder of all exports of the command line where a command names none: in the current folder if unset."""
        return self.export_root or Path("lorads-exports")

    def library(self, name: str) -> LibraryProfile:
        """Return the library called ``name``.

        Raises:
            SettingsError: there is none; the message names those there are.
        """
        found = _profile(self.libraries, name, "library", f"Add [libraries.{name}] to lorads.toml.")
        return replace(found, others=tuple(each for each in self.libraries if each != found))

    def embedder(self, name: str) -> EmbedderProfile:
        """Return the image encoder called ``name``; errors as for `library`."""
        return _profile(self.embedders, name, "embedder", f"Add [embedders.{name}] to lorads.toml, with its model.")

    def tagger(self, name: str) -> TaggerProfile:
        """Return the tagger called ``name``; errors as for `library`."""
        return _profile(self.taggers, name, "tagger", f"Add [taggers.{name}] to lorads.toml, with its folder.")

    def vocabulary(self, name: str) -> VocabularyProfile:
        """Return the vocabulary called ``name``; errors as for `library`."""
        return _profile(
            self.vocabularies, name, "vocabulary", f"Add [vocabularies.{name}] to lorads.toml, with its files."
        )

    def trainer(self, name: str) -> TrainerProfile:
        """Return the installed trainer called ``name``; a single one needs no name. Errors as for `library`."""
        if not name and len(self.trainers) == 1:
            return self.trainers[0]
        how = f"Add [trainers.{name or 'local'}] to lorads.toml, with its kind and folder."
        return _profile(self.trainers, name, "trainer profile", how)

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
        text = read_text(wanted, "utf-8-sig")
    except FileNotFoundError:
        if path is None and not os.environ.get(ENVIRONMENT_VARIABLE):
            set_custom_base_models(())
            return Settings()
        raise SettingsError(f"There is no settings file {wanted}: make it, or unset {ENVIRONMENT_VARIABLE}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{wanted} cannot be read ({error}): check its permissions and its encoding (UTF-8)."
        ) from error
    settings = parse_settings(text, wanted)
    set_custom_base_models(settings.base_models)
    return settings


def parse_settings(text: str, source: Path) -> Settings:
    """Return the settings that a text holds; ``source`` is the file that it is of, or will be.

    Raises:
        SettingsError: it is not TOML, or holds an unknown key or a wrong value.
    """
    try:
        return _parse(tomllib.loads(text), source)
    except RecursionError as error:
        raise SettingsError(f"{source} nests its values too deeply: write it flatter.") from error
    except ValueError as error:  # TOMLDecodeError, and that of a number of thousands of digits
        raise SettingsError(f"{source} is not valid TOML: {error}. Write Windows paths in 'single quotes'.") from error


def _parse(data: Mapping[str, object], source: Path) -> Settings:
    top = Table(data, "", source).only(
        "store", "owner", "stores", "embedded", "libraries", "base_models", "embedders", "taggers", "vocabularies",
        "trainers", "roots", "panel",
    )  # fmt: skip
    store = top.text("store") or EMBEDDED
    roots = top.table("roots").only("pictures", "exports")
    return Settings(
        source=source,
        store=store,
        dsn=_dsn(top.table("stores"), store),
        owner=_owner(top),
        embedded_folder=top.table("embedded").only("folder").path("folder"),
        libraries=_libraries(top.table("libraries")),
        base_models=tuple(_base_model(name, table) for name, table in top.table("base_models").tables().items()),
        embedders=tuple(EmbedderProfile(name, table) for name, table in top.table("embedders").tables().items()),
        taggers=tuple(TaggerProfile(name, table) for name, table in top.table("taggers").tables().items()),
        vocabularies=tuple(
            VocabularyProfile(name, table) for name, table in top.table("vocabularies").tables().items()
        ),
        trainers=tuple(TrainerProfile(name, table) for name, table in top.table("trainers").tables().items()),
        image_roots=tuple(roots.resolve(root) for root in roots.texts("pictures")),
        export_root=roots.path("exports"),
        panel=_panel(top.table("panel").only("hosts", "export", "train")),
    )


def _base_model(name: str, table: Table) -> BaseModel:
    """Return a base model of the user's own: like one of ours, but for what its table says."""
    table.only("like", "label", "checkpoint", "v_prediction", "resolution", "captions")
    ours = {each.name: each for each in BASE_MODELS}
    if name in ours or not name.strip():
        raise SettingsError(f"{table.source}: there is a base model {name!r} already: choose another name for yours.")
    like = ours.get(table.text("like"))
    captions = table.text("captions")
    if like is None or captions not in ("", *ours):
        key, known = ("like" if like is None else "captions"), ", ".join(ours)
        raise SettingsError(
            f"{table.source}: {table.where}{key} is {table.text(key)!r}; it must be one of the base models {known}."
        )
    v_prediction = table.flag("v_prediction", default=like.v_prediction)
    if v_prediction and not like.family.is_diffusion:
        raise SettingsError(
            f"{table.source}: {table.where}v_prediction: {like.label} predicts no velocity: leave it out."
        )
    return replace(
        like,
        name=name,
        label=table.text("label") or name,
        own_resolution=int(table.number("resolution", like.resolution, 64, 8192)),
        captions=captions or like.captions or like.name,
        checkpoint=str(table.path("checkpoint") or ""),
        v_prediction=v_prediction,
    )


def _panel(table: Table) -> PanelSettings:
    hosts = tuple(host.strip().rstrip(".").lower() for host in table.texts("hosts"))
    wrong = next((host for host in hosts if not _HOST.fullmatch(host)), None)
    if wrong is not None:
        raise SettingsError(f"{table.source}: {wrong!r} in panel.hosts is not a host name: write e.g. studio.local.")
    return PanelSettings(hosts, export=table.flag("export", default=True), train=table.flag("train"))


def _owner(top: Table) -> str:
    owner = top.text("owner").strip()
    if "/" in owner or not owner.isprintable() or len(owner) > _LONGEST_OWNER:
        raise SettingsError(
            f"{top.source}: owner must have at most {_LONGEST_OWNER} characters and no slash, not be {owner!r:.80}."
        )
    return owner


def _dsn(stores: Table, chosen: str) -> str | None:
    tables = {name: table.only("dsn") for name, table in stores.tables().items()}
    if chosen == EMBEDDED:
        return None
    if chosen not in tables:
        known = ", ".join([EMBEDDED, *tables])
        raise SettingsError(
            f"{stores.source}: store = {chosen!r}, but there is no [stores.{chosen}]; known are: {known}."
        )
    dsn = tables[chosen].text("dsn")
    if not dsn:
        raise SettingsError(
            f"{stores.source}: [stores.{chosen}] needs a dsn, e.g. dsn = 'postgresql://user@host/database'."
        )
    return dsn


def _libraries(libraries: Table) -> tuple[LibraryProfile, ...]:
    profiles = {DEFAULT_LIBRARY: LibraryProfile(DEFAULT_LIBRARY)}
    for name, table in libraries.tables().items():
        profiles[name] = LibraryProfile(name, table.text("kind") or "index", table)
    return tuple(profiles.values())
