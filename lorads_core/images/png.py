"""PNG on the level of chunks: a checked header, and a quick writer; pixels are read by Pillow."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from .declared_colour import of_codes, of_png
from .header import MOST_FRAMES, TRUNCATED, Header, InvalidImageError, damaged_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from PIL import Image

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_METADATA = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})

# Pillow 13 PngImagePlugin: _MODES, and its limits for texts. What it refuses, trainers cannot read.
_MODES = {
    (1, 0): "1",
    (2, 0): "L",
    (4, 0): "L",
    (8, 0): "L",
    (16, 0): "I;16",
    (8, 2): "RGB",
    (16, 2): "RGB",
    (1, 3): "P",
    (2, 3): "P",
    (4, 3): "P",
    (8, 3): "P",
    (8, 4): "LA",
    (16, 4): "RGBA",
    (8, 6): "RGBA",
    (16, 6): "RGBA",
}
_MAX_TEXT = 1024 * 1024
_MAX_TEXTS = 64 * _MAX_TEXT
_PALETTE, _GREY_ALPHA, _ALPHA = 3, 4, 6
_STRIP = 1 << 22  # bytes of pixels filtered at once: enough to be quick, little beside the image itself


def read_png(data: bytes) -> Header:
    """Read the header of a PNG and check every chunk's CRC up to IEND; what follows IEND is left alone.

    Raises:
        FaultError: truncated, damaged, or texts that unpack beyond Pillow's limits.
    """
    reader = _Reader()
    for kind, chunk in _chunks(data):
        reader.take(kind, chunk[8:-4])
    return reader.header()


def strip_png(data: bytes) -> Iterator[bytes | memoryview]:
    """Yield a PNG without texts, EXIF and date; its pixels and colours stay byte for byte.

    Raises:
        FaultError: truncated or damaged.
    """
    yield PNG_MAGIC
    for kind, chunk in _chunks(data):
        if kind not in _METADATA:
            yield chunk
    yield _IEND


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield each chunk (length, kind, content, checksum) after checking it, IEND not included."""
    view = memoryview(data)
    position = len(PNG_MAGIC)
    while True:
        if position + 12 > len(data):
            raise InvalidImageError(TRUNCATED)
        length, kind = struct.unpack_from(">I4s", data, position)
        if not kind.isalpha():
            raise damaged_error("no chunk where one should be")
        end = position + 12 + length
        if end > len(data):
            raise InvalidImageError(TRUNCATED)
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise damaged_error(f"wrong checksum of its {kind.decode('ascii')} chunk")
        if kind == b"IEND":
            return
        yield kind, view[position:end]
        position = end


def idat_of(data: bytes) -> Iterator[memoryview]:
    """Yield the packed pixels of a PNG whose chunks `read_png` has found sound."""
    view = memoryview(data)
    position = len(PNG_MAGIC)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            yield view[position + 8 : position + 8 + length]
        elif kind == b"IEND":
            return
        position += 12 + length


