"""The few EXIF fields that matter here, from bytes; a quick and lenient reader that never raises and never warns."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

_INTEROPERABILITY_IFD, _INDEX, _COLOUR_SPACE = 0xA005, 0x0001, 0xA001
_ADOBE_RGB = 2  # in ColorSpace; not in the standard, older cameras write it
_ORIENTATION, _RATING, _RATING_PERCENT, _EXIF_IFD, _USER_COMMENT = 0x0112, 0x4746, 0x4749, 0x8769, 0x9286
_WANTED = frozenset(
    {_ORIENTATION, _RATING, _RATING_PERCENT, _EXIF_IFD, _USER_COMMENT, _COLOUR_SPACE, _INTEROPERABILITY_IFD}
)
_BYTE, _ASCII, _SHORT, _LONG, _UNDEFINED = 1, 2, 3, 4, 7
_SIZES = {_BYTE: 1, _ASCII: 1, _SHORT: 2, _LONG: 4, _UNDEFINED: 1}
# Directories of strangers may point each of their entries at the whole file.
_MOST_ENTRIES = 1000
_LARGEST, _MOST_BYTES = 4 * 1024 * 1024, 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exif:
    """EXIF fields as written: ``orientation`` 1–8, 0 where none; ``rating`` in stars, ``percent`` as Windows has it.

    ``texts`` are all plain texts of the main directory in their order, ``comment`` is the decoded UserComment.
    ``is_adobe_rgb``: a camera says so of its colours (DCF 2.0: interoperability index R03).
    """

    orientation: int = 0
    rating: int | None = None
    percent: int | None = None
    texts: tuple[str, ...] = ()
    comment: str = ""
    is_adobe_rgb: bool = False


NO_EXIF = Exif()


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    value: bytes


def read_exif(data: bytes) -> Exif:
    """Read EXIF from bytes that start with a TIFF header (a TIFF file itself, too); what is broken is left out."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order == "<":
        return _read(data, "<")
    if order == ">":
        return _read(data, ">")
    return NO_EXIF


def _read(data: bytes, order: Literal["<", ">"]) -> Exif:
    numbers: dict[int, int] = {}
    texts: list[str] = []
    comment = b""
    for entry in _entries(data, order, _number(data[4:8], order)):
        if entry.kind == _ASCII:
            texts.append(_text(entry.value))
        elif entry.tag == _USER_COMMENT:
            comment = entry.value
        else:
            numbers[entry.tag] = _number(entry.value, order)
    if _EXIF_IFD in numbers:
        for entry in _entries(data, order, numbers[_EXIF_IFD]):
            if entry.tag == _USER_COMMENT:
                comment = entry.value
            elif entry.kind != _ASCII:
                numbers[entry.tag] = _number(entry.value, order)
    orientation = numbers.get(_ORIENTATION, 0)
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 0,  # noqa: PLR2004 - all there are
        rating=numbers.get(_RATING),
        percent=numbers.get(_RATING_PERCENT),
        texts=tuple(texts),
        comment=_comment(comment, order),
        is_adobe_rgb=_is_adobe_rgb(data, order, numbers),
    )


def _is_adobe_rgb(data: bytes, order: Literal["<", ">"], numbers: dict[int, int]) -> bool:
    if numbers.get(_COLOUR_SPACE) == _ADOBE_RGB:
        return True
    if _INTEROPERABILITY_IFD not in numbers:
        return False
    entries = _entries(data, order, numbers[_INTEROPERABILITY_IFD])
    return any(entry.tag == _INDEX and entry.value.startswith(b"R03") for entry in entries)


def _entries(data: bytes, order: Literal["<", ">"], offset: int) -> Iterator[_Entry]:
    """Yield the entries of one directory that are of a wanted tag or text, as far as they lie within the data."""
    count = min(_number(data[offset : offset + 2], order), _MOST_ENTRIES)
    read = 0
    for start in range(offset + 2, offset + 2 + 12 * count, 12):
        if start + 12 > len(data):
            return
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, start)
        size = _SIZES.get(kind, 0) * number
        if not 0 < size <= min(_LARGEST, _MOST_BYTES - read) or (kind != _ASCII and tag not in _WANTED):
            continue
        read += size
        place = start + 8 if size <= 4 else _number(data[start + 8 : start + 12], order)  # noqa: PLR2004 - in the entry
        yield _Entry(tag, kind, data[place : place + size])


def _number(value: bytes, order: Literal["<", ">"]) -> int:
    """Read an unsigned number that takes all of ``value``, at most 4 bytes of it."""
    return int.from_bytes(value[:4], "little" if order == "<" else "big")


def _text(value: bytes) -> str:
    value = value.partition(b"\0")[0]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _comment(value: bytes, order: Literal["<", ">"]) -> str:
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _utf16(text, order)
    if code in {b"ASCII\0\0\0", b"\0" * 8, b"JIS\0\0\0\0\0"}:
        return _text(text)
    return _text(value)


def _utf16(text: bytes, order: Literal["<", ">"]) -> str:
    """Decode UTF-16 of either byte order: piexif writes big-endian into little-endian EXIF, others go by the EXIF."""
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return text.decode("utf-16", "replace").rstrip("\0")
    high, low = text[0::2].count(0), text[1::2].count(0)
    if not high and not low and _is_utf8(text):
        return text.decode()  # some programs write UTF-8 all the same
    # Latin letters have a zero byte, and prompts are full of them; a few zeros may be Chinese (U+4E00 is 4E 00).
    is_latin = 4 * max(high, low) >= len(text) // 2
    little = low > high if is_latin and high != low else order == "<"
    return text.decode("utf-16-le" if little else "utf-16-be", "replace").rstrip("\0")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    # Chinese in UTF-16 may be UTF-8 by chance; a prompt in UTF-8 has a space or a comma.
    return b" " in text or b"," in text
