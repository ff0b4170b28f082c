"""One clear error for each fault of a real server, without the password."""

import socket
import sys
import threading
import time

import psycopg
import pytest
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lorads_core.errors import LoradsError, StoreError
from lorads_core.store.connect import MAX_CONNECTIONS, Store, parse_dsn, translate
from lorads_core.store.migrations import migrate

SECRET = "s3cr3t"


def fault(dsn, *queries, prepare=None):
    """Return the message of the StoreError that these queries end in; it must hold no password."""
    with pytest.raises(LoradsError) as caught:
        run(dsn, queries, prepare)
    assert isinstance(caught.value, StoreError)
    assert isinstance(caught.value.__cause__, psycopg.Error)
    password = conninfo_to_dict(parse_dsn(dsn)).get("password")
    for error in (caught.value, caught.value.__cause__):
        assert not password or password not in str(error) + repr(error)
    return str(caught.value)


def run(dsn, queries, prepare):
    with Store.open(dsn, prepare=prepare) as store, store.connection() as connection:
        for query in queries:
            query(connection) if callable(query) else connection.execute(query)


def test_refused():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        message = fault(f"host=127.0.0.1 port={port} dbname=x user=me password={SECRET}")
    assert message.replace(" (0x0000274D/10061)", "") == (  # libpq adds Windows' number of it
        f"The store at 127.0.0.1:{port}/x cannot be reached: Connection refused."
        " Look whether it runs, and at host and port in the dsn."
    )


def test_no_such_host():
    assert "cannot be reached: " in fault("host=no-such-host.invalid user=me")


def test_no_socket_there(tmp_path):
    # Windows' libpq without such sockets (wine's) gives no reason.
    reason = "No such file or directory" if sys.platform != "win32" else ""
    assert f"cannot be reached: {reason}" in fault(make_conninfo(host=str(tmp_path), user="me"))


def test_several_hosts_refused():
    assert "cannot be reached: Connection refused" in fault("host=127.0.0.1,127.0.0.1 port=1,2 user=me")


