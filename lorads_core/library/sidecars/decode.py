"""The bytes of a sidecar as text: UTF-8, UTF-16, or an encoding of Windows where the user names it; bounded."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from ...errors import CaptionError
from ...system.files import file_error_reason, open_regular

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 100_000
"""Bytes; what is longer is not a caption: trainers read a few hundred tokens of one, some 2 KB."""

LARGEST_DATA = 4_000_000
"""Bytes of a JSON or XMP file of one image: those of boorus have about 50 KB, with a history of edits more."""

LARGEST_LIST = 256_000_000
"""Bytes of a file that lists the captions of a folder: a million captions of 250 bytes."""

_MOST_ZEROS = 0.4  # of every other byte: UTF-16 of a European language has nearly one in two


def read_text(path: Path, encoding: str = "", largest: int = LARGEST) -> str:
    """Return the text of a file.

    Raises:
        CaptionError: it is too long, not text, or cannot be read.
    """
    data = read_data(path, largest)
    found = _utf_16(data) or "utf-8-sig"
    try:
        return data.decode(found).replace("\0", "")
    except UnicodeDecodeError as error:
        if encoding:
            return _in_encoding(path, data, encoding)
        # Guessing would write mojibake into captions.
        raise CaptionError(
            f"{path} is not UTF-8 text: save it as UTF-8, or name its encoding, e.g."
            f" --sidecar {path.suffix.lower()}=sidecar:cp1252 (Windows, western European)."
        ) from error


def read_data(path: Path, largest: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        CaptionError: there are too many, or it cannot be read.
    """
    try:
        with open_regular(path) as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise CaptionError(f"{path} cannot be read: {file_error_reason(error)}.") from error
    if len(data) > largest:
        raise CaptionError(f"{path} has over {largest:,} bytes, too long for a caption: shorten or remove it.")
    return data


def _utf_16(data: bytes) -> str:
    """Return which UTF-16 it is, empty where it is none; some programs leave out the mark in front."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" not in data or len(data) % 2:
        return ""
    for name, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if zeros.count(0) > _MOST_ZEROS * len(zeros):
            return name
    return ""


def _in_encoding(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).replace("\0", "")
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is neither UTF-8 nor {encoding} text: save it as UTF-8.") from error
