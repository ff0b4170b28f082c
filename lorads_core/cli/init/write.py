"""Writing ``lorads.toml``: whole or not at all, through links, with the permissions that it has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ...errors import SettingsError
from ...system.files import file_error_reason, read_bytes, remove_if_possible, replace
from ...system.sync import sync_folder


def read_settings_text(path: Path) -> str:
    """Return what the settings file holds, empty where there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")  # with its line ends, which stay
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): check its permissions and its encoding.") from error


def write_settings(path: Path, text: str) -> None:
    """Write the settings file in one step: a killed program leaves the old one, or none.

    Raises:
        SettingsError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, text, like=target)
        replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {file_error_reason(error)}.") from error
    finally:
        remove_if_possible(temporary)


def _write(file: Path, text: str, like: Path) -> None:
    with file.open("xb") as stream:
        if like.exists():
            shutil.copymode(like, file)  # it may hold a password
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
