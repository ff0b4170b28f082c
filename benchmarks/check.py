"""The audit of a training set (`lorads check`) in seconds, near-duplicates included.

    python benchmarks/check.py [images]

Real photographs (the samples) with changed bytes, so that no two files are the same, each with a caption.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from lorads_core.cli.demo import SAMPLES
from lorads_core.library.layouts import read_layout
from lorads_core.workflow.check.report import audit

IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
SUFFIXES = {".jpg", ".png", ".webp"}


def make(root: Path) -> None:
    """Copy the samples in turn into kohya's folders."""
    folders = [root / "img" / "5_tom cat", root / "reg" / "1_cat"]
    for folder in folders:
        folder.mkdir(parents=True)
    sources = [path for path in sorted(SAMPLES.rglob("*")) if path.suffix in SUFFIXES]
    for n in range(IMAGES):
        source = sources[n % len(sources)]
        path = folders[n % 2] / f"{n:06}{source.suffix}"
        path.write_bytes(source.read_bytes() + n.to_bytes(8, "big"))
        path.with_suffix(".txt").write_text("a cat", "utf-8")


def main() -> None:
    """Print the seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name:
        make(Path(name))
        started = time.perf_counter()
        found = audit(read_layout(Path(name)), {})
        seconds = time.perf_counter() - started
    print(f"check of {IMAGES:,} images: {seconds:.2f} s, {IMAGES / seconds:,.0f} images/s;")
    print(f"{len(found.findings)} findings, {found.checked.uncompared:,} images not compared for near-duplicates")


main()
