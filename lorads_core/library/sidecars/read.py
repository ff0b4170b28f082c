"""Reading one sidecar: its text as a caption, and its tags where it is a list of tags; nothing is written."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ...errors import CaptionError
from ...images.prompts import parse_infotext
from ...model import Caption, Tag
from ...tags import is_tag_list, parse_tag_list, safe_text, unescape_entities
from .data import Said, parse_json, said_by
from .decode import LARGEST_DATA, read_text
from .forms import Majority, form_of, lines_of, majority_of
from .rule import INFOTEXT, Reading
from .xmp import read_xmp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PLACEHOLDERS = ("[trigger]", "[name]")
"""What stands for the trigger in captions of ai-toolkit (toolkit/prompt_utils.py, inject_trigger_into_prompt)."""

_TAGGERS = ("wd", "joytag")
_MOST_SAMPLES = 32  # files of a folder that decide what its files are; more change little


class SidecarText(NamedTuple):
    """What a sidecar says of its image.

    ``form`` is what it was read as, ``several`` whether it has more captions than the one that is used, ``unseen`` how
    many tags were left out because they are not of what the image shows.
    """

    tags: tuple[Tag, ...] = ()
    captions: tuple[Caption, ...] = ()
    prompt: str = ""
    negative_prompt: str = ""
    prompt_source: str = ""
    form: str = ""
    several: bool = False
    unseen: int = 0


NO_TEXT = SidecarText()


class FolderMajority:
    """What most of a folder's text files are; it is found out when a file needs it, once, in whatever thread."""

    def __init__(self, paths: Callable[[], Sequence[Path]], encoding: str = "") -> None:
        self._paths = paths
        self._encoding = encoding
        self._lock = Lock()
        self._found: Majority | None = None

    def __call__(self) -> Majority:
        """Return what most of the files are; those that cannot be read do not count."""
        with self._lock:
            if self._found is None:
                paths = self._paths()
                samples = paths[:: max(1, len(paths) // _MOST_SAMPLES)][:_MOST_SAMPLES]
                self._found = majority_of(filter(None, map(self._text, samples)))
            return self._found

    def _text(self, path: Path) -> str:
        try:
            return unescape_entities(read_text(path, self._encoding)).strip()
        except CaptionError:
            return ""


def read_sidecar(path: Path, reading: Reading, majority: Callable[[], Majority] = Majority) -> SidecarText:
    """Return what a sidecar says; an empty file says nothing. A tagger's file is tags only.

    Raises:
        CaptionError: it is too long, not what its suffix says, or cannot be read.
    """
    if reading.suffix.endswith(".xmp"):
        return said_text(read_xmp(path), reading.source, "xmp")
    if reading.suffix.endswith(".json"):
        text = read_text(path, reading.encoding, LARGEST_DATA).strip()
        return said_text(said_by(parse_json(text, str(path))), reading.source, "json") if text else NO_TEXT
    text = unescape_entities(read_text(path, reading.encoding)).strip()
    if not text:
        return NO_TEXT
    form = form_of(text, majority) if reading.form == "auto" else reading.form
    found = _FORMS[form](text, reading.source)
    return found._replace(captions=()) if reading.source in _TAGGERS else found


def said_text(said: Said, source: str, form: str) -> SidecarText:
    """Return what data says of an image: its caption, else its prompt, else its tags as a caption."""
    tags = tuple(Tag(tag, source, score) for text, score in said.tags for tag in parse_tag_list(text))
    if not tags and is_tag_list(said.caption):
        tags = _tags(said.caption, source)
    captions: tuple[Caption, ...] = ()
    if source in _TAGGERS:
        pass
    elif said.caption:
        captions = (Caption(safe_text(said.caption), source),)
    elif said.prompt:
        captions = (Caption(said.prompt, INFOTEXT),)
    elif tags:
        captions = (Caption(", ".join(tag.text for tag in tags), source),)
    return SidecarText(tags, captions, said.prompt, "", "", form, said.several, said.unseen)


def _as_tags(text: str, source: str) -> SidecarText:
    lines = lines_of(text)
    written = lines[0] if len(lines) == 1 else ", ".join(line.strip(" ,") for line in lines)
    return SidecarText(_tags(written, source), (Caption(written, source),), form="tags" if len(lines) == 1 else "lines")


def _as_spaces(text: str, source: str) -> SidecarText:
    written = ", ".join(text.replace(",", " ").split())
    return SidecarText(_tags(written, source), (Caption(written, source),), form="spaces")


def _as_text(text: str, source: str) -> SidecarText:
    written = " ".join(lines_of(text))
    tags = _tags(written, source) if is_tag_list(written) or source in _TAGGERS else ()
    return SidecarText(tags, (Caption(written, source),), form="text")


def _as_captions(text: str, source: str) -> SidecarText:
    lines = lines_of(text)
    return _as_text(lines[0], source)._replace(form="captions", several=len(lines) > 1)


def _as_prompt(text: str, source: str) -> SidecarText:  # noqa: ARG001 - the same of every source
    prompts = parse_infotext(text)
    captions = (Caption(prompts.positive, INFOTEXT),) if prompts.positive else ()
    return SidecarText((), captions, prompts.positive, prompts.negative, prompts.source, "prompt")


def _tags(text: str, source: str) -> tuple[Tag, ...]:
    return tuple(Tag(tag, source) for tag in parse_tag_list(text) if not any(each in tag for each in PLACEHOLDERS))


_FORMS: dict[str, Callable[[str, str], SidecarText]] = {
    "tags": _as_tags,
    "spaces": _as_spaces,
    "text": _as_text,
    "captions": _as_captions,
    "prompt": _as_prompt,
}
