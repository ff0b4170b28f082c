"""The pictures that every kind of library is filled with for the contract tests: one table, three fillers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime

from PIL import Image


@dataclass(frozen=True)
class Origin:
    """What DiffusionToolkit alone knows of a picture; None is a mark that nobody has set."""

    favorite: bool | None = None
    nsfw: bool | None = None
    model: str | None = None
    model_hash: str | None = None
    loras: tuple[str, ...] = ()  # listed apart from the prompt, as only the PostgreSQL program does
    created: datetime = datetime(2025, 1, 15, 12, 0)  # noqa: DTZ001 - its dates know no time zone


@dataclass(frozen=True)
class Sample:
    """A picture and all that a library may know of it; ``name`` is its path below the shelf's folder."""

    name: str
    size: tuple[int, int]
    rating: int | None = None
    marked_bad: bool = False
    tags: tuple[tuple[str, str, float | None], ...] = ()  # canonical tag, source (wd or joytag), confidence
    captions: tuple[tuple[str, str, bool], ...] = ()  # text, source, edited by a person; the last is the newest
    prompt: str = ""
    albums: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)


SHELF = (
    Sample(
        "anna/1.png",
        (640, 800),
        9,
        tags=(("1girl", "wd", 0.99), ("red hair", "wd", 0.8), ("1girl", "joytag", 0.95), ("smile", "joytag", 0.7)),
        captions=(("A woman with red hair smiles.", "joycaption", False),),
        prompt="1girl, red hair, <lora:x:1>",
        albums=("best",),
        clusters=("anna",),
        origin=Origin(
            favorite=True,
            nsfw=False,
            model="ponyDiffusionV6XL",
            model_hash="67AB2FD8EC",
            created=datetime(2025, 1, 31, 23, 59, 59),  # noqa: DTZ001
        ),
    ),
    Sample(
        "anna/2.png",
        (512, 512),
        4,
        tags=(("1girl", "wd", 0.97), ("^_^", "wd", 0.6)),
        captions=(
            ("A woman.", "joycaption", False),
            ("Anna laughs.", "manual", True),
            ("A woman, laughing.", "openai", False),
        ),
        clusters=("anna",),
        origin=Origin(nsfw=True, model="SDXL\\Pony_100%.safetensors", created=datetime(2025, 2, 1)),  # noqa: DTZ001
    ),
    Sample(
        "anna/3 (copy).png",
        (512, 768),
        None,
        tags=(("1girl", "wd", 0.9), ("blue eyes", "wd", 0.5)),
        origin=Origin(favorite=False, nsfw=True, model="Pony 100x", loras=("Detail Tweaker XL", "ink'; DROP")),
    ),
    Sample(
        "bert/1.jpg",
        (900, 600),
        7,
        tags=(("1boy", "wd", 0.9),),
        albums=("best", "men"),
        clusters=("bert",),
        origin=Origin(favorite=True, model_hash="0badc0de", loras=("styles/Ink.safetensors",)),
    ),
    Sample("bert/2.jpg", (400, 300), 10, tags=(("1boy", "joytag", 0.9),), albums=("men",), clusters=("bert",)),
    Sample("bert/Übung \u21163.jpg", (700, 700), 1, marked_bad=True, tags=(("1boy", "wd", 0.9),)),
    Sample("things/lamp.png", (1024, 1024), 6, prompt="a lamp, <lyco:Ink:0.7:0.5>, <LORA:X:1>"),
    Sample("things/deep/er/table.png", (600, 1200), 8, tags=(("no humans", "wd", 0.99),)),
)


def draw(folder):
    """Make the pictures below ``folder`` as real files; return their paths by name."""
    paths = {}
    for n, sample in enumerate(SHELF):
        path = folder / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.Random(n).randbytes(12 * 12 * 3)
        Image.frombytes("RGB", (12, 12), noise).resize(sample.size, Image.Resampling.NEAREST).save(path)
        paths[sample.name] = path
    return paths
