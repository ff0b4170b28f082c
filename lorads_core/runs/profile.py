"""``[trainers.NAME]`` of lorads.toml: where a trainer is installed, which Python runs it, and how it is started."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, cast

from ..errors import SettingsError, TrainerError
from ..system.files import file_error_reason
from ..trainers import trainer, trainers
from ..trainers.installed import Installed, is_ssh

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..settings import Settings, Table, TrainerProfile

_KEYS = (
    "kind", "folder", "python", "venv", "accelerate", "prefix", "environment", "stop_seconds", "from_comfyui",
)  # fmt: skip
_VENVS = ("venv", ".venv")
_OPTION = re.compile(r"[a-z][a-z0-9_]*")
# What decides how many steps there are is the training config's.
_CONFIGS = frozenset({"num_processes", "mixed_precision"})
# What belongs to the Python that we run in, and would lead the trainer's astray.
_OURS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_SECRET = re.compile(r"token|key|secret|password|passwd|credential|auth", re.IGNORECASE)
_PATIENCE = 60  # seconds; a Python on a sleepy drive


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Installed):
    """A named profile of an installed trainer, its values checked for their form; `check` looks at the disk.

    ``stop_seconds`` is how long the trainer may take to end when it is interrupted.
    """

    name: str
    kind: str
    stop_seconds: float = 15.0
    from_comfyui: bool = False

    def environment_of_trainer(self) -> dict[str, str]:
        """Return our environment without what belongs to our own Python, with the profile's."""
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        if not self.is_remote:
            kept["PATH"] = os.pathsep.join([str(self.python.parent), kept.get("PATH", os.defpath)])
        return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **self.environment}

    def check(self) -> None:
        """Look whether the trainer and its Python are where the profile says.

        Raises:
            SettingsError: what is not there or not allowed.
        """
        if self.is_remote:
            return
        where = f"[trainers.{self.name}]"
        try:
            entries = os.listdir(self.folder)  # noqa: PTH208 - it is to be readable, no more
        except OSError as error:
            raise SettingsError(f"{where} folder {self.folder} cannot be read: {file_error_reason(error)}.") from error
        if not entries:
            raise SettingsError(f"{where} folder {self.folder} is empty: install the trainer there, or name another.")
        if not os.path.isfile(self.python):  # noqa: PTH113 - a Path's own raises without rights
            raise SettingsError(f"{where}: there is no Python {self.python}: make the trainer's venv, or set python.")
        if not os.access(self.python, os.X_OK):
            raise SettingsError(f"{where}: {self.python} may not be run: check its permissions.")


def startable() -> list[str]:
    """Return the names of the trainers that are programs of their own."""
    return [name for name, each in trainers().items() if each.install_files]


