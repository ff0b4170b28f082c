"""Keywords and descriptions of XMP sidecars (dc:subject, dc:description), as Lightroom and darktable write them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

from ...errors import CaptionError
from .data import Said
from .decode import LARGEST_DATA, read_data

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

_SUBJECT = "{http://purl.org/dc/elements/1.1/}subject"
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
_ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
_OWN = "darktable|"  # how darktable notes what it did with an image


def read_xmp(path: Path) -> Said:
    """Return the keywords and the description of an XMP file.

    Raises:
        CaptionError: it is too long, is not valid XML, or cannot be read.
    """
    data = read_data(path, LARGEST_DATA)
    if b"subject" not in data and b"description" not in data:
        return Said()
    try:
        root = ElementTree.fromstring(data.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise CaptionError(f"{path} is not valid XMP ({error}): save it again, or remove it.") from error
    keywords = [text for text in _items(root, _SUBJECT) if not text.startswith(_OWN)]
    # A keyword of a tree (`animals|fox`) is what stands at its end.
    tags = dict.fromkeys(text.rpartition("|")[2].strip() for text in keywords)
    descriptions = _items(root, _DESCRIPTION)
    return Said(tuple((tag, None) for tag in tags if tag), descriptions[0] if descriptions else "")


def _items(root: Element, name: str) -> list[str]:
    found = [item.text or "" for element in root.iter(name) for item in element.iter(_ITEM)]
    return [text.strip().replace("\0", "") for text in found if text.strip()]
