"""Stealth PNG info: texts in the lowest bit of the alpha of a PNG or lossless WebP (NovelAI, Forge, SwarmUI).

sd-webui-stealth-pnginfo, scripts/stealth_pnginfo.py: bits run down each column, columns from left to right; first a
signature of 15 letters, then the length of the data in bits as 32 bits, then the data, by the signature packed by gzip.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from .formats import PILLOW_FAULTS, open_image
from .png import idat_of
from .prompt_dialects.texts import json_object, string
from .webp import has_lossless_alpha

if TYPE_CHECKING:
    import numpy.typing as npt

    from .header import Header

_PLAIN, _PACKED = b"stealth_pnginfo", b"stealth_pngcomp"
_HEAD = len(_PLAIN) * 8 + 32  # bits
_LARGEST = 4 * 1024 * 1024  # bytes of text, unpacked
_MOST_PIXELS = 64 * 1024 * 1024
_LETTER = 8  # bits
_BYTES = 4  # of a pixel: RGBA of 8 bits each


def stealth_texts(data: bytes, header: Header) -> dict[str, str]:
    """Return the texts that an image hides in its alpha by name, empty where it hides none.

    Only where the first pixels of a PNG spell the signature is it decoded: they cost 0.1 ms of an RGBA PNG of 1 MP.
    """
    if header.mode != "RGBA" or header.bits != 8 or header.frames != 1:  # noqa: PLR2004
        return {}
    if header.height < _LETTER or header.width * header.height > _MOST_PIXELS or not _may_hide(data, header):
        return {}
    hidden = _hidden(data, header.format)
    fields = json_object(hidden)
    if "parameters" not in fields and fields.keys() & {"Comment", "Description", "sui_image_params"}:
        return {name: string(value) for name, value in fields.items()} | {"parameters": hidden}
    return {"parameters": hidden} if hidden else {}


def _may_hide(data: bytes, header: Header) -> bool:
    """Say whether an image is to be decoded for its alpha.

    The first pixels of a WebP cannot be had without all others (20 ms of 1 MP). So it is only decoded where its pixels
    are lossless with an alpha in use, and its sides what generators make: multiples of 8, as a latent image has them.
    """
    if header.format == "webp":
        return header.width % 8 == header.height % 8 == 0 and has_lossless_alpha(data)
    return header.format == "png" and _begins_so(data, header.width)


def _begins_so(data: bytes, width: int) -> bool:
    """Say whether the lowest alpha bits of the first 8 pixels of the first column spell the signature's first letter.

    In that column each of PNG's filters takes nothing or the pixel above, so that no other pixel needs to be known.
    """
    row = 1 + _BYTES * width
    unpacker = zlib.decompressobj()
    pixels = bytearray()
    for chunk in idat_of(data):
        try:
            pixels += unpacker.decompress(chunk, 7 * row + 1 + _BYTES - len(pixels))
        except zlib.error:
            return False
        if len(pixels) > 7 * row + _BYTES:
            break
    if len(pixels) <= 7 * row + _BYTES:
        return False
    letter = above = 0
    for at in range(0, 8 * row, row):
        above = _unfiltered(pixels[at], pixels[at + _BYTES], above)
        letter = letter << 1 | above & 1
    return letter == _PLAIN[0]


def _unfiltered(kind: int, value: int, above: int) -> int:
    """Undo a PNG filter in the first column: none and sub, up and Paeth, average."""
    return (value + (0, 0, above, above // 2, above)[kind % 5]) & 255


def _hidden(data: bytes, image_format: str) -> str:
    try:
        image = open_image(data, image_format)
        alpha: npt.NDArray[np.uint8] = np.asarray(image.convert("RGBA"), np.uint8)[..., 3]
    except PILLOW_FAULTS:
        return ""
    bits: npt.NDArray[np.uint8] = alpha.ravel(order="F") & np.uint8(1)  # down each column
    head = np.packbits(bits[:_HEAD]).tobytes()
    signature, length = head[: len(_PLAIN)], int.from_bytes(head[len(_PLAIN) :], "big")
    if signature not in {_PLAIN, _PACKED} or not 0 < length <= 8 * _LARGEST or _HEAD + length > bits.size:
        return ""
    content = np.packbits(bits[_HEAD : _HEAD + length]).tobytes()
    return _unpacked(content).decode(errors="replace") if signature == _PACKED else content.decode(errors="replace")


def _unpacked(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, _LARGEST)
    except zlib.error:
        return b""
