"""Files of tags, aliases and implications recognized by their content; nothing is fetched or repaired.

All names are given back in their canonical spelling. The formats:

- a JSON object ``{"alias": "tag"}``: a user's own dictionary;
- tag lists of a1111-sd-webui-tagcomplete (its README, "CSV tag data", 2026-07): ``name,category,count,"alias,alias"``
  without a header; with a header (``name`` or ``tag``, ``category``) also those of ComfyUI-Autocomplete-Plus, the
  exports of e621 and a WD tagger's list of tags;
- exports of boorus with a header that has ``antecedent_name`` and ``consequent_name``, and perhaps ``status``
  (e621.net/db_export, 2026), packed by gzip or not; the same as a JSON list, or a JSON object a line (Danbooru's API);
- two columns without a header, the first says the second.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, cast

from ..errors import SettingsError
from ..system.files import open_regular
from ..tags import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .vocabulary import Category

_NEXT = " \u2192 "  # in a circle of tags
_LARGEST = 1 << 28  # bytes; the whole of Danbooru's tags is a tenth of it
_GZIP = b"\x1f\x8b"
_SAID, _MEANT = "antecedent_name", "consequent_name"
_ACTIVE = "active"
_PAIR = 2
_SHOWN = 60
_NOTHING: tuple[int, list[str]] = (1, [])
# Neither a face nor one of Pony's words, and nothing that a closer look would change.
_PLAIN = re.compile(r"(?!score|source|rating)[a-z]{3}[a-z0-9'():.!_-]{0,190}(?<!_)")
_COLON = re.compile(r"\s*:")  # behind a key of JSON

_DANBOORU: dict[int, Category] = {0: "general", 1: "artist", 3: "series", 4: "character", 5: "quality"}
# Of e621 species (5), what is not valid (-1, 6) and lore (8) are general; contributors (2) are voices and modellers.
_E621: dict[int, Category] = {
    **_DANBOORU, -1: "general", 2: "artist", 5: "general", 6: "general", 7: "quality", 8: "general",
}  # fmt: skip
# tagcomplete's danbooru_e621_merged.csv: Danbooru's up to 5, then e621's own (scripts/tag_autocomplete_helper.py).
_MERGED: dict[int, Category] = {
    **_DANBOORU, -1: "general", 6: "general", 7: "general", 8: "artist", 9: "artist", 10: "series", 11: "character",
    12: "general", 14: "quality", 15: "general",
}  # fmt: skip
_WD: dict[int, Category] = {**_DANBOORU, 9: "rating"}
_ONLY_MERGED = frozenset({12, 14, 15})
_ONLY_E621 = frozenset({-1, 2, 6, 7, 8})


class Pair(NamedTuple):
    """That one tag means, or says along, another; ``line`` is where it stands: a line, or an entry of a JSON list.

    ``unit`` says which of the two, for messages.
    """

    said: str
    meant: str
    line: int
    unit: str = "line"


class TagList(NamedTuple):
    """What a list of tags tells: other spellings of its tags, and the category of those that are not general."""

    aliases: dict[str, str]
    categories: dict[str, Category]


def read_dictionary(path: Path) -> dict[str, str]:
    """Return a user's own dictionary, a JSON object: from an alias to the tag that it means at last.

    Raises:
        SettingsError: it cannot be read, is no JSON object of texts, says two things of one alias, or goes in circles.
    """
    text = _text(path)
    if not text.lstrip().startswith("{"):
        raise _no(path, 1, 'it must be a JSON object such as {"alias": "tag"}')
    return _final(path, _object(path, text))


def read_aliases(path: Path) -> dict[str, str]:
    """Return what a file of aliases tells: from an alias to the tag that it means at last.

    Raises:
        SettingsError: it cannot be read, is of no known format, says two things of one alias, or goes in circles.
    """
    text = _text(path)
    first = text.lstrip()[:1]
    if first == "{" and not _is_lines(text):
        return _final(path, _object(path, text))
    return _final(path, _pairs(path, text))


def read_implications(path: Path) -> dict[str, set[str]]:
    """Return what a file of implications tells: from a tag to those that it says along itself.

    Raises:
        SettingsError: it cannot be read, is of no known format, or has tags that imply each other.
    """
    found: dict[str, set[str]] = {}
    pairs: dict[tuple[str, str], Pair] = {}
    for pair in _pairs(path, _text(path)):
        if pair.said != pair.meant:
            found.setdefault(pair.said, set()).add(pair.meant)
            pairs[pair.said, pair.meant] = pair
    if circle := circle_of(found):
        first = pairs[circle[0], circle[1]]
        why = f"{_NEXT.join([*circle, first.said])}: they imply each other; take one of these out"
        raise _no(path, first.line, why, first.unit)
    return found


def read_tags(path: Path) -> TagList:
    """Return what a list of tags tells.

    A name that is in the list itself is no alias, whatever another row says; of two rows with the same alias the
    first counts, which in such lists is the more frequent tag.

    Raises:
        SettingsError: it cannot be read, is no list of tags, or has categories that are neither booru's.
    """
    numbers, others, kind = _listed(path, _text(path))
    categories: dict[str, Category] = {
        tag: kind[number] for tag, number in numbers.items() if kind[number] != "general"
    }
    aliases: dict[str, str] = {}
    for tag, text in others.items():
        for other in text.split(","):
            if (alias := canonical_name(other)) and alias not in numbers:
                aliases.setdefault(alias, tag)
    return TagList(aliases, categories)


def circle_of(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return tags each of which leads to the next and the last to the first; empty where there are none such."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found = cast("list[str]", error.args[1])[:-1]
        return found[::-1]
    return []


def canonical_name(name: str) -> str:
    """Return the canonical spelling; a plain name, as most are, needs no closer look, which takes half the time."""
    if _PLAIN.fullmatch(name) and "__" not in name:
        return name.replace("_", " ")
    return canonical(name)


# Reading


def _text(path: Path) -> str:
    try:
        data = _unpacked(path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{path} cannot be read ({reason}): fix its path in lorads.toml, or its permissions."
        ) from error
    if len(data) > _LARGEST:
        raise SettingsError(f"{path} is larger than {_LARGEST >> 20} MB: that is no file of tags.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _no(path, line, "it is not UTF-8; save it in that encoding") from error


def _unpacked(path: Path) -> bytes:
    with open_regular(path) as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not packed:
            return file.read(_LARGEST + 1)
        with gzip.open(file) as unpacked:
            return unpacked.read(_LARGEST + 1)


def _no(path: Path, line: int, why: str, unit: str = "line") -> SettingsError:
    return SettingsError(f"{path}, {unit} {line:,}: {why}.")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _final(path: Path, pairs: Iterable[Pair]) -> dict[str, str]:
    """Return from each alias to the tag at the end of its chain; a tag that means itself is no alias."""
    found: dict[str, Pair] = {}
    for pair in pairs:
        if pair.said == pair.meant:
            continue
        before = found.setdefault(pair.said, pair)
        if before.meant != pair.meant:
            raise _no(
                path,
                pair.line,
                f"{_shown(pair.said)} means {_shown(pair.meant)} here, and {_shown(before.meant)} in {before.unit}"
                f" {before.line:,}; keep one of them",
                pair.unit,
            )
    meant = {said: pair.meant for said, pair in found.items()}
    for said, following in meant.items():
        steps = {said: None}  # in their order
        last = following
        while last in meant:
            if last in steps:
                circle = [*steps][[*steps].index(last) :]
                why = f"{_NEXT.join([*circle, last])}: these aliases go in a circle; take one of them out"
                raise _no(path, found[last].line, why, found[last].unit)
            steps[last] = None
            last = meant[last]
        meant |= dict.fromkeys(steps, last)
    return meant


# JSON


def _json(path: Path, text: str, line: int = 1) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise _no(path, where, f"it is not valid JSON at column {error.colno}: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise _no(path, line, f"it is not JSON that can be read: {error}") from error


def _object(path: Path, text: str) -> Iterator[Pair]:
    """Yield the pairs of a JSON object of texts, and a key that it has twice each time."""
    try:
        pairs = json.JSONDecoder(object_pairs_hook=_Twice).decode(text)
    except (ValueError, RecursionError):
        _json(path, text)  # which says where
        raise
    line, place = 1, 0
    for key, value in cast("_Twice", pairs):
        following = _place_of(text, key, place)
        line, place = line + text.count("\n", place, following), following
        if not isinstance(value, str):
            raise _no(path, line, f"{_shown(key)} must be a text in quotes, the tag that it means")
        if not value.strip():
            raise _no(path, line, f"{_shown(key)} means nothing; to drop a tag, name it in also_blacklist")
        yield _pair(path, key, value, line)


class _Twice(list["tuple[str, object]"]):
    """The keys and values of a JSON object as they stand, one that is there twice too."""


def _place_of(text: str, key: str, start: int) -> int:
    """Return where a key stands at or behind a place, or that place where it is spelled in an odd way."""
    spellings = [json.dumps(key)] if key.isascii() else [json.dumps(key, ensure_ascii=False), json.dumps(key)]
    for spelling in spellings:
        place = text.find(spelling, start)
        while place >= 0:
            if _COLON.match(text, place + len(spelling)):
                return place + 1
            place = text.find(spelling, place + 1)  # that was a value of the same text
    return start


def _pair(path: Path, said: str, meant: str, line: int, unit: str = "line") -> Pair:
    pair = Pair(canonical_name(said), canonical_name(meant), line, unit)
    if not pair.said or not pair.meant:
        raise _no(path, line, f"{_shown(said)} or {_shown(meant)} is no tag", unit)
    return pair


def _is_lines(text: str) -> bool:
    """Tell a JSON object a line, as of an API, from one that is a dictionary."""
    first = text.lstrip().partition("\n")[0]
    try:
        found: object = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and _SAID in found


def _pairs(path: Path, text: str) -> Iterator[Pair]:
    """Yield the pairs of aliases or implications that are in force."""
    first = text.lstrip()[:1]
    if first == "[":
        found = _json(path, text)
        for number, entry in enumerate(cast("list[object]", found), 1):
            yield from _entry(path, entry, number, "entry")
    elif first == "{":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield from _entry(path, _json(path, line, number), number, "line")
    else:
        yield from _csv_pairs(path, text)


def _entry(path: Path, entry: object, number: int, unit: str) -> Iterator[Pair]:
    """Yield the pair of a booru's record if it is in force; what has no status is."""
    record = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    said, meant = record.get(_SAID), record.get(_MEANT)
    if not isinstance(said, str) or not isinstance(meant, str):
        raise _no(path, number, f"it must be an object with the texts {_SAID} and {_MEANT}", unit)
    if record.get("status", _ACTIVE) == _ACTIVE:
        yield _pair(path, said, meant, number, unit)


