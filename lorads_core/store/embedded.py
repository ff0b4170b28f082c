"""The embedded server as its clients see it: the first to attach starts it, the last to leave stops it.

Each client holds a lock on a file of its own in ``clients/``; the kernel lets go of it however the client ends, so a
client that was killed is no longer counted. All that changes the server happens under one lock per data folder. Where
the last client was killed, the keeper (`store.keeper`) stops the server.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ..errors import StoreError
from ..system import files
from ..system.codepage import ansi_path
from ..system.names import true_path
from . import cluster as clusters
from .binaries import make_folders, make_private, server_account
from .clients import ServerLock, binaries_of, client_folder, is_used, stop_if_unused
from .keeper import ensure_keeper
from .locks import FileLock, close_inherited_locks
from .postmaster import Cluster, Ping, conninfo, ping, running

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_log = logging.getLogger(__name__)
# PostgreSQL's pg_ctl hands paths to a shell in double quotes; cmd.exe replaces %NAME% in them.
_BREAKS_SHELL = {False: re.compile(r'["$`\\\n]'), True: re.compile(r"%[^%]+%")}


def _forget_all() -> None:
    close_inherited_locks()
    _attached.clear()


class Attached:
    """A client of a running embedded server; ``conninfo`` is libpq's keyword string and holds the password.

    ``cluster`` says where the server's files lie and which account runs it.
    """

    def __init__(self, cluster: Cluster, client: FileLock, path: Path, conninfo: str) -> None:
        self.conninfo = conninfo
        self.cluster = cluster
        self._client = client
        self._path = path
        _attached.add(self)

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self.cluster.folder

    def __repr__(self) -> str:
        return f"Attached({str(self.folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def alive(self) -> bool:
        """Whether the server is there and takes connections at the address we have."""
        try:
            found = running(self.cluster)
            if found is None or conninfo(self.cluster, found) != self.conninfo:
                return False
            return ping(self.cluster, found) is Ping.ACCEPTS
        except (OSError, StoreError):  # attaching anew will tell what is wrong
            return False

    def close(self) -> None:
        """Leave, and stop the server if nobody else is there; a second call, or one in a forked child, does nothing.

        Raises:
            StoreError: the folder cannot be used any more. The server then runs on until the next client leaves.
        """
        _attached.discard(self)
        if not self._client.held:
            return
        try:
            _leave(self.cluster, self._client, self._path)
        except OSError as error:
            raise _unusable(self.folder, error) from error


_attached: set[Attached] = set()


def default_folder() -> Path:
    """Return where the embedded store lies unless lorads.toml says otherwise.

    For root it is not in root's home, which the server's unprivileged user may not enter.
    """
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/lorads/postgres")
    return platformdirs.user_data_path("lorads", appauthor=False) / "postgres"


def find_cluster(data_folder: Path | None = None) -> Cluster | None:
    """Return where the embedded store in a folder lies, None where there is none; it is neither made nor started.

    Raises:
        OSError: the folder cannot be looked at.
        StoreError: PostgreSQL could not open it.
    """
    folder = true_path((data_folder or default_folder()).expanduser())
    if not (folder / "data").is_dir():
        return None
    return Cluster(_named_for_postgres(folder), server_account(folder / "data", folder))


def attach(data_folder: Path | None = None) -> Attached:
    """Become a client of the embedded server in ``data_folder``, which is made and started where needed.

    Any number of processes, threads and calls may do so at once. Close what you get; what is still open at the end of
    the process is closed then.

    Raises:
        StoreError: the folder cannot be used, belongs to another version, or the server does not start.
    """
    folder = (data_folder or default_folder()).expanduser()
    try:
        # It need not be there yet; all clients name it alike, also where the file system does not tell case.
        return _attach(true_path(folder))
    except OSError as error:
        raise _unusable(folder, error) from error
    except (RuntimeError, ValueError) as error:
        raise StoreError(
            f"{folder} is no folder for the embedded store: {error}. Choose another in lorads.toml."
        ) from error


def _attach(folder: Path) -> Attached:
    _check_name(folder)
    account = server_account(folder / "data", folder)
    make_folders(folder, account)
    cluster = Cluster(_named_for_postgres(folder), account)
    clients = client_folder(cluster)
    if not clients.exists():
        make_private(clients, account)
    path = clients / f"{os.getpid()}-{uuid.uuid4().hex}"
    client = FileLock(path, account)
    with ServerLock(cluster):
        postmaster = clusters.ensure_running(cluster, partial(binaries_of, cluster), partial(is_used, cluster))
        client.acquire()
        try:
            ensure_keeper(cluster)
            return Attached(cluster, client, path, conninfo(cluster, postmaster))
        except BaseException:
            client.release()
            path.unlink(missing_ok=True)
            raise


def _check_name(folder: Path) -> None:
    """Refuse a folder whose name pg_ctl would hand to a shell as something else."""
    bad = _BREAKS_SHELL[sys.platform == "win32"].search(str(folder))
    if bad:
        raise StoreError(
            f"The embedded store cannot lie in {str(folder)!r}: {bad[0]!r} in a folder's name breaks pg_ctl. Choose"
            " another folder for it in lorads.toml."
        )


def _named_for_postgres(folder: Path) -> Path:
    """Return the folder under a name that PostgreSQL, whose arguments are in Windows' code page, can open."""
    named = ansi_path(folder)
    if named is None:
        raise StoreError(
            f"PostgreSQL cannot open the folder {folder}: its name has letters that the code page of this Windows"
            " lacks, and no short name. Choose another folder for the embedded store in lorads.toml: [embedded] folder"
            ' = "C:/lorads".'
        )
    return named


def _leave(cluster: Cluster, client: FileLock, path: Path) -> None:
    with ServerLock(cluster):
        client.release()
        with suppress(OSError):  # a virus scanner may have it open: whoever leaves next removes it
            path.unlink()
        if not stop_if_unused(cluster):
            _log.warning("The server of the embedded store in %s could not be stopped; it runs on.", cluster.folder)


def _unusable(folder: Path, error: OSError) -> StoreError:
    where = f" ({error.filename})" if error.filename else ""
    return StoreError(
        f"The embedded store's folder {folder} cannot be used: {files.file_error_reason(error)}{where}. Fix that, or"
        " choose another folder for the embedded store in lorads.toml."
    )


@atexit.register
def _close_all() -> None:
    for client in list(_attached):
        with suppress(StoreError):  # nobody is left to tell; the next client to leave stops the server
            client.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
