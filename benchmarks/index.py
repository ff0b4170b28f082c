"""Indexing files against a plain loop of Pillow's open and hashlib, and a second run over the unchanged folder.

    python benchmarks/index.py [files] [bytes]

Real photographs (the samples, 0.2 MB on average), copied with changed bytes so that no two files are the same; with a
second number, each is made longer by so many bytes behind its end, for files as large as a camera's.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from lorads_core.cli.demo import SAMPLES
from lorads_core.settings import Settings
from lorads_core.workflow.dataset import index, open_store

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
MORE = np.random.default_rng(1).bytes(int(sys.argv[2])) if len(sys.argv) > 2 else b""
SUFFIXES = {".jpg", ".png", ".webp"}


def make(folder: Path) -> list[Path]:
    """Copy the samples in turn; a few bytes behind the picture's end make each file its own."""
    sources = [path.read_bytes() for path in sorted(SAMPLES.rglob("*")) if path.suffix in SUFFIXES]
    names = [path.suffix for path in sorted(SAMPLES.rglob("*")) if path.suffix in SUFFIXES]
    paths: list[Path] = []
    for n in range(FILES):
        path = folder / f"{n // 1000:03}" / f"{n:06}{names[n % len(names)]}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sources[n % len(sources)] + n.to_bytes(8, "big") + MORE)
        paths.append(path)
    return paths


def plain(paths: list[Path]) -> float:
    """The loop that one would write by hand: size and hash of each file."""
    started = time.perf_counter()
    for path in paths:
        with Image.open(path) as image:
            _ = image.size
        hashlib.sha256(path.read_bytes()).hexdigest()
    return time.perf_counter() - started


def main() -> None:
    """Print rates and ratios."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name:
        folder = Path(name)
        paths = make(folder)
        size = sum(path.stat().st_size for path in paths)
        by_hand = plain(paths)
        settings = Settings().with_library("benchmark")
        with open_store(settings) as store:
            for part in (paths[0].parent, folder):
                with store.connection() as connection:
                    connection.execute("DELETE FROM lorads.images WHERE library = 'benchmark'")
                started = time.perf_counter()
                report = index(store, settings, "benchmark", part)
                print(f"index, {report.new / FILES:4.0%} of the files: {time.perf_counter() - started:7.2f} s")
            first = time.perf_counter() - started
            started = time.perf_counter()
            report = index(store, settings, "benchmark", folder)
            second = time.perf_counter() - started
            with store.connection() as connection:
                connection.execute("DELETE FROM lorads.images WHERE library = 'benchmark'")
    print(f"{FILES:,} files, {size / 1e9:.2f} GB; problems: {len(report.problems)}, unchanged: {report.unchanged:,}")
    print(f"plain loop   {FILES / by_hand:8.0f} files/s")
    print(f"index        {FILES / first:8.0f} files/s   ratio {by_hand / first:.2f} × the plain loop")
    print(f"second run   {FILES / second:8.0f} files/s   {second / first:.1%} of the first")


if __name__ == "__main__":
    main()
