"""Exporting, against a plain Pillow loop, ImageMagick and sd-scripts' resize tool, in one run.

    python benchmarks/export.py [pictures] [folder] [rows]

Real photographs: those of the folder, else the samples, enlarged to 1-24 megapixels and saved in turn as a camera's
JPEG, as ComfyUI's PNG with its workflow, and as WebP. Each row runs in a process of its own: its memory is its own.
``rows`` is a regular expression: only the rows that it finds are run, and the Pillow loop. One of the samples has a
profile that trainers do not convert, so that it is encoded again; both kinds have rows of their own. Rows "beside
100 MB/s" run while another process writes so much to the same drive.

What is not there is left out with a word: ImageMagick's ``mogrify``, and tools/resize_images_to_resolution.py of the
sd-scripts in ``SD_SCRIPTS``, run by the Python in ``SD_SCRIPTS_PYTHON`` (as it comes: OpenCV's area filter, JPEG 100).
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from lorads_core.cli.demo import SAMPLES
from lorads_core.export.plan import ExportOptions, plan_export, subsets_of
from lorads_core.export.write import write_export
from lorads_core.images.decode import decode, is_ready
from lorads_core.images.encode import ImagePolicy, fit, write_image
from lorads_core.images.facts import read_facts
from lorads_core.images.png import encode_png
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig
from lorads_core.trainers import trainer, trainers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PICTURES = int(sys.argv[1]) if len(sys.argv) > 1 else 120
FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else SAMPLES
ROWS = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
SIDE = 1024
BUSY = 100_000_000  # bytes a second that the other process writes
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MEGAPIXELS = (1, 2, 4, 6, 8, 12, 16, 24)
VARIANTS = 24  # different pictures; further ones differ by a few bytes
WORKFLOW = json.dumps({"nodes": [{"id": n, "type": "KSampler", "widgets_values": [n] * 8} for n in range(40)]})


class Row(NamedTuple):
    """What a way to export costs."""

    title: str
    pictures: int
    seconds: float
    processor: float  # seconds of all processors
    megabytes: float


def make(folder: Path) -> None:
    """Save photographs in several sizes and formats; a few bytes behind the end make each file its own."""
    sources = sorted(path for path in FOLDER.rglob("*") if path.suffix.lower() in SUFFIXES)
    made = [_made(folder, sources[n % len(sources)], n) for n in range(min(VARIANTS, PICTURES))]
    for n in range(PICTURES):
        suffix, data = made[n % len(made)]
        (folder / f"{n:05}{suffix}").write_bytes(data if suffix != ".jpg" else data + n.to_bytes(8, "big"))


def _made(folder: Path, source: Path, number: int) -> tuple[str, bytes]:
    with Image.open(source) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    scale = math.sqrt(MEGAPIXELS[number % len(MEGAPIXELS)] * 1e6 / (upright.width * upright.height))
    large = upright.resize((round(upright.width * scale), round(upright.height * scale)), Image.Resampling.BICUBIC)
    suffix = (".jpg", ".png", ".webp")[number % 3]
    target = folder / f"large{suffix}"
    if suffix == ".png":
        words = PngImagePlugin.PngInfo()
        words.add_text("workflow", WORKFLOW)
        large.save(target, pnginfo=words, compress_level=4)  # as ComfyUI saves it
    else:
        large.save(target, quality=92)
    data = target.read_bytes()
    target.unlink()
    return suffix, data


def dataset_of(paths: Iterable[Path]) -> Dataset:
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


def ours(dataset: Dataset, root: Path, policy: ImagePolicy, workers: int = 0) -> Callable[[], int]:
    """Return what exports a dataset and says how many pictures it has."""

    def export() -> int:
        write_export(plan_export(dataset, TrainingConfig(), ExportOptions(policy=policy, workers=workers)), root)
        return len(dataset.training)

    return export


def by_hand(paths: list[Path], root: Path, write: Callable[[Path, Path], None]) -> Callable[[], int]:
    """Return what writes each picture in a loop."""

    def loop() -> int:
        root.mkdir()
        for path in paths:
            write(path, root / path.stem)
            (root / f"{path.stem}.txt").write_text("a photograph")
        return len(paths)

    return loop


def with_mogrify(paths: list[Path], root: Path) -> Callable[[], int]:
    """Return what has ImageMagick scale all pictures."""

    def run() -> int:
        root.mkdir()
        words = ["mogrify", "-path", str(root), "-auto-orient", "-resize", f"{SIDE * SIDE}@>", "-format", "png"]
        subprocess.run([*words, *map(str, paths)], check=True)
        return len(paths)

    return run


def smaller(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size within the area, aspect kept."""
    scale = min(1.0, SIDE / math.sqrt(size[0] * size[1]))
    return int(size[0] * scale), int(size[1] * scale)


