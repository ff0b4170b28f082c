r"""Names of checkpoints and LoRAs in filters: what a person writes, compared with what programs wrote into images.

A name is a file's, with or without its folder and suffix, small or capital letters alike (A to Z, as DiffusionToolkit's
LIKE has it); ``*`` stands for anything. Programs write all of these: ``ponyDiffusionV6XL``,
``SDXL\ponyDiffusionV6XL.safetensors``. A checkpoint's hash may be short (A1111's 10 digits, 8 in its first versions) or
a whole SHA-256, there and here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIX = r"\.(safetensors|ckpt|sft|gguf|pth|pt|bin)$"
_HASH = re.compile(r"[0-9a-f]{8,64}")
# SQL, with the name for {0}; in the C locale lower() is the same on every server.
_FILE = sql.SQL(r"""regexp_replace(replace(lower(btrim({}) COLLATE "C"), '\', '/'), {}, '')""")
# LoRAs as A1111's tags in a prompt name them, <lora:NAME:1>, and LyCORIS as an extension of it did; twice as fast as a
# regular expression. What stands before the first < is no tag.
LORAS_OF_PROMPT = sql.SQL(
    "ARRAY(SELECT split_part(split_part(part, ':', 2), '>', 1) FROM unnest((string_to_array({}, '<'))[2:]) AS part"
    " WHERE lower(left(part, 5)) IN ('lora:', 'lyco:'))"
)


def patterns(names: Sequence[str]) -> list[str]:
    """Return patterns of LIKE for names as a person writes them."""
    return [_pattern(name) for name in names]


def _pattern(name: str) -> str:
    # Of bytes, only A to Z become small.
    small = name.strip().encode("utf-8", "replace").lower().decode()
    bare = re.sub(_SUFFIX, "", small.replace("\\", "/"))
    return re.sub(r"([%_])", r"\\\1", bare).replace("*", "%")


def hashes(names: Sequence[str]) -> list[str]:
    """Return those of the names that may be a checkpoint's hash, in small letters."""
    return [name for name in (each.strip().lower() for each in names) if _HASH.fullmatch(name)]


def name_condition(column: sql.Composable, parameter: str) -> sql.Composed:
    """Return whether a name that a program wrote is one of the wanted, with or without its folder."""
    name = _FILE.format(column, sql.Literal(_SUFFIX))
    wanted = sql.Placeholder(parameter)
    return sql.SQL("({0} <> '' AND ({1} LIKE ANY({2}) OR regexp_replace({1}, '^.*/', '') LIKE ANY({2})))").format(
        column, name, wanted
    )


def hash_condition(column: sql.Composable, parameter: str) -> sql.Composed:
    """Return whether a checkpoint's hash is one of the wanted; of two the shorter may be the beginning of the other."""
    return sql.SQL(
        "(length({0}) >= 8 AND EXISTS (SELECT 1 FROM unnest({1}::text[]) AS wanted"
        " WHERE starts_with(wanted, lower({0})) OR starts_with(lower({0}), wanted)))"
    ).format(column, sql.Placeholder(parameter))