def test_a_stalled_server():
    """It takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        start = time.perf_counter()
        message = fault(f"host=127.0.0.1 port={stalled.getsockname()[1]} user=me connect_timeout=2")
    assert "cannot be reached: " in message
    assert "timeout" in message
    assert time.perf_counter() - start < 20


def test_a_server_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        message = fault(f"host=127.0.0.1 port={listener.getsockname()[1]} user=me sslmode=disable gssencmode=disable")
        thread.join()
    assert "broke off" in message or "cannot be reached" in message


def test_wrong_password(server):
    message = fault(server.dsn(password=SECRET))
    assert 'does not let us in: password authentication failed for user "owner". Look at the user' in message


def test_no_password(server):
    assert "does not let us in: " in fault(server.dsn(password=""))


def test_no_such_database(server):
    assert 'has no such database: database "nowhere" does not exist. Create it' in fault(server.dsn(database="nowhere"))


def test_no_encryption_on_the_server(server):
    assert "encryption" in fault(server.dsn(sslmode="require"))


@pytest.mark.slow
def test_no_more_connections(make_server):
    server = make_server("max_connections = 5", "superuser_reserved_connections = 0", "reserved_connections = 0")
    holders = [psycopg.connect(server.dsn()) for _ in range(5)]
    try:
        assert "takes no more connections: sorry, too many clients already" in fault(server.dsn())
    finally:
        for holder in holders:
            holder.close()


def test_no_right_to_create_a_schema(server):
    role, database = server.role(), server.database("CREATE EXTENSION vector")
    message = fault(server.dsn(role, database=database), prepare=migrate)
    assert f"does not permit it: permission denied for database {database}. Have the server's owner run" in message
    assert f'run GRANT CREATE ON DATABASE {database} TO "{role}"' in message


def test_no_right_to_a_table(server):
    role, database = server.role(), server.database("CREATE TABLE mine ()")
    message = fault(server.dsn(role, database=database), "SELECT FROM mine")
    assert "does not permit it: permission denied for table mine" in message


def test_no_right_to_connect(server):
    role, database = server.role(), server.database()
    server.run(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
    assert "does not permit it" in fault(server.dsn(role, database=database))


def test_a_role_that_may_use_but_not_create_is_enough_where_the_owner_has_prepared(server):
    role, database = server.role(), server.database("CREATE EXTENSION vector")
    with Store.open(server.dsn(database=database), prepare=migrate):
        pass
    server.run(
        f"GRANT USAGE ON SCHEMA lorads TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA lorads TO {role}",
        database=database,
    )
    with Store.open(server.dsn(role, database=database), prepare=migrate) as store, store.connection() as connection:
        connection.execute("INSERT INTO lorads.libraries (library) VALUES ('x')")


def test_read_only(server_dsn):
    message = fault(server_dsn, "SET TRANSACTION READ ONLY", "CREATE TABLE x ()")
    assert "is read-only: cannot execute CREATE TABLE in a read-only transaction. Queries and captions can" in message


@pytest.mark.parametrize(
    "query", ["SELECT FROM nothing", "SELECT nothing FROM pg_class", "SELECT nothing()", "SELECT 1::nothing"]
)
def test_a_table_column_function_or_type_is_missing(server_dsn, query):
    message = fault(server_dsn, query)
    assert "lacks something of our schema: " in message
    assert "nothing" in message


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE x (v halfvec)",
        "SELECT '[1]'::vector",
        "SELECT 1 <=> 2",
        register_vector,
        "CREATE EXTENSION vector",
    ],
)
def test_pgvector_is_missing(server_dsn, without_pgvector, query):
    dsn = without_pgvector.dsn() if query == "CREATE EXTENSION vector" else server_dsn
    message = fault(dsn, query)
    assert "has no pgvector in this database" in message
    assert "CREATE EXTENSION vector" in message


@pytest.fixture(scope="session")
def without_pgvector(make_server, make_folder):
    """Return a server on which pgvector is not installed: its extensions are looked for in an empty folder."""
    (make_folder() / "extension").mkdir()
    return make_server(f"extension_control_path = '{make_folder().as_posix()}'")


def test_pgvector_is_too_old(server):
    pretend = "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
    database = server.database("CREATE EXTENSION vector", pretend)
    with pytest.raises(StoreError, match=r"pgvector 0\.7\.4; LoRADS needs 0\.8"):
        Store.open(server.dsn(database=database), prepare=migrate)


def test_vectors_of_different_length(database):
    query = "SELECT '[1]'::vector <=> '[1,2]'::vector"
    assert "does not fit: different vector dimensions 1 and 2" in fault(database, "CREATE EXTENSION vector", query)


def test_time_out(server_dsn):
    message = fault(server_dsn, "SET statement_timeout = 50", "SELECT pg_sleep(9)")
    assert "stopped the query: canceling statement due to statement timeout. It was cancelled" in message


def test_cancelled_from_another_thread(server_dsn):
    def cancelled(connection):
        timer = threading.Timer(0.2, connection.cancel_safe)
        timer.start()
        try:
            connection.execute("SELECT pg_sleep(9)")
        finally:
            timer.join()

    assert "stopped the query: canceling statement due to user request" in fault(server_dsn, cancelled)


def test_terminated(server_dsn):
    message = fault(server_dsn, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert "broke off in the middle: terminating connection due to administrator command. What was" in message


def test_no_room(server_dsn):
    """PostgreSQL has no way to fill a disk on demand; a server function raises the very state."""
    raise_it = "DO $$ BEGIN RAISE disk_full USING MESSAGE = 'could not write: No space left on device'; END $$"
    assert "has no room left: could not write: No space left on device. What was" in fault(server_dsn, raise_it)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("40001", "Run it again"),
        ("40P01", "Run it again"),
        ("55P03", "Run it again"),
        ("53200", "out of memory"),
        ("57P02", "broke off"),
        ("58030", "trouble with its files"),
        ("XX001", "inner fault"),
        ("23505", "refuses it"),
        ("0A000", "PostgreSQL 14 or newer"),
    ],
)
def test_other_states(server_dsn, state, told):
    message = fault(server_dsn, f"DO $$ BEGIN RAISE EXCEPTION 'what it was' USING ERRCODE = '{state}'; END $$")
    assert told in message
    assert "what it was" in message


def test_two_writers_that_block_each_other(server):
    database = server.database("CREATE TABLE rows AS SELECT 1 AS number")
    with psycopg.connect(server.dsn(database=database)) as other:
        other.execute("UPDATE rows SET number = 2")
        message = fault(server.dsn(database=database), "SET lock_timeout = 50", "UPDATE rows SET number = 3")
    assert "another program was changing the same rows" in message


def test_all_connections_in_use(server_dsn):
    with Store.open(server_dsn) as store:
        store.patience = 0.2
        held = [store.connection() for _ in range(MAX_CONNECTIONS)]
        for one in held:
            one.__enter__()
        with pytest.raises(StoreError, match="has all our connections in use"), store.connection():
            pass
        for one in held:
            one.__exit__(None, None, None)
        with store.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('connection failed: FATAL:  le mot de passe "x"', "does not answer as it should"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', "does not let us in"),
        ("FATAL:  the database system is starting up", "is not ready"),
        ("server closed the connection unexpectedly\n\tThis probably means", "broke off"),
    ],
)
def test_faults_of_a_connection_without_a_state(text, told):
    """Texts that a real server gives, at moments too short to catch."""
    message = str(translate(psycopg.OperationalError(text), "the store at x"))
    assert message.startswith(f"The store at x {told}")
    assert message.endswith(".")
    assert "FATAL" not in message
