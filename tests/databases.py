"""Databases for tests: each has one of its own, which may be one that an earlier test has left as it was.

A server copies and drops a database in an eighth of a second of its processor, and empties one in a fiftieth.
"""

from __future__ import annotations

import uuid
from collections import defaultdict

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

# All that a test may have changed besides rows; statistics too, as plans follow them.
_SHAPE = """
SELECT md5(coalesce(string_agg(line, chr(10) ORDER BY line COLLATE "C"), '')) FROM (
    SELECT concat_ws(' ', 'c', nspname, relname, relkind, relpersistence, relowner, relacl, reloptions, relrowsecurity)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    UNION ALL SELECT concat_ws(' ', 'a', attrelid::regclass, attname, atttypid, atttypmod, attnotnull, attacl)
        FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT concat_ws(' ', 'd', adrelid::regclass, adnum, pg_get_expr(adbin, adrelid)) FROM pg_attrdef
    UNION ALL SELECT concat_ws(' ', 'i', indexrelid::regclass, indisvalid, pg_get_indexdef(indexrelid))
        FROM pg_index WHERE indrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 'k', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 't', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws(' ', 'p', pronamespace, proname, proowner, proacl, md5(prosrc))
        FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'n', nspname, nspowner, nspacl) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT concat_ws(' ', 'e', extname, extversion) FROM pg_extension
    UNION ALL SELECT concat_ws(' ', 'r', setrole, setconfig) FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
    UNION ALL SELECT concat_ws(' ', 'b', datdba, datacl, datallowconn, datconnlimit)
        FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT concat_ws(' ', 's', starelid::regclass, staattnum) FROM pg_statistic WHERE starelid >= 16384
    UNION ALL SELECT concat_ws(' ', 'l', count(*)) FROM pg_largeobject_metadata
) lines(line)
"""

# Of our schema: all rows but those that say its version, and sequences begin again.
_EMPTY = """
DO $$
DECLARE
    each record;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT oid::regclass AS name FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p')
        AND relnamespace = 'lorads'::regnamespace AND relname <> 'migrations' LOOP
        EXECUTE format('DELETE FROM %s', each.name);
    END LOOP;
    FOR each IN SELECT format('%I.%I', schemaname, sequencename)::regclass AS name, start_value FROM pg_sequences
        WHERE last_value IS NOT NULL LOOP
        PERFORM setval(each.name, each.start_value, false);
    END LOOP;
END $$
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Databases:
    """The databases of one server that tests borrow; ``empty`` is the template that has our schema and no rows."""

    def __init__(self, conninfo: str, empty: str) -> None:
        self._conninfo, self._empty = conninfo, empty
        self._server = psycopg.connect(conninfo, autocommit=True)
        self._spare: dict[str, list[str]] = defaultdict(list)
        self._as_made: dict[str, tuple] = {}

    def close(self) -> None:
        """Let go of the server; its databases go with it."""
        self._server.close()

    def take(self, template: str) -> str:
        """Return the name of a database that is like ``template``, and like it alone: nothing of a test knows it."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        if self._spare[template]:
            self._run("ALTER DATABASE {} RENAME TO {}", self._spare[template].pop(), name)
        else:
            # Half the time of the usual way, which writes the whole copy to the log too.
            self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        if template not in self._as_made:
            with self._connect(name) as connection:
                self._as_made[template] = _shape(connection), _rows(connection)
        return name

    def give_back(self, name: str, template: str) -> None:
        """Have a database for the next test that wants one like ``template``, or drop it where it has changed."""
        if self._is_as_made(name, template):
            spare = f"spare_{uuid.uuid4().hex[:12]}"  # what still writes to it does not find it
            self._run("ALTER DATABASE {} RENAME TO {}", name, spare)
            self._spare[template].append(spare)
        else:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _is_as_made(self, name: str, template: str) -> bool:
        try:
            with self._connect(name) as connection:
                connection.execute(_END_OTHERS)
                shape, rows = self._as_made[template]
                if _shape(connection) != shape:
                    return False
                if template == self._empty and _rows(connection) != rows:
                    connection.execute(_EMPTY)
                return _rows(connection) == rows
        except psycopg.Error:  # a test may have taken away what reaches it
            return False

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(make_conninfo(self._conninfo, dbname=name), autocommit=True)

    def _run(self, query: str, *names: str) -> None:
        self._server.execute(sql.SQL(query).format(*map(sql.Identifier, names)))


def _shape(connection):
    return connection.execute(_SHAPE).fetchone()[0]


def _rows(connection):
    """Return a mark of what each table holds, and of how far each sequence is."""
    tables = connection.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p') ORDER BY 1"
    ).fetchall()
    each = [
        f"SELECT {sql.quote(name)}, md5(string_agg(t::text, '' ORDER BY t::text COLLATE \"C\")) FROM {name} t"
        for (name,) in tables
    ]
    each.append("SELECT schemaname || '.' || sequencename, last_value::text FROM pg_sequences")
    return sorted(connection.execute(" UNION ALL ".join(each)).fetchall(), key=repr)
