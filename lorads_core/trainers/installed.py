"""An installed trainer: its folder, its Python, and the command line that starts it there or on another machine."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An installed trainer, and how it is started.

    ``accelerate`` are options of ``accelerate launch``; ``prefix`` is what starts the whole command, such as ``srun``.
    Where the prefix is ssh, ``folder`` and ``python`` are paths of the other machine, as they were written; exports and
    models must lie there under the paths that they have here, as on a shared drive.
    """

    folder: PurePath
    python: PurePath
    accelerate: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def is_remote(self) -> bool:
        """Whether it runs on another machine, whose folders cannot be looked at from here."""
        return is_ssh(self.prefix)

    @property
    def home(self) -> Path | None:
        """The trainer's folder, where it can be looked at."""
        return None if self.is_remote else Path(self.folder)

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """Return the whole command for arguments of the trainer's Python.

        ssh hands its words to a shell on the other side: there they come as one word, quoted for it.
        """
        command = [str(self.python), *arguments]
        if not self.is_remote:
            return [*self.prefix, *command]
        return [*self.prefix, f"cd {shlex.quote(self.folder.as_posix())} && exec {shlex.join(command)}"]


def is_ssh(prefix: Sequence[str]) -> bool:
    """Whether a prefix of a command runs it on another machine."""
    return bool(prefix) and re.split(r"[\\/]", prefix[0])[-1].lower().removesuffix(".exe") == "ssh"