def with_pillow(source: Path, target: Path) -> None:
    """Do what most scripts do."""
    with Image.open(source) as image:
        image.convert("RGB").resize(smaller(image.size), Image.Resampling.LANCZOS).save(target.with_suffix(".png"))


def with_sd_scripts(home: Path, python: str, paths: list[Path], root: Path) -> Callable[[], int]:
    """Return what has sd-scripts' own tool scale all pictures; it takes a folder and starts with torch."""

    def run() -> int:
        words = [python, "tools/resize_images_to_resolution.py", str(paths[0].parent), str(root)]
        environment = {**os.environ, "PYTHONPATH": str(home)}
        subprocess.run(
            [*words, "--max_resolution", f"{SIDE}x{SIDE}"], cwd=home, env=environment, check=True, capture_output=True
        )
        return len(paths)

    return run


def plain_copy(source: Path, target: Path) -> None:
    """Copy the bytes."""
    shutil.copyfile(source, target.with_suffix(".jpg"))


def alone(source: Path, _target: Path) -> None:
    """Decode as we do, scale and encode, without any file written: what cannot be less."""
    policy = ImagePolicy("max_area", SIDE)
    for _ in encode_png(fit(decode(source, shrink_to=policy.size_of, exact=True), policy)):
        pass


def beside_a_writer(way: Callable[[], int], folder: Path) -> Callable[[], int]:
    """Return a way that runs while another process writes to the same drive."""

    def run() -> int:
        writer = multiprocessing.get_context("fork").Process(target=write_steadily, args=(folder / "busy",))
        writer.start()
        time.sleep(2)  # until the drive has something to do
        started = time.perf_counter()
        pictures = way()
        took.append(time.perf_counter() - started)
        writer.kill()
        writer.join()
        return pictures

    return run


took: list[float] = []
"""Seconds of a way beside a writer, without the time to start that."""


def write_steadily(file: Path) -> None:
    """Write over a file of 1 GB again and again."""
    block, started, written = os.urandom(1 << 20), time.perf_counter(), 0
    with file.open("wb", buffering=0) as writer:
        while True:
            writer.write(block)
            written += len(block)
            if not written % (1 << 30):
                writer.seek(0)
            time.sleep(max(0.0, written / BUSY - (time.perf_counter() - started)))


def measured(title: str, way: Callable[[], int]) -> Row:
    """Run a way in a process of its own."""
    ours_, theirs = multiprocessing.Pipe()

    def run() -> None:
        started = time.perf_counter()
        pictures = way()
        seconds = took[0] if took else time.perf_counter() - started
        own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
        theirs.send((pictures, seconds, processor, max(own.ru_maxrss, others.ru_maxrss) / 1024))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    row = Row(title, *ours_.recv())
    process.join()
    return row


def noise(paths: list[Path]) -> float:
    """Return the least likeness of ours to Lanczos in floating point, in decibels (PSNR), over the variants."""
    policy = ImagePolicy("max_area", SIDE)
    found: list[float] = []
    for path in paths[:VARIANTS]:
        image = decode(path)
        size = policy.size_of(*image.size)
        if size == image.size:
            continue
        channels = [
            np.asarray(channel.convert("F").resize(size, Image.Resampling.LANCZOS)) for channel in image.split()
        ]
        exact = np.clip(np.stack(channels, -1), 0, 255)
        target = path.with_name("likeness.png")
        write_image(path, target, policy)
        got = np.asarray(decode(target), np.float32)
        found.append(10 * math.log10(255**2 / float(np.mean((exact - got) ** 2))))
    return min(found)


def planned(count: int, name: str) -> float:
    """Return the seconds that it takes to plan an export of many images and to render its configs for a trainer."""
    sizes = [(600 + 37 * n % 1900, 500 + 61 * n % 1700) for n in range(count)]
    images = [
        DatasetImage(
            ImageRecord("benchmark", n, f"/pictures/{n}.png", *size, 1000, 1, f"{n:064x}", "png", ready=True),
            Caption(f"tom, a cat, number {n}, outdoors, tree", "benchmark"),
        )
        for n, size in enumerate(sizes)
    ]
    dataset = Dataset(UUID(int=1), "benchmark", "benchmark", tuple(images))
    started = time.perf_counter()
    plan = plan_export(dataset, TrainingConfig(checkpoint="/models/x"), ExportOptions(trainer=name))
    subsets = subsets_of(
        plan.folders, [(item, (item.image.record.width, item.image.record.height)) for item in plan.images]
    )
    trainer(name).files(plan.config, subsets, Path("/exports/x"), Path("/exports/x_lora"), "x")
    return time.perf_counter() - started


