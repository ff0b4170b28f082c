"""Permissions of files, as the tests of them read them."""

import stat


def mode(path):
    """Return the mode bits of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder):
    """Return the mode bits of all files below a folder, by their paths relative to it."""
    return {path.relative_to(folder).as_posix(): mode(path) for path in folder.rglob("*") if path.is_file()}
