"""What tests share: real PostgreSQL servers, one embedded and one by DSN, and folders that their account can reach."""

from __future__ import annotations

import itertools
import os
import random
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
from PIL import Image
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lorads_core.base_models import set_custom_base_models
from lorads_core.cli.main import main
from lorads_core.images.formats import FORMATS
from lorads_core.store.binaries import (
    Binaries,
    change_owner,
    find_binaries,
    make_folders,
    server_account,
    write_private,
)
from lorads_core.store.connect import Store
from lorads_core.store.embedded import attach
from lorads_core.store.migrations import migrate

from .databases import Databases
from .faulty import Faulty
from .nvidia import NvidiaSmi

# As Hypothesis' own profile for CI: the same examples each time (--hypothesis-seed tries others), and a machine that is
# busy is no fault of what is tested.
hypothesis.settings.register_profile(
    "lorads", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("lorads")

# A background job of a shell ignores Ctrl-C, and nohup a closed terminal; what they start inherits that: here are tests
# that end programs so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """Skip what needs POSIX (signals, FIFOs, modes, symbolic links) where there is none."""
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="posix: needs what only POSIX has"))


@pytest.fixture(autouse=True)
def own_base_models():
    """Forget the base models of a test's settings file after it: they hold for the whole process."""
    yield
    set_custom_base_models(())


@pytest.fixture
def nvidia_smi(tmp_path_factory, monkeypatch):
    """Put a stand-in for nvidia-smi on the PATH, for this process and what it starts."""
    folder = tmp_path_factory.mktemp("driver")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return NvidiaSmi(folder)


@pytest.fixture
def no_card(tmp_path_factory, monkeypatch):
    """Have no nvidia-smi on the PATH, whatever machine this is."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))


@pytest.fixture
def without_image_plugins(monkeypatch):
    """Have the packages that add formats to Pillow missing, for what is said without them."""
    for added in (each for each in FORMATS if each.module):
        monkeypatch.setitem(sys.modules, added.module, None)
        monkeypatch.delitem(Image.OPEN, added.plugin, raising=False)


@pytest.fixture(scope="session")
def make_folder():
    """Return a function that makes new folders which a server's account can reach (pytest's own are for us alone)."""
    root = Path(tempfile.gettempdir()).resolve() / f"lorads-tests-{uuid.uuid4().hex[:8]}"
    root.mkdir()  # without a mode: with 0o700, as of mkdtemp, an elevated Windows keeps PostgreSQL out (Python 3.12.4)
    root.chmod(0o755)

    def make():
        folder = root / uuid.uuid4().hex[:8]
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    yield make
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def folder(make_folder):
    """Return a new folder which a server's account can reach; it is removed: a store in it takes 70 MB."""
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def store_folder(make_folder):
    """Return the folder of the embedded server of this test session (of each worker, under xdist).

    Making one takes a minute under wine, whose runner (tests/wine) gives each file a copy.
    """
    return Path(os.environ.get("LORADS_TEST_STORE") or make_folder() / "store")


@pytest.fixture(scope="session")
def embedded(store_folder):
    """Return a client of the embedded server; ``conninfo`` reaches its database as superuser."""
    with attach(store_folder) as attached:
        _forgo_durability(attached.conninfo)
        yield attached