# CSV


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, and the line in which each begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise _no(path, line, f"it is not valid CSV: {error}; look for a quote that is not closed") from error


def _list_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Return the rows of a list of tags, in which a row with a bare quote costs no more than itself."""
    try:
        return iter(list(_rows(path, text)))
    except SettingsError:
        rows = _by_lines(text)
        if rows is None:
            raise
        return iter(rows)


def _by_lines(text: str) -> list[tuple[int, list[str]]] | None:
    """Return the rows of a list each of which is a line, some with a bare quote: tags such as ``"rats"`` or ``"``.

    A quote that is not closed within its line is a letter. None where a line is no row in that way either.
    """
    rows: list[tuple[int, list[str]]] = []
    bare, no_row = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = next(csv.reader([line], strict=True), no_row)
        except csv.Error:
            bare += 1
            try:
                row = next(csv.reader([line], quoting=csv.QUOTE_NONE), no_row)
            except csv.Error:  # longer than any row
                return None
        if row:
            rows.append((number, row))
    return rows if bare <= max(1, len(rows) // _FEW_BARE) else None


_FEW_BARE = 100  # rows for each with a bare quote; with more of them the file is something else


def _few(path: Path, line: int, row: list[str], least: int) -> SettingsError:
    return _no(path, line, f"it has {len(row)} columns where at least {least} are needed")


def _csv_pairs(path: Path, text: str) -> Iterator[Pair]:
    rows = _rows(path, text)
    line, first = next(rows, _NOTHING)
    if _SAID in first and _MEANT in first:
        return _with_header(path, first, rows)
    if len(first) != _PAIR or first[1].strip().isdecimal():
        raise _no(path, line, _not_pairs(first))
    return _without_header(path, line, first, rows)


def _not_pairs(first: list[str]) -> str:
    if len(first) > 1 and first[1].strip().removeprefix("-").isdecimal():
        return f"a number stands beside {_shown(first[0])}: this is a list of tags; name it as tags, not here"
    return (
        f"it has {len(first)} columns; known are two (a tag, and what it says), a header with {_SAID} and {_MEANT}, and"
        " JSON with these names"
    )


def _with_header(path: Path, header: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[Pair]:
    said, meant = header.index(_SAID), header.index(_MEANT)
    status = header.index("status") if "status" in header else said
    least = max(said, meant, status) + 1
    for line, row in rows:
        if len(row) < least:
            raise _few(path, line, row, least)
        if status == said or row[status] == _ACTIVE:
            yield _pair(path, row[said], row[meant], line)


def _without_header(path: Path, line: int, first: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[Pair]:
    yield _pair(path, first[0], first[1], line)
    for place, row in rows:
        if len(row) != _PAIR:
            raise _no(path, place, f"it has {len(row)} columns where the first line has two")
        yield _pair(path, row[0], row[1], place)


# Lists of tags


def _listed(path: Path, text: str) -> tuple[dict[str, int], dict[str, str], Mapping[int, Category]]:
    """Return the number of each tag's category, the aliases of those that have some, and what the numbers mean."""
    if text.lstrip()[:1] in {"[", "{"}:
        raise _no(path, 1, "it is JSON; a list of tags is CSV: name, category as a number, count, aliases")
    rows = _list_rows(path, text)
    line, first = next(rows, _NOTHING)
    has_header = "category" in first and not _TAG_NAMES.isdisjoint(first)
    name, category, aliases = _places(first) if has_header else (0, 1, 3)
    known: dict[str, int] = {}  # numbers as they are written
    lines: dict[int, int] = {}
    numbers: dict[str, int] = {}
    others: dict[str, str] = {}
    for place, row in rows if has_header else chain([(line, first)], rows):
        if len(row) <= max(name, category):
            raise _few(path, place, row, max(name, category) + 1)
        if row[category] not in known:
            known[row[category]] = _number(path, place, row[category])
            lines[known[row[category]]] = place
        if tag := canonical_name(row[name]):
            numbers[tag] = known[row[category]]
            if -1 < aliases < len(row) and row[aliases]:
                others[tag] = row[aliases]
    return numbers, others, _WD if "tag_id" in first else _kind(path, lines)


_COLUMNS = (("name", "tag"), ("aliases", "alias"))
_TAG_NAMES = frozenset(_COLUMNS[0])


def _places(header: list[str]) -> tuple[int, int, int]:
    name, aliases = (next((header.index(each) for each in known if each in header), -1) for known in _COLUMNS)
    return name, header.index("category"), aliases


def _number(path: Path, line: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _no(
            path, line, f"{_shown(text)} is no category; a list of tags has name, category as a number, count, aliases"
        ) from None


def _kind(path: Path, lines: Mapping[int, int]) -> Mapping[int, Category]:
    """Return what the numbers of categories mean, of which each stands in a line: they tell whose they are."""
    kind = _DANBOORU if _ONLY_E621.isdisjoint(lines) else _E621
    kind = kind if _ONLY_MERGED.isdisjoint(lines) else _MERGED
    unknown = sorted(lines.keys() - kind.keys())
    if unknown:
        raise _no(
            path, lines[unknown[0]], f"there is no category {unknown[0]}, neither of Danbooru (0 to 5) nor of e621"
        )
    return kind
