"""The user account and the machine, as ``user@machine``: who owns a dataset and who edited a caption."""

from __future__ import annotations

import getpass
import socket


def user_and_machine() -> str:
    """Return ``user@machine``; without a slash, which separates an owner from the name of a dataset."""
    try:
        user = getpass.getuser()
    except (OSError, ImportError, KeyError):  # an id without an account, as in containers; Windows without USERNAME
        user = "user"
    return f"{user}@{socket.gethostname()}".replace("/", "-")
