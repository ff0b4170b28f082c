"""What a trainer prints: split into lines, cleaned, and limited in size."""

from __future__ import annotations

import codecs
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ..system.files import READ_PATIENCE, retry_in_use

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEAD = "log.txt"
TAILS = ("log-end.txt", "log-end-before.txt")
"""Written in turns: none is renamed, which Windows refuses while another program reads it."""
_MOST = 4 * 1024**2  # bytes, of the beginning and of each of the two parts of the end
_MOST_UNWRITTEN = 1024**2  # bytes that wait while a file cannot be written
_LONGEST = 16_384  # characters of a line
_PROGRESS_EVERY = 30.0  # seconds: a bar is redrawn many times a second
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_END = re.compile(r"([\r\n])")


class Lines:
    r"""Turns chunks of bytes into lines; each comes with whether it stays (``\n``) or is drawn over (``\r``)."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, chunk: bytes, *, last: bool = False) -> list[tuple[str, bool]]:
        """Return the lines that a chunk completes; a line without end is cut where it gets too long."""
        pieces = _END.split((self._rest + self._decoder.decode(chunk, last)).replace("\r\n", "\n"))
        *whole, self._rest = pieces
        lines = [(text, end == "\n") for text, end in zip(whole[::2], whole[1::2], strict=True)]
        if self._rest and (last or len(self._rest) > _LONGEST):
            lines.append((self._rest, True))
            self._rest = ""
        return [(cleaned, stays) for text, stays in lines if (cleaned := _cleaned(text))]


def _cleaned(text: str) -> str:
    return _CONTROL.sub("", _COLOURS.sub("", text[:_LONGEST])).rstrip()


class LogMark(NamedTuple):
    """A place in a log: the file of it that was written last, and how many bytes that had."""

    name: str = HEAD
    size: int = 0


class Log:
    """The first and the last megabytes of what was printed; of a progress bar, now and then a line.

    A full disk stops the writing of the log, never the training. One that goes on at ``mark`` loses what was written
    after that: it is read once more.
    """

    def __init__(self, folder: Path, mark: LogMark | None = None) -> None:
        self._folder = folder
        if mark is None or mark.name not in (HEAD, *TAILS):  # in a damaged status
            mark = LogMark()
        self._file: Path = folder / mark.name
        self._size = mark.size
        if mark.size:
            with suppress(OSError):
                os.truncate(self._file, mark.size)
        self._unwritten = b""
        self._bar = ""
        self._bar_at = 0.0

    @property
    def mark(self) -> LogMark:
        """Where it goes on."""
        return LogMark(self._file.name, self._size)

    def write(self, lines: Iterable[tuple[str, bool]]) -> None:
        """Write lines, as `Lines` gives them."""
        text = "".join(f"{line}\n" for line in self._without_progress(lines))
        data = self._unwritten + text.encode(errors="replace")
        if not data:
            return
        turn = bool(self._size) and self._size + len(data) > _MOST
        target = self._next() if turn else self._file
        self._unwritten = data[-_MOST_UNWRITTEN:]
        with suppress(OSError):
            with target.open("wb" if turn else "ab") as file:
                file.write(data)
            self._file, self._size = target, len(data) + (0 if turn else self._size)
            self._unwritten = b""

    def close(self) -> None:
        """Write the last line of a progress bar."""
        self._bar_at = 0.0
        self.write([("", True)])

    def _without_progress(self, lines: Iterable[tuple[str, bool]]) -> list[str]:
        kept: list[str] = []
        for line, stays in lines:
            if not stays:
                self._bar = line
                continue
            kept += [text for text in (self._bar, line) if text]
            self._bar = ""
        now = time.monotonic()
        if self._bar and now - self._bar_at > _PROGRESS_EVERY:
            kept.append(self._bar)
            self._bar, self._bar_at = "", now
        return kept

    def _next(self) -> Path:
        """Return the file to write after this one is full: the older half of the end makes room."""
        return self._folder / TAILS[1 if self._file.name == TAILS[0] else 0]


def tail(folder: Path, lines: int = 200, most: int = 256 * 1024) -> list[str]:
    """Return the last lines that were printed, of the last ``most`` bytes."""
    text = b""
    for path in (*sorted((folder / name for name in TAILS), key=_age), folder / HEAD):
        if len(text) < most:
            text = _last_bytes(path, most - len(text)) + text
    return text.decode(errors="replace").splitlines()[-lines:]


def _age(path: Path) -> tuple[float, int]:
    """Return what sorts the newer half of the end first; of two as old as each other the newer is not full yet."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return -found.st_mtime_ns, found.st_size


def _last_bytes(path: Path, most: int) -> bytes:
    def read() -> bytes:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - most, 0))
            return file.read(most)

    try:
        return retry_in_use(read, READ_PATIENCE)
    except OSError:
        return b""
