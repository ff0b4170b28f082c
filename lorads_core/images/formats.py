"""Which format a file truly is, and its header by the right reader: our own for the common ones, else Pillow's."""

from __future__ import annotations

import importlib
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, JpegImagePlugin

from ..system.extras import install_command
from .declared_colour import of_nclx
from .gif import read_gif
from .header import MOST_FRAMES, TRUNCATED, Header, InvalidImageError, damaged_error
from .jpeg import JPEG_MAGIC, read_jpeg
from .png import PNG_MAGIC, read_png
from .webp import is_webp, read_webp

if TYPE_CHECKING:
    from PIL import ImageFile

    from ..model import Severity
    from .files import ImageLimits


@dataclass(frozen=True, slots=True)
class Format:
    """A format of image files: ``plugin`` is Pillow's name for it, ``suffixes`` are those of its file names.

    ``module`` adds it to Pillow; it is of the extra with the format's name, and empty where Pillow has the format.
    """

    name: str
    plugin: str
    suffixes: tuple[str, ...]
    module: str = ""


FORMATS: tuple[Format, ...] = (
    Format("png", "PNG", (".png", ".apng")),
    Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jfif", ".jpe")),
    Format("webp", "WEBP", (".webp",)),
    Format("gif", "GIF", (".gif",)),
    Format("bmp", "BMP", (".bmp", ".dib")),
    Format("tiff", "TIFF", (".tif", ".tiff")),
    Format("avif", "AVIF", (".avif", ".avifs")),
    Format("jp2", "JPEG2000", (".jp2", ".j2k", ".jpf", ".jpx")),
    Format("heif", "HEIF", (".heic", ".heif", ".hif"), "pillow_heif"),
    Format("jxl", "JXL", (".jxl",), "pillow_jxl"),
)
SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes)
"""What the names of image files end in; what a file is, its first bytes say."""


@dataclass(frozen=True, slots=True)
class UnreadKind:
    """Files that hold images or films and are not read: what people call one and many, and what to do with them."""

    one: str
    many: str
    suffixes: tuple[str, ...]
    advice: str
    severity: Severity = "warning"


_UNREAD_KINDS = (
    UnreadKind(
        "camera RAW file",
        "camera RAW files",
        (
            *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".raf", ".orf", ".rw2", ".pef"),
            *(".srw", ".raw", ".3fr", ".fff", ".iiq", ".x3f", ".erf", ".kdc", ".dcr", ".mrw", ".mos", ".mef", ".rwl"),
        ),
        "develop them in a photo program and export JPEG or PNG.",
    ),
    UnreadKind(
        "file of a drawing program",
        "files of drawing programs",
        (".psd", ".psb", ".xcf", ".kra", ".clip", ".ora", ".afphoto", ".procreate", ".sai", ".sai2", ".mdp"),
        "open them there and export PNG.",
    ),
    UnreadKind(
        "image of another format",
        "images of other formats",
        (
            *(".tga", ".exr", ".hdr", ".dds", ".qoi", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".icns", ".jxr"),
            *(".wdp", ".j2c", ".jpc", ".bpg", ".svg", ".svgz", ".eps", ".ai"),
        ),
        "save them as PNG.",
    ),
    UnreadKind(
        "video",
        "videos",
        (
            *(".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg", ".3gp", ".flv", ".mts"),
            ".m2ts",
        ),
        "save single frames of them as PNG to train on those.",
        "info",  # each live photo of a phone brings one
    ),
)
UNREAD = {suffix: kind for kind in _UNREAD_KINDS for suffix in kind.suffixes}
"""Kinds of files that are counted and named instead of read, by suffix."""

LONGEST_MAGIC = 16
"""Bytes that `is_image_start` needs."""

_BY_NAME = {each.name: each for each in FORMATS}
_READERS = {"png": read_png, "jpeg": read_jpeg, "webp": read_webp, "gif": read_gif}
_MAGIC = (
    (PNG_MAGIC, "png"),
    (JPEG_MAGIC, "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x0a", "jxl"),
)
_BRANDS = {b"avif": "avif", b"avis": "avif", b"heic": "heif", b"heix": "heif", b"mif1": "heif", b"msf1": "heif"}
_BITS = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32, "1": 1}

# What Pillow's plugins are known to raise on broken bytes; a warning where a user's filters make errors of them.
PILLOW_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
    Image.DecompressionBombError,
)


def read_header(data: bytes, limits: ImageLimits) -> Header:
    """Read what an image file declares, checking that it is whole, without decoding it.

    Raises:
        FaultError: not an image, not a sound one, or one with more pixels than the limit.
    """
    kind = format_of(data)
    header = _READERS[kind](data) if kind in _READERS else _pillow_header(data, kind)
    check_size(header, limits)
    return header


def check_size(header: Header, limits: ImageLimits) -> None:
    """Refuse an image of no pixels, or of more than the limit.

    Raises:
        InvalidImageError: it is such a one.
    """
    if header.width < 1 or header.height < 1:
        raise damaged_error("a size of 0")
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise InvalidImageError(
            f"has {header.width} × {header.height} pixels, over the limit of {limits.max_pixels / 1e6:.0f} million:"
            " make it smaller, or raise the limit."
        )