def _forgo_durability(conninfo):
    """Let a server not wait for the disk: each test makes and drops a database, and no power is cut here."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def template(embedded):
    """Return the name of a database with our schema, to be copied."""
    with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_lorads")
    with psycopg.connect(make_conninfo(embedded.conninfo, dbname="template_lorads")) as connection:
        migrate(connection)
    return "template_lorads"


@pytest.fixture(scope="session")
def filled(embedded, template):
    """Return a function that fills a database with our schema once, and returns its name: a template for tests."""
    count = itertools.count(1)

    def fill(filler):
        name = f"filled_{next(count)}"
        with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        filler(make_conninfo(embedded.conninfo, dbname=name))
        return name

    return fill


@pytest.fixture
def store_template(template):
    """Return the database that `store` is a copy of; a file whose tests need the same rows returns a filled one."""
    return template


@pytest.fixture(scope="session")
def databases(embedded, template):
    """Return the databases on the embedded server that tests borrow."""
    made = Databases(embedded.conninfo, template)
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_database(embedded, databases):
    """Return a context manager that gives the conninfo of a database like a template, of its own."""

    @contextmanager
    def new(like="template1"):
        name = databases.take(like)
        try:
            yield make_conninfo(embedded.conninfo, dbname=name)
        finally:
            databases.give_back(name, like)

    return new


@pytest.fixture
def database(new_database):
    """Return the conninfo of a new, empty database on the embedded server."""
    with new_database() as conninfo:
        yield conninfo


@pytest.fixture
def store(new_database, store_template):
    """Return a Store with our schema, on a database of its own; it is empty where `store_template` is."""
    with new_database(store_template) as conninfo, Store.open(conninfo, prepare=migrate) as opened:
        yield opened


@dataclass(frozen=True)
class Server:
    """A PostgreSQL on TCP with passwords: what a DSN names. The superuser is ``owner``."""

    folder: Path
    tools: Binaries
    port: int
    password: str

    def dsn(self, user="owner", password=None, database="postgres", **options):
        """Return a keyword string; ``password`` is the superuser's unless given."""
        return make_conninfo(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=self.password if password is None else password,
            dbname=database,
            **options,
        )

    def run(self, *statements, database="postgres"):
        """Run statements as superuser, each in a transaction of its own."""
        with psycopg.connect(self.dsn(database=database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def database(self, *statements):
        """Make a database (without pgvector, unless a statement creates it) and return its name."""
        name = f"db_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        self.run(*statements, database=name)
        return name

    def role(self, *options):
        """Make a role that may log in and nothing else, return its name; its password is the superuser's."""
        name = f"role_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}' {' '.join(options)}")
        return name

    def start(self):
        """Start it and wait until it takes connections."""
        self._control("start", f"--log={self.folder / 'log'}")

    def stop(self, mode="fast"):
        """Stop it; mode ``immediate`` is as good as a crash."""
        self._control("stop", f"--mode={mode}")

    def _control(self, *arguments):
        ended = self.tools.run("pg_ctl", *arguments, "--wait", f"--pgdata={self.folder / 'data'}", cwd=self.folder)
        assert ended.code == 0, ended.output


@pytest.fixture(scope="session")
def make_server(make_folder):
    """Return a function that makes and starts a server on TCP; all are stopped at the end."""
    servers = []

    def make(*settings):
        folder = make_folder() / "server"
        account = server_account()
        make_folders(folder, account)
        server = Server(folder, find_binaries(folder, account), _free_port(), secrets.token_hex(8))
        write_private(folder / "password", server.password, account)
        ended = server.tools.run(
            "initdb",
            *("--username=owner", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *(f"--pgdata={folder / 'data'}", f"--pwfile={folder / 'password'}"),
            cwd=folder,
        )
        assert ended.code == 0, ended.output
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"port = {server.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
            file.write("fsync = off\nshared_buffers = 16MB\n" + "".join(f"{setting}\n" for setting in settings))
        change_owner(folder / "data" / "postgresql.conf", account)
        server.start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        if (server.folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(make_server):
    """Return the server of this session that stands for "any server by DSN"."""
    return make_server()


@pytest.fixture
def server_dsn(server):
    """Return the DSN of a new, empty database on that server, with every right."""
    return server.dsn(database=server.database())


@pytest.fixture
def usual_umask():
    """Have new files readable by everyone, as on most systems."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def faulty(monkeypatch):
    """Return a file system that refuses what it is asked to refuse, as Windows does: see `faulty.py`."""
    return Faulty(monkeypatch.setattr)


@pytest.fixture
def library():
    """Return the name of the library that a test keeps its pictures in."""
    return "pictures"


@pytest.fixture
def picture(tmp_path):
    """Return a function that makes a real picture file of noise, no two alike, under the test's own folder."""
    count = itertools.count(1)

    def make(name, size=(32, 24), **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        grain = 1 if max(size) <= 640 else max(size) // 128  # in blocks: noise of a million pixels is slow to compress
        coarse = (-(-size[0] // grain), -(-size[1] // grain))
        noise = random.Random(next(count)).randbytes(coarse[0] * coarse[1] * 3)
        Image.frombytes("RGB", coarse, noise).resize(size, Image.Resampling.NEAREST).save(path, **options)
        return path

    return make


@pytest.fixture
def store_settings(store, folder):
    """Return a lorads.toml that names the test's own database, for programs that the test starts."""
    return write_settings(folder / "lorads.toml", store._conninfo)


@pytest.fixture
def lorads(store_settings, capsys):
    """Run a command on the test's own database; return exit code, standard output and standard error."""

    def run(command, *arguments):
        code = main([command, "--settings", str(store_settings), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def write_settings(file, conninfo):
    """Write a lorads.toml whose store is this database, and return the file."""
    file.write_text(f"store = 'test'\n[stores.test]\ndsn = '''{conninfo}'''\n", encoding="utf-8")
    return file
