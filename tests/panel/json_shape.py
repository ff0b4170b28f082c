"""Compares JSON values with the panel's JSON types, so that a field in one of them alone is found."""

import re
import types
from typing import Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from lorads_core.panel.api_spec import PREFIX, TABLE
from lorads_core.panel.json_types import ConflictResponse, ErrorResponse

NUMBERS = {int: int, float: (int, float)}  # JSON has 1 for 1.0


def check_answer(method, path, status, value):
    """Fail if an answer of the API is not what the table of routes says."""
    if status != 200:
        kind = ConflictResponse if "conflicts" in value else ErrorResponse
    else:
        kind = route_of(method, path).answer
    found = list(mismatches(value, kind))
    assert not found, f"{method} {path} is not {kind}: {found[:5]}"


def route_of(method, path):
    """Return the route that serves a path of the API."""
    wanted = f"{PREFIX}/api/{path.partition('?')[0]}"
    for route in TABLE:
        if route.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), wanted):
            return route
    raise LookupError(f"There is no route {method} {path}.")


def mismatches(value, kind, where="it"):
    """Yield what in a JSON value is not of a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        yield from _field_mismatches(value, get_type_hints(kind), where)
    elif origin in (Union, types.UnionType):
        if all(list(mismatches(value, each, where)) for each in inner):
            yield f"{where} is {value!r:.80}, none of {inner}"
    elif origin is list:
        yield from _items(value, [inner[0]] * len(value) if isinstance(value, list) else [], where)
    elif origin is tuple:
        yield from _items(value, inner, where)
    elif origin is dict:
        yield from _items(list(value.values()), [inner[1]] * len(value), where)
    elif not (value in inner if origin is Literal else _is_plain(value, kind)):
        yield f"{where} is {value!r:.80}, not {kind}"


def _field_mismatches(value, fields, where):
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    yield from (f"{where}.{name} is missing" for name in fields.keys() - value.keys())
    yield from (f"{where}.{name} is not in the type" for name in value.keys() - fields.keys())
    for name in fields.keys() & value.keys():
        yield from mismatches(value[name], fields[name], f"{where}.{name}")


def _items(value, kinds, where):
    if not isinstance(value, list) or len(value) != len(kinds):
        yield f"{where} is {value!r:.80}, not a list of {len(kinds)}"
        return
    for number, (each, kind) in enumerate(zip(value, kinds, strict=True)):
        yield from mismatches(each, kind, f"{where}[{number}]")


def _is_plain(value, kind):
    return isinstance(value, NUMBERS.get(kind, kind)) and (kind is bool or not isinstance(value, bool))
