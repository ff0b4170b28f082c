"""What the text of a sidecar is: a list of tags, one caption, one caption a line, or a generator's infotext; pure.

Where a text by itself can be read in two ways, most texts of its folder decide.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ...images.prompts import is_infotext
from ...tags import KAOMOJI, is_prose, is_tag_list, parse_tag_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f]$")
_SENTENCES = re.compile(r"[.!?][\"')]? +\S|[\u3002\uff01\uff1f]\S")
_ARTICLE = re.compile(r"an? ", re.IGNORECASE)  # no booru has a tag that begins so
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# Words between others that no list of booru tags has by themselves.
_BETWEEN_WORDS = frozenset("a an and are at by for from has her his in is of on the to with".split())  # noqa: SIM905
_LONG_LINE = 40  # characters; who breaks lines by hand breaks them behind as many
_LEAST_SPACED = 2


class Majority(NamedTuple):
    """What most texts of a folder are: those of several lines, and those of one line without a comma."""

    lines: str = ""
    is_spaced: bool = False


def form_of(text: str, majority: Callable[[], Majority]) -> str:
    """Return the form of a text, one of `FORMS` but for ``auto``; ``majority`` is called where it can be two."""
    if is_infotext(text):
        return "prompt"
    lines = lines_of(text)
    if len(lines) > 1:
        return majority().lines or form_of_lines(text, lines)
    if is_tag_list(text):
        return "tags"
    if not is_word_list(text):
        return "text"
    return "spaces" if has_booru_words(text) or majority().is_spaced else "text"


def lines_of(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def majority_of(texts: Iterable[str]) -> Majority:
    """Return what most of a folder's texts are, each looked at by itself."""
    forms: Counter[str] = Counter()
    spaced = single = 0
    for text in texts:
        lines = [] if is_infotext(text) else lines_of(text)
        if len(lines) > 1:
            forms[form_of_lines(text, lines)] += 1
        elif lines and not is_tag_list(lines[0]) and " " in lines[0]:
            single += 1
            spaced += has_booru_words(lines[0]) and is_word_list(lines[0])
    return Majority(forms.most_common(1)[0][0] if forms else "", 2 * spaced > single)


def form_of_lines(text: str, lines: Sequence[str]) -> str:
    """Return the form of a text of several lines, by itself."""
    if any(line.endswith(",") for line in lines[:-1]):
        return "text" if is_prose(text) else "tags"
    if not any("," in line or is_prose(line) or _ARTICLE.match(line) for line in lines):
        return "tags"
    if _is_paragraphs(text, lines) or _is_wrapped(lines):
        return "text"
    if any(is_prose(line) or _ARTICLE.match(line) for line in lines):
        return "captions"
    return "captions" if _share_tags(lines) else "tags"


def _is_paragraphs(text: str, lines: Sequence[str]) -> bool:
    """Tell the paragraphs of one long caption, as captioning models write them."""
    several = sum(bool(_SENTENCES.search(line)) for line in lines)
    return 2 * several > len(lines) or (bool(_BLANK_LINE.search(text.strip())) and several > 0)


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Tell prose whose lines were broken by hand or by an editor."""
    return all(
        len(line) >= _LONG_LINE and not _SENTENCE_END.search(line) and following[:1].islower()
        for line, following in pairwise(lines)
    ) and bool(_SENTENCE_END.search(lines[-1]))


def _share_tags(lines: Sequence[str]) -> bool:
    """Tell lines that say the same more than once, as variants of a caption do and lines of one list do not."""
    seen: set[str] = set()
    for line in lines:
        tags = parse_tag_list(line)
        if not seen.isdisjoint(tags):
            return True
        seen.update(tags)
    return False


def is_word_list(text: str) -> bool:
    """Tell words that may be tags with spaces between them: no comma, no sentence, none of the words between others."""
    if "," in text or _SENTENCE_END.search(text) or _SENTENCES.search(text):
        return False
    words = text.split()
    return len(words) >= _LEAST_SPACED and _BETWEEN_WORDS.isdisjoint(word.lower() for word in words)


def has_booru_words(text: str) -> bool:
    """Tell text in which words are tied by underscores, as boorus write tags of several words."""
    return any("_" in word.strip("_") and word not in KAOMOJI for word in text.split())
