"""`lorads panel` as a person starts it: its address, its browser, its end, and what is in its way."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from lorads_core.errors import SettingsError

pytestmark = pytest.mark.slow

PATIENCE = 120  # seconds, for what must begin or end; a program takes half a minute to start under wine


@pytest.fixture
def start(store_settings, tmp_path):
    """Return a context manager that starts the panel with these words, and gives its process and port."""

    @contextmanager
    def started(*words, **environment):
        command = [sys.executable, "-m", "lorads_core", "panel", "--settings", str(store_settings), *words]
        with subprocess.Popen(
            [*command, "--out", str(tmp_path / "exports")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        ) as process:
            try:
                line = process.stdout.readline()
                yield process, urlsplit(line.split()[1])
            finally:
                process.kill()

    return started


def asked(address, path, host=None, cookie=None):
    with closing(http.client.HTTPConnection("127.0.0.1", address.port, timeout=PATIENCE)) as connection:
        given = {"Cookie": opened(address) if cookie is None else cookie}
        connection.request("GET", path, headers={"Host": host or address.netloc, **given})
        answer = connection.getresponse()
        return answer.status, answer.read()


def opened(address):
    """Return the cookie that the page's whole address sets."""
    with closing(http.client.HTTPConnection("127.0.0.1", address.port, timeout=PATIENCE)) as connection:
        connection.request("GET", f"{address.path}?{address.query}")
        return connection.getresponse().headers["Set-Cookie"].split(";")[0]


@pytest.mark.posix
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_its_page_until_it_is_ended(start, dataset, end):
    with start("--no-browser") as (process, address):
        assert b"lorads-page" in asked(address, "/lorads/")[1]
        session = json.loads(asked(address, "/lorads/api/session")[1])
        assert (session["where"], session["can_launch"]) == ("page", False)
        assert [each["id"] for each in json.loads(asked(address, "/lorads/api/datasets")[1])] == [str(dataset)]
        assert asked(address, "/lorads/", "evil.example")[0] == 403
        assert asked(address, "/lorads/api/session", cookie="")[0] == 403
        process.send_signal(end)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")


@pytest.mark.posix
def test_it_ends_while_a_page_listens(start, dataset):
    with start("--no-browser") as (process, address):
        listening = http.client.HTTPConnection("127.0.0.1", address.port, timeout=PATIENCE)
        listening.request("GET", f"/lorads/api/events?dataset={dataset}", headers={"Cookie": opened(address)})
        stream = listening.getresponse()
        assert stream.readline() == b": hello\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        stream.close()
        listening.close()
    assert (process.returncode, said) == (0, "")


def test_it_is_for_this_machine_alone(start):
    with start("--no-browser") as (_, address):
        with socket.socket() as other:  # another address of this machine: that it is free says that we are not there
            other.bind(("127.0.0.2", address.port))
        assert asked(address, "/lorads/")[0] == 200


@pytest.fixture
def browser(tmp_path):
    """Return a browser that writes down what it is asked to open, and stays as one of the terminal's does."""
    file, half, stays = tmp_path / "browser", tmp_path / "half", tmp_path / "stays"
    os.mkfifo(stays)
    file.write_text(f"#!/bin/sh\necho \"$1\" > '{half}'\nmv '{half}' '{tmp_path / 'opened'}'\nread x < '{stays}'\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    yield {"BROWSER": str(file)}
    with suppress(OSError):  # nobody reads it: it was never opened
        os.close(os.open(stays, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.posix
def test_it_opens_the_browser_and_answers_although_that_stays(start, browser, tmp_path):
    with start(**browser) as (_, address):
        before = time.monotonic()
        while not (tmp_path / "opened").exists():
            assert time.monotonic() < before + PATIENCE
            assert asked(address, "/lorads/")[0] == 200
        given = urlsplit((tmp_path / "opened").read_text().strip())
        assert given._replace(query="") == address._replace(query="")
        assert given.query != address.query  # other users can read it
        assert asked(address, "/lorads/api/session", cookie=opened(given))[0] == 200


@pytest.mark.posix
def test_it_opens_nothing_unless_it_is_to(start, browser, tmp_path):
    with start("--no-browser", **browser) as (process, address):
        assert asked(address, "/lorads/")[0] == 200
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert not (tmp_path / "opened").exists()


def test_a_port_is_taken_as_given(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = probe.getsockname()[1]
    with start("--no-browser", "--port", str(wanted)) as (_, address):
        assert address.port == wanted


@pytest.mark.parametrize("port", ["taken", "70000", "-1"])
def test_a_port_that_cannot_be_had(store_settings, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        words = str(other.getsockname()[1]) if port == "taken" else port
        command = [sys.executable, "-m", "lorads_core", "panel", "--no-browser", "--settings", str(store_settings)]
        ended = subprocess.run(
            [*command, "--port", words], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert "Traceback" not in ended.stderr
    assert words in ended.stderr
    assert ended.returncode == SettingsError.exit_code
