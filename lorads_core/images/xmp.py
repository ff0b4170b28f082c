"""Rating, orientation and comment from XMP, the XML that photo programs put into images; no hostile XML is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_RATING = "{http://ns.adobe.com/xap/1.0/}Rating"
_PERCENT = re.compile(r"\{http://ns\.microsoft\.com/photo/1\.[0-9]/?\}Rating")
_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')  # as Pillow's Image.getexif looks for it
_USER_COMMENT = "{http://ns.adobe.com/exif/1.0/}UserComment"
_LARGEST = 4 * 1024 * 1024


def read_rating(xmp: bytes) -> tuple[float | None, int | None]:
    """Return xmp:Rating in stars (-1: rejected) and MicrosoftPhoto:Rating in percent, None where there is none."""
    if b"Rating" not in xmp or len(xmp) > _LARGEST:
        return None, None
    root = _root(xmp)
    if root is None:
        return None, None
    stars: float | None = None
    percent: int | None = None
    for name, value in ((name, text) for element in root.iter() for name, text in _fields(element)):
        if name == _RATING and stars is None:
            stars = _number(value)
        elif percent is None and _PERCENT.fullmatch(name):
            number = _number(value)
            percent = None if number is None else round(number)
    return stars, percent


def read_user_comment(xmp: bytes) -> str:
    """Return exif:UserComment, which Draw Things writes its prompts into; empty where there is none."""
    if b"UserComment" not in xmp or len(xmp) > _LARGEST:
        return ""
    root = _root(xmp)
    if root is None:
        return ""
    for element in root.iter():
        if element.tag == _USER_COMMENT:
            return "".join(element.itertext()).strip()
        if text := element.attrib.get(_USER_COMMENT):
            return text
    return ""


def _root(xmp: bytes) -> Element | None:
    try:
        return ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None


def _fields(element: object) -> Iterator[tuple[str, str]]:
    """Yield attributes and text of an element alike: XMP may write a field as either."""
    tag, text, attributes = (getattr(element, name, None) for name in ("tag", "text", "attrib"))
    if isinstance(tag, str) and isinstance(text, str):
        yield tag, text
    if isinstance(attributes, dict):
        yield from attributes.items()


def read_orientation(xmp: bytes) -> int:
    """Return tiff:Orientation 1–8, 0 where there is none."""
    found = _ORIENTATION.search(xmp)
    return int(found[1]) if found else 0


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if -100 <= number <= 100 else None  # noqa: PLR2004 - percent at most; no NaN either
