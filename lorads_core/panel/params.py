"""Values of a request's body, path and query, each checked where it is read; it knows no dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from .responses import unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import ImageKey

LONGEST_TEXT = 20_000
"""Characters of a caption, or of any other text."""
MOST_KEYS = 200_000
_LONGEST_KEY = 300
_LARGEST_ID = 2**63 - 1


def image_key(word: str) -> ImageKey:
    """Return the image that ``library:number`` names.

    Raises:
        RefusedError: 404, it is not of that form; nothing else is a key, and no path is ever looked up.
    """
    library, _, number = word.rpartition(":")
    if len(word) <= _LONGEST_KEY and library and number.isascii() and number.isdecimal() and "\0" not in library:
        image_id = int(number)
        if image_id <= _LARGEST_ID:
            return library, image_id
    raise unknown(f"There is no image {word!r:.80}: a key is library:number, as the rows have it.")


def key_word(key: ImageKey) -> str:
    """Return an image's key as the page has it."""
    return f"{key[0]}:{key[1]}"


def dataset_id(word: str) -> UUID:
    """Return a dataset's id.

    Raises:
        RefusedError: 404, it is none.
    """
    return _uuid(word, "dataset")


def run_id(word: str) -> UUID:
    """Return a run's id.

    Raises:
        RefusedError: 404, it is none.
    """
    return _uuid(word, "run")


def _uuid(word: str, what: str) -> UUID:
    try:
        return UUID(word)
    except ValueError:
        raise unknown(f"There is no {what} {word!r:.80}: ask for the list of them.") from None


def number(query: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number of a query.

    Raises:
        RefusedError: 400, it is none, or out of bounds.
    """
    word = query.get(name)
    if word is None:
        return default
    if word.isascii() and word.isdecimal() and len(word) < 20 and lowest <= int(word) <= highest:  # noqa: PLR2004 - digits
        return int(word)
    raise wrong(f"{name} is {word!r:.40}: give a whole number from {lowest} to {highest}.")


class Body:
    """A JSON object of a request; what is read from it is what it should be, or refused by its name.

    Every method raises RefusedError (400) for a value of the wrong kind.
    """

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self.values = values
        self._where = where

    def only(self, *known: str) -> Body:
        """Return itself; other names than these are refused."""
        strange = next((name for name in self.values if name not in known), None)
        if strange is not None:
            raise wrong(f"{self._where}{strange!r:.40} is not known here; known are: {', '.join(known) or 'none'}.")
        return self

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there."""
        value = self.values.get(name, default)
        if isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value:
            return value
        raise self._wrong(name, f"a text of at most {LONGEST_TEXT:,} characters")

    def text_or_nothing(self, name: str) -> str | None:
        """Return a text, or None for null; it must be there."""
        if name in self.values and self.values[name] is None:
            return None
        return self.text(name)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false; without a default it must be there."""
        value = self.values.get(name, default)
        if isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false")

    def figure(self, name: str, *, whole: bool = False) -> float:
        """Return a number, a whole one where it must be."""
        value = self.values.get(name)
        if isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool):
            return value
        raise self._wrong(name, "a whole number" if whole else "a number")

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, of at least one."""
        value = self.values.get(name)
        items = cast("list[object]", value) if isinstance(value, list) else []
        if items and len(items) <= MOST_KEYS and all(isinstance(each, str) and _is_plain(each) for each in items):
            return cast("list[str]", items)
        raise self._wrong(name, "a list of texts, not empty")

    def key(self, name: str) -> ImageKey:
        """Return the image that it names."""
        return image_key(self.text(name))

    def keys(self, name: str) -> list[ImageKey]:
        """Return the images that a list names, each once."""
        return list(dict.fromkeys(image_key(each) for each in self.texts(name)))

    def table(self, name: str) -> Body:
        """Return an object in it, empty where there is none."""
        value = self.values.get(name, {})
        if isinstance(value, dict):
            return Body(cast("dict[str, Any]", value), f"{self._where}{name}.")
        raise self._wrong(name, "an object")

    def tables(self, name: str) -> Iterator[Body]:
        """Yield the objects of a list of at least one."""
        value = self.values.get(name)
        items = cast("list[object]", value) if isinstance(value, list) else []
        if not items or len(items) > MOST_KEYS or not all(isinstance(each, dict) for each in items):
            raise self._wrong(name, "a list of objects, not empty")
        for place, each in enumerate(cast("list[dict[str, Any]]", items)):
            yield Body(each, f"{self._where}{name}[{place}].")

    def _wrong(self, name: str, wanted: str) -> Exception:
        what = "is not" if name in self.values else "is missing: it must be"
        return wrong(f"{self._where}{name} {what} {wanted}.")


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and "\0" not in text
