"""A pool that finds its way back to a server that died, and lends few connections to many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.store import postmaster
from lorads_core.store.connect import MAX_CONNECTIONS, Store
from lorads_core.store.migrations import migrate

# --- a store at work ---


def test_the_embedded_store(embedded):
    with Store.open(None, embedded.folder) as store:
        with store.connection() as connection:
            connection.execute("CREATE TABLE made (number integer)")
            connection.execute("INSERT INTO made VALUES (1)")
        with store.connection() as connection:
            assert connection.execute("SELECT number FROM made").fetchone() == (1,)
            assert connection.info.get_parameters()["fallback_application_name"] == "lorads"
            assert connection.execute("SHOW application_name").fetchone() == ("lorads",)
            connection.execute("DROP TABLE made")
        assert repr(store) == f"Store({f'the embedded store in {embedded.folder}'!r})"


def test_npgsql_spelling_reaches_the_server(server):
    dsn = f"Host=127.0.0.1;Port={server.port};Database=postgres;Username=owner;Password={server.password}"
    with Store.open(dsn) as store, store.connection() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("owner",)
        assert connection.prepare_threshold is None


def test_an_exception_rolls_back_and_passes(store):
    def insert_and_raise():
        with store.connection() as connection:
            connection.execute("INSERT INTO lorads.libraries (library) VALUES ('x')")
            raise KeyError

    with pytest.raises(KeyError):
        insert_and_raise()
    with store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM lorads.libraries").fetchone() == (0,)


def test_prepare_runs_once_before_all_else_and_is_committed(database):
    calls = []

    def prepare(connection):
        calls.append(connection)
        connection.execute("CREATE TABLE prepared ()")

    with Store.open(database, prepare=prepare) as store:
        for _ in range(3):
            with store.connection() as connection:
                connection.execute("SELECT FROM prepared")
    assert len(calls) == 1


def test_threads_share_few_connections(store):
    def ask(number):
        with store.connection() as connection:
            connection.execute("SELECT pg_sleep(0.01)")
            return connection.info.backend_pid, number

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(64)))
    assert [number for _, number in answers] == list(range(64))
    assert len({pid for pid, _ in answers}) <= MAX_CONNECTIONS


def test_a_store_that_is_closed_is_closed(database):
    store = Store.open(database)
    store.close()
    store.close()
    with pytest.raises(ValueError, match="closed"), store.connection():
        pass


def test_waiting_for_a_free_connection(store):
    """More work than connections, each longer than the first patience: all get their turn."""

    def work(_):
        with store.connection() as connection:
            return connection.execute("SELECT 1 FROM pg_sleep(0.8)").fetchone()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [(1,)] * 6


# --- servers that die ---


@pytest.mark.slow
def test_the_embedded_server_killed_in_mid_query_and_between(folder):
    home = folder / "store"
    with Store.open(None, home, prepare=migrate) as store:
        with store.connection() as connection:
            connection.execute("INSERT INTO lorads.libraries (library) VALUES ('kept')")
        for query in ("SELECT pg_sleep(20)", ""):
            if query:
                thread = threading.Timer(0.3, kill, [home])
                thread.start()
                with (
                    pytest.raises(StoreError, match="broke off in the middle") as caught,
                    store.connection() as connection,
                ):
                    connection.execute(query)
                thread.join()
                assert isinstance(caught.value.__cause__, psycopg.OperationalError)
            else:
                kill(home)
            with store.connection() as connection:
                assert connection.execute("SELECT library FROM lorads.libraries").fetchall() == [("kept",)]
    assert postmaster.running(postmaster.Cluster(home, None)) is None


def kill(home):
    psutil.Process(postmaster.running(postmaster.Cluster(home, None)).pid).kill()
    time.sleep(0.3)


@pytest.mark.slow
def test_threads_that_all_find_the_server_dead_start_it_once(folder):
    home = folder / "store"

    def ask(_):
        with store.connection() as connection:
            return connection.execute("SELECT 1").fetchone()

    with Store.open(None, home) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
        kill(home)
        assert list(pool.map(ask, range(8))) == [(1,)] * 8
        assert (home / "server.log").read_text().count("starting PostgreSQL") == 2


@pytest.mark.slow
def test_a_server_that_went_away_is_told_at_once_and_found_again(make_server):
    server = make_server()
    with Store.open(server.dsn()) as store:
        with store.connection() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        server.stop()
        refused = r"cannot be reached: Connection refused( \(0x0000274D/10061\))?\. Look whether"
        for _ in range(2):
            start = time.perf_counter()
            with pytest.raises(StoreError, match=refused), store.connection():
                pass
            assert time.perf_counter() - start < 15
        server.start()
        with store.connection() as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
