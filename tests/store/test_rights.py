"""A role that may only read, and roles that lack one right: what goes on, and the GRANT that is named."""

import pytest
from PIL import Image

from lorads_core.errors import StoreError
from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import Settings
from lorads_core.store.connect import Store
from lorads_core.store.faults import NotPermittedError
from lorads_core.store.migrations import MIGRATIONS, migrate
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings

CAPTIONS = caption_settings("sidecar", (), "tomcat", "prepend", "sdxl")


@pytest.fixture
def shared(server, tmp_path):
    """Return a database with a captioned dataset "tomcat" of a library that was indexed."""
    database = server.database()
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 40, 90)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text("a cat", encoding="utf-8")
    with Store.open(server.dsn(database=database), prepare=migrate) as store:
        build.index(store, Settings(), "pictures", tmp_path)
        captioning.caption(store, Settings(), queried(store, "tomcat").dataset, CAPTIONS)
    return database


def queried(store, name):
    return build.query(store, build.open_library(store, Settings(), "pictures"), name, DatasetFilter())


def reader(server, database, *more):
    role = server.role()
    rights = [f"GRANT USAGE ON SCHEMA lorads TO {role}", f"GRANT SELECT ON ALL TABLES IN SCHEMA lorads TO {role}"]
    server.run(*rights, *(each.format(role=role) for each in more), database=database)
    return role


def read_only(server, database):
    """Return the conninfo of sessions that are read-only, as those of a hot standby."""
    return server.dsn(database=database, options="-c default_transaction_read_only=on")


@pytest.fixture(params=["SELECT only", "hot standby"])
def reading(request, server, shared):
    """Return a store that can only be read, and what the first write is answered with."""
    if request.param == "hot standby":
        conninfo, said = read_only(server, shared), "read-only: .*name the primary server"
    else:
        role = reader(server, shared)
        conninfo, said = server.dsn(role, database=shared), f'run GRANT INSERT, UPDATE, DELETE ON lorads.* TO "{role}"'
    with Store.open(conninfo, prepare=migrate) as store:
        yield store, said


@pytest.mark.slow
def test_who_may_only_read_queries_and_looks_at_captions(reading):
    store, said = reading
    found = captioning.draft(store, Settings(), "tomcat").dataset
    assert [image.caption.text for image in found.training] == ["tomcat, a cat"] * 3
    assert queried(store, "tomcat").dataset.id == found.id
    new = queried(store, "another")
    assert len(new.dataset.training) == 3
    assert [problem.code for problem in new.problems] == ["unsaved"]
    assert captioning.edit_history(store, found) == []
    assert build.look_into(store, Settings(), "pictures").images == 3
    with pytest.raises(NotPermittedError, match=said) as caught:
        captioning.caption(store, Settings(), new.dataset, CAPTIONS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("revoked", "table"), [("INSERT", "caption_edits"), ("SELECT", "runs"), ("UPDATE", "images")])
def test_the_right_that_is_missing_is_named(server, shared, revoked, table):
    role = reader(
        server,
        shared,
        "GRANT ALL ON ALL TABLES IN SCHEMA lorads TO {role}",
        f"REVOKE {revoked} ON lorads.{table} FROM {{role}}",
    )
    query = {
        "INSERT": "INSERT INTO lorads.caption_edits (dataset_id, label, changes) SELECT dataset_id, '', '[]'"
        " FROM lorads.lora_datasets",
        "SELECT": "SELECT FROM lorads.runs",
        "UPDATE": "UPDATE lorads.images SET rating = 1",
    }[revoked]
    with Store.open(server.dsn(role, database=shared), prepare=migrate) as store:
        assert captioning.draft(store, Settings(), "tomcat").dataset.training
        with pytest.raises(NotPermittedError) as caught, store.connection() as connection:
            connection.execute(query)
    assert f'run GRANT {revoked} ON lorads.{table} TO "{role}"' in str(caught.value)


def test_a_role_that_may_not_look_into_the_schema(server, shared):
    role = server.role()
    with pytest.raises(NotPermittedError) as caught:
        Store.open(server.dsn(role, database=shared), prepare=migrate)
    assert f'run GRANT USAGE, CREATE ON SCHEMA lorads TO "{role}"' in str(caught.value)


def test_an_older_schema_that_may_not_be_changed_here_is_one_sentence(server, monkeypatch):
    database = server.database("CREATE EXTENSION vector")
    monkeypatch.setattr("lorads_core.store.migrations.MIGRATIONS", MIGRATIONS[:9])
    with Store.open(server.dsn(database=database), prepare=migrate):
        pass
    role = reader(server, database)
    monkeypatch.undo()
    for conninfo in (server.dsn(role, database=database), read_only(server, database)):
        with pytest.raises(StoreError, match=r"at version 9, this LoRADS needs .*run this version of LoRADS once"):
            Store.open(conninfo, prepare=migrate)
