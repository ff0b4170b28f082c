"""Backups of the embedded store: all of it comes back, or nothing is changed."""

import psycopg
import pytest

from lorads_core.cli.main import main
from lorads_core.errors import StoreError
from lorads_core.store.backup import restore_backup, write_backup
from lorads_core.store.embedded import attach
from lorads_core.store.migrations import migrate

from ..rights import mode


def fill(home, folder):
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:
        migrate(connection)
        connection.execute("INSERT INTO lorads.libraries (library) VALUES ('größe 日本')")
    return folder / "store.backup"


def libraries(home):
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:
        migrate(connection)
        return [name for (name,) in connection.execute("SELECT library FROM lorads.libraries")]


@pytest.mark.slow
def test_a_store_comes_back_from_its_backup(home, folder):
    file = fill(home, folder)
    write_backup(home, file)
    restore_backup(folder / "new", file)
    assert libraries(folder / "new") == libraries(home) == ["größe 日本"]
    for store in (home, folder / "new"):
        assert not list(store.glob(".backup-*"))
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["store.backup"]


@pytest.mark.slow
def test_a_backup_is_made_while_others_use_the_store(home, folder):
    file = fill(home, folder)
    with attach(home) as attached, psycopg.connect(attached.conninfo) as connection:
        connection.execute("INSERT INTO lorads.libraries (library) VALUES ('not committed')")
        write_backup(home, file)
    restore_backup(folder / "new", file)
    assert libraries(folder / "new") == ["größe 日本"]


@pytest.mark.slow
def test_nothing_is_replaced(home, folder):
    file = fill(home, folder)
    write_backup(home, file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        write_backup(home, file)
    with pytest.raises(StoreError, match="is not empty"):
        restore_backup(home, file)
    assert file.read_bytes() == before
    assert libraries(home) == ["größe 日本"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _data: b"", lambda _data: b"hello"])
def test_a_damaged_backup_restores_nothing(home, folder, damage):
    file = fill(home, folder)
    write_backup(home, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StoreError, match="pg_restore failed: "):
        restore_backup(folder / "new", file)
    assert libraries(folder / "new") == []
    with pytest.raises(StoreError, match="There is no backup"):
        restore_backup(folder / "new", folder / "none")


@pytest.mark.slow
def test_a_folder_that_is_not_there_leaves_nothing(home, folder):
    fill(home, folder)
    with pytest.raises(StoreError, match="cannot be written"):
        write_backup(home, folder / "none" / "store.backup")
    assert not list(home.glob(".backup-*"))


@pytest.mark.slow
def test_the_commands(home, folder, capsys):
    file = fill(home, folder)
    for name, store in (("a", home), ("b", folder / "new")):
        (folder / f"{name}.toml").write_text(f"[embedded]\nfolder = '{store}'\n", encoding="utf-8")
    assert main(["backup", "--settings", str(folder / "a.toml"), str(file)]) == 0
    assert main(["restore", "--settings", str(folder / "b.toml"), str(file)]) == 0
    assert "Restored" in capsys.readouterr().out
    assert libraries(folder / "new") == ["größe 日本"]


def test_a_server_of_its_own_is_not_ours_to_back_up(store_settings, folder, capsys):
    for command in ("backup", "restore"):
        assert main([command, "--settings", str(store_settings), str(folder / "x")]) == 3
        assert "pg_dump" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.usefixtures("usual_umask")
def test_a_backup_is_for_its_owner_alone_as_the_store_is(home, folder):
    file = fill(home, folder)
    write_backup(home, file)
    assert mode(file) == 0o600
    assert mode(home) == 0o700
