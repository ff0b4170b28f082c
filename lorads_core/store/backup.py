"""Backup and restore of the embedded store by pg_dump and pg_restore: for safety, and to move it to another PostgreSQL.

A data folder belongs to one major version of PostgreSQL; a backup can be restored by any later one.
"""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import StoreError
from ..system import files
from .binaries import change_owner
from .clients import binaries_of
from .embedded import attach
from .environment import EmbeddedConnection
from .server_log import last_fault

if TYPE_CHECKING:
    from pathlib import Path

    from .embedded import Attached

_SCHEMA = "lorads"  # all that is ours (store.migrations)


def write_backup(folder: Path | None, file: Path) -> None:
    """Write the embedded store in ``folder`` (None: the usual one) to a file, whole or not at all; users may go on.

    Raises:
        StoreError: the store cannot be opened, the file is there already, or it cannot be written.
    """
    if os.path.lexists(file):
        raise StoreError(f"{file} is there already: name a new file for the backup.")
    with attach(folder) as attached:
        draft = attached.folder / f".backup-{uuid.uuid4().hex}"
        try:
            _run(attached, "pg_dump", "--format=custom", f"--schema={_SCHEMA}", "--extension=vector", f"--file={draft}")
            _copy(draft, file)
        finally:
            files.remove(draft)


def restore_backup(folder: Path | None, file: Path) -> None:
    """Fill the embedded store in ``folder``, which must be new or empty, from a backup: all of it or nothing.

    Raises:
        StoreError: the store holds something, the file is no backup or is damaged, or a newer PostgreSQL wrote it.
    """
    if not file.is_file():
        raise StoreError(f"There is no backup {file}: check the name.")
    with attach(folder) as attached:
        if _has_tables(attached):
            raise StoreError(
                f"The embedded store in {attached.folder} is not empty, and a backup replaces nothing: name another"
                " folder under [embedded] in lorads.toml, or move that one away."
            )
        draft = attached.folder / f".backup-{uuid.uuid4().hex}"
        try:
            _copy(file, draft)
            change_owner(draft, attached.cluster.account)
            _run(attached, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", str(draft))
        finally:
            files.remove(draft)


def _has_tables(attached: Attached) -> bool:
    with EmbeddedConnection.connect(attached.conninfo) as connection:
        return bool(connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", [_SCHEMA]).fetchone() == (True,))


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        unfinished.touch(0o600)  # it holds all captions and paths: for its owner alone, as the store's folder
        shutil.copyfile(source, unfinished)
        files.replace(unfinished, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {files.file_error_reason(error)}.") from error
    finally:
        files.remove(unfinished)


def _run(attached: Attached, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on the store; the password goes by its environment, which others may not see."""
    values = conninfo_to_dict(attached.conninfo)
    password = str(values.pop("password"))
    ended = binaries_of(attached.cluster).run(
        program,
        f"--dbname={make_conninfo('', **values)}",
        *arguments,
        cwd=attached.folder,
        environment={"PGPASSWORD": password},
    )
    if ended.code:
        raise StoreError(f"{program} failed: {last_fault(ended.output)}. The store is as it was.")
