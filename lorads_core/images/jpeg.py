"""JPEG on the level of markers: a checked header; it decodes no pixel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .header import TRUNCATED, Header, InvalidImageError, damaged_error

if TYPE_CHECKING:
    from collections.abc import Iterator

JPEG_MAGIC = b"\xff\xd8\xff"

_EOI, _SOS = 0xD9, 0xDA
_METADATA = frozenset({0xE1, 0xE2})
_PRIVATE = frozenset({0xE1, 0xED, 0xFE})  # EXIF and XMP, IPTC, comments; APP2 is the profile, APP14 Adobe's colours
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frames, but DHT, JPG, DAC
# Within a scan, 0xFF is always followed by 0 or a restart.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# What has a length: neither junk (00), TEM, RST0-7 nor SOI. Any number of fill bytes (0xFF) may stand before it. It is
# searched for, not walked to: there are files of megabytes of fill.
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ICC = b"ICC_PROFILE\0"


def read_jpeg(data: bytes) -> Header:
    """Read the header of a JPEG and check that its first image ends; thumbnails and images after it are left alone.

    Raises:
        FaultError: truncated, damaged, or of a kind (12 bits, 2 channels) that Pillow does not read.
    """
    frame: bytes = b""
    exif: list[bytes] = []
    xmp = b""
    icc: list[bytes] = []
    for marker, content in _segments(data):
        if marker in _SOF:
            frame = frame or content
        elif content.startswith(_EXIF):
            exif.append(content[len(_EXIF) :])
        elif content.startswith(_XMP):
            xmp = content[len(_XMP) :]
        elif content.startswith(_ICC):
            icc.append(content[len(_ICC) :])
    width, height, mode = _frame(frame)
    return Header("jpeg", width, height, mode, exif=b"".join(exif), xmp=xmp, icc=_profile(icc))


def strip_jpeg(data: bytes) -> Iterator[bytes | memoryview]:
    """Yield a JPEG without EXIF, XMP, IPTC, comments and what follows its end; all else stays byte for byte.

    Raises:
        FaultError: truncated or damaged.
    """
    view = memoryview(data)
    yield data[:2]
    position = 2
    while True:
        position = _next_marker(data, position)
        marker = data[position + 1]
        if marker in (_EOI, _SOS):
            break
        end = max(position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"), position + 2)
        if end > len(data):
            raise InvalidImageError(TRUNCATED)
        if marker not in _PRIVATE:
            yield view[position:end]
        position = end
    yield view[position : _end(data, position)]


def _end(data: bytes, position: int) -> int:
    """Return where an image ends whose first scan begins at ``position``; what phones put behind it does not count."""
    while True:
        found = _MARKER.search(data, position)
        if not found:
            raise InvalidImageError(TRUNCATED)
        position = found.end()
        if data[position - 1] == _EOI:
            return position
        position += int.from_bytes(data[position : position + 2], "big")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments with metadata and the frame, up to the first scan, then check that this one ends."""
    position = 2
    while True:
        position = _next_marker(data, position)
        marker = data[position + 1]
        if marker == _EOI:
            raise damaged_error("no pixels in it")
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if end > len(data):
            raise InvalidImageError(TRUNCATED)
        if marker == _SOS:
            break
        if marker in _SOF or marker in _METADATA:
            yield marker, data[position + 4 : end]
        position = max(end, position + 2)
    # Within a scan, 0xFF is always followed by 0 or a restart: an end found there is the end. Looked for from behind,
    # where it stands but for a few bytes that some programs add.
    if data.rfind(b"\xff\xd9", end) < 0:
        raise InvalidImageError(TRUNCATED)


def _next_marker(data: bytes, position: int) -> int:
    """Return where the next marker stands that has a length; junk before it is skipped, as decoders do."""
    found = _SEGMENT.search(data, position)
    if not found or found.start() + 4 > len(data):
        raise InvalidImageError(TRUNCATED)
    return found.start()


def _frame(content: bytes) -> tuple[int, int, str]:
    if len(content) < 6:  # noqa: PLR2004 - precision, height, width, components
        raise damaged_error("no frame header")
    bits, channels = content[0], content[5]
    if bits != 8 or channels not in _MODES:  # noqa: PLR2004 - all that Pillow reads
        raise InvalidImageError(f"is a JPEG of {channels} × {bits} bits, which cannot be read: save it as PNG.")
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    if not width or not height:
        raise damaged_error("a size of 0")
    return width, height, _MODES[channels]


def _profile(parts: list[bytes]) -> bytes:
    """Put an ICC profile together from parts that each begin with their number and the number of all."""
    parts = sorted(parts)
    if not parts or parts[0][1:2] != bytes([len(parts) & 255]):
        return b""
    return b"".join(part[2:] for part in parts)
