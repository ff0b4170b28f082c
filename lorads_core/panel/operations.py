"""Bulk operations as a closed table: name, label, fields and function; the page builds its dialog from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..captions import operations as edits
from ..captions import sources
from ..captions.operations import Bulk, Selection
from ..captions.traits import prune
from ..model import Edit
from ..tags import canonical, one_line
from ..workflow.captions import fixes, rebuilt_captions
from ..workflow.parse import caption_settings
from .responses import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from ..model import Position
    from . import json_types
    from .json_types import FieldKind, OperationName
    from .params import Body
    from .state import PanelState
    from .view import View


@dataclass(frozen=True, slots=True)
class Field:
    """An argument of an operation; without a default it is required. ``choices`` are pairs of value and label."""

    name: str
    label: str
    kind: FieldKind
    hint: str = ""
    default: str | bool | None = None
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def values(self) -> json_types.OperationField:
        """The field as JSON values."""
        return {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "hint": self.hint,
            "default": self.default,
            "choices": [{"name": value, "label": label} for value, label in self.choices],
        }

    def read(self, given: Body, view: View) -> object:
        """Return the value of this field in a request.

        Raises:
            RefusedError: 400, it is missing or invalid.
        """
        match self.kind:
            case "tags" | "problems":
                return given.texts(self.name)
            case "flag":
                return given.flag(self.name, default=bool(self.default))
            case "tag":
                return self._single_tag(given.text(self.name))
            case "choice" | "position":
                return self._choice(given.text(self.name, self._default_text(view)))
            case "text" | "source" | "trigger":
                return given.text(self.name, self._default_text(view))

    def _default_text(self, view: View) -> str | None:
        trigger = view.dataset.trigger
        of_dataset = {"trigger": trigger.word, "position": trigger.position}
        return of_dataset.get(self.kind, self.default if isinstance(self.default, str) else None)

    def _single_tag(self, tag: str) -> str:
        if "," in tag or not canonical(one_line(tag)):
            raise bad_request(f"{self.name} is {tag!r:.80}, which is not one tag: write one without commas.")
        return tag

    def _choice(self, value: str) -> str:
        known = [name for name, _ in self.choices]
        if value not in known:
            raise bad_request(f"{self.name} is {value!r:.40}: it must be one of {', '.join(known)}.")
        return value


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation works on: a dataset's view, and the selected captions."""

    state: PanelState
    view: View
    selection: Selection


@dataclass(frozen=True, slots=True)
class Operation:
    """A bulk operation: ``run`` takes the target, then each field by its name."""

    name: OperationName
    label: str
    run: Callable[..., Bulk]
    fields: tuple[Field, ...] = ()

    @property
    def values(self) -> json_types.Operation:
        """The operation as JSON values."""
        return {"name": self.name, "label": self.label, "fields": [each.values for each in self.fields]}

    def edit(self, target: Target, given: Body) -> Bulk:
        """Return what the operation would do with these arguments.

        Raises:
            RefusedError: 400, an argument is unknown, missing or invalid.
            LoradsError: the operation refuses its arguments.
        """
        given.allow_only(*(each.name for each in self.fields))
        arguments: dict[str, Any] = {each.name: each.read(given, target.view) for each in self.fields}
        return self.run(target, **arguments)


def _find_replace(target: Target, find: str, replace: str, regex: bool, case: bool) -> Bulk:  # noqa: FBT001 - by name
    do = edits.regex_replace if regex else edits.find_and_replace
    return do(target.view.dataset, find, replace, target.selection, match_case=case)


def _add_tags(target: Target, tags: list[str], place: Literal["front", "end"]) -> Bulk:
    return edits.add_tags(target.view.dataset, tags, place, target.selection)


def _remove_tags(target: Target, tags: list[str]) -> Bulk:
    return edits.remove_tags(target.view.dataset, tags, target.selection)


def _replace_tag(target: Target, old: str, new: str) -> Bulk:
    return edits.replace_tag(target.view.dataset, old, new, target.selection)


def _sort(target: Target) -> Bulk:
    captions = target.view.captions
    return edits.sort_tags(target.view.dataset, captions.profile, captions.rules.vocabulary, target.selection)


def _apply_source(target: Target, source: str, trigger: str, position: Position) -> Bulk:
    state, dataset = target.state, target.view.dataset
    chosen = sources.source(source)
    captions = caption_settings(chosen.name, (), trigger, position, target.view.config.base_model)
    rebuilt = rebuilt_captions(state.store, state.settings, dataset, captions)
    return edits.apply_source(dataset, rebuilt, chosen.label, target.selection)


def _prune(target: Target, tags: list[str]) -> Bulk:
    traits = {canonical(tag) for tag in tags} - {""}
    if not traits:
        raise bad_request("tags holds no tag: give the traits that the trigger stands for.")
    dataset = target.view.dataset
    selected = [image.key for image, _ in target.selection.captions(dataset)]
    edit = prune(dataset, traits, target.view.captions.rules.vocabulary, edited=selected)
    allowed = frozenset(selected)
    return Bulk(Edit(edit.label, tuple(change for change in edit.changes if change.image in allowed)))


def _fix(target: Target, codes: list[str]) -> Bulk:
    view = target.view
    unique = list(dict.fromkeys(codes))
    return Bulk(fixes(target.state.store, view.dataset, view.captions, unique, target.selection, view.config))


_TAGS = Field("tags", "Tags", "tags", "comma-separated")

_TABLE: tuple[Operation, ...] = (
    Operation(
        "add_tags",
        "Add tags",
        _add_tags,
        (
            _TAGS,
            Field(
                "place",
                "Position",
                "choice",
                default="front",
                choices=(("front", "at the front, after the trigger"), ("end", "at the end")),
            ),
        ),
    ),
    Operation("remove_tags", "Remove tags", _remove_tags, (_TAGS,)),
    Operation(
        "replace_tag",
        "Rename or merge a tag",
        _replace_tag,
        (
            Field("old", "Tag", "tag"),
            Field("new", "New name", "tag", "a caption that has both ends up with one"),
        ),
    ),
    Operation(
        "find_replace",
        "Find and replace",
        _find_replace,
        (
            Field("find", "Find", "text"),
            Field("replace", "Replace with", "text", default=""),
            Field("regex", "Regular expression", "flag", default=False),
            Field("case", "Match case", "flag", default=False),
        ),
    ),
    Operation("sort", "Sort tags in the base model's order", _sort),
    Operation(
        "apply_source",
        "Rebuild from a source",
        _apply_source,
        (
            Field("source", "Source", "source"),
            Field("trigger", "Trigger", "trigger", default=""),
            Field(
                "position",
                "Trigger position",
                "position",
                default="",
                choices=(("prepend", "at the front"), ("append", "at the end"), ("none", "not in captions")),
            ),
        ),
    ),
    Operation(
        "prune",
        "Bind traits to the trigger",
        _prune,
        (Field("tags", "Traits", "tags", "comma-separated; removed from training captions"),),
    ),
    Operation("fix", "Fix problems", _fix, (Field("codes", "Problem", "problems"),)),
)

OPERATIONS: dict[str, Operation] = {each.name: each for each in _TABLE}
"""The operations by name, in the order of the dialog."""
