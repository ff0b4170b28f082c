"""Combined captions of two taggers against a plain union of their tags, by number of images.

    python benchmarks/captions.py [largest number of images]

Synthetic: 40 WD and 40 JoyTag tags an image, drawn by Zipf's law from 8,000 real-looking ones with hair, eyes, counts
and ratings among them, spelt as either tagger does. The union is what a script would do: replace underscores, keep
what is above one threshold, once each. Both run in one thread; ours for Illustrious with the trigger and all rules, and
then with every caption looked through for what is wrong with it, tokens counted.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from lorads_core.captions.caption import caption_dataset
from lorads_core.captions.clean import clean_prompt
from lorads_core.captions.lint import LintRules, lint
from lorads_core.captions.sources import CaptionMaterial
from lorads_core.model import Dataset, DatasetImage, ImageRecord, Tag
from lorads_core.workflow.parse import caption_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LARGEST = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
RUNS = 3
TAGS = 40
LOOKS = ("long", "short", "black", "blonde", "light brown", "blue", "red", "white", "striped", "frilled", "torn", "wet")
THINGS = ("hair", "eyes", "shirt", "dress", "skirt", "gloves", "hat", "ribbon", "bow", "jacket", "background", "ears")
FIRST = ["1girl", "solo", "2girls", "multiple girls", "1boy", "general", "sensitive", "^ ^", "watermark", "bad id"]


def vocabulary() -> list[str]:
    """Return tags, the frequent ones first."""
    looks = [f"{look} {thing}" for thing in THINGS for look in LOOKS]
    rest = [f"{look} thing {n}" if n % 3 else f"series {n} (name)" for n in range(610) for look in LOOKS]
    return [*FIRST, *THINGS, *looks, *rest]


def images(count: int) -> list[CaptionMaterial]:
    """Return images with tags of both taggers."""
    chance = random.Random(42)
    tags = vocabulary()
    weights = [1 / (rank + 10) for rank in range(len(tags))]
    return [_image(n, tags, weights, chance) for n in range(count)]


def _image(number: int, tags: Sequence[str], weights: Sequence[float], chance: random.Random) -> CaptionMaterial:
    path = f"/pictures/{number}.png"
    record = ImageRecord("pictures", number, path, 1024, 1024, 1, 1, "", "png")
    wd = [Tag(text, "wd", chance.random()) for text in chance.choices(tags, weights, k=TAGS)]
    joytag = [Tag(text.replace(" ", "_"), "joytag", chance.random()) for text in chance.choices(tags, weights, k=TAGS)]
    return CaptionMaterial(record, wd + joytag)


SETTINGS = caption_settings("combined", (), "ohwx", "prepend", "illustrious")


def ours(materials: Sequence[CaptionMaterial]) -> Dataset:
    """Caption a dataset from both taggers."""
    dataset = Dataset(uuid4(), "d", "pictures", tuple(DatasetImage(each.record) for each in materials))
    captioned, _ = caption_dataset(dataset, materials, SETTINGS)
    return captioned


def ours_with_lint(materials: Sequence[CaptionMaterial]) -> None:
    """Caption it and look every caption through."""
    lint(ours(materials), LintRules(SETTINGS.profile))


def union(materials: Sequence[CaptionMaterial]) -> None:
    """Do what a script of a few lines does."""
    for each in materials:
        found = {tag.text.replace("_", " ") for tag in each.tags if (tag.confidence or 0) >= 0.35}
        _ = ", ".join(["ohwx", *sorted(found)])


def seconds(work: Callable[[], object]) -> float:
    """Return the median of some runs; the first, with caches cold, is among them."""
    taken: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Print rates and ratios."""
    count = 1000
    while count <= LARGEST:
        materials = images(count)
        plain, built, linted = (
            seconds(lambda made=materials, work=work: work(made)) for work in (union, ours, ours_with_lint)
        )
        print(
            f"{count:7,} images   union {plain:6.2f} s   combined {built:6.2f} s = {built / plain:4.1f} ×"
            f"   with lint {linted:6.2f} s = {linted / plain:4.1f} ×, {linted / count * 1e6:5.1f} µs an image"
        )
        count *= 10
    for piece in ("(", "(red hair:1.2), ", "\\(", "\n"):
        prompt = piece * (100_000 // len(piece))
        taken = seconds(lambda p=prompt: clean_prompt(p))
        print(f"prompt of {len(prompt):,} characters, {piece!r} repeated: {taken:.3f} s")


if __name__ == "__main__":
    main()
