"""Tags and captions in JSON: exports of boorus and of gallery-dl, taggers, qapyq, kohya; a stranger's data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, cast

from ...errors import CaptionError
from ...tags import unescape_entities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CAPTIONS = ("caption", "text", "captions", "long_caption", "short_caption", "prose")
"""Keys of captions, the likeliest first."""
_PROMPTS = ("prompt", "positive_prompt", "parameters")
_TAG_LISTS = ("tags", "tag", "wd", "wd14", "tag_string")
# Danbooru, gallery-dl and e621; the order of the groups is the one that captions of booru tags have.
_SHOWN = ("character", "copyright", "species", "general", "lore")
_NOT_SHOWN = ("artist", "director", "contributor", "meta", "metadata", "invalid", "deprecated")
_NAMES = ("name", "tag", "name_en", "label")
_SCORES = ("score", "confidence", "probability")
_GALLERY_DL = frozenset({"category", "subcategory"})
_MOST = 2_000  # tags; the longest lists of boorus have some 300


class Said(NamedTuple):
    """What a file says of an image: tags with their confidence, a caption, a prompt.

    ``several`` is whether it has more captions than one, ``unseen`` how many tags were left out because they say who
    made an image or how its file is.
    """

    tags: tuple[tuple[str, float | None], ...] = ()
    caption: str = ""
    prompt: str = ""
    several: bool = False
    unseen: int = 0


def parse_json(text: str, what: str) -> object:
    """Return the value of a JSON text.

    Raises:
        CaptionError: it is malformed, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptionError(f"{what} is not valid JSON ({error}): write it again, or remove it.") from error


def said_by(value: object) -> Said:
    """Return what a JSON value says of its image; nothing where it is of another kind, such as a workflow."""
    if isinstance(value, str):
        return Said(caption=_clean(value))
    if isinstance(value, list):
        return _of_list(cast("list[object]", value))
    fields = _object(value)
    if not fields:
        return Said()
    tags, unseen = _tags(fields)
    caption, several, prompt = "", False, ""
    if not fields.keys() >= _GALLERY_DL:  # there, a caption is what its author wrote to the viewers
        caption, several = _caption(fields)
        prompt = next((text for key in _PROMPTS if (text := _text(fields.get(key)))), "")
    return Said(tuple(tags[:_MOST]), caption, prompt, several, unseen)


def _of_list(values: list[object]) -> Said:
    """Return what a list says: captions where they are sentences, else tags, or the one object in it."""
    if len(values) == 1 and (only := _object(values[0])):
        return said_by(only)
    texts = [_text(each) for each in values if isinstance(each, str)]
    if any(" " in text and len(text.split()) > _FEW_WORDS for text in texts):
        return Said(caption=texts[0], several=len(texts) > 1)
    return Said(tuple(_named(values)[:_MOST]))


_FEW_WORDS = 6


def _caption(fields: Mapping[str, object]) -> tuple[str, bool]:
    """Return the caption that comes first, and whether there are others."""
    found = [text for key in _CAPTIONS for text in _captions(fields.get(key))]
    return (found[0], len(set(found)) > 1) if found else ("", False)


def _captions(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for each in cast("list[object]", value) if (text := _text(each))]
    by_name = _object(value)
    if not by_name:
        return [text] if (text := _text(value)) else []
    names = [*(key for key in _CAPTIONS if key in by_name), *by_name]
    return [text for key in dict.fromkeys(names) if (text := _text(by_name[key]))]


Tags = list[tuple[str, float | None]]


def _tags(fields: Mapping[str, object]) -> tuple[Tags, int]:
    """Return the tags, and how many were left out because they are not of what an image shows."""
    groups = _groups(fields)
    if groups:
        shown = [tag for name in _SHOWN for tag in _listed(groups.get(name))]
        unseen = sum(len(_listed(groups.get(name))) for name in _NOT_SHOWN)
        known = {*_SHOWN, *_NOT_SHOWN}
        others = [tag for name, value in groups.items() if name not in known for tag in _listed(value)]
        return _unique([*shown, *others]), unseen
    for key in _TAG_LISTS:
        if tags := _listed(fields.get(key)):
            return _unique(tags), 0
    scored = [(_clean(tag), _score(score)) for tag, score in fields.items()]  # a tagger's whole answer
    return ([], 0) if any(score is None for _, score in scored) else (scored, 0)


def _groups(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return lists of tags by what they are of: an object (e621), or fields of their own (Danbooru, gallery-dl)."""
    for prefix in ("tag_string_", "tags_"):
        found = {key.removeprefix(prefix): value for key, value in fields.items() if key.startswith(prefix)}
        if found.keys() & {*_SHOWN, *_NOT_SHOWN}:
            return {name: value for name, value in found.items() if name in {*_SHOWN, *_NOT_SHOWN}}
    tags = _object(fields.get("tags"))
    is_scored = any(isinstance(value, (int, float)) for value in tags.values())
    return {} if is_scored else tags


def _listed(value: object) -> Tags:
    """Return tags of a text, a list or an object from tags to scores."""
    if isinstance(value, str):
        return [(tag, None) for tag in _split(_clean(value))]
    if isinstance(value, list):
        return _named(cast("list[object]", value))
    scored = _object(value).items()
    return [(_clean(tag), _score(score)) for tag, score in scored if isinstance(score, (int, float, str))]


def _split(text: str) -> list[str]:
    """Return the tags of a text: separated by commas or line ends, else by spaces, as boorus do."""
    if "," in text or "\n" in text:
        return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    return text.split()


def _named(values: Iterable[object]) -> Tags:
    found: Tags = []
    for value in values:
        if isinstance(value, str):
            found.append((_clean(value), None))
            continue
        fields = _object(value)
        name = next((text for key in _NAMES if (text := _text(fields.get(key)))), "")
        if name:
            score = next((fields[key] for key in _SCORES if key in fields), None)
            found.append((name, _score(score)))
    return [(name, score) for name, score in found if name]


def _score(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 1 else None


def _unique(tags: Tags) -> Tags:
    return list(dict(reversed(tags)).items())[::-1]


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """Take out what neither UTF-8 nor PostgreSQL can hold, and HTML entities."""
    return unescape_entities(text.replace("\0", "").encode(errors="ignore").decode()).strip()
