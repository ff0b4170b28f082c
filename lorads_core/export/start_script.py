"""Training script of an export, ``train.sh`` or ``train.bat``: it starts the training from any working directory.

What it starts are the command lines of `Trainer.stages` and `Installed.argv`, as for a run that LoRADS launches.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..system.command import escaped_in_batch, quoted_in_batch
from ..system.paths import MANIFEST
from ..trainers import trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ..model import TrainingConfig
    from ..trainers.installed import Installed
    from .plan import ExportOptions

TRAINER_FOLDER = "LORADS_TRAINER"
"""The environment variable that names the trainer's folder where lorads.toml does not: an edited export is refused."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # nothing else of lorads.toml gets into a comment


def start_script(
    config: TrainingConfig, options: ExportOptions, folder: Path, *, windows: bool = sys.platform == "win32"
) -> dict[str, str]:
    """Return the training script of an export in ``folder``, name to text; none where the trainer has no command.

    It is that of one system: configs name folders of this machine, so that the other's would be of no use.
    """
    chosen, installed = trainer(options.trainer), options.installed
    stages = chosen.stages(config, folder, installed.accelerate if installed else ())
    if not stages:
        return {}
    start = _Start(chosen.label, folder, tuple(each.arguments for each in stages), installed)
    if windows:
        return {"train.bat": "".join(f"{line}\r\n" for line in _batch(start))}
    return {"train.sh": "".join(f"{line}\n" for line in _shell(start))}


def what_to_set(label: str) -> str:
    """Return what to do before a training script is run, where the trainer's folder is not known."""
    return (
        f"Set the environment variable {TRAINER_FOLDER} to the folder of {label} first; or name it in lorads.toml"
        " ([trainers.NAME]) and export again."
    )


@dataclass(frozen=True, slots=True)
class _Start:
    """What a script starts: a trainer, which may not be known to be installed, by arguments of its Python.

    There are several ``stages`` where the next one is to start when the one before has ended well.
    """

    label: str
    folder: Path
    stages: tuple[tuple[str, ...], ...]
    installed: Installed | None

    @property
    def manifest(self) -> str:
        """The path of a file that is there unless the export was moved."""
        return str(self.folder / MANIFEST)

    @property
    def moved(self) -> str:
        return (
            f"This export was written to {self.folder}, which its configs name: export it again here, or train it with"
            " lorads train."
        )

    def notes(self) -> Iterator[str]:
        """Yield the comments on top."""
        yield f"Trains this export with {self.label}. lorads train does that too, shows its progress and resumes it."
        yield "The next export writes this file again."
        # Their values may be secret.
        environment: Mapping[str, str] = self.installed.environment if self.installed else {}
        if names := [name for name in environment if _VARIABLE.fullmatch(name)]:
            yield f"Not in this file: the environment of lorads.toml ({', '.join(names)})."


def _shell(start: _Start) -> Iterator[str]:
    yield "#!/bin/sh"
    yield from (f"# {note}" for note in start.notes())
    moved = f"printf '%s\\n' {shlex.quote(start.moved)} >&2; exit 1"
    yield f"[ -f {shlex.quote(start.manifest)} ] || {{ {moved}; }}"
    installed = start.installed
    if installed is None:
        yield from _found_by_shell(start)
        return
    if not installed.is_remote:
        yield f"cd {shlex.quote(str(installed.folder))} || exit 1"
        yield f'PATH={shlex.quote(str(installed.python.parent))}:"$PATH"'
        yield "export PATH"
    yield from _in_turn([shlex.join(installed.argv(arguments)) for arguments in start.stages])


def _in_turn(commands: Sequence[str]) -> Iterator[str]:
    """Yield the lines that run commands one after the other, as long as they end well."""
    yield from (f"{command} || exit" for command in commands[:-1])
    yield f"exec {commands[-1]}"


def _found_by_shell(start: _Start) -> Iterator[str]:
    """Yield the lines for a trainer whose folder is set when the script runs: venv before .venv, as in profiles."""
    message = f"printf '%s\\n' {shlex.quote(what_to_set(start.label))} >&2; exit 1"
    yield f'[ -d "${TRAINER_FOLDER}" ] || {{ {message}; }}'
    yield f'CDPATH= cd -- "${TRAINER_FOLDER}" || exit 1'
    yield "python=python"
    yield 'for venv in "$PWD/.venv" "$PWD/venv"; do'
    yield '  if [ -x "$venv/bin/python" ]; then python=$venv/bin/python; PATH=$venv/bin:$PATH; fi'
    yield "done"
    yield "export PATH"
    yield from _in_turn([f'"$python" {shlex.join(arguments)}' for arguments in start.stages])


def _batch(start: _Start) -> Iterator[str]:
    yield "@echo off"
    yield "setlocal EnableExtensions DisableDelayedExpansion"
    yield "chcp 65001 >nul"  # this file is UTF-8
    yield from (f"rem {note}" for note in start.notes())
    yield f"if not exist {quoted_in_batch(start.manifest)} goto moved"
    installed = start.installed
    yield from _found_by_batch() if installed is None else _known_to_batch(installed)
    python = '"%python%"' if installed is None else ""
    for number, arguments in enumerate(start.stages):
        if number:
            yield 'if not "%code%"=="0" goto ended'
        words = arguments if installed is None else installed.argv(arguments)
        yield " ".join(filter(None, (python, *map(quoted_in_batch, words))))
        yield 'set "code=%ERRORLEVEL%"'
    if len(start.stages) > 1:
        yield ":ended"
    yield "popd"
    yield "exit /b %code%"
    yield ":moved"
    yield f"echo {escaped_in_batch(start.moved)} 1>&2"
    yield "exit /b 1"
    if installed is None:
        yield ":unset"
        yield f"echo {escaped_in_batch(what_to_set(start.label))} 1>&2"
        yield "exit /b 1"


def _known_to_batch(installed: Installed) -> Iterator[str]:
    # Not cd: a folder of the network gets a drive for as long as this runs.
    yield f"pushd {quoted_in_batch(str(installed.folder))}"
    yield "if errorlevel 1 exit /b 1"
    folder = str(installed.python.parent).replace("%", "%%")
    yield f'set "PATH={folder};%PATH%"'


def _found_by_batch() -> Iterator[str]:
    """Yield the lines for a trainer whose folder is set when the script runs; people put quotes around a value."""
    yield f"if not defined {TRAINER_FOLDER} goto unset"
    yield f'set "{TRAINER_FOLDER}=%{TRAINER_FOLDER}:"=%"'
    yield f'if not exist "%{TRAINER_FOLDER}%\\" goto unset'
    yield f'pushd "%{TRAINER_FOLDER}%"'
    yield "if errorlevel 1 exit /b 1"
    yield 'set "python=python"'
    for venv in (".venv", "venv"):
        yield f'if exist "{venv}\\Scripts\\python.exe" set "python=%CD%\\{venv}\\Scripts\\python.exe"'
        yield f'if exist "{venv}\\Scripts\\python.exe" set "PATH=%CD%\\{venv}\\Scripts;%PATH%"'
