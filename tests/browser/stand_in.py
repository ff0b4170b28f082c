"""A stand-in for the panel's server: its routes over made-up rows in memory, with faults that a test can ask for."""

import json
import random
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from struct import pack
from urllib.parse import parse_qs, unquote, urlsplit

WEB = Path(__file__).resolve().parents[2] / "web"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".json": "application/json"}
WORDS = [
    *("long hair", "short hair", "smile", "hat", "looking at viewer", "outdoors", "sky", "tree", "dress", "standing"),
    *("sitting", "window", "night", "rain", "red scarf", "glasses", "book", "upper body", "from side", "blush"),
]


def png(width, height, colour):
    """Return a PNG of one colour."""
    raw = (b"\0" + bytes(colour) * width) * height
    chunk = lambda kind, data: pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))  # noqa: E731
    head = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def made_rows(count, *, prose=False):
    """Return rows of made-up images; the last tenth are regularization images."""
    chance = random.Random(7)
    return [_row(number, count, chance, prose) for number in range(count)]


def _row(number, count, chance, prose):
    tags = ["oldlandmark", *chance.sample(WORDS, 8)]
    is_training = number < count - count // 10
    text = "A person is standing under a tree, and looks at us. The light is low." if prose else ", ".join(tags)
    width, height = chance.choice([(1024, 1024), (832, 1216), (1216, 832), (2000, 3000)])
    return {
        "key": f"pictures:{number}",
        "set": "training" if is_training else "regularization",
        "concept": "",
        "file": f"picture {number:05}.png",
        "width": width,
        "height": height,
        "rating": chance.choice([None, *range(4, 11)]),
        "bad": False,
        "reason": "" if is_training else "near the centre of the training images (0.81), not one of them",
        "text": text,
        "source": chance.choice(["wd", "combined"]),
        "edited": False,
        "fixed": False,
        "tokens": chance.randrange(20, 90),
        "rejected": False,
        "problems": [{"code": "too_long", "severity": "warning"}] if number % 7 == 3 else [],
    }


DONE = {"state": "done", "step": "", "done": 1, "total": 1, "message": "300 images written.", "result": None}


class World:
    """What the stand-in knows. ``away`` makes it drop every request, ``delay`` is in seconds."""

    def __init__(self, count=300, *, prose=False):
        self.rows = made_rows(count, prose=prose)
        self.revision = 1
        self.done, self.undone = [], []
        self.history = {}
        self.token = "token-1"
        self.away = False
        self.delay = 0.0
        self.listeners = []
        self.runs = []
        self.can_launch = True
        self.job = DONE
        self.asked = []
        self.lock = threading.Lock()

    @property
    def places(self):
        return {row["key"]: n for n, row in enumerate(self.rows)}

    def text(self, key):
        return self.rows[self.places[key]]["text"]

    def facts(self):
        return {
            "id": "d1",
            "name": "first dataset",
            "library": "pictures",
            "trigger": {"word": "oldlandmark", "position": "prepend"},
            "concepts": [],
            "base_model": "sdxl",
            "training": sum(row["set"] == "training" for row in self.rows),
            "regularization": sum(row["set"] != "training" for row in self.rows),
            "revision": str(self.revision),
            "problems": [],
            "can_undo": self.done[-1][0] if self.done else None,
            "can_redo": self.undone[-1][0] if self.undone else None,
            "edited": 0,
            "updated_at": "2026-11-20T10:00:00+00:00",
        }

    def write(self, label, changes):
        """Change captions as somebody else would, or as a route does."""
        with self.lock:
            rows = [self._set(key, after) for key, _, after in changes]
            self.done.append((label, changes))
            self.undone.clear()
            return self._written(label, rows)

    def _set(self, key, text):
        places = self.places
        row = {**self.rows[places[key]], "text": text, "edited": True, "fixed": True, "source": "custom"}
        self.rows[places[key]] = row
        return row

    def _written(self, label, rows):
        self.revision += 1
        self.tell({"kind": "edited", "revision": str(self.revision)})
        facts = self.facts()
        return {
            "revision": str(self.revision),
            "label": label,
            "rows": rows,
            "can_undo": facts["can_undo"],
            "can_redo": facts["can_redo"],
        }

    def step(self, *, back):
        source, target = (self.done, self.undone) if back else (self.undone, self.done)
        if not source:
            raise LookupError("There is nothing to undo." if back else "There is nothing to do again.")
        with self.lock:
            label, changes = source.pop()
            rows = [self._set(key, before if back else after) for key, before, after in changes]
            target.append((label, changes))
            return self._written(label, rows)

    def bulk(self, body):
        keys = body["keys"] and set(body["keys"])
        arguments = body["arguments"]
        change = OPERATIONS[body["operation"]]
        changes = []
        for row in self.rows:
            if (keys is None or row["key"] in keys) and not (body["unedited_only"] and row["edited"]):
                after = ", ".join(change((row["text"] or "").split(", "), arguments))
                if after != row["text"]:
                    changes.append((row["key"], row["text"], after))
        label = f"{body['operation']} in {len(changes)} captions"
        if body["preview"]:
            examples = [{"key": key, "before": before, "after": after} for key, before, after in changes[:50]]
            return {"count": len(changes), "emptied": 0, "label": label, "examples": examples}
        return self.write(label, changes)

    def tell(self, event):
        for listener in list(self.listeners):
            listener.append(event)