class _Reader:
    """Collects what the chunks of one PNG say, in their order."""

    def __init__(self) -> None:
        self.ihdr: tuple[int, int, int, int] | None = None
        self.has_pixels = False
        self.has_transparency = False
        self.frames = 0
        self.has_default_image = True
        self.icc = self.exif = self.cicp = b""
        self.gama = 0
        self.chrm: tuple[int, ...] = ()
        self.is_srgb = False
        self.texts: dict[str, str] = {}
        self.text_size = 0

    def take(self, kind: bytes, content: memoryview) -> None:
        if self.ihdr is None and kind != b"IHDR":
            raise damaged_error("no IHDR chunk")
        if take := _TAKERS.get(kind):
            take(self, content)

    def take_ihdr(self, content: memoryview) -> None:
        try:
            width, height, bits, colours = struct.unpack_from(">IIBB", content)
        except struct.error as error:
            raise damaged_error("short IHDR chunk") from error
        if (bits, colours) not in _MODES or not width or not height:
            raise damaged_error("impossible IHDR chunk")
        self.ihdr = (width, height, bits, colours)

    def take_idat(self, _content: memoryview) -> None:
        self.has_pixels = True

    def take_trns(self, _content: memoryview) -> None:
        self.has_transparency = True

    def take_actl(self, content: memoryview) -> None:
        frames = int.from_bytes(content[:4], "big")
        # As Pillow has it: a number of frames that no APNG may have means that there is no animation. One less than
        # the largest, as the default image may come on top.
        if not self.has_pixels and frames < MOST_FRAMES:
            self.frames = frames

    def take_fctl(self, _content: memoryview) -> None:
        if not self.has_pixels:
            self.has_default_image = False  # the image proper is the first frame

    def take_iccp(self, content: memoryview) -> None:
        rest = bytes(content).partition(b"\0")[2]
        self.icc = _inflated(rest[1:])

    def take_gama(self, content: memoryview) -> None:
        if not self.has_pixels:  # behind them it counts for no decoder
            self.gama = int.from_bytes(content[:4], "big")

    def take_chrm(self, content: memoryview) -> None:
        if not self.has_pixels:
            self.chrm = struct.unpack(f">{len(content) // 4}I", content[: len(content) // 4 * 4])

    def take_srgb(self, _content: memoryview) -> None:
        self.is_srgb = True

    def take_cicp(self, content: memoryview) -> None:
        self.cicp = bytes(content[:4])

    def colours(self, *, is_grey: bool) -> bytes:
        """Return the ICC profile of what is declared: cICP before iCCP before sRGB before the rest (PNG 3, 4.3)."""
        if len(self.cicp) == 4:  # noqa: PLR2004 - primaries, curve, matrix, range
            primaries, curve, _, is_full_range = self.cicp
            return of_codes(primaries, curve, is_grey=is_grey, is_full_range=bool(is_full_range))
        if self.icc or self.is_srgb or not (self.gama or self.chrm):
            return self.icc
        return of_png(self.gama, self.chrm, is_grey=is_grey)

    def take_exif(self, content: memoryview) -> None:
        self.exif = bytes(content)

    def take_plain_text(self, content: memoryview) -> None:
        key, _, value = bytes(content).partition(b"\0")
        self._text(key, value)

    def take_packed_text(self, content: memoryview) -> None:
        key, _, rest = bytes(content).partition(b"\0")
        self._text(key, _inflated(rest[1:]))

    def take_international_text(self, content: memoryview) -> None:
        key, _, rest = bytes(content).partition(b"\0")
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # after language and translated key
        self._text(key, _inflated(value) if rest[:1] == b"\1" else value)

    def _text(self, key: bytes, value: bytes) -> None:
        self.text_size += len(value)
        if self.text_size > _MAX_TEXTS:
            raise InvalidImageError("holds over 64 MiB of text: save it again without its texts.")
        self.texts.setdefault(key.decode("latin-1"), _decoded(value))

    def header(self) -> Header:
        if self.ihdr is None or not self.has_pixels:
            raise damaged_error("no pixels in it")
        width, height, bits, colours = self.ihdr
        frames = self.frames + self.has_default_image if self.frames else 1
        texts = self.texts
        exif = self.exif or _raw_profile(texts.pop("Raw profile type exif", ""))
        xmp = texts.pop("XML:com.adobe.xmp", "").encode(errors="replace")
        return Header(
            format="png",
            width=width,
            height=height,
            mode=_MODES[bits, colours],
            bits=8 if colours == _PALETTE else bits,
            has_alpha=self.has_transparency or colours in (_GREY_ALPHA, _ALPHA),
            frames=frames,
            icc=self.colours(is_grey=colours in (0, _GREY_ALPHA)),
            exif=exif,
            xmp=xmp,
            texts=texts,
        )


_TAKERS = {
    b"IHDR": _Reader.take_ihdr,
    b"IDAT": _Reader.take_idat,
    b"tRNS": _Reader.take_trns,
    b"acTL": _Reader.take_actl,
    b"fcTL": _Reader.take_fctl,
    b"iCCP": _Reader.take_iccp,
    b"gAMA": _Reader.take_gama,
    b"cHRM": _Reader.take_chrm,
    b"sRGB": _Reader.take_srgb,
    b"cICP": _Reader.take_cicp,
    b"eXIf": _Reader.take_exif,
    b"tEXt": _Reader.take_plain_text,
    b"zTXt": _Reader.take_packed_text,
    b"iTXt": _Reader.take_international_text,
}


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, _MAX_TEXT)
    except zlib.error:
        return b""  # as Pillow does: a broken text spoils no image
    if inflater.unconsumed_tail:
        raise InvalidImageError("holds a packed text or profile of over 1 MiB: save it again without its texts.")
    return text


def _decoded(value: bytes) -> str:
    # tEXt is Latin-1 by the book; programs that write prompts write UTF-8.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _raw_profile(text: str) -> bytes:
    """Read EXIF as ImageMagick writes it into PNGs: a few lines of head, then hex digits."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def encode_png(image: Image.Image) -> Iterator[bytes]:
    """Yield the parts of a PNG of an L, RGB or RGBA image, without metadata.

    Every pixel is stored as the difference to the one on its left and packed by run lengths: at most half the time
    of Pillow's quickest setting, for files up to a tenth larger (benchmarks/images.py).
    """
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[image.mode]
    rows = np.asarray(image).reshape(image.height, -1)
    colours = {1: 0, 3: 2, 4: _ALPHA}[channels]
    yield PNG_MAGIC + _chunk(b"IHDR", struct.pack(">IIBBBBB", image.width, image.height, 8, colours, 0, 0, 0))
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    step = max(1, _STRIP // rows.shape[1])
    for top in range(0, image.height, step):
        if packed := packer.compress(_filtered(rows[top : top + step], channels).data):
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def _filtered(rows: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 1  # filter type "sub"
    filtered[:, 1 : 1 + channels] = rows[:, :channels]
    np.subtract(rows[:, channels:], rows[:, :-channels], out=filtered[:, 1 + channels :])
    return filtered


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
