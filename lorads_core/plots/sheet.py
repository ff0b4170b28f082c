"""Contact sheets: many images on one, each whole and with its words below; they are never stretched or cropped."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ..errors import ImageError
from ..images.decode import decode
from ..images.encode import atomic_writer
from ..images.files import printable_path
from ..system.rights import EVERYONE

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAPER = (250, 250, 248)
_INK = (32, 33, 36)
_FAINT = (110, 113, 120)
_EMPTY = (228, 228, 224)
_BROKEN = (176, 42, 42)
_GAP = 14
_LINE = 17
_TEXT = 13
_TITLE = 20
_FRAME = 4
_MOST_CELLS = 400
_WIDEST = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """An image's file, or the image itself, and the lines below it; the first is printed darker.

    Without an image (None) its place stays empty, so that the next one begins a row.
    ``mark`` is the colour of a frame around it, as Pillow's ImageColor knows it ("#0f766e"); empty for none.
    """

    source: str | Image.Image | None
    lines: tuple[str, ...] = ()
    mark: str = ""


def contact_sheet(
    cells: Sequence[Cell], title: str = "", columns: int = 0, size: int = 192, *, note: str = ""
) -> Image.Image:
    """Return a sheet of images of at most ``size`` pixels a side, with ``columns`` of them (0: as fits the number).

    ``note`` is a line in small letters above the images.

    A file that cannot be read is a grey field with the reason. More than 400 images are not drawn; it says so.
    """
    drawn = cells[:_MOST_CELLS]
    wide = columns or min(_WIDEST, max(1, len(drawn)), max(4, round(len(drawn) ** 0.5 * 1.3)))
    lines = max((len(cell.lines) for cell in drawn), default=0)
    step = size + _GAP, size + lines * _LINE + _GAP + (_FRAME + 4 if lines else 0)
    above = _TITLE + 2 * _GAP + _FRAME if title else _GAP
    head = above + (_LINE if note else 0)
    rows = -(-len(drawn) // wide)
    foot = _LINE + _GAP if len(cells) > len(drawn) else 0
    sheet = Image.new("RGB", (wide * step[0] + _GAP, head + rows * step[1] + foot), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_GAP, _GAP), clipped(title, sheet.width - 2 * _GAP, _TITLE), _INK, _font(_TITLE))
    if note:
        place = _GAP, above - _GAP
        pen.text(place, clipped(note, sheet.width - 2 * _GAP, _TEXT), _FAINT, _font(_TEXT))
    with ThreadPoolExecutor(min(16, os.cpu_count() or 2)) as pool:
        thumbnails = pool.map(_thumbnail, [cell.source for cell in drawn], [size] * len(drawn))
        for n, (cell, thumbnail) in enumerate(zip(drawn, thumbnails, strict=True)):
            corner = _GAP + n % wide * step[0], head + n // wide * step[1]
            if thumbnail is not None:
                _draw(sheet, pen, cell, thumbnail, corner, size)
    if foot:
        pen.text((_GAP, sheet.height - foot), f"… and {len(cells) - len(drawn):,} more", _FAINT, _font(_TEXT))
    return sheet


def _thumbnail(source: str | Image.Image | None, size: int) -> Image.Image | str | None:
    """Return the image in small, or why there is none; None where none was given."""
    if source is None:
        return None

    def shrink_to(width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, size / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    try:
        picture = decode(source, first_frame=True, shrink_to=shrink_to) if isinstance(source, str) else source
    except ImageError as error:
        return f"It {str(error).removeprefix(printable_path(str(source))).strip()}"
    return picture.resize(shrink_to(*picture.size), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _draw(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    cell: Cell,
    thumbnail: Image.Image | str,
    corner: tuple[int, int],
    size: int,
) -> None:
    left, top = corner
    pen.rectangle((left, top, left + size - 1, top + size - 1), _EMPTY)
    if isinstance(thumbnail, str):
        for n, line in enumerate(_wrapped(thumbnail, size - 16, 6)):
            pen.text((left + 8, top + 8 + n * _LINE), line, _BROKEN, _font(_TEXT))
    else:
        sheet.paste(thumbnail, (left + (size - thumbnail.width) // 2, top + (size - thumbnail.height) // 2))
    if cell.mark:
        around = left - _FRAME, top - _FRAME, left + size - 1 + _FRAME, top + size - 1 + _FRAME
        pen.rectangle(around, outline=cell.mark, width=_FRAME)
    for n, line in enumerate(cell.lines):
        at = left, top + size + _FRAME + 2 + n * _LINE
        pen.text(at, clipped(line, size, _TEXT), _FAINT if n else _INK, _font(_TEXT))


def _wrapped(text: str, width: int, most: int) -> list[str]:
    """Return the text in at most ``most`` lines of ``width`` pixels, with an ellipsis where it is longer."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(_TEXT).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(clipped(word, width, _TEXT))
    if len(lines) > most:
        lines[most - 1] = clipped(" ".join(lines[most - 1 :]), width, _TEXT)
    return lines[:most]


def clipped(text: str, width: int, size: int) -> str:
    """Return the text, or as much of it as fits into ``width`` pixels at a letter size in pixels, with an ellipsis."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if font.getlength(text[:middle].rstrip() + "…") <= width:
            least = middle
        else:
            most = middle - 1
    return text[:least].rstrip() + "…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow's own font has Latin letters only; matplotlib brings one with Greek, Cyrillic and more.
    from matplotlib import get_data_path  # noqa: PLC0415 - loaded when something is drawn

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)


def save_png(picture: Image.Image, path: Path, rights: int = EVERYONE) -> None:
    """Write an image as PNG, in place of a former one only when it is whole; ``rights`` limit who may read it.

    Raises:
        ExportError: the folder is not there or cannot be written, or the disk is full.
    """
    with atomic_writer(path, rights) as file:
        picture.save(file, "PNG")
