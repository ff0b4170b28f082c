"""Picture files against what a user would use instead: Pillow, with hashlib for facts.

Run: python benchmarks/images.py [FOLDER]; with a folder its own pictures are read, else some are made.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorads_core.images.decode import decode
from lorads_core.images.encode import ImagePolicy, copy_file, fit, write_image
from lorads_core.images.facts import read_facts
from lorads_core.images.png import encode_png
from lorads_core.model import FileStamp

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
ZLIB_RLE = 3


def photograph(width: int, height: int, seed: int) -> Image.Image:
    """Return noise with the falling spectrum of a photograph, some edges and a sensor's grain."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) + 1 / max(width, height)
    planes = [
        np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) / frequency**1.2, s=(height, width))
        for _ in range(3)
    ]
    pixels = np.stack(planes, axis=-1)
    pixels[:, width // 2 :] += pixels.std() * 0.7
    pixels = 128 + 45 * pixels / pixels.std() + rng.normal(0, 1.5, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def make_library(folder: Path) -> list[Path]:
    """Write camera JPEGs, generated PNGs with their graphs, and WebPs."""
    graph = {
        str(number): {"class_type": "KSampler", "inputs": {"positive": [str(number + 1), 0], "text": "x" * 300}}
        for number in range(40)
    }
    texts = PngInfo()
    texts.add_text("prompt", json.dumps(graph))
    texts.add_text("workflow", json.dumps(graph) * 2)
    exif = Image.Exif()
    exif[0x0112], exif[0x4746] = 6, 4
    for number in range(4):
        large, small = photograph(3000, 2000, number), photograph(1024, 1024, number)
        for copy in range(5):
            large.save(folder / f"{number}-{copy}.jpg", quality=92 - copy, exif=exif)
            small.save(folder / f"{number}-{copy}.png", pnginfo=texts, compress_level=4)
            small.save(folder / f"{number}-{copy}.webp", quality=90 - copy)
    return sorted(folder.iterdir())


def plain(path: Path) -> None:
    """What a script would do: Pillow's size, then the hash."""
    with Image.open(path) as image:
        _ = image.size
    hashlib.sha256(path.read_bytes()).hexdigest()


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the CPU seconds of the quickest of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def compare_facts(paths: list[Path]) -> None:
    """Print files a second; ours also checks every checksum and reads prompts, ratings and profiles."""
    print("Facts of a file, against Image.open(path).size + sha256")
    for suffix in sorted({path.suffix for path in paths}):
        chosen = [path for path in paths if path.suffix == suffix]
        ours = seconds(lambda chosen=chosen: [read_facts(path) for path in chosen])
        theirs = seconds(lambda chosen=chosen: [plain(path) for path in chosen])
        size = sum(path.stat().st_size for path in chosen) / len(chosen) / 1e6
        rates = f"{len(chosen) / ours:7,.0f} files/s  plain {len(chosen) / theirs:7,.0f}"
        print(f"  {suffix:6} {size:5.1f} MB each  {rates}  ×{theirs / ours:.2f}")


def compare_encoders(image: Image.Image) -> None:
    """Print time and size of encoders."""
    print(f"Encoding {image.width} × {image.height}")

    def saved(kind: str, **options: object) -> int:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.tell()

    encoders: dict[str, Callable[[], int]] = {
        "PNG, Pillow's default": lambda: saved("PNG"),
        "PNG, Pillow level 4 (ComfyUI)": lambda: saved("PNG", compress_level=4),
        "PNG, Pillow level 1, runs": lambda: saved("PNG", compress_level=1, compress_type=ZLIB_RLE),
        "PNG, ours": lambda: sum(map(len, encode_png(image))),
        "WebP lossless, method 0": lambda: saved("WEBP", lossless=True, method=0, quality=0, exact=True),
        "JPEG 95, 4:4:4": lambda: saved("JPEG", quality=95, subsampling=0),
    }
    first = None
    for name, encode in encoders.items():
        taken = seconds(encode, 3)
        first = first or taken
        print(f"  {name:32} {1000 * taken:6.1f} ms  {encode() / 1e6:5.2f} MB  ×{first / taken:.1f}")


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Return the peak signal to noise of two arrays in dB."""
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))


def compare_shrinking(source: Path, side: int = 640) -> None:
    """Print time and fidelity of shrinking a JPEG."""
    policy = ImagePolicy("max_side", side)
    full = decode(source)
    size = policy.size_of(*full.size)
    planes = [Image.fromarray(np.asarray(full)[..., i].astype(np.float32)) for i in range(3)]
    exact = np.stack([np.asarray(plane.resize(size, Image.Resampling.LANCZOS)) for plane in planes], axis=-1)
    exact = np.clip(exact, 0, 255)
    print(f"Shrinking {full.width} × {full.height} to {size[0]} × {size[1]}, PSNR to Lanczos in floating point")
    ways: dict[str, Callable[[], Image.Image]] = {
        "Pillow: decode, Lanczos": lambda: decode(source).resize(size, Image.Resampling.LANCZOS),
        "ours": lambda: fit(decode(source), policy),
        "ours for a look, by a draft": lambda: fit(decode(source, shrink_to=policy.size_of), policy),
        "Pillow: decode, bilinear": lambda: decode(source).resize(size, Image.Resampling.BILINEAR),
    }
    first = None
    for name, way in ways.items():
        taken = seconds(way, 3)
        first = first or taken
        fidelity = psnr(np.asarray(way(), np.float64), exact)
        print(f"  {name:32} {1000 * taken:6.1f} ms  {fidelity:5.1f} dB  ×{first / taken:.1f}")


def naive(source: Path, target: Path, size: tuple[int, int]) -> None:
    """What a script would do to make a training picture."""
    with Image.open(source) as image:
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target)


def compare_writing(source: Path, folder: Path) -> None:
    """Print time of writing one picture whole."""
    policy = ImagePolicy("max_side", 1024)
    found = source.stat()
    size = write_image(source, folder / "ours.png", policy)
    print("Writing one picture for training")
    base = seconds(lambda: naive(source, folder / "plain.png", size), 3)
    ours = seconds(lambda: write_image(source, folder / "ours.png", policy), 3)
    copying = seconds(lambda: copy_file(source, folder / "copy.jpg", FileStamp.of(found)), 20)
    print(f"  open, convert, Lanczos, save     {1000 * base:6.1f} ms")
    print(f"  ours                             {1000 * ours:6.1f} ms  ×{base / ours:.1f}")
    print(f"  ours, copied as it is            {1000 * copying:6.2f} ms")


def main() -> None:
    """Compare everything on one library."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "library"
        folder.mkdir()
        if len(sys.argv) > 1:
            paths = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.suffix.lower() in SUFFIXES]
        else:
            paths = make_library(folder)
        photos = [path for path in paths if path.suffix.lower() in {".jpg", ".jpeg"}]
        if not photos:
            raise SystemExit("There is no JPEG in that folder: give one with photographs.")
        compare_facts(paths)
        compare_encoders(fit(decode(photos[0]), ImagePolicy("max_area", 1024)))
        compare_shrinking(photos[0])
        compare_writing(photos[0], Path(made))


if __name__ == "__main__":
    main()
