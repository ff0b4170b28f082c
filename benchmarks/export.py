"""Exporting, against a plain Pillow loop, ImageMagick and the way of sd-scripts' resize tool, in one run.

    python benchmarks/export.py [pictures] [folder]

Real photographs: those of the folder, else the samples, enlarged to 1-24 megapixels and saved in turn as a camera's
JPEG, as ComfyUI's PNG with its workflow, and as WebP. Each row runs in a process of its own: its memory is its own.
With opencv installed, a row does what sd-scripts v0.10.1's tools/resize_images_to_resolution.py does to each picture:
Pillow's decoder, OpenCV's area filter, JPEG of quality 100; with ImageMagick installed, another runs ``mogrify``.
"""

from __future__ import annotations

import json
import math
import multiprocessing
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

from lorads_core.demo import SAMPLES
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.decode import decode, is_ready
from lorads_core.images.encode import ImagePolicy, fit
from lorads_core.images.facts import read_facts
from lorads_core.images.png import encode_png
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig
from lorads_core.trainers import trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PICTURES = int(sys.argv[1]) if len(sys.argv) > 1 else 120
FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else SAMPLES
SIDE = 1024
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


def make(folder: Path) -> list[Path]:
    """Save photographs in several sizes and formats; a few bytes behind the end make each file its own."""
    sources = sorted(path for path in FOLDER.rglob("*") if path.suffix.lower() in SUFFIXES)
    made = [_made(folder, sources[n % len(sources)], n) for n in range(min(VARIANTS, PICTURES))]
    paths: list[Path] = []
    for n in range(PICTURES):
        suffix, data = made[n % len(made)]
        path = folder / f"{n:05}{suffix}"
        path.write_bytes(data if suffix != ".jpg" else data + n.to_bytes(8, "big"))
        paths.append(path)
    return paths


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


def alone(source: Path, _target: Path) -> None:
    """Decode as we do, scale and encode, without any file written: what cannot be less."""
    policy = ImagePolicy("max_area", SIDE)
    for _ in encode_png(fit(decode(source, shrink_to=policy.size_of), policy)):
        pass


def measured(title: str, way: Callable[[], int]) -> Row:
    """Run a way in a process of its own."""
    ours_, theirs = multiprocessing.Pipe()

    def run() -> None:
        started = time.perf_counter()
        pictures = way()
        seconds = time.perf_counter() - started
        own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
        theirs.send((pictures, seconds, processor, max(own.ru_maxrss, others.ru_maxrss) / 1024))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    row = Row(title, *ours_.recv())
    process.join()
    return row


def noise(paths: list[Path]) -> float:
    """Return the least likeness of ours to Lanczos in floating point, in decibels (PSNR), over some pictures."""
    policy = ImagePolicy("max_area", SIDE)
    found: list[float] = []
    for path in paths[:12]:
        image = decode(path)
        size = policy.size_of(*image.size)
        if size == image.size:
            continue
        channels = [
            np.asarray(channel.convert("F").resize(size, Image.Resampling.LANCZOS)) for channel in image.split()
        ]
        exact = np.clip(np.stack(channels, -1), 0, 255)
        got = np.asarray(fit(decode(path, shrink_to=policy.size_of), policy), np.float32)
        found.append(10 * math.log10(255**2 / float(np.mean((exact - got) ** 2))))
    return min(found)


def planned(count: int) -> float:
    """Return the seconds that it takes to plan an export of many images and to write its configs as text."""
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
    plan = plan_export(dataset, TrainingConfig())
    config = replace(plan.config)
    trainer("sd-scripts").files(config, (), Path("/exports/x"), Path("/exports/x_lora"), "x")
    return time.perf_counter() - started


def main() -> None:
    """Print pictures a second, processor seconds a picture, memory and ratios."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        paths = make(folder)
        dataset, pngs = dataset_of(paths), [path for path in paths if path.suffix == ".png"]
        only_pngs = dataset_of(pngs)
        half = dataset_of(paths[: len(paths) // 2])
        pixels = sum(image.record.width * image.record.height for image in dataset.training) / 1e6
        print(f"{PICTURES} pictures, {pixels / PICTURES:.1f} megapixels each on average")
        area = ImagePolicy("max_area", SIDE)
        ways: list[tuple[str, Callable[[], int]]] = [
            ("plain Pillow loop, Lanczos to 1 MP, PNG", by_hand(paths, folder / "a", with_pillow)),
            ("decoding, scaling, encoding alone", by_hand(paths, folder / "z", alone)),
            ("max_area=1024, PNG, one thread", ours(dataset, folder / "b", area, workers=1)),
            ("max_area=1024, PNG, two threads", ours(dataset, folder / "c", area, workers=2)),
            ("  half of the pictures, two threads", ours(half, folder / "ch", area, workers=2)),
            ("max_side=1024, PNG", ours(dataset, folder / "d", ImagePolicy("max_side", SIDE))),
            ("bucket, PNG", ours(dataset, folder / "e", ImagePolicy("bucket"))),
            ("max_area=1024, JPEG 95", ours(dataset, folder / "f", replace(area, format="jpeg"))),
            ("max_area=1024, WebP 95", ours(dataset, folder / "g", replace(area, format="webp"))),
            ("normalised, PNG", ours(dataset, folder / "h", ImagePolicy("normalised"))),
            ("original", ours(dataset, folder / "i", ImagePolicy())),
            ("original, stripped of metadata", ours(dataset, folder / "j", ImagePolicy(strip=True))),
            ("plain copy of the files", by_hand(paths, folder / "k", plain_copy)),
            ("ComfyUI's PNGs: plain Pillow loop", by_hand(pngs, folder / "l", with_pillow)),
            ("ComfyUI's PNGs: original", ours(only_pngs, folder / "m", ImagePolicy())),
        ]
        if shutil.which("mogrify"):
            ways.insert(1, ("ImageMagick mogrify to 1 MP, PNG", with_mogrify(paths, folder / "n")))
        else:
            print("(without ImageMagick: mogrify is left out)")
        try:
            import cv2  # noqa: F401, PLC0415 - an option

            ways.insert(1, ("the way of sd-scripts' resize tool, JPEG", by_hand(paths, folder / "o", with_opencv)))
        except ImportError:
            print("(without opencv: the way of sd-scripts' resize tool is left out)")
        first = 0.0
        for title, way in ways:
            row = measured(title, way)
            each = row.seconds / row.pictures
            first = each if "plain Pillow loop" in title else first
            print(
                f"{title:<44}{1 / each:8.1f} /s  {row.processor / row.pictures:6.3f} s of processor"
                f"  {row.megabytes:5.0f} MB  {first / each:7.2f} x the Pillow loop",
                flush=True,
            )
            for made in folder.iterdir():
                if made.is_dir():
                    shutil.rmtree(made)
        print(f"likeness to Lanczos in floating point: at least {noise(paths):.1f} dB")
    for count in (1_000, 10_000, 100_000):
        print(f"plan and configs of {count:,} images: {planned(count):.2f} s")


if __name__ == "__main__":
    main()
