"""A real ComfyUI for tests: its folders are temporary, the pack is the checkout, the user's own are not touched."""

import base64
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
RUN_SECONDS = 60


def find():
    """Return ComfyUI's folder and the interpreter that runs it, or (None, why not)."""
    folder = Path(os.environ.get("COMFYUI_PATH") or Path.home() / "comfy" / "ComfyUI")
    if not (folder / "main.py").is_file():
        return None, f"NO COMFYUI in {folder}: set COMFYUI_PATH to run the tests that need one"
    named = os.environ.get("COMFYUI_PYTHON")
    places = [folder / venv / tail for venv in (".venv", "venv") for tail in ("bin/python", "Scripts/python.exe")]
    python = named or next((str(place) for place in places if place.is_file()), sys.executable)
    return (folder, python), ""


class Comfy:
    """A running ComfyUI, spoken to as its browser page does."""

    def __init__(self, base, log, process, port):
        self.base = base
        self.log = log
        self.process = process
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        self.input = base / "input"
        self.exports = base / "output" / "lorads"

    def request(self, path, data=None):
        """Return what a route answers, as JSON; ``data`` is posted."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=RUN_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text.strip() else None

    def queue(self, prompt, client=""):
        """Queue an API-format prompt and return its id."""
        return self.request("/prompt", {"prompt": prompt, "client_id": client})["prompt_id"]

    def wait(self, prompt_id, seconds=RUN_SECONDS):
        """Return what became of a prompt."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            entry = self.request(f"/history/{prompt_id}").get(prompt_id)
            if entry:
                return Ended(entry)
            time.sleep(0.05)
        raise AssertionError(f"the prompt did not end; {self.log.read_text(encoding='utf-8')[-2000:]}")

    def run(self, prompt):
        """Queue a prompt and return what became of it."""
        return self.wait(self.queue(prompt))

    @contextmanager
    def events(self, client):
        """Yield the events that ComfyUI sends to a client, as they come."""
        with socket.create_connection(self.address, timeout=RUN_SECONDS) as connection:
            key = base64.b64encode(secrets.token_bytes(16)).decode()
            connection.sendall(
                f"GET /ws?clientId={client} HTTP/1.1\r\nHost: 127.0.0.1:{self.address[1]}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            with connection.makefile("rb") as stream:
                while stream.readline() != b"\r\n":
                    pass
                yield _messages(stream)


def _messages(stream):
    """Yield (type, data) of each text message; a server's frames are unmasked, and ComfyUI's are never in parts."""
    while True:
        first, size = stream.read(2)
        if size > 125:
            size = struct.unpack("!H" if size == 126 else "!Q", stream.read(2 if size == 126 else 8))[0]
        text = stream.read(size)
        if first & 15 == 1:
            message = json.loads(text)
            yield message["type"], message["data"]


class Ended:
    """A prompt that has ended: its status, each node's text, and what ComfyUI said of it."""

    def __init__(self, entry):
        self.status = entry["status"]["status_str"]
        self.messages = dict(entry["status"]["messages"])
        self.texts = {node: "\n".join(output.get("text", [])) for node, output in entry["outputs"].items()}
        self.cached = set(self.messages.get("execution_cached", {}).get("nodes", ()))

    @property
    def error(self):
        """Return what an execution error says."""
        return self.messages["execution_error"]["exception_message"].strip()


@contextmanager
def started(found, base, settings, *more):
    """Start ComfyUI with all its folders under ``base``; ``more`` are options of its own."""
    folder, python = found
    for name in ("custom_nodes", "input", "output", "user", "models"):
        (base / name).mkdir(exist_ok=True)
    if not (base / "custom_nodes" / "LoRADS").exists():
        (base / "custom_nodes" / "LoRADS").symlink_to(ROOT, target_is_directory=True)
    port = _free_port()
    log = base / "log"
    options = (
        *("--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base)),
        *("--user-directory", str(base / "user"), "--database-url", "sqlite:///:memory:"),
        *("--disable-auto-launch", "--disable-api-nodes", *more),
    )
    environment = {**os.environ, "LORADS_SETTINGS": str(settings), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, str(folder / "main.py"), *options], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        comfy = Comfy(base, log, process, port)
        _wait_until_up(comfy)
        yield comfy
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(comfy):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and comfy.process.poll() is None:
        with suppress(OSError):
            comfy.request("/system_stats")
            return
        time.sleep(0.2)
    raise AssertionError(f"ComfyUI did not start: {comfy.log.read_text(encoding='utf-8')[-3000:]}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
