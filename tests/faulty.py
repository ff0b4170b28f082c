"""A faulty file system: file operations refused as Windows refuses them, in tests on any system.

The fixture ``faulty`` is one of these, and does nothing until it is asked to::

    faulty.refuse("rename", matching="*/tom", times=2)     # the first two, with WinError 5
    faulty.refuse("read", matching="*/status.json")        # every time
    faulty.refuse("link", "symlink", winerror=faulty.NO_PRIVILEGE)
    with faulty.held_open(folder / "1.png"):               # another program reads it: neither it nor a folder above
        ...                                                # it can be renamed, replaced or removed

What this process itself has open counts as held open too, where the system can tell (Linux). ``faulty.refused`` lists
what was refused. The pauses of `lorads_core.system.files` take no time: ``faulty.waited`` counts their seconds.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import pathlib
import shutil
import stat
import sys
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch

from lorads_core.system import files

ACCESS_DENIED, SHARING_VIOLATION, NOT_EMPTY, NO_PRIVILEGE = 5, 32, 145, 1314
_ERRNO = {NOT_EMPTY: errno.ENOTEMPTY, NO_PRIVILEGE: errno.EINVAL}  # the others: EACCES
# The functions of os that are wrapped, and what they are called in `Faulty.refuse`.
_WRAPPED = {
    "rename": "rename", "replace": "replace", "unlink": "unlink", "remove": "unlink", "rmdir": "rmdir",
    "link": "link", "symlink": "symlink", "mkdir": "mkdir",
}  # fmt: skip
_OPERATIONS = {*_WRAPPED.values(), "read", "write"}
_MOVES = {"rename", "replace"}


def windows_error(winerror, path):
    """Return the error that Windows' Python raises with this code."""
    error = OSError(
        _ERRNO.get(winerror, errno.EACCES), f"refused by the test, WinError {winerror}", os.fspath(path), winerror
    )
    if sys.platform != "win32":
        error.winerror = winerror
    return error


@dataclass
class _Rule:
    operations: frozenset[str]
    pattern: str
    times: int | None
    winerror: int

    def takes(self, operation, names):
        if operation not in self.operations or self.times == 0:
            return False
        if not any(fnmatch(name.replace("\\", "/"), self.pattern) for name in names):
            return False
        self.times = None if self.times is None else self.times - 1
        return True


class _Clock:
    """In the place of the module time: to sleep takes no time."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Faulty:
    """The file system with faults; ``patch`` is monkeypatch.setattr, or setattr in a process of its own."""

    ACCESS_DENIED, SHARING_VIOLATION, NOT_EMPTY, NO_PRIVILEGE = (
        ACCESS_DENIED,
        SHARING_VIOLATION,
        NOT_EMPTY,
        NO_PRIVILEGE,
    )

    def __init__(self, patch):
        self._rules = []
        self._held = Counter()
        self._clock = _Clock()
        self.refused = []
        """What was refused: (operation, path), in order."""
        for name, operation in _WRAPPED.items():
            self._wrap(patch, name, operation)
        real_open = io.open

        def opened(file, mode="r", *arguments, **options):
            if not isinstance(file, int):
                self._check("read" if "r" in mode and "+" not in mode else "write", file)
            return real_open(file, mode, *arguments, **options)

        patch(builtins, "open", opened)
        patch(io, "open", opened)
        self._patch_paths_of_python_310(patch, "open", opened)
        patch(files, "time", self._clock)
        patch(shutil, "_use_fd_functions", False)  # noqa: FBT003 - trees are removed by whole paths, as on Windows

    def _wrap(self, patch, name, operation):
        real = getattr(os, name)

        def wrapped(path, *arguments, **options):
            names = [path, *arguments[:1]] if operation in {*_MOVES, "link"} else [path]
            self._check(operation, *(arguments[:1] if operation == "symlink" else names))
            return real(path, *arguments, **options)

        patch(os, name, wrapped)
        self._patch_paths_of_python_310(patch, name, wrapped)

    @staticmethod
    def _patch_paths_of_python_310(patch, name, function):
        """Python 3.10's Path took the functions of os when it was imported."""
        if hasattr(getattr(pathlib, "_NormalAccessor", None), name):
            patch(pathlib._NormalAccessor, name, staticmethod(function))

    @property
    def waited(self):
        """Seconds that `lorads_core.system.files` has waited."""
        return self._clock.now

    def refuse(self, *operations, matching="*", times=None, winerror=ACCESS_DENIED):
        """Refuse operations (rename, replace, unlink, rmdir, mkdir, link, symlink, read, write) on paths.

        ``matching`` is a pattern of whole paths with slashes, of which the source or the target must be one; ``times``
        is how often, None for ever.
        """
        assert set(operations) <= _OPERATIONS, operations
        self._rules.append(_Rule(frozenset(operations), matching, times, winerror))

    def allow(self):
        """Refuse no more."""
        self._rules.clear()

    @contextmanager
    def held_open(self, file):
        """Have a file open in another program that lets others read and write it, as ComfyUI has a LoRA."""
        name = os.path.abspath(file)
        self._held[name] += 1
        try:
            yield
        finally:
            self._held[name] -= 1

    def _check(self, operation, *paths):
        names = [os.path.abspath(os.fsdecode(path)) for path in paths]
        for rule in self._rules:
            if rule.takes(operation, names):
                self._refuse(operation, paths[0], rule.winerror)
        if operation in {*_MOVES, "unlink"}:
            for path, name in zip(paths, names, strict=True):
                if self._is_held(name):
                    is_folder = os.path.isdir(path)
                    self._refuse(operation, path, ACCESS_DENIED if is_folder else SHARING_VIOLATION)

    def _refuse(self, operation, path, winerror):
        self.refused.append((operation, os.fspath(path)))
        raise windows_error(winerror, path)

    def _is_held(self, name):
        held = itertools.chain((each for each, count in self._held.items() if count), _open_here())
        return any(each == name or each.startswith(name + os.sep) for each in held)


def _open_here():
    """Yield the files that this process has open."""
    with suppress(OSError):
        for number in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if stat.S_ISREG(os.stat(f"/proc/self/fd/{number}").st_mode):
                    yield os.readlink(f"/proc/self/fd/{number}")
