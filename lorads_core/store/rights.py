"""The GRANT that a PostgreSQL role lacks after "permission denied": the server knows it, its error does not say it."""

from __future__ import annotations

import re
from contextlib import suppress

import psycopg
from psycopg import sql

_DENIED = re.compile(r"permission denied for (table|schema|database) \"?([^\"]+?)\"?$")
_RIGHTS = {
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "schema": ("USAGE", "CREATE"),
    "database": ("CREATE",),
}
_LACKING = """
SELECT current_user, array_agg(each ORDER BY at) FROM unnest(%s::text[]) WITH ORDINALITY AS rights (each, at)
WHERE NOT has_{kind}_privilege(%s, each)
"""


def missing_grant(conninfo: str, error: psycopg.Error) -> str:
    """Return the statement for the server's owner to run, such as ``GRANT UPDATE ON lorads.images TO "anna"``.

    Empty where the error is another one, or the server does not answer.
    """
    denied = _DENIED.search(error.diag.message_primary or "") if error.sqlstate == "42501" else None
    if denied is None:
        return ""
    with suppress(psycopg.Error), psycopg.connect(conninfo, prepare_threshold=None) as connection:
        return _statement(connection, denied[1], denied[2])
    return ""


def _statement(connection: psycopg.Connection, kind: str, name: str) -> str:
    if kind == "table":
        ours = connection.execute("SELECT to_regclass(%s)::text", [f'lorads."{name}"']).fetchone()
        name = str(ours[0]) if ours and ours[0] else name
    query = sql.SQL(_LACKING.replace("{kind}", kind))  # pyright: ignore[reportArgumentType] - one of our three words
    role, rights = connection.execute(query, [list(_RIGHTS[kind]), name]).fetchone() or ("", None)
    target = name if kind == "table" else f"{kind.upper()} {name}"
    return f'GRANT {", ".join(rights)} ON {target} TO "{role}"' if rights else ""
