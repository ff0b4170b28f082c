"""Prompts of ComfyUI PNGs against a plain loop of Pillow's `Image.open(path).text` and `json.loads`.

    python benchmarks/prompts.py [number of images]

Ours (`read_facts`) also hashes the file, checks every checksum and walks the graph; the loop ends with the parsed JSON.
Rates are of CPU time, which a busy machine changes little, and for two processes by the clock. Besides: PNGs with
alpha, whose lowest bits are looked at for a hidden prompt, against the same ones without it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorads_core.images.facts import read_facts
from lorads_core.images.prompts import prompt_parts, read_prompts

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
DIFFERENT = 100  # files that are read over and over: what is measured is reading, not the disk
ROUNDS = 3


def graph(number: int) -> dict[str, object]:
    """Return a graph of 30 nodes: loaders, LoRAs, a switch of prompts, two passes of sampling, a saver."""
    nodes: dict[str, object] = {"0": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m.safetensors"}}}
    for at in range(1, 18):
        inputs = {
            "model": [str(at - 1), 0],
            "clip": [str(at - 1), 1],
            "lora_name": f"l{at}.safetensors",
            "strength": 1.0,
        }
        nodes[str(at)] = {"class_type": "LoraLoader", "inputs": inputs}
    rest = {
        "20": ("PrimitiveString", {"value": f"1girl, (red coat:1.2), smile, standing in snow, number {number}"}),
        "21": ("PrimitiveString", {"value": "a fox"}),
        "22": ("ComfySwitchNode", {"switch": True, "on_true": ["20", 0], "on_false": ["21", 0]}),
        "23": ("StringConcatenate", {"string_a": ["22", 0], "string_b": "masterpiece", "delimiter": ", "}),
        "24": ("CLIPTextEncode", {"text": ["23", 0], "clip": ["17", 1]}),
        "25": ("CLIPTextEncode", {"text": "lowres, bad anatomy", "clip": ["17", 1]}),
        "26": (
            "KSampler",
            {"positive": ["24", 0], "negative": ["25", 0], "model": ["17", 0], "latent_image": ["27", 0]},
        ),
        "27": ("EmptyLatentImage", {"width": 1024, "height": 1024}),
        "28": ("LatentUpscaleBy", {"samples": ["26", 0], "scale_by": 1.5}),
        "29": (
            "KSampler",
            {"positive": ["24", 0], "negative": ["25", 0], "model": ["17", 0], "latent_image": ["28", 0]},
        ),
        "30": ("VAEDecode", {"samples": ["29", 0], "vae": ["0", 2]}),
        "31": ("SaveImage", {"images": ["30", 0], "filename_prefix": "ComfyUI"}),
    }
    return nodes | {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in rest.items()}


def make(folder: Path, mode: str) -> list[Path]:
    """Write PNGs of 512 × 512 as ComfyUI does, with the graph and a workflow of twice its size."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 24, (512, 512, 3), np.uint8)
    made: list[Path] = []
    for number in range(DIFFERENT):
        texts = PngInfo()
        if mode == "RGB":
            texts.add_text("prompt", json.dumps(graph(number)))
            texts.add_text("workflow", json.dumps({"nodes": [graph(number), graph(number)]}))
        image = Image.fromarray(pixels)
        made.append(folder / f"{mode}{number}.png")
        (image if mode.startswith("RGB ") or mode == "RGB" else image.convert(mode.split(maxsplit=1)[0])).save(
            made[-1], pnginfo=texts, compress_level=4
        )
    return made


def plain(path: Path) -> object:
    """What a script would do."""
    with Image.open(path) as image:
        return json.loads(image.text["prompt"])


def ours(path: Path) -> object:
    """What indexing does."""
    facts = read_facts(path)
    return prompt_parts(facts.prompt, facts.prompt_source)


def rate(work: Callable[[Path], object], paths: list[Path]) -> float:
    """Return files a CPU second, of the quickest of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for path in paths:
            work(path)
        best = min(best, time.process_time() - started)
    return len(paths) / best


def read_all(paths: list[Path]) -> int:
    """Read files in one of two processes; only their number goes back, as an index writes the rest itself."""
    return sum(bool(ours(path)) for path in paths)


def two_processes(paths: list[Path]) -> float:
    """Return files a second by the clock, read by two processes at once; the quickest of some rounds."""
    best = float("inf")
    with ProcessPoolExecutor(2) as pool:
        parts = [paths[at : at + DIFFERENT] for at in range(0, len(paths), DIFFERENT)]
        sum(pool.map(read_all, parts[:2]))  # both have started
        for _ in range(ROUNDS):
            started = time.perf_counter()
            sum(pool.map(read_all, parts))
            best = min(best, time.perf_counter() - started)
    return len(paths) / best


def main() -> None:
    """Print files a second and ratios."""
    with tempfile.TemporaryDirectory() as made:
        paths = (make(Path(made), "RGB") * (IMAGES // DIFFERENT + 1))[:IMAGES]
        assert read_facts(paths[0]).prompt.endswith("number 0, masterpiece")
        theirs, found = rate(plain, paths), rate(ours, paths)
        print(f"Prompts of {IMAGES:,} ComfyUI PNGs of {paths[0].stat().st_size / 1e6:.1f} MB, a core")
        print(f"  Image.open(path).text, json.loads  {theirs:7,.0f} a second")
        print(f"  ours, with hash and checksums      {found:7,.0f} a second  ×{found / theirs:.2f}")
        print(f"  ours, by two processes             {two_processes(paths):7,.0f} a second")
        text = {"prompt": json.dumps(graph(1))}
        print(
            f"  the graph alone, from its text     {rate(lambda _: read_prompts(text), paths[:1_000]):7,.0f} a second"
        )
        opaque, alpha = (rate(read_facts, make(Path(made), mode)) for mode in ("RGB without texts", "RGBA"))
        print(f"PNGs without texts {opaque:,.0f} a second, with alpha {alpha:,.0f}")


if __name__ == "__main__":
    main()
