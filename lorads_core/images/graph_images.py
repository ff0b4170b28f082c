"""Images that came without a file, such as a graph's: written as PNGs into a folder, each named by its content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..errors import ExportError
from ..problems import counted
from ..system.files import file_error_reason
from .encode import ImagePolicy, atomic_writer, save_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import Image

    from ..model import Progress

_NAME = 16  # hexadecimal digits


def save_graph_images(
    folder: Path, images: Sequence[Image.Image], captions: Sequence[str], progress: Progress
) -> list[Path]:
    """Write images into a folder, each with its caption in a text file of its name; what is there stays.

    The same image twice is one file: it gets the later caption. Without captions no text file is touched.

    Args:
        folder: is made where it is missing.
        images: L, RGB or RGBA.
        captions: as many as images, or none.
        progress: called after each.

    Raises:
        ExportError: the numbers differ, or the folder cannot be written.
    """
    if captions and len(captions) != len(images):
        raise ExportError(
            f"{counted(len(captions), 'caption')} came for {counted(len(images), 'image')}: wire as many, or no"
            " captions."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"{folder.name} cannot be made as a folder for images: {file_error_reason(error)}."
        ) from error
    kept: list[Path] = []
    for number, picture in enumerate(images):
        file = folder / f"{_name(picture)}.png"
        if not file.exists():
            save_image(picture, file, ImagePolicy("normalised"))
        if captions:
            with atomic_writer(file.with_suffix(".txt")) as text:
                text.write(captions[number].strip().encode(errors="replace"))
        kept.append(file)
        progress("images", number + 1, len(images))
    return kept


def _name(picture: Image.Image) -> str:
    content = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    content.update(picture.tobytes())
    return content.hexdigest()[:_NAME]
