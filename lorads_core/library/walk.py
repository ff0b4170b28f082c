"""Finding images below a folder: what counts as one, what is left out; it opens nothing but manifests."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import LibraryError
from ..images.files import printable_path
from ..images.formats import SUFFIXES
from ..system.files import read_text
from ..system.links import is_link, walk
from ..system.names import is_text, true_path
from ..system.paths import MANIFEST, OUTPUT, STAGING


def real_folder(folder: Path) -> Path:
    """Return the real path of a folder that can be read, as the file system spells it.

    Raises:
        LibraryError: it is missing, no folder, cannot be read, or has a name that is not text.
    """
    if not is_text(str(folder)):
        raise LibraryError("The folder's name is not valid UTF-8, or has a NUL character: rename it.")
    try:
        root = true_path(folder.expanduser())
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except PermissionError as error:
        raise LibraryError(f"The folder {folder} cannot be reached: give this user the right to read it.") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise LibraryError(
            f"The folder {printable_path(folder)} is not there: check the spelling, or connect its drive."
        ) from error
    if not is_folder:
        raise LibraryError(f"{folder} is a file: give the folder that holds it.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise LibraryError(f"The folder {folder} cannot be read: give this user the right to read it.")
    return root


def suffix_of(name: str) -> str:
    """Return a name's suffix in lower case; a Path for each of a million names would take most of the time."""
    return name[name.rfind(".") :].lower()


def count_images(root: str) -> int:
    """Return about how many images there are, for the progress; what cannot be listed is reported later."""
    count = 0
    pending = [root]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if suffix_of(entry.name) in SUFFIXES:
                    count += 1
                elif entry.is_dir(follow_symlinks=False) and not is_link(entry):
                    pending.append(entry.path)
    return count


def is_own_output(folder: str, names: list[str]) -> bool:
    """Tell our own exports, where they are built and what is trained from them: copies of what is indexed elsewhere."""
    name = os.path.basename(folder)  # noqa: PTH119 - a Path for each of many folders is slow
    if name == STAGING or (name.endswith(OUTPUT) and is_own_output(folder.removesuffix(OUTPUT), [MANIFEST])):
        return True
    return MANIFEST in names and _is_manifest(Path(folder, MANIFEST))


def _is_manifest(path: Path) -> bool:
    try:
        manifest: object = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):  # RecursionError: nested as no manifest of ours is
        return False  # somebody else's file of the same name
    return isinstance(manifest, dict) and "lorads" in manifest


def folder_mark(folder: Path) -> str:
    """Return a text that changes whenever a file at or below ``folder`` comes, goes or changes; nothing is opened.

    Raises:
        LibraryError: the folder is missing, no folder, or cannot be read.
    """
    mark = hashlib.sha256()
    for base, below, files in walk(real_folder(folder)):
        if is_own_output(base, files):
            below.clear()
            continue
        below.sort()
        for name in sorted(files):
            path = os.path.join(base, name)  # noqa: PTH118 - a Path for each of a million names is slow
            with suppress(OSError):  # it went away meanwhile, which the next look will see
                found = os.stat(path)  # noqa: PTH116 - as above
                mark.update(os.fsencode(path) + b"\0%d %d\n" % (found.st_size, found.st_mtime_ns))
    return mark.hexdigest()
