"""Command-line options of bulk caption edits: one for each row of `captions.operation_table`, and which captions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..captions.operation_table import OPERATIONS, Field, Operation
from ..captions.operations import SETS, Selection
from ..errors import SettingsError

if TYPE_CHECKING:
    from ..model import Dataset

    Options = argparse.ArgumentParser | argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def add_edit_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each bulk operation, and those that select captions."""
    editing = command.add_argument_group("editing (previews the changes; --apply writes them)")
    for each in OPERATIONS.values():
        add_operation(editing, each)
    editing.add_argument("--apply", action="store_true", help="write the changes; --undo undoes them")
    choosing = command.add_argument_group("which captions to edit")
    choosing.add_argument(
        "--only", choices=SETS, default="all", help="only those of training or of regularization images (default: all)"
    )
    choosing.add_argument(
        "--id", action="append", default=[], type=int, metavar="ID", help="only that of the image with this id"
    )
    choosing.add_argument("--containing", default="", metavar="TEXT", help="only those that contain this text")
    choosing.add_argument("--by-hand", action="store_true", help="include captions that were written by hand")


def add_operation(command: Options, operation: Operation) -> None:
    """Add the option of an operation, which takes the required fields, and one for each field with a default.

    An option that is not given has no value at all, so that it can be noticed where it does not belong.
    """
    described = f"{_lower(operation.label)}{''.join(map(_hint, operation.required))}"
    dest, how = _dest(operation), _how(operation.required)
    command.add_argument(operation.option, dest=dest, default=argparse.SUPPRESS, help=described, **how)
    for each in operation.fields:
        if each.default is not None:
            described = f"with {operation.option}: {_lower(each.label)}{_hint(each)}"
            dest, how = _dest(operation, each), _how((each,))
            command.add_argument(each.option, dest=dest, default=argparse.SUPPRESS, help=described, **how)


def _dest(operation: Operation, field: Field | None = None) -> str:
    return f"edit.{operation.name}.{field.name}" if field else f"edit.{operation.name}"


def _hint(field: Field) -> str:
    number = "N: before the tag of that number, 0 is the first" if field.numbered else ""
    hint = "; ".join(filter(None, (field.hint, number)))
    return f" ({hint})" if hint else ""


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]


def _how(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return how argparse reads these fields as the arguments of one option."""
    match fields:
        case ():
            return {"action": "store_true"}
        case (Field(kind="flag"),):
            return {"action": "store_true"}
        case (Field(kind="tags" | "problems") as one,):
            return {"action": "append", "metavar": _metavar(one)}
        case (one,):
            return {"metavar": _metavar(one)}
        case _:
            return {"nargs": len(fields), "metavar": tuple(map(_metavar, fields))}


def _metavar(field: Field) -> str:
    match field.kind:
        case "choice" | "position":
            return "|".join([*(name for name, _ in field.choices), *(["N"] if field.numbered else [])])
        case "tags":
            return "TAG"
        case "problems":
            return "KIND"
        case "text":
            return "TEXT"
        case "trigger":
            return "WORD"
        case _:
            return field.name.upper()


def selection(options: argparse.Namespace, dataset: Dataset) -> Selection:
    """Return which captions the options select."""
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


def chosen_operation(options: argparse.Namespace) -> tuple[Operation, dict[str, object]] | None:
    """Return the operation of a command line with its arguments, None where there is none.

    Raises:
        SettingsError: there are several operations, or an option belongs to another one.
    """
    given = vars(options)
    chosen = [each for each in OPERATIONS.values() if _dest(each) in given]
    if len(chosen) > 1:
        raise SettingsError(
            "These are several edits at once: give them one at a time, so that each can be undone by itself."
        )
    for each in OPERATIONS.values():
        for field in each.fields:
            if _dest(each, field) in given and each not in chosen:
                raise SettingsError(f"{field.option} only works with {each.option}: add that.")
    return (chosen[0], _arguments(chosen[0], given)) if chosen else None


def _arguments(operation: Operation, given: dict[str, Any]) -> dict[str, object]:
    required, values = operation.required, given[_dest(operation)]
    several = values if len(required) > 1 else [values]
    arguments = {field.name: value for field, value in zip(required, several, strict=False)}
    optional = {field.name: given[dest] for field in operation.fields if (dest := _dest(operation, field)) in given}
    return {**arguments, **optional}
