"""Exporting, against a plain Pillow loop and against the way of sd-scripts' resize tool, in one run.

    python benchmarks/export.py [pictures]

Real photographs (the samples), three times enlarged to the size of camera pictures and saved as JPEG. With opencv
installed, the third row does what sd-scripts v0.10.1's tools/resize_images_to_resolution.py does to each picture:
Pillow's decoder, OpenCV's area filter, JPEG of quality 100.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from PIL import Image, ImageOps

from lorads_core.demo import SAMPLES
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.decode import is_ready
from lorads_core.images.encode import ImagePolicy
from lorads_core.images.facts import read_facts
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURES = int(sys.argv[1]) if len(sys.argv) > 1 else 120
SIDE = 1024
SUFFIXES = {".jpg", ".png", ".webp"}


def make(folder: Path) -> list[Path]:
    """Save the samples as camera pictures, in turn; a few bytes behind the end make each file its own."""
    made: list[bytes] = []
    for path in sorted(SAMPLES.rglob("*")):
        if path.suffix in SUFFIXES:
            with Image.open(path) as image:
                large = ImageOps.exif_transpose(image).convert("RGB").resize((image.width * 3, image.height * 3))
                target = folder / "large.jpg"
                large.save(target, quality=92)
                made.append(target.read_bytes())
    paths: list[Path] = []
    for n in range(PICTURES):
        path = folder / f"{n:05}.jpg"
        path.write_bytes(made[n % len(made)] + n.to_bytes(8, "big"))
        paths.append(path)
    return paths


def dataset_of(paths: list[Path]) -> Dataset:
    """Return the pictures as a captioned dataset."""
    images: list[DatasetImage] = []
    for number, path in enumerate(paths):
        facts = read_facts(path)
        record = ImageRecord(
            "benchmark", number, str(path), facts.width, facts.height, facts.file_size, facts.mtime_ns, facts.sha256,
            facts.format, ready=is_ready(facts),
        )  # fmt: skip
        images.append(DatasetImage(record, Caption("a photograph", "benchmark")))
    return Dataset(UUID(int=1), "benchmark", "benchmark", tuple(images))


def ours(dataset: Dataset, root: Path, policy: ImagePolicy, workers: int = 0) -> float:
    """Export and return the seconds."""
    shutil.rmtree(root, ignore_errors=True)
    started = time.perf_counter()
    write_export(plan_export(dataset, TrainingConfig(), ExportOptions(policy=policy, workers=workers)), root)
    return time.perf_counter() - started


def by_hand(paths: list[Path], root: Path, write: Callable[[Path, Path], None]) -> float:
    """Write each picture in a loop and return the seconds."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    started = time.perf_counter()
    for path in paths:
        write(path, root / path.stem)
        (root / f"{path.stem}.txt").write_text("a photograph")
    return time.perf_counter() - started


def smaller(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size within the area, aspect kept."""
    scale = min(1.0, SIDE / math.sqrt(size[0] * size[1]))
    return int(size[0] * scale), int(size[1] * scale)


def with_pillow(source: Path, target: Path) -> None:
    """Do what most scripts do."""
    with Image.open(source) as image:
        image.convert("RGB").resize(smaller(image.size), Image.Resampling.LANCZOS).save(target.with_suffix(".png"))


def with_opencv(source: Path, target: Path) -> None:
    """Do what sd-scripts' tool does."""
    import cv2  # noqa: PLC0415 - an option

    with Image.open(source) as image:
        pixels = np.array(image.convert("RGB"), np.uint8)
    size = smaller((pixels.shape[1], pixels.shape[0]))
    Image.fromarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)).save(
        target.with_suffix(".jpg"), quality=100
    )


def plain_copy(source: Path, target: Path) -> None:
    """Copy the bytes."""
    shutil.copyfile(source, target.with_suffix(".jpg"))


def main() -> None:
    """Print pictures a second and ratios."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        paths = make(folder)
        dataset = dataset_of(paths)
        pixels = sum(image.record.width * image.record.height for image in dataset.training) / 1e6
        print(f"{PICTURES} pictures, {pixels / PICTURES:.1f} megapixels each")
        rows: list[tuple[str, float]] = [
            ("plain Pillow loop, Lanczos to 1 MP, PNG", by_hand(paths, folder / "a", with_pillow)),
            ("max_area=1024, PNG, one thread", ours(dataset, folder / "b", ImagePolicy("max_area", SIDE), workers=1)),
            ("max_area=1024, PNG", ours(dataset, folder / "b", ImagePolicy("max_area", SIDE))),
            ("max_area=1024, JPEG 95", ours(dataset, folder / "b", ImagePolicy("max_area", SIDE, format="jpeg"))),
            ("plain copy of the files", by_hand(paths, folder / "c", plain_copy)),
            ("original (sound files as they are)", ours(dataset, folder / "d", ImagePolicy())),
            ("original, exported again unchanged", again(dataset, folder / "d")),
        ]
        try:
            rows.insert(1, ("the way of sd-scripts' resize tool", by_hand(paths, folder / "e", with_opencv)))
        except ImportError:
            print("(without opencv: the way of sd-scripts' resize tool is left out)")
    for title, seconds in rows:
        print(f"{title:<42}{PICTURES / seconds:9.1f} /s   {rows[0][1] / seconds:8.2f} × the Pillow loop")


def again(dataset: Dataset, root: Path) -> float:
    """Export what is there already and return the seconds."""
    started = time.perf_counter()
    write_export(plan_export(dataset, TrainingConfig(), ExportOptions()), root)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
