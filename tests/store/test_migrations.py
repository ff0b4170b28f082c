"""Our schema: made once, by whoever comes first; the same tables fit a desktop and a cluster."""

import threading

import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store.connect import Store
from lorads_core.store.migrations import MIGRATIONS, migrate

# By which column a cluster would spread a table; those without stand whole on every node.
SPREAD_BY = {
    "images": "library",
    "tags": "library",
    "captions": "library",
    "vectors": "library",
    "tag_sets": "library",
    "groups": "library",
    "group_images": "library",
    "prints": "library",
    "made_tags": "library",
    "lora_dataset_images": "dataset_id",
    "caption_edits": "dataset_id",
    "trait_decisions": "dataset_id",
    "rejected_images": "dataset_id",
}
WHOLE = {"libraries", "spaces", "lora_datasets", "runs", "migrations"}


def rows(store, query, *parameters):
    with store.connection() as connection:
        return connection.execute(query, parameters).fetchall()


def test_every_table_is_there(store):
    found = {name for (name,) in rows(store, "SELECT tablename FROM pg_tables WHERE schemaname = 'lorads'")}
    assert found == set(SPREAD_BY) | WHOLE


def test_every_key_begins_with_what_a_cluster_spreads_by(store):
    keys = rows(
        store,
        "SELECT conrelid::regclass::text, a.attname FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype IN ('p', 'u') AND connamespace = 'lorads'::regnamespace",
    )
    for table, column in keys:
        name = table.removeprefix("lorads.")
        if name in SPREAD_BY:
            assert column == SPREAD_BY[name], table


def test_foreign_keys_stay_among_tables_spread_alike(store):
    keys = rows(
        store,
        "SELECT conrelid::regclass::text, confrelid::regclass::text, a.attname FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype = 'f' AND connamespace = 'lorads'::regnamespace",
    )
    assert keys
    for table, target, column in keys:
        name, other = table.removeprefix("lorads."), target.removeprefix("lorads.")
        assert other in WHOLE or SPREAD_BY[name] == SPREAD_BY[other] == column


def test_four_at_once_migrate_once(database):
    faults = []

    def run():
        try:
            with psycopg.connect(database) as connection:
                migrate(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            faults.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM lorads.migrations").fetchone() == (len(MIGRATIONS),)


def test_half_a_migration_is_none(database, monkeypatch):
    broken = (*MIGRATIONS[:1], ("broken", "CREATE TABLE lorads.half (); SELECT 1 / 0"))
    monkeypatch.setattr("lorads_core.store.migrations.MIGRATIONS", broken)
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.DivisionByZero):
        migrate(connection)
    monkeypatch.undo()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT to_regclass('lorads.half')").fetchone() == (None,)
        migrate(connection)
        assert connection.execute("SELECT max(number) FROM lorads.migrations").fetchone() == (len(MIGRATIONS),)


def test_a_newer_schema_is_refused(store):
    with store.connection() as connection:
        connection.execute("INSERT INTO lorads.migrations (number, name) VALUES (999, 'from the future')")
    with pytest.raises(StoreError, match="update LoRADS"), store.connection() as connection:
        migrate(connection)


@pytest.mark.slow
def test_a_role_without_rights_is_one_clear_error(server):
    database = server.database()
    role = server.role()
    with pytest.raises(StoreError) as caught:
        Store.open(server.dsn(user=role, database=database), prepare=migrate)
    assert "right" in str(caught.value) or "permission" in str(caught.value)


def test_a_role_without_rights_can_use_what_an_owner_prepared(server):
    database = server.database()
    role = server.role()
    with Store.open(server.dsn(database=database), prepare=migrate) as store, store.connection() as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA lorads TO {role}")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA lorads TO {role}")
    with Store.open(server.dsn(user=role, database=database), prepare=migrate) as store:
        assert rows(store, "SELECT count(*) FROM lorads.images") == [(0,)]
