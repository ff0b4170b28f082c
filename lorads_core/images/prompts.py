"""Prompts that generators write into image files: found by dialect, and read into parts with a certainty; pure.

Texts of files are untrusted, and nothing here raises on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .prompt_dialects import dialect, dialects
from .prompt_dialects.a1111 import is_infotext, parse_infotext
from .prompt_dialects.base import NO_PROMPTS, Prompts
from .prompt_dialects.parts import Part, lines_of, parts_of_lines
from .prompt_dialects.syntax import parse
from .prompt_dialects.texts import LONGEST, Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "NO_PROMPTS",
    "Part",
    "Prompts",
    "is_infotext",
    "lines_of",
    "parse_infotext",
    "parts_of_lines",
    "prompt_parts",
    "read_prompts",
]


def read_prompts(
    texts: Mapping[str, str], exif_texts: Sequence[str] = (), comment: str = "", xmp_comment: str = ""
) -> Prompts:
    """Find the prompts in an image's texts.

    Args:
        texts: PNG text chunks by keyword.
        exif_texts: the texts of EXIF's main directory; ComfyUI's WebP and others write ``prompt:{…}`` there.
        comment: EXIF's UserComment, decoded.
        xmp_comment: XMP's exif:UserComment.
    """
    found = Texts(texts, exif_texts, comment, xmp_comment)
    if found.is_empty:
        return NO_PROMPTS
    for each in dialects().values():
        prompts = each.read(found)
        if prompts.positive or prompts.negative or prompts.uncertain:
            uncertain = tuple(Part(_clean(part.text), part.certainty) for part in prompts.uncertain)
            return Prompts(_clean(prompts.positive), _clean(prompts.negative), each.name, uncertain)
    return NO_PROMPTS


def prompt_parts(prompt: str, source: str = "") -> tuple[Part, ...]:
    """Return the parts of a prompt without the syntax of the program that it was written for.

    ``source`` is the dialect that `read_prompts` named; of prompts from elsewhere the usual syntax is read.
    """
    return parse(prompt[:LONGEST], dialect(source).syntax)


def _clean(text: str) -> str:
    """Take out what PostgreSQL and UTF-8 cannot hold: NUL and half surrogate pairs."""
    return text[:LONGEST].replace("\0", "").encode(errors="ignore").decode().strip()
