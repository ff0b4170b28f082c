"""WebP on the level of RIFF chunks: a checked header; it decodes no pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .header import TRUNCATED, Header, InvalidImageError, damaged_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALPHA, _ANIMATION = 0x10, 0x02
_METADATA = 0x08 | 0x04  # EXIF, XMP


def is_webp(data: bytes) -> bool:
    """Say whether bytes begin as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> Header:
    """Read the header of a WebP and check the sizes of all its chunks; what follows the RIFF is left alone.

    Raises:
        FaultError: truncated or damaged.
    """
    chunks: dict[bytes, memoryview] = {}
    frames = 0
    for kind, content in _chunks(data):
        frames += kind == b"ANMF"
        chunks.setdefault(kind, content)
    width, height, has_alpha = _canvas(chunks)
    flags = chunks[b"VP8X"][0] if b"VP8X" in chunks else 0
    if not frames and not chunks.keys() & {b"VP8 ", b"VP8L"}:
        raise damaged_error("no pixels in it")
    return Header(
        "webp",
        width,
        height,
        "RGBA" if has_alpha else "RGB",
        has_alpha=has_alpha,
        frames=max(1, frames) if flags & _ANIMATION else 1,
        icc=bytes(chunks.get(b"ICCP", b"")),
        exif=bytes(chunks.get(b"EXIF", b"")).removeprefix(b"Exif\0\0"),
        xmp=bytes(chunks.get(b"XMP ", b"")),
    )


def has_lossless_alpha(data: bytes) -> bool:
    """Say whether a whole WebP's pixels are lossless (VP8L) with an alpha that is not opaque everywhere."""
    for kind, content in _chunks(data):
        if kind == b"VP8L":
            return _lossless_canvas(bytes(content[:5]))[2]
    return False


def strip_webp(data: bytes) -> bytes:
    """Return a WebP without EXIF and XMP; its pixels and colours stay byte for byte.

    Raises:
        FaultError: truncated or damaged.
    """
    kept = bytearray(b"RIFF\0\0\0\0WEBP")
    for kind, content in _chunks(data):
        if kind in {b"EXIF", b"XMP "}:
            continue
        if kind == b"VP8X" and content:
            content = memoryview(bytes([content[0] & ~_METADATA]) + bytes(content[1:]))  # noqa: PLW2901
        kept += kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)
    kept[4:8] = (len(kept) - 8).to_bytes(4, "little")
    return bytes(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise InvalidImageError(TRUNCATED)
    position = 12
    while position + 8 <= end:
        length = int.from_bytes(view[position + 4 : position + 8], "little")
        if position + 8 + length > end:
            raise InvalidImageError(TRUNCATED)
        yield data[position : position + 4], view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _canvas(chunks: dict[bytes, memoryview]) -> tuple[int, int, bool]:
    """Return width, height and whether there is alpha, from whichever header comes first in rank."""
    canvas = bytes(chunks.get(b"VP8X", b""))
    if len(canvas) >= 10:  # noqa: PLR2004 - flags, then two sizes of 3 bytes
        width, height = int.from_bytes(canvas[4:7], "little") + 1, int.from_bytes(canvas[7:10], "little") + 1
        return width, height, bool(canvas[0] & _ALPHA)
    lossless = _lossless_canvas(bytes(chunks.get(b"VP8L", b"")[:5]))
    if lossless[0]:
        return lossless
    lossy = bytes(chunks.get(b"VP8 ", b"")[:10])
    if lossy[3:6] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(lossy[6:8], "little") & 0x3FFF, int.from_bytes(lossy[8:10], "little") & 0x3FFF
        if width and height:
            return width, height, False
    raise damaged_error("no header of a frame")


def _lossless_canvas(header: bytes) -> tuple[int, int, bool]:
    """Return width, height and whether alpha is in use from the first 5 bytes of a VP8L chunk; zeros if it is none."""
    if len(header) < 5 or header[0] != 0x2F:  # noqa: PLR2004 - signature, then 14 + 14 + 1 bits
        return 0, 0, False
    bits = int.from_bytes(header[1:], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
