"""Bulk operations as JSON: the rows of `captions.operation_table` for the page's dialog, arguments from a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..captions.operation_table import Field, Operation
    from . import json_types
    from .params import Body


def operation_json(operation: Operation) -> json_types.Operation:
    """Return a row of the table as JSON values."""
    return {
        "name": operation.name,
        "label": operation.label,
        "fields": [_field_json(each) for each in operation.fields],
    }


def _field_json(field: Field) -> json_types.OperationField:
    return {
        "name": field.name,
        "label": field.label,
        "kind": field.kind,
        "hint": field.hint,
        "default": field.default,
        "choices": [{"name": value, "label": label} for value, label in field.choices],
    }


def request_arguments(operation: Operation, given: Body) -> dict[str, object]:
    """Return the arguments in a request; those that have a default may be missing.

    Raises:
        RefusedError: 400, an argument is unknown, missing or of the wrong type.
    """
    given.allow_only(*(each.name for each in operation.fields))
    return {
        each.name: _argument(each, given)
        for each in operation.fields
        if each.default is None or each.name in given.values
    }


def _argument(field: Field, given: Body) -> object:
    match field.kind:
        case "tags" | "problems":
            return given.texts(field.name, allow_empty=field.default is not None)
        case "flag":
            return given.flag(field.name)
        case _:
            return given.text(field.name)