def _add(tags, arguments):
    new = [tag for tag in arguments["tags"] if tag not in tags]
    return [tags[0], *new, *tags[1:]] if arguments["place"] == "front" else [*tags, *new]


OPERATIONS = {
    "add_tags": _add,
    "remove_tags": lambda tags, arguments: [tag for tag in tags if tag not in arguments["tags"]],
    "replace_tag": lambda tags, arguments: [arguments["new"] if tag == arguments["old"] else tag for tag in tags],
    "find_replace": lambda tags, arguments: [tag.replace(arguments["find"], arguments["replace"]) for tag in tags],
}


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, query = self._path()
        if path is None:
            return
        if path in ("", "index.html"):
            self._file(WEB / "panel" / "index.html")
        elif path.startswith("web/"):
            self._file(WEB / path.removeprefix("web/"))
        elif path.startswith("api/events"):
            self._events()
        elif path.startswith(("api/thumbnail/", "api/picture/")):
            self._picture(path)
        else:
            self._json(*self._get(path.removeprefix("api/").split("/"), query))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _ = self._path()
        if path is None:
            return
        self.world.asked.append(path)
        if self.headers.get("X-LoRADS-Token") != self.world.token:
            self._json({"error": {"code": "token", "message": "The token is not that of this session."}}, 403)
            return
        try:
            self._json(*self._post(path.removeprefix("api/").split("/"), json.loads(body)))
        except LookupError as error:
            self._json({"error": {"code": "nothing", "message": str(error)}}, 409)

    def _path(self):
        if self.world.away:
            self.close_connection = True
            return None, None
        time.sleep(self.world.delay)
        url = urlsplit(self.path)
        return unquote(url.path).removeprefix("/lorads/"), {k: v[0] for k, v in parse_qs(url.query).items()}

    def _get(self, parts, query):
        world = self.world
        if parts == ["session"]:
            return (
                {
                    "token": world.token,
                    "version": "0.1.0",
                    "can_export": True,
                    "can_launch": world.can_launch,
                    "base_models": [{"name": "sdxl", "label": "SDXL", "token_limit": 75}],
                    "trainers": [{"name": "sd_scripts", "label": "kohya sd-scripts"}],
                    "trainer_profiles": [{"name": "kohya", "label": "kohya, this machine"}],
                    "sources": [{"name": "wd", "label": "WD tagger"}, {"name": "sidecar", "label": "Sidecar"}],
                    "where": "page",
                },
            )
        if parts == ["datasets"]:
            return ([world.facts()] if world.rows is not None else [],)
        if parts == ["tags"]:
            found = [{"tag": "long sleeves", "alias": "", "count": 9000}]
            return ([each for each in found if each["tag"].startswith(query["begins"])],)
        if parts == ["runs"]:
            return (world.runs,)
        if parts[0] == "runs":
            return (next(run for run in world.runs if run["id"] == parts[1]),)
        if parts[0] == "jobs":
            return (world.job,)
        return self._dataset(parts[2:], query)

    def _dataset(self, parts, query):
        world = self.world
        if not parts:
            return (world.facts(),)
        if parts == ["rows"]:
            start = int(query["from"])
            rows = world.rows[start : start + int(query["count"])]
            return ({"total": len(world.rows), "revision": str(world.revision), "rows": rows},)
        if parts[0] == "row":
            return ({**world.rows[world.places[parts[1]]], **DETAILS},)
        if parts == ["summary"]:
            return (SUMMARY,)
        return {"error": {"code": "unknown", "message": f"There is no {'/'.join(parts)}."}}, 404

    def _post(self, parts, body):
        world = self.world
        if parts[0] == "runs":
            return ({},)
        action = parts[2]
        if action == "edits":
            return self._edits(body)
        if action in ("undo", "redo"):
            return (world.step(back=action == "undo"),)
        if action == "bulk":
            return (world.bulk(body),)
        if action == "reject":
            rows = []
            for key in body["keys"]:
                place = world.places[key]
                world.rows[place] = {**world.rows[place], "rejected": body["rejected"]}
                rows.append(world.rows[place])
            return (world._written("Reject", rows),)
        return ({"job": "j1"},)

    def _edits(self, body):
        world = self.world
        wrong = [each for each in body["changes"] if world.text(each["key"]) != each["before"]]
        if wrong:
            theirs = [{"key": each["key"], "theirs": world.text(each["key"]), "source": "custom"} for each in wrong]
            return {"error": {"code": "conflict", "message": "Changed meanwhile."}, "conflicts": theirs}, 409
        return (world.write(body["label"], [(each["key"], each["before"], each["after"]) for each in body["changes"]]),)

    def _events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        heard = []
        self.world.listeners.append(heard)
        self.close_connection = True
        try:
            self.wfile.write(b": hello\n\n")
            while not self.world.away:
                while heard:
                    self.wfile.write(f"data: {json.dumps(heard.pop(0))}\n\n".encode())
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass
        finally:
            self.world.listeners.remove(heard)

    def _picture(self, path):
        number = int(path.rsplit(":", 1)[1])
        self._send(png(24, 24, (number * 37 % 200 + 30, number * 53 % 200 + 30, 120)), "image/png", cache="max-age=60")

    def _file(self, file):
        if file.is_file():
            self._send(file.read_bytes(), TYPES.get(file.suffix, "text/plain"))
        else:
            self._send(b"no such file", "text/plain", 404)

    def _json(self, value, status=200):
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body, kind, status=200, cache="no-store"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cache)
        self.end_headers()
        self.wfile.write(body)