def ways_of(folder: Path, paths: list[Path]) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is compared, each writing into a folder of its own."""
    dataset = dataset_of(paths)
    half = replace(dataset, training=dataset.training[: len(paths) // 2])
    pngs = [path for path in paths if path.suffix == ".png"]
    only_pngs = replace(dataset, training=tuple(each for each in dataset.training if each.record.format == "png"))
    copied = replace(dataset, training=tuple(each for each in dataset.training if each.record.ready))
    encoded = replace(dataset, training=tuple(each for each in dataset.training if not each.record.ready))
    area = ImagePolicy("max_area", SIDE)
    yield "plain Pillow loop, Lanczos to 1 MP, PNG", by_hand(paths, folder / "a", with_pillow)
    yield from foreign(folder, paths)
    yield "decoding, scaling, encoding alone", by_hand(paths, folder / "b", alone)
    yield "max_area=1024, PNG, one thread", ours(dataset, folder / "c", area, workers=1)
    yield "max_area=1024, PNG, two threads", ours(dataset, folder / "d", area, workers=2)
    yield "  half of the pictures, two threads", ours(half, folder / "e", area, workers=2)
    yield "max_side=1024, PNG", ours(dataset, folder / "f", ImagePolicy("max_side", SIDE))
    yield "bucket, PNG", ours(dataset, folder / "g", ImagePolicy("bucket"))
    yield "max_area=1024, JPEG 95", ours(dataset, folder / "h", replace(area, format="jpeg"))
    yield "max_area=1024, WebP 95", ours(dataset, folder / "i", replace(area, format="webp"))
    yield "normalised, PNG", ours(dataset, folder / "j", ImagePolicy("normalised"))
    yield "original", ours(dataset, folder / "k", ImagePolicy())
    yield "original: those copied as they are", ours(copied, folder / "r", ImagePolicy())
    if encoded.training:
        yield "original: those encoded again", ours(encoded, folder / "s", ImagePolicy())
    yield "original, stripped of metadata", ours(dataset, folder / "l", ImagePolicy(strip=True))
    yield "plain copy of the files", by_hand(paths, folder / "m", plain_copy)
    busy = ours(copied, folder / "t", ImagePolicy())
    yield "copied as they are, beside 100 MB/s", beside_a_writer(busy, folder)
    yield "plain copy, beside 100 MB/s", beside_a_writer(by_hand(paths, folder / "u", plain_copy), folder)
    yield "ComfyUI's PNGs: plain Pillow loop", by_hand(pngs, folder / "n", with_pillow)
    yield "ComfyUI's PNGs: original", ours(only_pngs, folder / "o", ImagePolicy())


def foreign(folder: Path, paths: list[Path]) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield other programs that are here."""
    home, python = os.environ.get("SD_SCRIPTS"), os.environ.get("SD_SCRIPTS_PYTHON", sys.executable)
    if home:
        yield "sd-scripts' resize tool, JPEG 100", with_sd_scripts(Path(home), python, paths, folder / "p")
    else:
        print("(SD_SCRIPTS names no folder: its resize tool is left out)")
    if shutil.which("mogrify"):
        yield "ImageMagick mogrify to 1 MP, PNG", with_mogrify(paths, folder / "q")
    else:
        print("(without ImageMagick: mogrify is left out)")


def show(row: Row, first: Row) -> None:
    """Print what a way costs, beside the Pillow loop of the same pictures."""
    rate, ratio = row.pictures / row.seconds, (first.seconds / first.pictures) / (row.seconds / row.pictures)
    print(
        f"{row.title:<40}{rate:8.1f} /s  {row.processor / row.pictures:6.3f} s of processor"
        f"  {row.megabytes:5.0f} MB  {ratio:7.2f} x the Pillow loop",
        flush=True,
    )


def main() -> None:
    """Print pictures a second, processor seconds a picture, memory and ratios."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name:
        source, folder = Path(name) / "source", Path(name) / "made"
        source.mkdir()
        making = multiprocessing.get_context("fork").Process(target=make, args=(source,))
        making.start()  # what it leaves in memory would count in each row
        making.join()
        paths = sorted(source.iterdir())
        megapixels = [math.prod(Image.open(path).size) / 1e6 for path in paths]
        print(f"{PICTURES} pictures of {min(megapixels):.0f}-{max(megapixels):.0f} megapixels,", end=" ")
        print(f"{sum(megapixels) / PICTURES:.1f} on average")
        first: Row | None = None
        for title, way in ways_of(folder, paths):
            if not ROWS.search(title) and "plain Pillow loop, Lanczos" not in title:
                continue
            folder.mkdir()
            row = measured(title, way)
            first = row if first is None or "plain Pillow loop" in title else first
            show(row, first)
            shutil.rmtree(folder)
        if ROWS.pattern:
            return
        print(f"likeness to Lanczos in floating point: at least {noise(paths):.1f} dB")
    for trained_by in trainers():
        seconds = ", ".join(
            f"{count:,} images {planned(count, trained_by):.2f} s" for count in (1_000, 10_000, 100_000)
        )
        print(f"plan and configs for {trained_by}: {seconds}")


if __name__ == "__main__":
    main()
