"""web/panel/types.d.ts, rendered from the panel's JSON types: ``python -m tests.panel_types``."""

import re
import types
from inspect import cleandoc
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from lorads_core.panel import json_types

FILE = Path(__file__).resolve().parents[1] / "web" / "panel" / "types.d.ts"
HEAD = """// JSON types of the panel's API, for the type checker only; rendered by `python -m tests.panel_types` from
// lorads_core/panel/json_types.py, so change them there.
"""
WIDTH = 120  # biome.json
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def page():
    """Return the file's text."""
    named = [(name, each) for name, each in vars(json_types).items() if _is_ours(name, each)]
    return HEAD + "".join(f"\n{_declaration(name, each)}" for name, each in named)


def _is_ours(name, each):
    return not name.startswith("_") and (is_typeddict(each) or get_origin(each) in (Literal, Union, types.UnionType))


def _declaration(name, each):
    if not is_typeddict(each):
        union = [f'"{one}"' if isinstance(one, str) else _type(one) for one in get_args(each)]
        line = f"export type {name} = {' | '.join(union)};\n"
        # as Biome formats it
        return line if len(line) <= WIDTH + 1 else "\n  | ".join([f"export type {name} =", *union]) + ";\n"
    fields = [f"  {key}: {_type(kind)};" for key, kind in get_type_hints(each).items()]
    return "\n".join([f"/** {_doc(each)} */", f"export interface {name} {{", *fields, "}", ""])


def _doc(each):
    return re.sub(r"\s+", " ", cleandoc(each.__doc__)).replace("``", "`")


def _type(kind):
    """Return a type in TypeScript, by its name if it has one."""
    aliases = [name for name, each in vars(json_types).items() if each == kind and _is_ours(name, each)]
    if aliases:
        return aliases[0]
    if kind in PLAIN:
        return PLAIN[kind]
    inner = get_args(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return " | ".join(f'"{each}"' for each in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(each) for each in inner)
    if origin is tuple:
        return f"[{', '.join(_type(each) for each in inner)}]"
    if origin in (dict, list):
        return _collection(origin, inner)
    raise TypeError(f"{kind} has no TypeScript type here: add it to tests/panel_types.py.")


def _collection(origin, inner):
    item = _type(inner[-1])
    if origin is dict:
        return f"Record<string, {item}>"
    return f"Array<{item}>" if " | " in item and get_origin(inner[0]) is not tuple else f"{item}[]"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"wrote {FILE}")