def format_of(data: bytes) -> str:
    """Return the format that a file's first bytes say, whatever its name says.

    Raises:
        FaultError: no image of a known format.
    """
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if is_webp(data):
        return "webp"
    if data[4:8] == b"ftyp":
        if kind := _BRANDS.get(data[8:12]):
            is_avif = kind == "heif" and b"avif" in data[16 : int.from_bytes(data[:4], "big")]
            return "avif" if is_avif else kind
        raise InvalidImageError("is a video, not an image: leave it out.")
    start = data[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        raise InvalidImageError("is a web page that was saved under an image's name: download the image itself.")
    if start.startswith((b"<svg", b"<?xml")):
        raise InvalidImageError("is a drawing or other XML, not an image of pixels: export it as PNG.")
    raise InvalidImageError("is not an image of a known format: save it as PNG or JPEG, or leave it out.")


def is_image_start(data: bytes) -> bool:
    """Say whether a file that begins with these bytes is an image of a known format; a few letters do not count."""
    try:
        return format_of(data) != "bmp"  # "BM" begins many a text
    except InvalidImageError:
        return False


def open_image(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Open bytes by the Pillow plugin of their format, and by no other; pixels are not decoded yet.

    `PIL.Image.open` is not used: it warns of large images, which only a change of global state could silence, and
    it tries formats that run other programs. The pixels must be within the limits already.

    Raises:
        InvalidImageError: there is no plugin for the format.
        The exceptions in ``PILLOW_FAULTS``: the plugin refuses the bytes.
    """
    if kind == "jpeg":
        # Not the registered factory: it makes stereo pairs and gain maps "animated", and warns where these are broken.
        return JpegImagePlugin.JpegImageFile(BytesIO(data))
    factory, _ = Image.OPEN[_plugin(_BY_NAME[kind])]
    return factory(BytesIO(data), "")


def _plugin(wanted: Format) -> str:
    """Return Pillow's name of a format that it can read."""
    Image.preinit()
    if wanted.plugin not in Image.OPEN:
        Image.init()
    if wanted.plugin not in Image.OPEN and wanted.module:
        _add_to_pillow(wanted)
    if wanted.plugin not in Image.OPEN:
        install = f"{install_command(wanted.name)}, or " if wanted.module else ""
        raise InvalidImageError(
            f"is an image of format {wanted.name}, which this Pillow cannot read: {install}save it as PNG or JPEG."
        )
    return wanted.plugin


def _add_to_pillow(wanted: Format) -> None:
    with suppress(ImportError):
        package = importlib.import_module(wanted.module)
        if wanted.name == "heif":  # the other one registers itself when it is imported
            package.register_heif_opener()


def _pillow_header(data: bytes, kind: str) -> Header:
    try:
        image = open_image(data, kind)
        _check_length(data, kind, image)
        info = image.info
        return Header(
            format=kind,
            width=image.width,
            height=image.height,
            mode=image.mode,
            bits=_bits(image),
            has_alpha="transparency" in info or image.mode in {"LA", "PA", "RGBA", "La", "RGBa"},
            frames=min(max(1, int(getattr(image, "n_frames", 1))), MOST_FRAMES),
            icc=_bytes(info.get("icc_profile")) or (of_nclx(data) if kind in {"avif", "heif"} else b""),
            exif=data if kind == "tiff" else _bytes(info.get("exif")).removeprefix(b"Exif\0\0"),
            xmp=_bytes(info.get("xmp")),
        )
    except PILLOW_FAULTS as error:
        raise InvalidImageError(f"is a damaged {kind} image ({error}): copy it again, or delete it.") from error


def _check_length(data: bytes, kind: str, image: ImageFile.ImageFile) -> None:
    """Find images that were cut off, for formats whose header says how long they are."""
    if kind in {"avif", "heif"}:
        position = 0
        while position + 8 <= len(data):
            size = int.from_bytes(data[position : position + 4], "big")
            if size == 1:
                size = int.from_bytes(data[position + 8 : position + 16], "big")
            position += max(8, size) if size else len(data) - position
        if position > len(data):
            raise InvalidImageError(TRUNCATED)
    elif kind == "bmp" and image.tile and image.tile[0][0] == "raw":
        _, _, offset, arguments = image.tile[0]
        stride = int(arguments[1]) if isinstance(arguments, tuple) else 0
        if offset + stride * image.height > len(data):
            raise InvalidImageError(TRUNCATED)


def _bits(image: ImageFile.ImageFile) -> int:
    tags = getattr(image, "tag_v2", None)
    found: object = tags.get(258) if tags else None  # BitsPerSample of TIFF, which Pillow may have read as 8 already
    if isinstance(found, tuple) and found and isinstance(found[0], int):
        return found[0]
    return _BITS.get(image.mode, 8)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
