"""The list of tags beside a tagger's model: which of its numbers is which tag, and of what category.

- WD (SmilingWolf): ``selected_tags.csv`` with a header, ``tag_id,name,category,count``; categories are Danbooru's: 0
  general, 1 artist, 3 copyright, 4 character, 5 meta, and 9 for ratings (space SmilingWolf/wd-tagger, app.py,
  load_labels, read 2026-11). Other columns, as some exports have them, are passed over.
- JoyTag (fancyfeast): ``top_tags.txt``, one tag a line without empty ones, all of them general (fpgaminer/joytag,
  README.md, commit 4722635).
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Literal, NamedTuple

from ...errors import SettingsError
from ...system.files import read_text
from ...tags import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["wd", "joytag"]

FILES: dict[Kind, str] = {"wd": "selected_tags.csv", "joytag": "top_tags.txt"}
"""What the list of each kind of tagger is called."""

GENERAL, RATING, CHARACTER = "general", "rating", "character"
_LONGEST_NUMBER = 9  # digits of a category: Python refuses to read thousands
_CATEGORIES = {0: GENERAL, 1: "artist", 3: "copyright", 4: CHARACTER, 5: "meta", 9: RATING}


class Label(NamedTuple):
    """What one number of a model stands for: a canonical tag (empty: nothing that can be a tag), and its category."""

    tag: str
    category: str


def read_labels(kind: Kind, path: Path) -> list[Label]:
    """Return the labels of a model's numbers, in their order.

    Raises:
        SettingsError: the file is missing, no text, empty, or a line of it is wrong.
    """
    try:
        text = read_text(path, "utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no file {path}: copy it from where the model is from, beside the model."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): copy it again from where the model is from.") from error
    labels = list(_rows(text, path) if kind == "wd" else _lines(text))
    if not labels:
        raise SettingsError(f"{path} has no tags: copy it again from where the model is from.")
    return labels


def _lines(text: str) -> Iterator[Label]:
    for line in text.split("\n"):
        if line.strip():
            yield Label(canonical(line.strip()), GENERAL)


def _rows(text: str, path: Path) -> Iterator[Label]:
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, list[str]())
        if not {"name", "category"} <= set(header):
            raise SettingsError(
                f"{path}, line 1: the columns are {', '.join(header) or 'none'}; name and category must be among them."
            )
        name, category = header.index("name"), header.index("category")
        for row in rows:
            if row:
                yield _label(row, name, category, f"{path}, line {rows.line_num}")
    except csv.Error as error:
        raise SettingsError(
            f"{path}, line {rows.line_num}: {error}. Copy it again from where the model is from."
        ) from error


def _label(row: list[str], name: int, category: int, place: str) -> Label:
    if len(row) <= max(name, category) or not row[name].strip():
        raise SettingsError(
            f"{place}: it has no name or no category. Copy the file again from where the model is from."
        )
    number = row[category].strip()
    if not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        raise SettingsError(
            f"{place}: the category {row[category]!r} is not a number. Copy the file again from"
            " where the model is from."
        )
    # Of a category that is not Danbooru's nothing is guessed at: its tags count as general.
    return Label(canonical(row[name]), _CATEGORIES.get(int(number), GENERAL))
