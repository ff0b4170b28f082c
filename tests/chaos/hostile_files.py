"""Hostile files: a generated corpus of broken, absurd and endless pictures, sidecars, manifests, settings and LoRAs."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
import zlib
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from ..images import corpus

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

DEEP = 200_000  # brackets within each other
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "bmp": "BMP", "avif": "AVIF"}
NAMES = (
    "a cat",
    "\u202egnp",
    "'; DROP TABLE images; --",
    "%s%n{0}",
    "x" * 200,
    " leading",
    "ümläut",
    "a\nb",
    "$(id)",
    "-rf",
)
# Shares of the four kinds: what a folder of strangers' files mostly holds is pictures.
SHARES = {"pictures": 0.7, "sidecars": 0.1, "manifests": 0.08, "LoRAs": 0.08, "settings": 0.04}


def make_corpus(folder: Path, count: int, seed: random.Random) -> dict[str, int]:
    """Write so many hostile files; return how many of each kind. ``folder/pictures`` is what is indexed."""
    makers = {
        "pictures": _pictures,
        "sidecars": _sidecars,
        "manifests": _manifests,
        "LoRAs": _loras,
        "settings": _settings,
    }
    made = {kind: round(count * share) for kind, share in SHARES.items()}
    made["pictures"] += count - sum(made.values())
    for kind, number in made.items():
        (folder / kind).mkdir(parents=True)
        makers[kind](folder / kind, number, seed)
    return made


def _mutated(data: bytes, seed: random.Random) -> bytes:
    """Cut a file off, flip bits, put absurd numbers in, repeat or remove a part of it."""
    at = seed.randrange(len(data))
    end = min(len(data), at + seed.choice((1, 4, 64, 4096)))
    absurd = seed.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", struct.pack("<I", 2**31 - 1)))
    return seed.choice(
        (
            lambda: data[:at],
            lambda: data[:at] + bytes(byte ^ 1 << seed.randrange(8) for byte in data[at:end]) + data[end:],
            lambda: data[: at % 64] + absurd + data[at % 64 + 4 :],
            lambda: data[:at] + absurd + data[at + 4 :],
            lambda: data[:at] + data[at:end] * 50 + data[end:],
            lambda: data[:at] + data[end:],
        )
    )()


def _sound(suffix: str) -> bytes:
    options = {"save_all": True, "append_images": []} if suffix == "gif" else {}
    return corpus.saved(corpus.scene(64, 48), FORMATS[suffix], **options)


def _absurd() -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of files that are absurd by their form alone."""
    yield from ((name, data) for name, (data, _) in corpus.broken().items())
    frames = corpus.chunk(b"acTL", struct.pack(">II", 2**32 - 1, 2**32 - 1))
    yield "frames.png", corpus.png_with(frames)
    pixels = corpus.chunk(b"IDAT", zlib.compress(bytes(100)))
    for side in (0, 1, 65_536, 2**31 - 1, 2**32 - 1):
        yield f"side{side}.png", corpus.png(corpus.header_chunk(side, side), pixels)
    yield "fill.jpg", _sound("jpg")[:2] + b"\xff" * 4_000_000 + _sound("jpg")[2:]
    yield "exif.jpg", _sound("jpg")[:2] + b"\xff\xe1\xff\xffExif\0\0" + b"II*\0\x08\0\0\0" + b"\xff" * 65_519
    yield "deep-prompt.png", corpus.png_with(corpus.text_chunk("prompt", "[" * DEEP))
    yield "deep-workflow.png", corpus.png_with(corpus.text_chunk("workflow", '{"a":' * DEEP))
    yield "many-texts.png", corpus.png_with(*(corpus.text_chunk(f"k{n}", "x") for n in range(20_000)))
    yield "xmp.png", corpus.png_with(corpus.text_chunk("XML:com.adobe.xmp", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"))
    yield "loop.tif", b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    yield "huge.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xff" * 6
    yield "huge.gif", b"GIF89a\xff\xff\xff\xff\0\0\0" + b"," + b"\0" * 4 + b"\xff\xff\xff\xff\0\x02\0;"
    yield "huge.bmp", b"BM" + struct.pack("<IIIIii", 70, 0, 54, 40, 2**31 - 1, -(2**31)) + bytes(40)


def _pictures(folder: Path, count: int, seed: random.Random) -> None:
    sound = {suffix: _sound(suffix) for suffix in FORMATS}
    sound["text.png"] = corpus.png_with(corpus.text_chunk("parameters", "a cat\nSteps: 1, Seed: 3"))
    absurd = list(_absurd())
    special = _special(folder / "special")
    for number in range(max(0, count - special)):
        name, data = absurd[number] if number < len(absurd) else ("", b"")
        if not data and not name:
            suffix = seed.choice(list(sound))
            name, data = f"{seed.choice(NAMES)}.{suffix}", _mutated(sound[suffix], seed)
        target = folder / f"{number % 20:02}"
        target.mkdir(exist_ok=True)
        (target / f"{number:04} {name}").write_bytes(data)
    for number, target in enumerate([folder / "special", *sorted(folder.glob("[0-9][0-9]"))]):
        (target / "good.png").write_bytes(corpus.saved(corpus.scene(320, 256 + number)))
        (target / "good.txt").write_text("a good cat", encoding="utf-8")


def _special(folder: Path) -> int:
    """Make FIFOs, sockets, links, devices and folders that are called like files; return how many could be made."""
    folder.mkdir()
    makers = {
        "folder.png": lambda path: path.mkdir(),
        "loop.png": lambda path: path.symlink_to(path),
        "dangling.png": lambda path: path.symlink_to(folder / "nothing"),
        "up": lambda path: path.symlink_to(folder.parent),
        "endless.png": lambda path: path.symlink_to("/dev/zero"),
        "secret.txt": lambda path: path.symlink_to("/etc/passwd"),
    }
    if sys.platform != "win32":
        fifos = ("fifo.png", "good.caption", "fifo.jpg", "manifest.json", "lorads.toml")
        makers |= dict.fromkeys(fifos, os.mkfifo)
        makers["socket.png"] = _socket
        makers["zero.png"] = lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
        makers["random.jpg"] = lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 9))
    for name, make in makers.items():
        with suppress(OSError):  # devices are root's, links some users'
            make(folder / name)
    return len(list(folder.iterdir()))


