"""JSON columns: values as jsonb parameters, as UTF-8 and not escaped, so that texts are refused as everywhere else."""

from __future__ import annotations

import json
from functools import partial

from psycopg.types.json import Jsonb

# Escaped, half of a character (a lone surrogate) would pass psycopg and be refused in PostgreSQL's own words.
_dumps = partial(json.dumps, ensure_ascii=False)


def jsonb(value: object) -> Jsonb:
    """Return a value of plain types as the parameter of a statement."""
    return Jsonb(value, _dumps)
