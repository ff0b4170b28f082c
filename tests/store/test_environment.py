"""The embedded server and its clients depend on no environment variable of libpq or PostgreSQL."""

import os
import threading

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from lorads_core.store import binaries, faults
from lorads_core.store.connect import Store
from lorads_core.store.embedded import attach
from lorads_core.store.environment import EmbeddedConnection, hidden_variables
from lorads_core.store.postmaster import Cluster, Postmaster, conninfo

# https://www.postgresql.org/docs/18/libpq-envars.html, then what pg_ctl, initdb, the server and their libraries read.
OF_LIBPQ = """
    PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGREQUIREAUTH PGCHANNELBINDING PGSERVICE
    PGSERVICEFILE PGOPTIONS PGAPPNAME PGSSLMODE PGREQUIRESSL PGSSLNEGOTIATION PGSSLCOMPRESSION PGSSLCERT PGSSLKEY
    PGSSLCERTMODE PGSSLROOTCERT PGSSLCRL PGSSLCRLDIR PGSSLSNI PGREQUIREPEER PGSSLMINPROTOCOLVERSION
    PGSSLMAXPROTOCOLVERSION PGGSSENCMODE PGKRBSRVNAME PGGSSLIB PGGSSDELEGATION PGCONNECT_TIMEOUT PGCLIENTENCODING
    PGTARGETSESSIONATTRS PGLOADBALANCEHOSTS PGMINPROTOCOLVERSION PGMAXPROTOCOLVERSION PGDATESTYLE PGTZ PGGEQO
    PGSYSCONFDIR PGLOCALEDIR
""".split()  # noqa: SIM905 - it is long
OF_SERVER = """
    PGDATA PGCTLTIMEOUT PG_COLOR PG_COLORS PG_OOM_ADJUST_FILE PG_OOM_ADJUST_VALUE PGOAUTHDEBUG TZ TZDIR LANG LANGUAGE
    LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME NOTIFY_SOCKET OPENSSL_CONF ICU_DATA
""".split()  # noqa: SIM905 - as above
HOSTILE = "hostile:no such thing"
ALIASES = {"PGREQUIRESSL": "sslmode"}  # read only where there is no sslmode (fe-connect.c, conninfo_add_defaults)


def variables_of_options():
    known = {option.envvar.decode(): option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    return known | ALIASES


@pytest.mark.parametrize("name", OF_LIBPQ)
def test_each_variable_of_libpq_is_replaced_by_an_option_or_hidden_while_we_connect(tmp_path, monkeypatch, name):
    (tmp_path / "password").write_text("secret\n")
    given = conninfo_to_dict(conninfo(Cluster(tmp_path, None), Postmaster(1, "5432", "/socket", "ready")))
    monkeypatch.setenv(name, HOSTILE)
    with hidden_variables():
        is_hidden = name not in os.environ
    assert is_hidden or variables_of_options().get(name) in given
    assert os.environ[name] == HOSTILE


def test_every_variable_that_this_libpq_knows_is_in_the_list():
    assert variables_of_options().keys() <= {*OF_LIBPQ}


@pytest.mark.parametrize("name", [*OF_LIBPQ, *OF_SERVER])
def test_no_variable_reaches_the_servers_programs(tmp_path, monkeypatch, name):
    handed_over = {}

    class Ended:
        returncode = 0

    def run(_command, **options):
        handed_over.update(options["env"])
        return Ended

    monkeypatch.setattr(binaries.subprocess, "run", run)
    monkeypatch.setenv(name, HOSTILE)
    monkeypatch.setenv("UNRELATED", "1")
    binaries.run_as(None, ["postgres"], tmp_path)
    assert name not in handed_over
    assert (handed_over["LC_ALL"], handed_over["UNRELATED"]) == ("C", "1")


@pytest.fixture
def hostile(monkeypatch):
    for name in {*OF_LIBPQ, *OF_SERVER, *variables_of_options()}:
        monkeypatch.setenv(name, HOSTILE)
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")


@pytest.mark.slow
@pytest.mark.usefixtures("hostile")
def test_a_new_store_is_made_used_backed_up_and_left_with_all_variables_hostile(home):
    with Store.open(None, home) as store, store.connection() as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("TimeZone", "DateStyle", "geqo", "client_encoding", "application_name", "lc_messages")
        }
    assert shown == {
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "geqo": "on",
        "client_encoding": "UTF8",
        "application_name": "lorads",
        "lc_messages": "C",
    }
    with attach(home) as attached:
        assert attached.alive()
    assert not (home / "data" / "postmaster.pid").exists()
    assert os.environ["PGTZ"] == HOSTILE


@pytest.mark.slow
@pytest.mark.usefixtures("hostile")
def test_a_connection_is_made_with_all_variables_hostile(embedded):
    with EmbeddedConnection.connect(embedded.conninfo) as connection:
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)
    assert embedded.alive()


def test_variables_are_put_back_when_the_last_of_several_threads_has_connected(monkeypatch):
    monkeypatch.setenv("PGTZ", HOSTILE)
    inside, go_on = threading.Event(), threading.Event()

    def connect():
        with hidden_variables():
            inside.set()
            go_on.wait(60)

    thread = threading.Thread(target=connect)
    thread.start()
    inside.wait(60)
    with hidden_variables():
        pass
    assert "PGTZ" not in os.environ
    go_on.set()
    thread.join()
    assert os.environ["PGTZ"] == HOSTILE


FAULTS = [
    psycopg.OperationalError("connection failed: password authentication failed"),
    psycopg.OperationalError('connection failed: FATAL: database "postgres" does not exist'),
    psycopg.OperationalError("connection failed: permission denied"),
    psycopg.OperationalError("connection failed: server does not support SSL"),
    psycopg.OperationalError("connection failed: Connection refused"),
    psycopg.OperationalError("connection failed: it is the other way round"),
    psycopg.InterfaceError("the connection is closed"),
    psycopg.ProgrammingError("vector type not found in the database"),
    *(psycopg.errors.lookup(state)("what it was") for state in ("25006", "28000", "3D000", "42501", "58P01", "XX000")),
]


@pytest.mark.parametrize("error", FAULTS, ids=str)
def test_a_message_about_the_embedded_store_never_speaks_of_a_dsn(error):
    said = str(faults.translate(error, "the embedded store in /home/me/store", embedded=True))
    assert said.startswith("The embedded store in /home/me/store ")
    for word in ("dsn", "GRANT", "owner", "{"):
        assert word not in said
