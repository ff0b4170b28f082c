"""postgresql.conf settings of the embedded server: one row per setting, with its value on each system."""

from __future__ import annotations

import socket
import sys
from typing import NamedTuple

PORT = "{port}"
"""Stands for a free TCP port."""
SOCKET_FOLDER = "{socket_folder}"
"""Stands for the folder of the server's socket."""


class Setting(NamedTuple):
    """A setting and its values; None where it is not given, so that PostgreSQL's default holds."""

    name: str
    linux: str | None
    macos: str | None
    windows: str | None

    def on(self, platform: str) -> str | None:
        """Return the value for a ``sys.platform``; other systems with sockets are treated as Linux."""
        return {"win32": self.windows, "darwin": self.macos}.get(platform, self.linux)


def _everywhere(name: str, value: str) -> Setting:
    return Setting(name, value, value, value)


SETTINGS = (
    # Some containers grant 64 MB of /dev/shm, too little for a parallel index build: hence files. PostgreSQL on Windows
    # accepts "windows" alone (src/backend/storage/ipc/dsm_impl.c, dynamic_shared_memory_options).
    Setting("dynamic_shared_memory_type", linux="mmap", macos="mmap", windows="windows"),
    _everywhere("huge_pages", "off"),
    _everywhere("shared_buffers", "128MB"),
    _everywhere("max_connections", "50"),
    # Without replicas the write-ahead log can be minimal.
    _everywhere("wal_level", "minimal"),
    _everywhere("max_wal_senders", "0"),
    _everywhere("random_page_cost", "1.1"),
    # Compiling a query takes longer (0.1 s) than any of ours runs.
    _everywhere("jit", "off"),
    _everywhere("timezone", "UTC"),
    _everywhere("log_timezone", "UTC"),
    _everywhere("log_destination", "stderr"),
    _everywhere("logging_collector", "off"),
    # Statements stay out of the log file: they hold the user's captions.
    _everywhere("log_min_error_statement", "panic"),
    # A socket that only its owner may enter; Windows has none that libpq of every Python wheel knows, so that there the
    # server listens on this machine's own address, with a password.
    Setting("listen_addresses", linux="", macos="", windows="127.0.0.1"),
    Setting("port", linux="5432", macos="5432", windows=PORT),
    Setting("unix_socket_directories", linux=SOCKET_FOLDER, macos=SOCKET_FOLDER, windows=""),
    Setting("unix_socket_permissions", linux="0700", macos="0700", windows=None),
)


def has_sockets(platform: str = sys.platform) -> bool:
    """Say whether the server is reached by a socket in a folder, and not by TCP."""
    return platform != "win32"


def configuration(cluster_name: str, socket_folder: str, platform: str = sys.platform) -> str:
    """Return the text of our configuration file; ``socket_folder`` is of no use on Windows."""
    # A list of folders, each in double quotes where a comma or space may be in its name.
    known = {SOCKET_FOLDER: '"' + socket_folder.replace('"', '""') + '"'}
    values = {"cluster_name": cluster_name}
    for setting in SETTINGS:
        value = setting.on(platform)
        if value is not None:
            values[setting.name] = _free_port() if value == PORT else known.get(value, value)
    quoted = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in values.items()}
    head = "# Written by LoRADS at each start; ALTER SYSTEM overrides it.\n"
    return head + "".join(f"{name} = '{value}'\n" for name, value in quoted.items())


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