def secret_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of those environment variables whose values nobody shall read in a log."""
    return tuple(name for name in environment if _SECRET.search(name))


def read_profile(named: TrainerProfile) -> Profile:
    """Return a profile with its values checked; no file is looked at but to find the venv.

    Raises:
        SettingsError: a value is missing or wrong.
    """
    table = named.options.only(*_KEYS)
    where = f"{table.source}: [trainers.{named.name}]"
    prefix = tuple(table.texts("prefix"))
    kind = table.text("kind")
    folder = _remote_path(table, "folder", where) if is_ssh(prefix) else table.path("folder")
    if kind not in startable():
        raise SettingsError(f"{where} needs a kind: one of {', '.join(startable())}.")
    if folder is None:
        raise SettingsError(f"{where} needs a folder: the one where {trainer(kind).label} is installed.")
    profile = Profile(
        name=named.name,
        kind=kind,
        folder=folder,
        python=_remote_python(table, folder, where) if is_ssh(prefix) else _python(table, Path(folder), where),
        accelerate=_options(table, where),
        prefix=prefix,
        environment=_environment(table, where),
        stop_seconds=table.number("stop_seconds", 15, 0, 3600),
        from_comfyui=table.flag("from_comfyui"),
    )
    _check_remote(profile, where)
    return profile


def find_installed(settings: Settings, kind: str) -> Installed | None:
    """Return the installed trainer of a kind, None where there is none, or several in different folders.

    Raises:
        SettingsError: a profile of that kind has a wrong value.
    """
    named = [profile for profile in settings.trainers if profile.options.text("kind") == kind]
    found = list(map(read_profile, named))
    if len({(each.folder, each.is_remote) for each in found}) != 1:
        return None
    is_there = found[0].is_remote or os.path.isdir(found[0].folder)  # noqa: PTH112 - a Path's own raises without rights
    return found[0] if is_there else None


def _check_remote(profile: Profile, where: str) -> None:
    """Refuse what would start but not be stopped, or show a secret."""
    if not profile.is_remote:
        return
    if not any(re.fullmatch(r"-t{1,2}", word) for word in profile.prefix):
        raise SettingsError(f"{where} prefix: ssh needs -tt, or a stopped training would go on over there.")
    if profile.environment:
        raise SettingsError(
            f"{where} environment: it would be seen in the list of processes over there. Set it there, e.g. in"
            " ~/.ssh/environment, or by SendEnv."
        )


def _remote_path(table: Table, key: str, where: str) -> PurePosixPath | None:
    """Return a path of another machine as it was written: what this one makes of it, drives and links, is not there.

    Raises:
        SettingsError: it is not a whole path.
    """
    text = table.text(key)
    if text and not text.startswith("/"):
        raise SettingsError(f"{where} {key}: write the path on the other machine in full, such as /home/me/sd-scripts.")
    return PurePosixPath(text) if text else None


def _remote_python(table: Table, folder: PurePath, where: str) -> PurePath:
    _check_python(table, where)
    venv = _remote_path(table, "venv", where) or folder / _VENVS[0]
    return _remote_path(table, "python", where) or venv / "bin" / "python"


def _check_python(table: Table, where: str) -> None:
    if table.text("python") and table.text("venv"):
        raise SettingsError(f"{where} has python and venv: keep one of them.")


def _python(table: Table, folder: Path, where: str) -> Path:
    """Return the interpreter: as named, of the named venv, or of the venv in the trainer's folder."""
    _check_python(table, where)
    if named := table.text("python"):
        # Not resolved: a venv's python is a link, and knows its venv by where it was started.
        return Path(os.path.abspath(table.source.parent / Path(named).expanduser()))  # noqa: PTH100 - as just said
    venvs = [table.path("venv") or folder / name for name in _VENVS]
    found = [_python_of(venv) for venv in venvs]
    there = next((python for python in found if os.path.exists(python)), None)  # noqa: PTH110 - Path's own may raise
    return there or found[0]


def _python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _options(table: Table, where: str) -> tuple[str, ...]:
    words: list[str] = []
    for name, value in table.table("accelerate").values.items():
        if name in _CONFIGS:
            raise SettingsError(f"{where} accelerate: {name} is the training config's (processes, mixed precision).")
        if not _OPTION.fullmatch(name) or not isinstance(value, (str, int, float)) or not str(value).isprintable():
            raise SettingsError(f"{where} accelerate: {name} is not an option with a plain value.")
        if value is not False:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return tuple(words)


def _environment(table: Table, where: str) -> dict[str, str]:
    values = table.table("environment").values
    wrong = [name for name, value in values.items() if not isinstance(value, str) or "\0" in value or "=" in name]
    if wrong:
        raise SettingsError(f"{where} environment: {', '.join(wrong)} must be text in quotes.")
    return cast("dict[str, str]", dict(values))


def missing_modules(profile: Profile, names: Sequence[str] = ("torch", "accelerate")) -> tuple[str, list[str]]:
    """Return the version of the trainer's Python, and which of these modules it has not; nothing is imported.

    Raises:
        TrainerError: it cannot be run.
    """
    code = (
        "import importlib.util as u, platform, sys;"
        "print(platform.python_version(), *[n for n in sys.argv[1:] if u.find_spec(n) is None])"
    )
    try:
        ended = subprocess.run(
            [str(profile.python), "-c", code, *names],
            cwd=profile.folder,
            env=profile.environment_of_trainer(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        version, *missing = ended.stdout.split()
    except OSError as error:
        raise _no_python(profile, file_error_reason(error)) from error
    except subprocess.TimeoutExpired as error:
        raise _no_python(profile, f"it does not answer within {_PATIENCE:g} seconds") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines() or [f"it ends with {error.returncode}"]
        raise _no_python(profile, said[-1]) from error
    except ValueError as error:
        raise _no_python(profile, "it does not print its version") from error
    return version, missing


def _no_python(profile: Profile, reason: str) -> TrainerError:
    return TrainerError(f"{profile.python} does not run as a Python ({reason:.200}): make the trainer's venv again.")
