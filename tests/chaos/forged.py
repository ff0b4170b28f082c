"""Forged requests to the panel: each is refused with a 4xx within two seconds, and the panel serves afterwards."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from lorads_core.captions.patterns import SECONDS as PATTERN_SECONDS
from lorads_core.panel.api_spec import PREFIX, TABLE

from .caption_kills import make_dataset
from .panel_client import Panel
from .tally import LostError, StuckError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tally import Tally
    from .world import World

SECONDS = 2.0
GIVE_UP = 60.0  # of the clock
HOSTS = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:80",
    "",
    "evil.example@127.0.0.1",
    "[::1",
    "\xff",
)
REBOUND = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example")
SITES = (
    ("Origin", "http://evil.example"),
    ("Origin", "null"),
    ("Origin", "https://localhost"),
    ("Origin", "http://[::1"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
)
PATHS = (
    *("web/../pyproject.toml", "web/%2e%2e/%2e%2e/pyproject.toml", "web/..%2f..%2fetc/passwd", "web//etc/passwd"),
    *("web/panel/%00.js", f"web/{'x' * 7000}", "web/\\..\\..\\etc", "api/../../etc/passwd", "api/", "api/nothing"),
    *("api/datasets/%00", "api/datasets/..%2f..", f"api/datasets/{'é' * 300}", "api/jobs/1", "api/runs/%ff"),
    *("api/runs/..%2f..%2fx/sample/a.png", "api/events?dataset=..", "api/datasets/{set}/rows?from=-1"),
    *("api/datasets/{set}/rows?count=99999999", "api/datasets/{set}/rows?from=9e9", "api/thumbnail/{set}/..%2f1"),
    *("api/picture/{set}/pictures:99999999999999999999", "api/picture/{set}/%2fetc%2fpasswd:1"),
    *(
        "api/thumbnail/{set}/pictures:1%00",
        "api/datasets/{set}/row/'; DROP TABLE lorads.images; --".replace(" ", "%20"),
    ),
)
BODIES = (
    *(b"", b"{", b"[]", b"5", b"null", b'{"a": NaN}', b"\xff", b'{"label": "\\ud800"}', b'{"a":' * 100_000),
    *(b"[" * 100_000, b'{"changes": 5}', b'{"keys": [1]}', b'{"operation": "drop"}', b'{"x": 1}', b"\0" * 1000),
    *(b'{"changes": [{"key": "pictures:1", "before": null, "after": "a\\u0000"}]}', b"x" * 9_000_000),
)
PATTERNS = (
    "(?R)",
    "(a+)+$b",
    "(" * 3000 + "a" + ")" * 3000,
    "(?1)(a)",
    "a{1000000000}",
    "(",
    "[",
    "(?P>x)",
    "\\",
    "(.*)*(.*)*(.*)*b",
)
METHODS = ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "FOO", "get")


class Forged(NamedTuple):
    """A request as bytes, what it is called, and how long its answer may take."""

    label: str
    request: bytes
    seconds: float = SECONDS


class Forger:
    """Makes requests that are the page's own but for one thing."""

    def __init__(self, panel: Panel, dataset: str) -> None:
        self._panel, self._dataset = panel, dataset
        self._paths = {each: self._filled(each.path) for each in TABLE}

    def _filled(self, path: str) -> str:
        values = {"dataset": self._dataset, "key": "pictures:1", "run": "0" * 32, "job": "0" * 32, "name": "a.png"}
        return path.format(**values)

    def request(self, method: str, path: str, body: bytes | None = None, **changed: str | None) -> bytes:
        """Return a request; ``changed`` are headers, those that are None are left out."""
        usual = {"Host": f"127.0.0.1:{self._panel.port}", "Cookie": self._panel.cookie, "Connection": "close"}
        if method == "POST":
            usual |= {"Content-Type": "application/json", "X-LoRADS-Token": self._panel.token}
            usual |= {"Content-Length": str(len(body or b""))}
        headers = usual | {name.replace("_", "-"): value for name, value in changed.items()}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items() if value is not None),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (body or b"")

    def all(self) -> Iterator[Forged]:
        """Yield requests of every kind."""
        for each, path in self._paths.items():
            body = b"{}" if each.method == "POST" else None
            yield from self._headers(each.method, path, body)
        yield from self._others()

    def _headers(self, method: str, path: str, body: bytes | None) -> Iterator[Forged]:
        label = f"{method} {path}"
        changes = [("no cookie", {"Cookie": None}), ("a wrong cookie", {"Cookie": f"lorads-{self._panel.port}=x"})]
        # The cookie's name has the port: with another one it is the cookie that is missed.
        hosts = (*HOSTS, *(f"{host}:{self._panel.port}" for host in REBOUND))
        changes += [(f"host {host!r}", {"Host": host}) for host in hosts]
        changes += [(f"{name} {value}", {name.replace("-", "_"): value}) for name, value in SITES]
        if method == "POST":
            changes += [("no token", {"X_LoRADS_Token": None}), ("a wrong token", {"X_LoRADS_Token": "x" * 43})]
            changes += [
                (f"type {kind}", {"Content_Type": kind}) for kind in ("text/plain", "multipart/form-data", None)
            ]
        for name, headers in changes:
            yield Forged(f"{label} with {name}", self.request(method, path, body, **headers))

    def _others(self) -> Iterator[Forged]:
        for path in PATHS:
            path = path.replace("{set}", self._dataset)  # noqa: PLW2901
            yield Forged(f"GET {path:.80}", self.request("GET", f"{PREFIX}/{path}"))
        edits = f"{PREFIX}/api/datasets/{self._dataset}/edits"
        for body in BODIES:
            for name in ("edits", "bulk", "reject", "export"):
                yield Forged(f"{name} with {body[:30]!r}", self.request("POST", edits.replace("edits", name), body))
        for pattern in PATTERNS:
            arguments = {"find": pattern, "replace": "", "regex": True}
            body = json.dumps({"operation": "find_replace", "arguments": arguments, "unedited_only": False}).encode()
            request = self.request("POST", edits.replace("edits", "bulk"), body)
            yield Forged(f"pattern {pattern:.30}", request, PATTERN_SECONDS + SECONDS)
        for method in METHODS:
            yield Forged(f"{method} session", self.request(method, f"{PREFIX}/api/session"))
        yield from self._malformed(edits)

    def _malformed(self, path: str) -> Iterator[Forged]:
        smuggled = self.request("POST", path, b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", Transfer_Encoding="chunked")
        yield Forged("both lengths", smuggled)
        yield Forged(
            "a wrong chunk", self.request("POST", path, b"zz\r\n", Content_Length=None, Transfer_Encoding="chunked")
        )
        for length in ("-1", "1e3", "9" * 30, "0x10", "+5"):
            yield Forged(f"length {length}", self.request("POST", path, b"{}", Content_Length=length))
        yield Forged("a long header", self.request("GET", f"{PREFIX}/api/session", X_Long="x" * 100_000))
        yield Forged("no HTTP", b"\0\1\2 hello\r\n\r\n")
        yield Forged("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n")


def attack(world: World, tally: Tally) -> None:
    """Send them one after another, mixed, and see the panel serve at the end."""
    make_dataset(world)
    panel = Panel(world).open()
    dataset = panel.dataset()
    before = panel.captions(dataset)
    tag = panel.edit(dataset, next(iter(before)), next(iter(before.values())), "a" * 5000)
    before = panel.captions(dataset)
    if not before or tag.status != 200:
        raise LostError(f"the panel does not serve: {tag}")
    slowest = ("", 0.0)
    for forged in chosen(list(Forger(panel, dataset).all()), tally.wanted, world):
        slowest = max(slowest, (forged.label, tried(tally, panel, forged)), key=lambda each: each[1])
    tally.check("afterwards", lambda: check_serves(panel, dataset, before))
    tally.check("the panel's end", panel.end)
    tally.notes.append(f"slowest answer {slowest[1]:.2f} s ({slowest[0]:.40})")


def chosen(all_of_them: list[Forged], wanted: int, world: World) -> list[Forged]:
    """Return as many as are wanted at random; half of them or more have one header changed, over all routes."""
    headers = [each for each in all_of_them if " with " in each.label and f" {PREFIX}/" in each.label]
    others = [each for each in all_of_them if each not in headers]
    of_headers = min(len(headers), max(wanted // 2, wanted - len(others)))
    found = world.random.sample(headers, of_headers) + world.random.sample(
        others, min(len(others), wanted - of_headers)
    )
    world.random.shuffle(found)
    return found


def tried(tally: Tally, panel: Panel, forged: Forged) -> float:
    """Send a request and count how that went; return how many seconds it took."""
    try:
        seconds = send(panel, forged)
    except (LostError, StuckError) as error:
        tally.fail(forged.label, error)
        return 0.0
    tally.survive()
    return seconds


def send(panel: Panel, forged: Forged) -> float:
    """Send a request; return after how many seconds it was refused.

    On a machine that is busy otherwise the panel's own processor time counts.
    """
    begun, used = time.monotonic(), panel.command.process.used
    try:
        answer = panel.raw(forged.request, GIVE_UP)
    except TimeoutError:
        raise StuckError(f"no answer within {GIVE_UP:.0f} s") from None
    except ConnectionResetError:
        raise LostError("the connection was reset without an answer") from None
    seconds = min(time.monotonic() - begun, panel.command.process.used - used)
    if not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")):
        raise LostError(f"answered with {answer[:120]!r}")
    if seconds > forged.seconds:
        raise StuckError(f"answered after {seconds:.1f} s")
    return seconds


def check_serves(panel: Panel, dataset: str, before: dict[str, str]) -> None:
    """Check that the panel serves, and that no forged request has changed a caption."""
    if (after := panel.captions(dataset)) != before:
        raise LostError(f"the captions are other ones: {str(after)[:200]}")
    key = list(before)[-1]
    if (answer := panel.edit(dataset, key, before[key], "still served")).status != 200:
        raise LostError(f"the panel does not serve any more: {answer}")
