"""What indexing says of sidecars once, at its end: how they were read, which were left out, how to change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...images.files import printable_path
from ...model import Problem
from ...problems import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .read import SidecarText

_READ_AS = {
    "lines": "a list of tags over several lines: a line end separates tags",
    "spaces": "tags separated by spaces, as boorus write them",
    "captions": "one caption a line, of which the first is used",
    "prompt": "what a generator writes of an image: only its positive prompt counts, cleaned of weights",
}
_OTHERWISE = {
    "lines": "captions (one a line), or text",
    "spaces": "text",
    "captions": "tags, or text (one caption over several lines)",
    "prompt": "text",
}
_Key = TypeVar("_Key")
_MOST_KINDS = 4  # of files that belong to no image


class _Tally:
    """How many there are of something, and the first of them."""

    __slots__ = ("count", "first")

    def __init__(self, first: str) -> None:
        self.count = 0
        self.first = first


class SidecarNotes:
    """Counts of what was done with text files."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str, str], _Tally] = {}
        self._several: dict[str, _Tally] = {}
        self._unseen: dict[str, _Tally] = {}
        self._unclaimed: dict[str, _Tally] = {}
        self._wordless: dict[str, _Tally] = {}
        self._shadowed: dict[str, _Tally] = {}

    def read(self, path: str, suffix: str, source: str, text: SidecarText) -> None:
        """Count a sidecar that was read."""
        if text.form in _READ_AS:
            _add(self._forms, (f"{suffix}={source}", text.form), path)
        elif text.several:
            _add(self._several, suffix, path)
        if text.unseen:
            _add(self._unseen, suffix, path)
        if text.form == "json" and not (text.tags or text.captions):
            _add(self._wordless, suffix, path)

    def shadowed(self, path: str) -> None:
        """Count a sidecar that is not read because another of its image is."""
        _add(self._shadowed, "", path)

    def unclaimed(self, path: str, kind: str) -> None:
        """Count a text file that belongs to no image; ``kind`` is the end of its name."""
        _add(self._unclaimed, kind, path)

    def problems(self) -> Iterator[Problem]:
        """Yield what is to be said, once each."""
        for (reading, form), tally in self._forms.items():
            suffix = reading.partition("=")[0]
            message = (
                f"{counted(tally.count, f'{suffix} file was', f'{suffix} files were')} read as {_READ_AS[form]}. If"
                f" they are something else, name it: --sidecar {reading}:FORM with the FORM {_OTHERWISE[form]}."
            )
            yield _note("sidecar-form", message, tally)
        for suffix, tally in self._several.items():
            files = counted(tally.count, f"{suffix} file has", f"{suffix} files have")
            yield _note("sidecar-several", f"{files} several captions: the first is used.", tally)
        for suffix, tally in self._unseen.items():
            files = counted(tally.count, f"{suffix} file", f"{suffix} files")
            message = f"The tags of {files} that name an artist or describe the file (artist, meta) were left out."
            yield _note("sidecar-unseen", message, tally)
        for suffix, tally in self._wordless.items():
            files = counted(tally.count, f"{suffix} file holds", f"{suffix} files hold")
            message = f"{files} neither tags nor a caption under a known key; --sidecar {suffix}=none skips them."
            yield _note("sidecar-without-words", message, tally)
        yield from self._left_out()

    def _left_out(self) -> Iterator[Problem]:
        for tally in self._shadowed.values():
            message = (
                f"{counted(tally.count, 'text file was', 'text files were')} not read because the image has another of"
                " the same source, which comes first: remove one of them, or give them different sources, e.g."
                " --sidecar .json=none."
            )
            yield _note("sidecar-second", message, tally)
        if not self._unclaimed:
            return
        kinds = sorted(self._unclaimed.items(), key=lambda item: -item[1].count)
        shown = ", ".join(f"{tally.count:,} (*{kind})" for kind, tally in kinds[:_MOST_KINDS])
        more = f" and {len(kinds) - _MOST_KINDS:,} more kinds" if len(kinds) > _MOST_KINDS else ""
        longer = [kind for kind, _ in kinds if kind.count(".") > 1] or [kind for kind, _ in kinds if kind != ".txt"]
        offer = (
            f"to read them, say what they contain, e.g. --sidecar {longer[0]}=sidecar."
            if longer
            else "a text file is read that is called as its image: cat.txt or cat.jpg.txt for cat.jpg."
        )
        message = f"Text files that belong to no image, or are not read: {shown}{more}; {offer}"
        yield _note("sidecar-unread", message, kinds[0][1])


def _add(counts: dict[_Key, _Tally], key: _Key, path: str) -> None:
    counts.setdefault(key, _Tally(path)).count += 1


def _note(code: str, message: str, tally: _Tally) -> Problem:
    return Problem("info", code, message, printable_path(tally.first))