DETAILS = {
    "prompt": "a person under a tree, masterpiece",
    "tags": [{"text": "long hair", "source": "wd", "confidence": 0.93}],
    "offered": [{"source": "wd", "text": "oldlandmark, long hair"}],
    "history": [
        {"label": "Edit a caption", "at": "2026-11-20T10:00:00+00:00", "undone": False, "before": "old", "after": "new"}
    ],
    "bucket": {"width": 832, "height": 1216},
}
SUMMARY = {
    "training": 270,
    "regularization": 30,
    "buckets": [
        {"width": 1024, "height": 1024, "count": 120},
        {"width": 832, "height": 1216, "count": 90},
        {"width": 1216, "height": 832, "count": 60},
    ],
    "rejected": 1,
    "dropped": 2,
    "upscaled": 5,
    "steps_per_epoch": 1350,
    "total_steps": 13500,
    "seconds": 7260,
    "problems": [
        {
            "severity": "error",
            "code": "no_caption",
            "message": "picture 00001.png has no caption.",
            "key": "pictures:1",
            "fix": None,
        },
        {
            "severity": "warning",
            "code": "too_long",
            "message": "picture 00003.png: 82 tokens, of which the base model reads 75.",
            "key": "pictures:3",
            "fix": {"label": "Cut it", "text": "oldlandmark, long hair"},
        },
    ],
}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a browser that goes away in the middle is no fault


def serve(world, port=0):
    """Start a stand-in; return it and its URL."""
    handler = type("Bound", (Handler,), {"world": world})
    server = Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/lorads/"
