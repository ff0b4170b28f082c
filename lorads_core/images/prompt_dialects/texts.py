"""The texts of an image file that may hold a prompt, with what of them is JSON; untrusted, and nothing raises."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST = 100_000
"""Characters of a prompt that are looked at."""
_LONGEST_JSON = 32 * 1024 * 1024
_LABELLED = re.compile(r"\s*(prompt|workflow|parameters)\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)


class Texts:
    """The texts of one image by name; JSON is parsed once, and only where a dialect looks at it."""

    def __init__(
        self, texts: Mapping[str, str], exif_texts: Sequence[str] = (), comment: str = "", xmp_comment: str = ""
    ) -> None:
        """Sort in what a file holds.

        Args:
            texts: PNG text chunks by keyword.
            exif_texts: the texts of EXIF's main directory; ComfyUI's WebP and others write ``prompt:{…}`` there.
            comment: EXIF's UserComment, decoded.
            xmp_comment: XMP's exif:UserComment.
        """
        self._texts: dict[str, object] = dict(texts)
        self._parsed: dict[str, Mapping[str, object]] = {}
        for text in exif_texts:
            if label := _LABELLED.match(text):
                self._texts.setdefault(label[1].lower(), label[2])
        self.comment = comment or xmp_comment
        self.comment_fields = json_object(self.comment)
        if self.comment_fields and not is_graph(self.comment_fields):
            self._unwrap(self.comment_fields)

    def _unwrap(self, fields: Mapping[str, object]) -> None:
        """Take JSON in a UserComment for the texts that it wraps: a PNG's that was saved in another format."""
        for name, value in fields.items():
            if name != "prompt" or json_object(value):
                self._texts.setdefault(name, value)

    @property
    def is_empty(self) -> bool:
        """Whether there is no text that a dialect could read, as in most photographs."""
        return not (self._texts or self.comment)

    def text(self, name: str) -> str:
        """Return a text by its name, empty where there is none."""
        return string(self._texts.get(name))

    def fields(self, name: str) -> Mapping[str, object]:
        """Return the JSON object that a text holds, empty where it holds none."""
        if name not in self._parsed:
            self._parsed[name] = json_object(self._texts.get(name))
        return self._parsed[name]

    def __contains__(self, name: object) -> bool:
        return name in self._texts


def json_object(text: object) -> Mapping[str, object]:
    """Return a JSON object, read from text where it is not already; empty for all else.

    NaN, which ComfyUI writes, is read as Python does.
    """
    if not isinstance(text, str):
        return mapping(text)
    if len(text) > _LONGEST_JSON or not text[:200].lstrip().startswith("{"):
        return {}
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return mapping(value)


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, empty for all else."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """Return a JSON list, empty for all else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def string(value: object) -> str:
    """Return a string, empty for all else."""
    return value if isinstance(value, str) else ""


def is_graph(fields: Mapping[str, object]) -> bool:
    """Say whether an object is a graph of ComfyUI in its API form."""
    return any("class_type" in mapping(node) for node in fields.values())
