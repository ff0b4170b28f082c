"""Vocabularies of lorads.toml: the shipped one with what a user's files add; how files are read is `tag_files`' matter.

What stands later overrides what stands before: the shipped aliases, the aliases of a list of tags, a file of aliases,
the user's own dictionary. Each of them is free of circles and chains, or refused; where one overrides another, the tags
that the later one means stay as they are.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import SettingsError
from ..model import FileStamp
from ..tags import canonical
from .tag_files import TagList, circle_of, read_aliases, read_dictionary, read_implications, read_tags
from .vocabulary import BLACKLIST, COUNTS, QUALITY, RATINGS, SHIPPED, Vocabulary, last_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..settings import Table, VocabularyProfile
    from .vocabulary import Category

_log = logging.getLogger(__name__)

_FILES = ("dictionary", "aliases", "implications", "tags")
_LISTS = ("blacklist", "also_blacklist")
_MOST_KEPT = 4  # vocabularies in memory, of which one may take a hundred megabytes

# Captions are ordered, rated and cleaned by these words: a booru that calls them otherwise must not take them away.
_OURS = frozenset({*COUNTS, *RATINGS, *QUALITY, *BLACKLIST})


class _File(NamedTuple):
    """A file as it was found, so that a changed one is read again."""

    path: Path
    stamp: FileStamp


class _Wanted(NamedTuple):
    """All that a vocabulary is made of; ``blacklist`` is the user's own, None where ours stays."""

    dictionary: _File | None
    aliases: _File | None
    implications: _File | None
    tags: _File | None
    blacklist: tuple[str, ...] | None
    also_blacklist: tuple[str, ...]
    for_sidecars: bool


def read_vocabulary(profile: VocabularyProfile) -> Vocabulary:
    """Return the vocabulary of ``[vocabularies.NAME]``; the same one as long as its files do not change.

    Its keys: ``dictionary`` (a JSON object, from an alias to a tag), ``aliases``, ``implications`` and ``tags`` (files
    of boorus, see `tag_files`; relative to the settings file), ``blacklist`` (instead of ours), ``also_blacklist``,
    ``sidecars`` (true: the tags of sidecars get these names too).

    Raises:
        SettingsError: a key is unknown, or a file cannot be read or is none of the formats; it says which line.
    """
    options = profile.options.only(*_FILES, *_LISTS, "sidecars")
    dictionary, aliases, implications, tags = (_file(options, key) for key in _FILES)
    own = _blacklist(options, "blacklist") if "blacklist" in options.values else None
    banned = _blacklist(options, "also_blacklist")
    return _read(_Wanted(dictionary, aliases, implications, tags, own, banned, options.flag("sidecars")))


def _file(options: Table, key: str) -> _File | None:
    path = options.path(key)
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(
            f"{options.source}: {options.where}{key}: {path} cannot be read ({error.strerror}): fix the path."
        ) from error
    return _File(path, FileStamp.of(found))


def _blacklist(options: Table, key: str) -> tuple[str, ...]:
    entries = options.texts(key)
    for entry in entries:
        if not canonical(entry.removesuffix("*")):
            raise SettingsError(
                f"{options.source}: {options.where}{key} has the entry {entry!r}, which is no tag: take it out."
            )
    return tuple(entries)


@lru_cache(maxsize=_MOST_KEPT)
def _read(wanted: _Wanted) -> Vocabulary:
    listed = read_tags(wanted.tags.path) if wanted.tags else TagList({}, {})
    aliases = _over(SHIPPED.aliases, _but_ours(listed.aliases))
    if wanted.aliases:
        aliases = _over(aliases, _but_ours(read_aliases(wanted.aliases.path)))
    if wanted.dictionary:
        aliases = _over(aliases, read_dictionary(wanted.dictionary.path))
    implications = _implications(read_implications(wanted.implications.path) if wanted.implications else {}, aliases)
    categories: dict[str, Category] = {aliases.get(tag, tag): category for tag, category in listed.categories.items()}
    return Vocabulary(aliases, implications, categories, _banned(wanted, aliases), wanted.for_sidecars)


def _but_ours(aliases: Mapping[str, str]) -> dict[str, str]:
    return {said: meant for said, meant in aliases.items() if said not in _OURS}


def _over(lower: Mapping[str, str], upper: Mapping[str, str]) -> dict[str, str]:
    """Return the aliases of both, the upper ones before the lower; the tags that the upper ones mean are no aliases."""
    stay = set(upper.values())
    below = {said: upper.get(meant, meant) for said, meant in lower.items() if said not in stay}
    return {said: meant for said, meant in (below | dict(upper)).items() if said != meant}


def _implications(read: Mapping[str, set[str]], aliases: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the shipped implications and those read, between the tags that the aliases leave."""
    found: dict[str, set[str]] = {}
    for table in (SHIPPED.implications, read):
        for tag, implied in table.items():
            tags = {aliases.get(each, each) for each in implied}
            found.setdefault(aliases.get(tag, tag), set()).update(tags)
    for tag, implied in found.items():
        implied.discard(tag)
    _open_circles(found)
    return {tag: frozenset(implied) for tag, implied in found.items() if implied}


def _open_circles(implications: dict[str, set[str]]) -> None:
    """Take out what would make tags imply each other, so that a merge would drop both of them.

    Each table is sound by itself. Yet a dictionary may call two tags the same, and a character may imply a series that
    ends in its name, whose last words say the character again (e621: `korra` -> `the legend of korra`).
    """
    graph: dict[str, set[str]] = {}
    for tag, implied in implications.items():
        implied.difference_update([each for each in implied if tag in last_words(each)])  # by far the most
        graph[tag] = implied | _words_in(tag, implications)
    for tag in {each for implied in implications.values() for each in implied} - implications.keys():
        graph[tag] = _words_in(tag, implications)
    while circle := circle_of(graph):
        for tag, following in zip(circle, [*circle[1:], circle[0]], strict=True):
            if following in implications.get(tag, ()) and following not in last_words(tag):
                implications[tag].discard(following)
                graph[tag].discard(following)
                _log.info("implication %s -> %s left out: it goes in a circle", tag, following)


def _words_in(tag: str, implications: Mapping[str, set[str]]) -> set[str]:
    """Return the last words of a tag that imply something themselves."""
    return {words for words in last_words(tag) if words in implications}


def _banned(wanted: _Wanted, aliases: Mapping[str, str]) -> frozenset[str]:
    """Return the blacklist; of the user's entries, which may be aliases, what they mean too."""
    own = (*(wanted.blacklist or ()), *wanted.also_blacklist)
    meant = {aliases.get(canonical(entry), entry) for entry in own if not entry.endswith("*")}
    return frozenset({*own, *meant, *(BLACKLIST if wanted.blacklist is None else ())})
