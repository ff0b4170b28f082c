"""Pictures made for the tests: a scene, colour profiles from their definitions, PNGs from chunks, broken files."""

from __future__ import annotations

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

SRGB_XYZ = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
P3_XYZ = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_XYZ = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB_CURVE = (3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_CURVE = (0, 2.19921875)


def scene(width=160, height=120):
    """A picture with slopes, edges and colours well inside every gamut, as uint8 of height × width × 3."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    red = 0.45 + 0.25 * np.sin(9 * x + 4 * y)
    green = 0.45 + 0.22 * np.cos(7 * y - 3 * x)
    blue = np.where((x * 6).astype(int) % 2 == (y * 6).astype(int) % 2, 0.35, 0.6)
    return np.round(255 * np.stack([red, green, blue], axis=-1)).astype(np.uint8)


def asymmetric(width=64, height=40):
    """A scene in which every corner differs, so that no turn leaves it as it is."""
    pixels = scene(width, height)
    pixels[: height // 4, : width // 4] = (250, 10, 10)
    pixels[: height // 4, -width // 4 :] = (10, 250, 10)
    return pixels


def psnr(one, other):
    """Peak signal to noise in dB between two 8-bit arrays of one shape."""
    error = np.mean((np.asarray(one, np.float64) - np.asarray(other, np.float64)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def saved(image, kind="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# Colour profiles


def _fixed(value):
    return struct.pack(">i", round(value * 65536))


def _xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _curve(curve):
    kind, *parameters = curve
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, parameters))


def _icc(space, connection, device_class, tags):
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"wtpt": _xyz((0.9642, 1, 0.8249)),
    } | tags
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"none", 0x02400000, device_class, space, connection)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
    head += bytes(28) + _xyz((0.9642, 1, 0.8249))[8:] + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def rgb_profile(xyz=SRGB_XYZ, curve=SRGB_CURVE):
    colours = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, xyz), strict=True))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(curve))
    return _icc(b"RGB ", b"XYZ ", b"mntr", colours | curves)


def grey_profile(curve):
    return _icc(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": _curve(curve)})


INKS = np.array(
    [(0.05, 0.45, 0.75), (0.7, 0.08, 0.3), (0.9, 0.8, 0.06), (0.02, 0.02, 0.02)]
)  # C, M, Y, K in linear light


def printed(cmyk):
    """Linear sRGB of inks (… × 4, 0–1), each of which filters what the others let through."""
    cmyk = np.asarray(cmyk, float)[..., None]
    return np.prod(1 - cmyk * (1 - INKS), axis=-2)


@functools.cache
def cmyk_profile():
    """A printer's profile of the inks above: a table of 9 × 9 × 9 × 9 Lab values."""
    points = 9
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, points)] * 4, indexing="ij"), axis=-1)
    xyz = printed(grid) @ np.array(SRGB_XYZ)
    ratio = xyz / (0.9642, 1, 0.8249)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    coded = np.stack([lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], axis=-1)
    table = np.clip(np.round(coded), 0, 65535).astype(">u2").tobytes()
    identity = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    ramp = struct.pack(">HH", 0, 65535)
    lut = b"mft2\0\0\0\0" + struct.pack(">BBBB", 4, 3, points, 0) + identity + struct.pack(">HH", 2, 2)
    return _icc(b"CMYK", b"Lab ", b"prtr", {b"A2B0": lut + 4 * ramp + table + 3 * ramp})


def to_linear(pixels):
    value = np.asarray(pixels, float) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def from_linear(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def as_colours_of(pixels, xyz, curve):
    """The same colours as 8-bit values of another RGB space."""
    light = to_linear(pixels) @ np.array(SRGB_XYZ) @ np.linalg.inv(np.array(xyz))
    coded = from_linear(light) if curve == SRGB_CURVE else np.clip(light, 0, 1) ** (1 / curve[1])
    return np.round(255 * coded).astype(np.uint8)


# PNGs by chunks


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header_chunk(width, height, bits=8, colours=2):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND")


def png_with(*chunks, after=False):
    """A small sound PNG with chunks put in before its pixels, or behind them."""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + bytes(3)))
    middle = (pixels, *chunks) if after else (*chunks, pixels)
    return png(header_chunk(1, 1), *middle)


def text_chunk(key, text):
    return chunk(b"tEXt", key.encode() + b"\0" + text.encode())


def packed_text_chunk(key, text):
    return chunk(b"zTXt", key.encode() + b"\0\0" + zlib.compress(text))


# Broken files: name -> (bytes, what the message says)


def _flipped(data, position):
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


def broken():
    sound_png, sound_jpeg = saved(scene()), saved(scene(), "JPEG", quality=90)
    sound_webp, sound_avif = saved(scene(), "WEBP"), saved(scene(), "AVIF")
    sound_bmp = saved(scene(), "BMP")
    return {
        "zero.png": (b"", "is empty"),
        "page.jpg": (b"\n<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        "text.png": (b"this is no picture at all", "not an image of a known format"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing"),
        "video.webp": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(99), "video"),
        "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image of a known format"),
        "cut.png": (sound_png[: len(sound_png) // 2], "cut off"),
        "cut-end.png": (sound_png[:-6], "cut off"),
        "no-end.png": (sound_png[:-12], "cut off"),
        "flipped.png": (_flipped(sound_png, len(sound_png) // 2), "wrong checksum of its IDAT"),
        "no-pixels.png": (png(header_chunk(4, 4)), "no pixels"),
        "no-size.png": (png(header_chunk(0, 4)), "impossible"),
        "cut.jpg": (sound_jpeg[: len(sound_jpeg) // 2], "cut off"),
        "cut-end.jpg": (sound_jpeg[:-2], "cut off"),
        "cut-head.jpg": (sound_jpeg[:30], "cut off"),
        "only-ends.jpg": (b"\xff\xd8\xff\xd9\xff\xd9\xff\xd9", "no pixels"),
        "deep.jpg": (sound_jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "cannot be read"),
        "cut.webp": (sound_webp[: len(sound_webp) // 2], "cut off"),
        "no-pixels.webp": (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10), "no pixels"),
        "cut.avif": (sound_avif[:-100], "cut off"),
        "cut.bmp": (sound_bmp[:-100], "cut off"),
        "junk.tif": (b"II*\0" + b"\xff" * 40, "damaged"),
        "junk.gif": (b"GIF89a\1\0\1\0", "cut off"),
        "bomb.png": (
            png(header_chunk(20_000, 20_000, 1, 0), chunk(b"IDAT", zlib.compress(bytes(100)))),
            "over the limit",
        ),
        "bomb-text.png": (png_with(packed_text_chunk("a", bytes(70_000_000))), "packed text"),
        "bomb-text-behind.png": (png_with(packed_text_chunk("a", bytes(70_000_000)), after=True), "packed text"),
    }
