"""Commands that set LoRADS up, check it and back up its store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..shared_options import add_json_option, path
from .command import add_command

if TYPE_CHECKING:
    from .command import Commands, Run


def add_init(commands: Commands, run: Run) -> None:
    """Add init."""
    summary = "find trainers, taggers, ComfyUI and its checkpoints, and write lorads.toml"
    init = add_command(commands, "init", run, summary, "lorads init\n  lorads init ~/ai /mnt/models --yes")
    init.add_argument(
        "folders",
        nargs="*",
        type=path,
        metavar="FOLDER",
        help="folder to search, with three levels below it (default: home, other disks, usual folders of programs)",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing: take the default of every question")
    init.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")


def add_completion(commands: Commands, run: Run) -> None:
    """Add completion."""
    from ..completion import LIST_NAMES  # noqa: PLC0415 - the tables are read when they are shown
    from ..completion.shells import SCRIPTS  # noqa: PLC0415

    summary = "print a script with which a shell completes commands, options and names"
    example = "lorads completion bash > ~/.local/share/bash-completion/completions/lorads"
    what = add_command(commands, "completion", run, summary, example).add_mutually_exclusive_group(required=True)
    what.add_argument("shell", nargs="?", choices=list(SCRIPTS), help="shell to print the script for")
    what.add_argument("--list", choices=LIST_NAMES, help="print names instead, as the script does")


def add_doctor(commands: Commands, run: Run) -> None:
    """Add doctor."""
    summary = "check the setup: say what is wrong and how to fix it"
    doctor = add_command(commands, "doctor", run, summary, "lorads doctor\n  lorads doctor --fix")
    doctor.add_argument(
        "--fix",
        action="store_true",
        help="clean up after killed programs: a store that hangs, stale runs, unfinished exports",
    )
    add_json_option(doctor)


def add_store(commands: Commands, run: Run) -> None:
    """Add backup and restore."""
    backup = add_command(
        commands, "backup", run, "write the embedded store to one file", "lorads backup lorads-2026-11-29.backup"
    )
    backup.add_argument("file", type=path, metavar="FILE", help="file to create")
    restore = add_command(
        commands,
        "restore",
        run,
        "restore a backup, also of an older PostgreSQL, into a new, empty embedded store",
        "lorads restore lorads-2026-11-29.backup",
    )
    restore.add_argument("file", type=path, metavar="FILE", help="backup written by lorads backup")
