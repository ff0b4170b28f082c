"""Batches in which a row that the server refuses costs that row alone, with a real server."""

import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store.batches import write_batch


@pytest.fixture
def table(store):
    with store.connection() as connection:
        connection.execute("CREATE TEMPORARY TABLE numbers (number integer NOT NULL, text text) ON COMMIT DROP")
        yield connection


def insert(connection, calls):
    def write(rows):
        calls.append(len(rows))
        connection.cursor().executemany("INSERT INTO numbers VALUES (%s, %s)", rows)

    return write


def stored(connection):
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY 1")]


def test_a_sound_batch_is_written_at_once(table):
    calls = []
    assert write_batch(table, [(n, "") for n in range(9)], insert(table, calls)) == []
    assert (calls, stored(table)) == ([9], list(range(9)))


@pytest.mark.parametrize(
    ("number", "text", "reason"),
    [
        (2**31, "", "out of range"),
        (None, "", "null value"),
        (7, "a\0b", "NUL"),
        (7, "half \ud800", "not valid Unicode"),
    ],
)
def test_a_refused_row_costs_itself_alone(table, number, text, reason):
    rows = [(n, "") for n in range(100)]
    rows[41] = (number, text)
    calls = []
    (refused,) = write_batch(table, rows, insert(table, calls))
    assert refused.position == 41
    assert reason in refused.reason
    assert stored(table) == [n for n in range(100) if n != 41]
    assert len(calls) <= 20


def test_several_refused_rows_are_each_named_by_their_position(table):
    rows = [(2**40 if n in (0, 5, 6, 20) else n, "") for n in range(21)]
    assert [each.position for each in write_batch(table, rows, insert(table, []))] == [0, 5, 6, 20]


def test_a_failing_server_is_no_matter_of_rows(table):
    def write(_rows):
        table.execute("SELECT * FROM there_is_no_such_table")

    with pytest.raises(psycopg.errors.UndefinedTable):
        write_batch(table, [1, 2, 3], write)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
def test_a_text_that_no_database_holds_is_refused_in_our_words(store, text):
    with pytest.raises(StoreError, match="NUL character or half of a character"), store.connection() as connection:
        connection.execute("SELECT %s", [text])
