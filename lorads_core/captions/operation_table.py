"""Bulk operations on captions as a closed table: name, label, fields, function and option on the command line.

Command line (`cli.caption_options`), panel (`panel.operations`) and page (``web/panel/operations.js``) read it, so that
a new operation is a function and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import CaptionError
from ..model import Edit, Trigger
from ..tags import canonical, one_line
from . import operations as edits
from .operations import Bulk
from .sources import source as caption_source
from .traits import prune
from .trigger import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model import Caption, Dataset, ImageKey, Position
    from .caption import CaptionSettings
    from .operations import Place, Selection

FieldKind = Literal["tags", "tag", "text", "flag", "choice", "source", "problems", "trigger", "position"]
"""How the dialog shows an argument of a bulk operation, and which value it has.

``tags`` is a list, comma-separated in the dialog; ``tag`` one tag; ``flag`` a checkbox; ``choice`` one of the field's
choices; ``source`` a caption source; ``problems`` a list of problem codes; ``trigger`` and ``position`` are the trigger
word and where it stands, the dataset's unless given.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """An argument of an operation; without a default it is required.

    ``choices`` are pairs of value and label; where it is ``numbered``, a whole number from 0 is allowed, too.
    ``option`` is the command line's for a field with a default; required ones are what the operation's option takes.
    """

    name: str
    label: str
    kind: FieldKind
    hint: str = ""
    default: str | bool | None = None
    choices: tuple[tuple[str, str], ...] = ()
    option: str = ""
    numbered: bool = False

    def value(self, given: Mapping[str, object], dataset: Dataset) -> object:
        """Return the value of this field among arguments, which are of the right type, or else its default.

        Raises:
            CaptionError: it is missing, or not one of its choices, or not one tag.
        """
        value = given.get(self.name, self._default(dataset))
        if value is None:
            raise CaptionError(f"{self.label} is missing: give a value for {self.name}.")
        match self.kind:
            case "tag":
                return self._single_tag(str(value))
            case "choice" | "position":
                return self._choice(str(value))
            case _:
                return value

    def _default(self, dataset: Dataset) -> object:
        match self.kind:
            case "trigger":
                return dataset.trigger.word
            case "position":
                return dataset.trigger.position
            case "tags":
                return None if self.default is None else []
            case _:
                return self.default

    def _single_tag(self, tag: str) -> str:
        if "," in tag or not canonical(one_line(tag)):
            raise CaptionError(f"{self.name} is {tag!r:.80}, which is not one tag: write one without commas.")
        return tag

    def _choice(self, value: str) -> str | int:
        if self.numbered and value.isascii() and value.isdecimal() and len(value) < 10:  # noqa: PLR2004 - digits
            return int(value)
        known = [name for name, _ in self.choices]
        if value not in known:
            number = " or a number" if self.numbered else ""
            raise CaptionError(f"{self.name} is {value!r:.40}: it must be one of {', '.join(known)}{number}.")
        return value


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation works on: the selected captions of a dataset; what is in the store is read by a call.

    ``rebuild`` returns the captions that other settings would make, ``fix`` the edit that solves problems by their
    codes, ``bound`` the tags bound to the trigger by concept (the empty name is the only concept's).
    """

    dataset: Dataset
    selection: Selection
    captions: CaptionSettings
    rebuild: Callable[[CaptionSettings], Mapping[ImageKey, Caption | None]]
    fix: Callable[[Sequence[str]], Edit]
    bound: Callable[[], Mapping[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A bulk operation: ``run`` takes the target, then each field by its name. ``option`` is the command line's."""

    name: str
    label: str
    option: str
    run: Callable[..., Bulk]
    fields: tuple[Field, ...] = ()

    @property
    def required(self) -> tuple[Field, ...]:
        """The fields that must be given."""
        return tuple(each for each in self.fields if each.default is None)

    def edit(self, target: Target, given: Mapping[str, object]) -> Bulk:
        """Return what the operation would do with these arguments, each of the type of its field.

        Raises:
            CaptionError: an argument is missing or invalid.
            LoradsError: the operation refuses its arguments.
        """
        arguments: dict[str, Any] = {each.name: each.value(given, target.dataset) for each in self.fields}
        return self.run(target, **arguments)


def _find_replace(target: Target, find: str, replace: str, regex: bool, case: bool) -> Bulk:  # noqa: FBT001 - by name
    do = edits.regex_replace if regex else edits.find_and_replace
    return do(target.dataset, find, replace, target.selection, match_case=case)


def _add_tags(target: Target, tags: Sequence[str], place: Place) -> Bulk:
    return edits.add_tags(target.dataset, tags, place, target.selection)


def _remove_tags(target: Target, tags: Sequence[str]) -> Bulk:
    return edits.remove_tags(target.dataset, tags, target.selection)


def _replace_tag(target: Target, old: str, new: str) -> Bulk:
    return edits.replace_tag(target.dataset, old, new, target.selection)


def _sort(target: Target) -> Bulk:
    captions = target.captions
    return edits.sort_tags(target.dataset, captions.profile, captions.rules.vocabulary, target.selection)


def _apply_source(target: Target, source: str, trigger: str, position: Position) -> Bulk:
    chosen = caption_source(source)
    word = checked(Trigger(trigger.strip(), position))
    rebuilt = target.rebuild(replace(target.captions, source=chosen.name, fallback=(), trigger=word))
    return edits.apply_source(target.dataset, rebuilt, chosen.label, target.selection)


def _prune(target: Target, tags: Sequence[str]) -> Bulk:
    """Remove traits, by default those that were bound, from the selected training captions."""
    dataset = target.dataset
    selected = frozenset(image.key for image, _ in target.selection.captions(dataset))
    found = [
        prune(dataset, traits, target.captions.rules.vocabulary, concept=concept, edited=selected)
        for concept, traits in _traits(target, tags).items()
    ]
    edit = edits.together(found[0].label if len(found) == 1 else "Bind traits to the trigger", found)
    return Bulk(Edit(edit.label, tuple(change for change in edit.changes if change.image in selected)))


def _traits(target: Target, tags: Sequence[str]) -> dict[str | None, frozenset[str]]:
    """Return canonical tags by concept; None: of all concepts."""
    named = frozenset(canonical(part) for tag in tags for part in tag.split(",")) - {""}
    if named:
        return {None: named}
    if tags:
        raise CaptionError(f"{', '.join(tags)!r} is not a valid tag: give the traits that the trigger stands for.")
    bound: dict[str | None, frozenset[str]] = {name or None: each for name, each in target.bound().items() if each}
    if not bound:
        raise CaptionError(
            f"No trait of {target.dataset.name!r} is bound to the trigger: bind some first, or name them."
        )
    return bound


def _fix(target: Target, codes: Sequence[str]) -> Bulk:
    return Bulk(target.fix(list(dict.fromkeys(codes))))


_TAGS = Field("tags", "Tags", "tags", "comma-separated")

_TABLE: tuple[Operation, ...] = (
    Operation(
        "add_tags",
        "Add tags",
        "--add-tag",
        _add_tags,
        (
            _TAGS,
            Field(
                "place",
                "Position",
                "choice",
                default="front",
                choices=(("front", "at the front, after the trigger"), ("end", "at the end")),
                option="--at",
                numbered=True,
            ),
        ),
    ),
    Operation("remove_tags", "Remove tags", "--remove-tag", _remove_tags, (_TAGS,)),
    Operation(
        "replace_tag",
        "Rename or merge a tag",
        "--replace-tag",
        _replace_tag,
        (
            Field("old", "Tag", "tag"),
            Field("new", "New name", "tag", "a caption that has both tags keeps one"),
        ),
    ),
    Operation(
        "find_replace",
        "Find and replace",
        "--find",
        _find_replace,
        (
            Field("find", "Find", "text"),
            Field("replace", "Replace with", "text", default="", option="--replace"),
            Field("regex", "Regular expression", "flag", default=False, option="--regex"),
            Field("case", "Match case", "flag", default=False, option="--match-case"),
        ),
    ),
    Operation("sort", "Sort tags in the base model's order", "--sort", _sort),
    Operation(
        "apply_source",
        "Rebuild from a source",
        "--from-source",
        _apply_source,
        (
            Field("source", "Source", "source"),
            Field("trigger", "Trigger", "trigger", default="", option="--trigger"),
            Field(
                "position",
                "Trigger position",
                "position",
                default="",
                choices=(("prepend", "at the front"), ("append", "at the end"), ("none", "not in captions")),
                option="--trigger-position",
            ),
        ),
    ),
    Operation(
        "prune",
        "Bind traits to the trigger",
        "--prune",
        _prune,
        (
            Field(
                "tags",
                "Traits",
                "tags",
                "comma-separated; if empty, those already bound; they are removed from training captions",
                default="",
                option="--trait",
            ),
        ),
    ),
    Operation("fix", "Fix problems", "--fix", _fix, (Field("codes", "Problem", "problems"),)),
)

OPERATIONS: dict[str, Operation] = {each.name: each for each in _TABLE}
"""The operations by name, in the order of the dialog."""