def _socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(path))


def _json(seed: random.Random) -> str:
    odd = (None, True, -1, 2**70, 1e308, float("nan"), "", "\ud800", "../../etc", "/etc", [], {}, [[]], "x" * 10_000)
    keys = (
        *(
            "manifest",
            "dataset",
            "plan",
            "files",
            "texts",
            "config",
            "training",
            "images",
            "name",
            "trainer",
            "left_out",
        ),
        *("output", "checkpoints", "lorads", "trigger", "id"),
    )
    value = {key: seed.choice(odd) for key in keys if seed.random() < 0.7}
    value |= {"manifest": 1} if seed.random() < 0.7 else {}
    value |= {"dataset": {key: seed.choice(odd) for key in ("id", "name", "trigger")}} if seed.random() < 0.5 else {}
    value |= {"training": {key: seed.choice(odd) for key in ("output", "checkpoints")}} if seed.random() < 0.5 else {}
    return json.dumps(value)


def _texts(seed: random.Random) -> bytes:
    return seed.choice(
        (
            lambda: b"[" * DEEP,
            lambda: b'{"a":' * DEEP,
            lambda: bytes(seed.randrange(256) for _ in range(300)),
            lambda: b"a, " * 300_000,
            lambda: "\ud800\u202e\0\x1b[31m".encode("utf-8", "surrogatepass"),
            lambda: b"\xff\xfea\0",
            lambda: _json(seed).encode("utf-8", "surrogatepass"),
        )
    )()


def _sidecars(folder: Path, count: int, seed: random.Random) -> None:
    for number in range(count):
        target = folder / f"{number:04}.png"
        target.write_bytes(corpus.saved(corpus.scene(64, 48 + number)))
        target.with_suffix(seed.choice((".txt", ".caption"))).write_bytes(_texts(seed))


def _manifests(folder: Path, count: int, seed: random.Random) -> None:
    for number in range(count):
        (folder / f"{number:04}").mkdir()
        data = _texts(seed) if number % 3 == 0 else _json(seed).encode("utf-8", "surrogatepass")
        (folder / f"{number:04}" / "manifest.json").write_bytes(data)
        (folder / f"{number:04}" / "good.png").write_bytes(corpus.saved(corpus.scene(64, 100 + number)))


def _loras(folder: Path, count: int, seed: random.Random) -> None:
    odd = (-1, 0.5, 1e400, 2**70, None, "x", [], {}, [0, 4], [4, 0], [0, 2**63])
    for number in range(count):
        tensor = {key: seed.choice(odd) for key in ("dtype", "shape", "data_offsets") if seed.random() < 0.8}
        tensors = {"a.lora_down.weight": tensor, "__metadata__": seed.choice(odd)}
        header = seed.choice((json.dumps(tensors).encode(), json.dumps({"a": seed.choice(odd)}).encode(), _texts(seed)))
        size = seed.choice((len(header), len(header), 2**63 - 1, 2**64 - 1, 0, 7))
        (folder / f"{number:04}.safetensors").write_bytes(struct.pack("<Q", size) + header + bytes(16))


def _settings(folder: Path, count: int, seed: random.Random) -> None:
    lines = (
        *("a = " + "[" * 100_000, "a = " + "{a=" * 50_000, "store = 5", "[embedded]\nfolder = 5", "[libraries]\nx = 1"),
        *("[libraries.x]\nkind = 'nothing'", "[trainers.x]\nkind = []", "[roots]\nexports = {}", "[panel]\nhosts = 1"),
        *("[stores.a]\ndsn = 1\n", "store = 'a'", "x = 1e999", "[[libraries]]", "\0", "[embedded]\nfolder = '\\u0000'"),
    )
    for number in range(count):
        text = "\n".join(seed.sample(lines, seed.randrange(1, 3)))
        (folder / f"{number:04}.toml").write_text(text, encoding="utf-8")
