"""GIF on the level of blocks: a checked header with its frames counted; it decodes no pixel."""

from __future__ import annotations

import re

from .header import TRUNCATED, Header, InvalidImageError, damaged_error

_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_BLOCK = re.compile(rb"[\x21\x2c\x3b]")
_CONTROL = 0xF9
_TABLE, _TRANSPARENT = 0x80, 0x01


def read_gif(data: bytes) -> Header:
    """Read the header of a GIF and walk its blocks, counting frames; a missing end mark after a whole frame is fine.

    Pillow counts frames too, but warns of large ones meanwhile.

    Raises:
        FaultError: truncated or damaged.
    """
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if not width or not height:
        raise damaged_error("a size of 0")
    position = 13 + _table_size(_byte(data, 10))
    frames, has_alpha = 0, False
    while position < len(data):
        kind = data[position]
        if kind == _EXTENSION:
            if not frames and _byte(data, position + 1) == _CONTROL:
                has_alpha = bool(_byte(data, position + 3) & _TRANSPARENT)
            position = _after_blocks(data, position + 2)
        elif kind == _FRAME:
            frames += 1
            position = _after_blocks(data, position + 11 + _table_size(_byte(data, position + 9)))
        elif kind == _END:
            break
        else:  # junk, which decoders skip
            found = _BLOCK.search(data, position)
            position = found.start() if found else len(data)
    if not frames:
        raise InvalidImageError(TRUNCATED)
    return Header("gif", width, height, "P", has_alpha=has_alpha, frames=frames)


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise InvalidImageError(TRUNCATED)
    return data[position]


def _table_size(flags: int) -> int:
    """Return the bytes of the colour table that flags announce."""
    return 3 << (flags & 7) + 1 if flags & _TABLE else 0


def _after_blocks(data: bytes, position: int) -> int:
    """Return where a chain of blocks ends, each of which begins with its length."""
    while length := _byte(data, position):
        position += 1 + length
    return position + 1
