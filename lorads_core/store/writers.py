"""A lock for bulk writes of a library: two programs that index, embed or tag it at once take turns, batch by batch.

They write rows of the same images in several tables, and replace what they find there. Without turns, one would insert
what the other has just inserted, or each would wait for rows of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


def lock_writers(connection: psycopg.Connection, library: str) -> None:
    """Wait for the other bulk writes of a library; they wait in turn until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"lorads write {library}"])
