"""postgresql.conf on each system: every setting that we write is one that PostgreSQL takes there."""

import sys

import psycopg
import pytest

from lorads_core.store.server_settings import SETTINGS, SOCKET_FOLDER, configuration, has_sockets

PLATFORMS = ("linux", "darwin", "win32")
# What PostgreSQL 18's own lists hold by system: src/backend/storage/ipc/dsm_impl.c, src/include/storage/dsm_impl.h.
SHARED_MEMORY = {
    "linux": {"posix", "sysv", "mmap"},
    "darwin": {"posix", "sysv", "mmap"},
    "win32": {"windows"},
}
BY_SYSTEM = {"dynamic_shared_memory_type", "port", "unix_socket_directories"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_shared_memory_is_of_a_kind_that_the_system_has(platform):
    value = next(each.on(platform) for each in SETTINGS if each.name == "dynamic_shared_memory_type")
    assert value in SHARED_MEMORY[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_real_server_takes_every_value_of_every_system(embedded, platform):
    with psycopg.connect(embedded.conninfo) as connection:
        known = {
            name: (kind, choices, low, high)
            for name, kind, choices, low, high in connection.execute(
                "SELECT name, vartype, enumvals, min_val, max_val FROM pg_settings"
            )
        }
        for setting in SETTINGS:
            assert setting.name.lower() in {name.lower() for name in known}, setting.name
            value = setting.on(platform)
            if value is None or setting.name in BY_SYSTEM:
                continue
            kind, choices, low, high = next(known[name] for name in known if name.lower() == setting.name.lower())
            if kind == "enum":
                assert value in choices, setting
            elif kind == "bool":
                assert value in {"on", "off"}, setting
            elif kind in {"integer", "real"} and value.replace(".", "").isdigit():
                number = int(value, 8) if setting.name == "unix_socket_permissions" else float(value)
                assert float(low) <= number <= float(high), setting


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_server_is_reached_by_a_socket_or_by_this_machines_own_address(platform):
    lines = configuration("lorads-x", "/run/a, b", platform).splitlines()
    values = dict(line.split(" = ") for line in lines if not line.startswith("#"))
    if has_sockets(platform):
        assert values["listen_addresses"] == "''"
        assert values["unix_socket_directories"] == "'\"/run/a, b\"'"
        assert values["port"] == "'5432'"
    else:
        assert values["listen_addresses"] == "'127.0.0.1'"
        assert values["unix_socket_directories"] == "''"
        assert 1024 < int(values["port"].strip("'")) < 65536
    assert values["cluster_name"] == "'lorads-x'"


def test_each_setting_stands_once_and_placeholders_are_replaced():
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    for platform in PLATFORMS:
        assert "{" not in configuration("x", "/s", platform)
    assert any(setting.linux == SOCKET_FOLDER for setting in SETTINGS)


def test_quotes_and_backslashes_are_written_as_postgresql_reads_them():
    assert "cluster_name = 'it''s \\\\ one'" in configuration("it's \\ one", "/s", "linux")


def test_the_running_server_has_them(embedded):
    with psycopg.connect(embedded.conninfo) as connection:
        for setting in SETTINGS:
            value = setting.on(sys.platform)
            if value is not None and "{" not in value:
                shown = connection.execute("SELECT current_setting(%s)", [setting.name]).fetchone()[0]
                assert shown == value, setting
