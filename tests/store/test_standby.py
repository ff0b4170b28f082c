"""A hot standby as the store: a real one, which streams from its primary; it is read, and what would write says so."""

import dataclasses
import time

import psycopg
import pytest
from PIL import Image

from lorads_core.cli.main import main
from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import Settings
from lorads_core.store.binaries import change_owner
from lorads_core.store.connect import Store
from lorads_core.store.faults import NotPermittedError
from lorads_core.store.migrations import migrate
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.curation import Judging
from lorads_core.workflow.parse import caption_settings

from ..conftest import _free_port

CAPTIONS = caption_settings("sidecar", (), "tomcat", "prepend", "sdxl")
READ_ONLY = "is read-only: .*Queries and captions can be read here; to save, name the primary server in the dsn"


@pytest.fixture(scope="module")
def primary(make_server):
    """Return a server that others may stream from."""
    return make_server("wal_level = replica", "max_wal_senders = 4")


@pytest.fixture(scope="module")
def standby(primary, make_folder):
    """Return a server that streams from the primary, as `pg_basebackup -R` makes it; it is stopped at the end."""
    folder = make_folder() / "standby"
    folder.mkdir()
    change_owner(folder, primary.tools.account)
    copied = primary.tools.run(
        "pg_basebackup",
        *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        *(f"--pgdata={folder / 'data'}", f"--dbname={primary.dsn()}"),
        cwd=folder,
    )
    assert copied.code == 0, copied.output
    server = dataclasses.replace(primary, folder=folder, port=_free_port())
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write(f"port = {server.port}\n")
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module")
def shared(primary, tmp_path_factory):
    """Return the database of a captioned dataset "tomcat", made on the primary, and its pictures."""
    database, pictures = primary.database(), tmp_path_factory.mktemp("pictures")
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 40, 90)).save(pictures / f"{number}.png")
        (pictures / f"{number}.txt").write_text("a cat", encoding="utf-8")
    with Store.open(primary.dsn(database=database), prepare=migrate) as store:
        build.index(store, Settings(), "pictures", pictures)
        captioning.caption(store, Settings(), queried(store, "tomcat").dataset, CAPTIONS)
    return database, pictures


@pytest.fixture(scope="module")
def read_dsn(primary, standby, shared):
    """Return the dsn of the standby, which has received all that the primary has written."""
    with psycopg.connect(primary.dsn()) as connection:
        (written,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    dsn = standby.dsn(database=shared[0])
    with psycopg.connect(standby.dsn(), autocommit=True) as connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        while not connection.execute("SELECT pg_last_wal_replay_lsn() >= %s", [written]).fetchone()[0]:
            time.sleep(0.05)
    return dsn


@pytest.fixture
def store(read_dsn):
    with Store.open(read_dsn, prepare=migrate) as opened:
        yield opened


def queried(store, name):
    return build.query(store, build.open_library(store, Settings(), "pictures"), name, DatasetFilter())


@pytest.mark.slow
def test_a_standby_answers_queries_and_shows_captions_and_histories(store):
    found = captioning.draft(store, Settings(), "tomcat").dataset
    assert [image.caption.text for image in found.training] == ["tomcat, a cat"] * 3
    assert captioning.edit_history(store, found) == []
    assert build.look_into(store, Settings(), "pictures").images == 3
    another = queried(store, "another")
    assert len(another.dataset.training) == 3
    assert [problem.code for problem in another.problems] == ["unsaved"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["captions", "index", "rate"])
def test_what_would_write_to_a_standby_is_one_sentence_that_names_the_primary(store, shared, what):
    writes = {
        "captions": lambda: captioning.caption(store, Settings(), queried(store, "tomcat").dataset, CAPTIONS),
        "index": lambda: build.index(store, Settings(), "pictures", shared[1] / "new"),
        "rate": lambda: Judging(store, build.open_library(store, Settings(), "pictures")).rate(DatasetFilter(), 5),
    }
    (shared[1] / "new").mkdir(exist_ok=True)
    Image.new("RGB", (32, 32)).save(shared[1] / "new" / "new.png")
    with pytest.raises(NotPermittedError, match=READ_ONLY) as caught:
        writes[what]()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["query"], 0, "3 images of library pictures"),
        (["captions", "tomcat"], 0, "tomcat, a cat"),
        (["libraries"], 0, "3 images"),
        (["captions", "tomcat", "--add-tag", "x", "--apply"], 4, "name the primary server"),
        (["rate", "5", "--all"], 4, "name the primary server"),
    ],
)
def test_the_commands_on_a_standby(read_dsn, tmp_path, capsys, words, code, said):
    settings = tmp_path / "lorads.toml"
    settings.write_text(f"store = 'copy'\n[stores.copy]\ndsn = \"{read_dsn}\"\n", encoding="utf-8")
    assert main([words[0], "--settings", str(settings), *words[1:]]) == code
    printed = capsys.readouterr()
    assert said in " ".join((printed.out + printed.err).split())
    assert "Traceback" not in printed.err
