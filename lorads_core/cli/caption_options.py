"""The words of the commands for captions, and the edit that they ask for; it runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..captions.operations import (
    SETS,
    Bulk,
    Selection,
    add_tags,
    find_and_replace,
    regex_replace,
    remove_tags,
    replace_tag,
    sort_tags,
)
from ..captions.profiles import profile
from ..errors import SettingsError

if TYPE_CHECKING:
    import argparse

    from ..captions.operations import Place
    from ..captions.vocabulary import Vocabulary
    from ..model import Dataset


def add_edit_words(command: argparse.ArgumentParser) -> None:
    """Add the words that name an operation, and which captions it may change."""
    editing = command.add_argument_group("editing (shows what would change; --apply does it)")
    editing.add_argument("--add-tag", action="append", default=[], metavar="TAG")
    editing.add_argument("--at", default="front", metavar="front|end|N", help="where: behind the trigger, ...")
    editing.add_argument("--remove-tag", action="append", default=[], metavar="TAG")
    editing.add_argument("--replace-tag", nargs=2, metavar=("OLD", "NEW"))
    editing.add_argument("--find", default="", metavar="TEXT", help="replace this text, wherever it stands")
    editing.add_argument("--replace", default="", metavar="TEXT", help="by this")
    editing.add_argument("--regex", action="store_true", help=r"--find is a regular expression, \1 its first group")
    editing.add_argument("--match-case", action="store_true")
    editing.add_argument("--sort", action="store_true", help="bring tags into the base model's order")
    editing.add_argument("--prune", action="store_true", help="take out the traits that were bound by --bind")
    editing.add_argument("--from-source", default="", metavar="SOURCE", help="take captions from another source")
    editing.add_argument("--apply", action="store_true", help="do it; --undo takes it back")
    choosing = command.add_argument_group("which captions")
    choosing.add_argument("--only", choices=SETS, default="all", help="of training or regularization images")
    choosing.add_argument("--id", action="append", default=[], type=int, metavar="ID", help="of this image")
    choosing.add_argument("--containing", default="", metavar="TEXT", help="that hold this text")
    choosing.add_argument("--by-hand", action="store_true", help="those that you wrote by hand, too")


def selection(options: argparse.Namespace, dataset: Dataset) -> Selection:
    """Return which captions the words name."""
    if not options.id and not options.containing:
        return Selection(of=options.only, by_hand=options.by_hand)
    text = options.containing.casefold()
    named = (
        image.key
        for image in dataset.images
        if image.caption
        if not options.id or image.record.id in options.id
        if text in image.caption.text.casefold()
    )
    return Selection(frozenset(named), options.only, options.by_hand)


def operation(options: argparse.Namespace, dataset: Dataset, vocabulary: Vocabulary) -> Bulk | None:
    """Return what the words ask for, None where they ask for nothing; `--from-source` is not its matter.

    Raises:
        SettingsError: they ask for several things at once, or a place is none.
        CaptionError: a tag or pattern is none.
    """
    which = selection(options, dataset)
    asked = [name for name in ("add_tag", "remove_tag", "replace_tag", "find", "sort") if getattr(options, name)]
    if len(asked) > 1:
        raise SettingsError("These are several edits at once: give one after the other, each can be taken back alone.")
    if options.add_tag:
        return add_tags(dataset, options.add_tag, _place(options.at), which)
    if options.remove_tag:
        return remove_tags(dataset, options.remove_tag, which)
    if options.replace_tag:
        old, new = options.replace_tag
        return replace_tag(dataset, old, new, which)
    if options.find:
        replacing = regex_replace if options.regex else find_and_replace
        return replacing(dataset, options.find, options.replace, which, match_case=options.match_case)
    if options.sort:
        return sort_tags(dataset, profile(options.base_model), vocabulary, which)
    return None


def _place(word: str) -> Place:
    if word == "front" or word == "end":  # noqa: PLR1714 - so that it is known to be one of them
        return word
    if not word.isdecimal():
        raise SettingsError(f"{word!r} is no place in a caption: say front, end or a number.")
    return int(word)
