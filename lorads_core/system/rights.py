"""File permissions (mode bits, chmod) of what is made of images: nobody may read it who may not read the images.

The rule is one: what shows images, or their captions, gives its group and others no right that one of the images does
not give them. A copy, caption or mask has its image's rights at most, what is made of several images has what all of
them give, and a folder can be entered only by those who may read what is in it. All else has the rights that the umask
gives. Rights are only ever taken away: a person who gives more does that by chmod.

Nothing here holds on Windows, where the user's own folders are private.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Name = str | os.PathLike[str]

EVERYONE = 0o777
"""Takes nothing away."""
OWNER = 0o700
"""For the owner alone."""
_CLASSES = (0o070, 0o040), (0o007, 0o004)  # all rights of the group and of others, and the one to read


def common_rights(files: Iterable[Name]) -> int:
    """Return the mode bits that all of these files and folders give; one that is not there counts for nothing."""
    rights = EVERYONE
    for file in files:
        with suppress(OSError, ValueError):
            rights &= os.stat(file).st_mode | OWNER  # noqa: PTH116 - a name as it is
    return rights


def limit_rights(target: Name | int, rights: int) -> None:
    """Take away from a file, folder or descriptor what ``rights`` do not give to its group or others.

    Those who may not read by ``rights`` cannot enter a folder. A file system without rights of its own (exFAT) is left
    as it is; `gives_more` says so.
    """
    with suppress(OSError):
        found = os.stat(target).st_mode  # noqa: PTH116 - a descriptor, too
        if surplus := _surplus(found, rights):
            os.chmod(target, stat.S_IMODE(found) & ~surplus)  # noqa: PTH101 - as above


def gives_more(path: Name, rights: int) -> bool:
    """Say whether a file or folder gives its group or others more than ``rights``; False where it is not there."""
    try:
        return bool(_surplus(os.stat(path).st_mode, rights))  # noqa: PTH116 - as above
    except OSError:
        return False


def _surplus(mode: int, rights: int) -> int:
    """Return the bits of a mode that these rights do not give; none on Windows."""
    if sys.platform == "win32":
        return 0
    if stat.S_ISDIR(mode):
        rights = sum(bits for bits, reading in _CLASSES if rights & reading)
    return stat.S_IMODE(mode) & 0o077 & ~rights


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or take other people's rights to it away.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    limit_rights(folder, OWNER)
