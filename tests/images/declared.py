"""PNGs that declare their colours by chunks, made from their parts."""

import io
import struct
import zlib

from PIL import Image

P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def gama(value):
    return struct.pack(">I", value)


GAMA = (
    {"gAMA": gama(100_000)},
    {"gAMA": gama(55_556)},
    {"gAMA": gama(45_455)},
    {"gAMA": gama(45_455), "cHRM": SRGB},
    {"gAMA": gama(45_455), "cHRM": P3},
    {"cHRM": P3},
    {"sRGB": b"\0", "gAMA": gama(100_000), "cHRM": P3},
)
"""What PNGs declared before cICP; the last one is sRGB, whatever the rest says."""
CICP = ({"cICP": bytes((12, 13, 0, 1))}, {"cICP": bytes((1, 13, 0, 1))}, {"cICP": bytes((9, 13, 0, 1))})


def declared_png(colour, chunks, mode="RGB"):
    """Return the bytes of a PNG of one colour with these chunks behind IHDR."""
    file = io.BytesIO()
    Image.new(mode, (8, 8), colour).save(file, "PNG")
    data = file.getvalue()
    extra = b"".join(_chunk(kind.encode(), content) for kind, content in chunks.items())
    return data[:33] + extra + data[33:]


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
