"""What a foreign database turns out to have: schemas, tables, columns, vectors, indexes; from the system catalogs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

# Plain and partitioned tables (r, p): a view's rows have no version.
_SCHEMAS = """
SELECT nspname FROM pg_class JOIN pg_namespace AS home ON home.oid = relnamespace
WHERE relname = %s AND relkind IN ('r', 'p') AND nspname !~ '^(pg_|information_schema$)' ORDER BY nspname
"""
# atttypmod of pgvector's types is the number of dimensions, -1 where the column takes any.
_COLUMNS = """
SELECT relname, attname, typname, atttypmod, home_of_type.nspname,
    has_schema_privilege(home.oid, 'USAGE'), has_column_privilege(pg_class.oid, attnum, 'SELECT')
FROM pg_class JOIN pg_namespace AS home ON home.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    JOIN pg_type ON pg_type.oid = atttypid JOIN pg_namespace AS home_of_type ON home_of_type.oid = typnamespace
WHERE home.nspname = %s AND relname = ANY(%s) AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attnum
"""
_INDEXES = """
SELECT tables.relname, attname, amname
FROM pg_index JOIN pg_class AS tables ON tables.oid = indrelid JOIN pg_namespace AS home ON home.oid = relnamespace
    JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_am ON pg_am.oid = indexes.relam
    JOIN pg_attribute ON attrelid = tables.oid AND attnum = indkey[0]
WHERE home.nspname = %s AND tables.relname = ANY(%s) AND indisvalid AND indpred IS NULL
ORDER BY 1, 2, 3
"""
_VECTOR_TYPES = frozenset({"vector", "halfvec"})


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """A column of vectors; ``dimensions`` is 0 where it takes any. ``home`` is the schema of pgvector's types."""

    name: str
    type: str
    dimensions: int
    home: str


@dataclass(frozen=True, slots=True)
class HostIndex:
    """An index by its first column and its method, such as ``btree`` or ``ivfflat``."""

    table: str
    column: str
    method: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """One schema: the columns of each table by its name, the tables that may not be read, vectors of one of them.

    ``others`` are the other schemas that hold a table of the same name as the one that was looked for. ``usable`` is
    false where the role may not look into the schema at all.
    """

    schema: str
    columns: Mapping[str, frozenset[str]]
    unreadable: frozenset[str] = frozenset()
    vectors: tuple[VectorColumn, ...] = ()
    indexes: tuple[HostIndex, ...] = ()
    others: tuple[str, ...] = ()
    usable: bool = True

    def has(self, table: str, *columns: str) -> bool:
        """Tell whether a table is there with all these columns, readable or not."""
        return table in self.columns and self.columns[table].issuperset(columns)

    def readable(self) -> Catalog:
        """Return the same without what may not be read."""
        columns = {table: columns for table, columns in self.columns.items() if table not in self.unreadable}
        return replace(self, columns=columns)

    def indexed(self, table: str, column: str) -> bool:
        """Tell whether an index sorts a table by a column."""
        return HostIndex(table, column, "btree") in self.indexes


def probe(connection: psycopg.Connection, schema: str, main: str, tables: Sequence[str]) -> Catalog:
    """Return what a schema has of these tables; ``main`` is the one whose vectors count, and that tells a collection.

    A schema without the main table, or one that is not there, has no columns at all.
    """
    schemas = [name for (name,) in connection.execute(_SCHEMAS, [main])]
    names = [schema, [main, *tables]]
    columns: defaultdict[str, set[str]] = defaultdict(set)
    unreadable: set[str] = set()
    vectors: list[VectorColumn] = []
    usable = True
    for table, column, kind, modifier, home, may_look, may_read in connection.execute(_COLUMNS, names):
        columns[table].add(column)
        usable = usable and may_look
        if not may_read:
            unreadable.add(table)
        if table == main and kind in _VECTOR_TYPES:
            vectors.append(VectorColumn(column, kind, max(0, modifier), home))
    return Catalog(
        schema,
        {table: frozenset(found) for table, found in columns.items()} if schema in schemas else {},
        frozenset(unreadable),
        tuple(vectors),
        tuple(HostIndex(*row) for row in connection.execute(_INDEXES, names)),
        tuple(name for name in schemas if name != schema),
        usable,
    )
