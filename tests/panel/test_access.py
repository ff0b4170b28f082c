"""The secret in the panel's address: without it, no other user of the machine gets anything but one sentence."""

import json
import os
import re
import socket
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from lorads_core.panel.access import Access
from lorads_core.panel.api_spec import PREFIX, TABLE
from lorads_core.system.peers import peer_user

SENTENCE = "opens only by its whole address with the token, which the terminal shows"
PAGE = [("GET", path) for path in ("/", PREFIX, f"{PREFIX}/", f"{PREFIX}/web/panel/page.js")]
ROUTES = [(each.method, re.sub(r"{\w+}", "1", each.path)) for each in TABLE] + PAGE
NOBODY = 65_534


def query_of(address):
    return urlsplit(address).query


@pytest.fixture
def access(make_panel):
    """Return a panel that serves, and the access to it that it was started with."""
    found = Access()
    panel = make_panel(access=found)
    panel.addresses = found.addresses(f"http://127.0.0.1:{panel.port}{PREFIX}/")
    return panel


def test_every_route_answers_with_one_sentence_without_the_secret(make_panel):
    panel, other = make_panel(), make_panel()
    name = panel.cookie.partition("=")[0]
    for method, path in ROUTES:
        for cookie in (
            None,
            f"{name}=",
            f"{name}={'x' * 43}",
            other.cookie,
            f"{name}={other.cookie.partition('=')[2]}",
        ):
            usual = {"Content_Type": "application/json", "X_LoRADS_Token": panel.token} if method == "POST" else {}
            status, headers, body = panel.raw(method, path, b"{}" if usual else None, Cookie=cookie, **usual)
            assert (status, "Set-Cookie" in headers) == (403, False), (method, path, cookie)
            assert SENTENCE in body.decode()
            if path.startswith(f"{PREFIX}/api/"):
                error = json.loads(body)["error"]
                assert (error["code"], error["message"].count(".")) == ("secret", 1)


@pytest.mark.parametrize("path", ["/", PREFIX, f"{PREFIX}/"])
def test_the_address_is_exchanged_for_a_cookie_and_one_without_the_token(access, path):
    status, headers, _ = access.raw("GET", f"{path}?a=1&{query_of(access.addresses.printed)}&b=2", Cookie=None)
    assert (status, headers["Location"]) == (302, "/lorads/?a=1&b=2")
    cookie, *flags = headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(flags)
    assert cookie.startswith(f"lorads-{access.port}=")
    assert access.raw("GET", f"{PREFIX}/", Cookie=cookie)[0] == 200
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "%00", "%FF"])
def test_a_wrong_token_opens_nothing(access, token):
    status, headers, body = access.raw("GET", f"{PREFIX}/?token={token}", Cookie=None)
    assert (status, "Set-Cookie" in headers) == (403, False)
    assert SENTENCE in body.decode()


def test_an_old_token_is_no_harm_to_who_has_the_cookie(access):
    status, headers, _ = access.raw("GET", f"{PREFIX}/?token=old")
    assert (status, headers["Location"]) == (302, "/lorads/")


def test_the_address_of_the_browser_works_once_and_the_printed_one_always(access):
    once, printed = map(query_of, access.addresses[::-1])
    tried = [access.raw("GET", f"{PREFIX}/?{each}", Cookie=None)[0] for each in (once, once, printed, printed)]
    assert tried == [302, 403, 302, 302]


def opened_as(port, path, user):
    """Return the status of an answer over a connection that belongs to this user."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        os.fchown(connection.fileno(), user, -1)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


@pytest.mark.posix
@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="root alone can be another user")
def test_another_user_who_reads_the_browser_s_command_line_gets_nothing(access):
    path = f"{PREFIX}/?{query_of(access.addresses.once)}"
    assert opened_as(access.port, path, NOBODY) == 403
    assert opened_as(access.port, path, os.getuid()) == 302


def test_a_page_opened_from_another_site_loads_itself_again_to_send_its_cookie(access):
    foreign = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    _, headers, _ = access.raw("GET", f"{PREFIX}/", Cookie=None, **foreign)
    assert headers["Refresh"] == "0; url=/lorads/"
    _, headers, _ = access.raw("GET", f"{PREFIX}/", Cookie=None, Sec_Fetch_Site="same-origin")
    assert "Refresh" not in headers


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say whose a connection is")
def test_the_user_of_a_connection_is_known():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        here, there = client.getsockname(), server.getsockname()
        assert peer_user(here, there) == os.getuid()
        assert peer_user(here, ("127.0.0.1", 1)) is peer_user(here, None) is None
    assert peer_user(None, there) is peer_user(("::1", 1, 0, 0), there) is peer_user(("127.0.0.1", 1), there) is None


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="root alone can be another user")
def test_a_port_that_another_connection_has_too_tells_nothing_of_its_user():
    with ExitStack() as stack:
        port, users = 0, (0, NOBODY, 0)
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in users]
        for server, user in zip(servers, users, strict=True):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("127.0.0.1", port))
            client.connect(server.getsockname())
            os.fchown(client.fileno(), user, -1)
            port = client.getsockname()[1]
        found = [peer_user(("127.0.0.1", port), server.getsockname()) for server in servers]
    assert found == list(users)
