"""Request parameters of the panel: values of body, path and query, validated where they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from ..system.names import is_text
from .responses import bad_request, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import ImageKey

MAX_TEXT = 20_000
"""Maximum length of a caption or any other string, in characters."""
MAX_KEYS = 200_000
_MAX_KEY_LENGTH = 300
_MAX_ID = 2**63 - 1


def image_key(word: str) -> ImageKey:
    """Parse an image key, ``library:number``.

    Raises:
        RefusedError: 404, it does not have that form; a path is never a key.
    """
    library, _, number = word.rpartition(":")
    if len(word) <= _MAX_KEY_LENGTH and library and number.isascii() and number.isdecimal() and is_text(library):
        image_id = int(number)
        if image_id <= _MAX_ID:
            return library, image_id
    raise not_found(f"There is no image {word!r:.80}: a key is library:number, as in the rows.")


def format_key(key: ImageKey) -> str:
    """Format an image key as ``library:number``."""
    return f"{key[0]}:{key[1]}"


def dataset_id(word: str) -> UUID:
    """Parse a dataset's UUID.

    Raises:
        RefusedError: 404, it is not a UUID.
    """
    return _uuid(word, "dataset")


def run_id(word: str) -> UUID:
    """Parse a run's UUID.

    Raises:
        RefusedError: 404, it is not a UUID.
    """
    return _uuid(word, "run")


def _uuid(word: str, what: str) -> UUID:
    try:
        return UUID(word)
    except ValueError:
        raise not_found(f"There is no {what} {word!r:.80}: choose one from the list.") from None


def number(query: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    """Return an integer query parameter.

    Raises:
        RefusedError: 400, it is not an integer, or out of range.
    """
    word = query.get(name)
    if word is None:
        return default
    if word.isascii() and word.isdecimal() and len(word) < 20 and lowest <= int(word) <= highest:  # noqa: PLR2004 - digits
        return int(word)
    raise bad_request(f"{name} is {word!r:.40}: it must be an integer from {lowest} to {highest}.")


class Body:
    """A JSON object of a request, with typed getters that name an invalid field.

    Every method raises RefusedError (400) for a value of the wrong type.
    """

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self.values = values
        self._where = where

    def allow_only(self, *known: str) -> Body:
        """Return itself; raise for any field not listed."""
        unexpected = next((name for name in self.values if name not in known), None)
        if unexpected is not None:
            raise bad_request(
                f"{self._where}{unexpected!r:.40} is not a known field; known fields: {', '.join(known) or 'none'}."
            )
        return self

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; required if there is no default."""
        value = self.values.get(name, default)
        if isinstance(value, str) and _is_plain(value):
            return value
        raise self._wrong(name, f"a string of at most {MAX_TEXT:,} characters")

    def text_or_none(self, name: str) -> str | None:
        """Return a string, or None for null; required."""
        if name in self.values and self.values[name] is None:
            return None
        return self.text(name)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a boolean; required if there is no default."""
        value = self.values.get(name, default)
        if isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false")

    def number(self, name: str, *, whole: bool = False) -> float:
        """Return a number; with ``whole`` an integer."""
        value = self.values.get(name)
        kinds = (int,) if whole else (int, float)
        # JSON has numbers that no column holds: 1e400 is infinite.
        if isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= _MAX_ID:
            return value
        raise self._wrong(name, "an integer" if whole else "a number")

    def texts(self, name: str, *, allow_empty: bool = False) -> list[str]:
        """Return a list of strings, which is not empty unless that is allowed."""
        value = self.values.get(name)
        items = cast("list[object]", value) if isinstance(value, list) else []
        if allow_empty and value == []:
            return []
        if items and len(items) <= MAX_KEYS and all(isinstance(each, str) and _is_plain(each) for each in items):
            return cast("list[str]", items)
        raise self._wrong(name, "a non-empty list of strings")

    def key(self, name: str) -> ImageKey:
        """Return an image key."""
        return image_key(self.text(name))

    def keys(self, name: str) -> list[ImageKey]:
        """Return a list of image keys without duplicates."""
        return list(dict.fromkeys(image_key(each) for each in self.texts(name)))

    def object(self, name: str) -> Body:
        """Return a nested object, empty if it is missing."""
        value = self.values.get(name, {})
        if isinstance(value, dict):
            return Body(cast("dict[str, Any]", value), f"{self._where}{name}.")
        raise self._wrong(name, "an object")

    def objects(self, name: str) -> Iterator[Body]:
        """Yield the objects of a non-empty list."""
        value = self.values.get(name)
        items = cast("list[object]", value) if isinstance(value, list) else []
        if not items or len(items) > MAX_KEYS or not all(isinstance(each, dict) for each in items):
            raise self._wrong(name, "a non-empty list of objects")
        for place, each in enumerate(cast("list[dict[str, Any]]", items)):
            yield Body(each, f"{self._where}{name}[{place}].")

    def _wrong(self, name: str, wanted: str) -> Exception:
        what = "must be" if name in self.values else "is missing; it must be"
        return bad_request(f"{self._where}{name} {what} {wanted}.")


def _is_plain(text: str) -> bool:
    return len(text) <= MAX_TEXT and is_text(text)
