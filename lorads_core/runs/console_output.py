"""The console output of a trainer: a file that the trainer itself holds open and its watcher follows.

A pipe would end with the watcher, and the trainer with the pipe, at its next line. Into a file the trainer goes on
printing whatever becomes of the watcher, and the next watcher reads on where the first one was cut off. What was read
is in the log, so that the file is emptied now and then, and removed at the end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..system.append import open_append
from ..system.files import open_regular, remove_if_possible

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

PRINTED = "printed.txt"
_CHUNK = 65_536
_FULL = 4 * 1024**2  # bytes that are read wholly and then removed; a day of progress bars is some 130 MB
_TOO_FAR = 256 * 1024**2
"""Bytes that a reader may lag behind, as after a day without a watcher; of more than that, the end counts."""


class ConsoleOutput:
    """What a trainer has printed and nobody has read yet."""

    def __init__(self, folder: Path, place: int = 0) -> None:
        self._path = folder / PRINTED
        self.place = place
        """The byte up to which it is read."""

    @contextmanager
    def written(self) -> Generator[int]:
        """Yield the descriptor that a trainer is to inherit; it is closed here afterwards, and stays open there.

        Raises:
            OSError: the file cannot be made.
        """
        descriptor = open_append(self._path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def is_there(self) -> bool:
        """Say whether there may be something that nobody has read."""
        return os.path.lexists(self._path)

    def read(self, *, last: bool = False) -> bytes:
        """Return the next whole lines, empty where there are none; ``last`` takes a line without end, too.

        A file that cannot be read just now is read next time.
        """
        try:
            with open_regular(self._path) as file:
                size = os.fstat(file.fileno()).st_size
                if size < self.place:
                    self.place = 0
                if size - self.place > _TOO_FAR:
                    return self._end_of(file, size)
                file.seek(self.place)
                chunk = file.read(_CHUNK)
        except OSError:
            return b""
        taken = len(chunk) if last or len(chunk) == _CHUNK else max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        self.place += taken
        return chunk[:taken]

    def _end_of(self, file: BinaryIO, size: int) -> bytes:
        """Return the last bytes after a line that says how many were left out, and empty the file."""
        file.seek(size - _FULL)
        end = file.read(_FULL)  # no more: a trainer may print as fast as this reads
        left_out = (os.fstat(file.fileno()).st_size - self.place - len(end)) // 1024**2
        self.empty()
        return f"\nLoRADS: {left_out:,} MB of output were left out here.\n".encode() + end

    def is_full(self) -> bool:
        """Say whether the file is large and wholly read."""
        try:
            return self.place >= _FULL and self._path.stat().st_size == self.place
        except OSError:
            return False

    def empty(self) -> None:
        """Empty the file, which the trainer writes on.

        A line that is printed at the very moment is lost; that is one moment in some megabytes.

        Raises:
            OSError: it cannot be emptied just now.
        """
        os.truncate(self._path, 0)
        self.place = 0

    def remove(self) -> None:
        """Remove the file of a trainer that has ended: all of it is in the log."""
        if not remove_if_possible(self._path):
            with suppress(OSError):
                self.empty()
