"""Which text files are sidecars, by suffix: the caption source of their text, its form and its encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

INFOTEXT = "infotext"
"""The source of a caption that is what a generator writes of an image: a prompt, to be cleaned before it is used."""

NO_SOURCE = "none"
"""What stands for a source where files with a suffix are not to be read."""

FORMS = {
    "auto": "what most text files of the folder look like",
    "tags": "tags, separated by commas or line ends",
    "spaces": "tags separated by spaces, as boorus write them",
    "text": "one caption, whose line ends are spaces",
    "captions": "one caption a line, of which the first is used",
    "prompt": "a prompt, or what a generator writes of an image",
}
"""What the text of a sidecar can be."""

ENCODINGS = ("cp1252", "cp1250", "cp1251", "cp932", "gb18030", "big5", "euc_kr")
"""Encodings that a file can be read in where it is neither UTF-8 nor UTF-16: those of Windows by language."""

_VERSION = 2  # of how sidecars are read: with a new one, files are read again that have not changed


class Reading(NamedTuple):
    """How files with a suffix are read."""

    suffix: str
    source: str
    form: str = "auto"
    encoding: str = ""

    @property
    def mark(self) -> str:
        """A text that changes when the meaning of a file does; it holds no space."""
        return f"{self.source}:{_VERSION}{self.form}{self.encoding}"


FOLDER_SUFFIX = ".jsonl"
"""The suffix whose reading holds for files that list the images of a folder, whatever their own is."""

_DEFAULT = (
    Reading(".txt", "sidecar"),
    Reading(".caption", "joycaption"),
    Reading(".json", "sidecar"),
    Reading(FOLDER_SUFFIX, "sidecar"),
    Reading(".xmp", "sidecar"),
)


@dataclass(frozen=True, slots=True)
class SidecarRule:
    """How sidecars are read, by suffix; where several are of one source, the first that an image has is used."""

    readings: tuple[Reading, ...] = _DEFAULT

    @property
    def read(self) -> tuple[Reading, ...]:
        """The readings of suffixes that are read at all."""
        return tuple(each for each in self.readings if each.source != NO_SOURCE)

    @property
    def sources(self) -> set[str]:
        """The sources of what is read."""
        return {each.source for each in self.read} | {INFOTEXT}

    def with_reading(self, reading: Reading) -> SidecarRule:
        """Return the rule with this reading for its suffix."""
        known = [reading if each.suffix == reading.suffix else each for each in self.readings]
        return SidecarRule((*known,) if reading in known else (*known, reading))

    def over(self, other: SidecarRule) -> SidecarRule:
        """Return another rule with what this one says differently from the default."""
        for each in self.readings:
            other = other if each in _DEFAULT else other.with_reading(each)
        return other
