"""Run by musubi-tuner's own Python: what its argument parser and its datasets make of configs that LoRADS wrote.

`trainers.probes` says how it is run. Nothing has been cached, so that the images are those that a script would cache,
by its datasets and buckets. No model is loaded: the steps are the expression that ``NetworkTrainer`` assigns to
``max_train_steps``.
"""

from __future__ import annotations

import importlib
import math
import os
import runpy
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# By its path: nothing of LoRADS is installed where this runs.
shared: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "probes.py")))
CONFIG = "--config_file"
_TRAINER = "training/trainer_base.py"


class Stop(Exception):  # noqa: N818 - it is none
    """Ends a script before it trains; ``trainer`` would train with the options ``given``."""

    def __init__(self, trainer: Any, args: Any) -> None:  # noqa: ANN401 - musubi-tuner's own
        super().__init__()
        self.trainer, self.given = trainer, args


def begin() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that reads a job."""
    source = Path.cwd() / "src"
    sys.path.insert(0, str(source))
    steps = shared.assigned(source / "musubi_tuner" / _TRAINER, "args.max_train_steps", "len(train_dataloader)")
    return partial(read, steps)


def own(name: str) -> Any:  # noqa: ANN401 - a module
    """Return a module of musubi-tuner."""
    return importlib.import_module(f"musubi_tuner.{name}")


def read(steps: Any, job: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - compiled code
    """Return what musubi-tuner makes of one export."""
    arguments = job["arguments"]
    place = arguments.index(CONFIG)
    script, config = arguments[place - 1], arguments[place + 1]
    trainer, args, parser = begun(script.removesuffix(".py"), ["--config_file", config])
    batches, images, buckets = 0, dict[str, Any](), list[list[int]]()
    for dataset in datasets(trainer, args):
        placed, count, more = batched(dataset)
        images |= placed
        batches += count
        buckets += more
    accelerator, loader = SimpleNamespace(num_processes=job["processes"]), range(batches)
    total = eval(steps, {"math": math, "args": args, "train_dataloader": loader}, {"accelerator": accelerator})  # noqa: S307 - of the program that is asked
    known = {action.dest for action in parser._actions}  # noqa: SLF001 - argparse has no other list of them
    return {
        "ignored": sorted(set(importlib.import_module("toml").load(config)) - known),
        "total_steps": total,
        "epochs": args.max_train_epochs,
        "images": images,
        "buckets": shared.summed(buckets),
    }


def begun(script: str, words: list[str]) -> tuple[Any, Any, Any]:
    """Run a script up to where it trains; return its trainer, arguments and parser."""
    module, base = own(script), own("training.trainer_base").NetworkTrainer
    parsers: list[Any] = []
    train, read_config = base.train, module.read_config_from_file

    def stop(trainer: Any, args: Any) -> None:  # noqa: ANN401 - musubi-tuner's own
        raise Stop(trainer, args)

    def keep(args: Any, parser: Any) -> Any:  # noqa: ANN401 - musubi-tuner's own
        parsers.append(parser)
        return read_config(args, parser)

    base.train, module.read_config_from_file = stop, keep
    sys.argv = [script, *words]
    try:
        module.main()
    except Stop as found:
        if not found.trainer._validate_args_and_init(found.given):  # noqa: SLF001 - what ``train`` begins with
            sys.exit("it ends before it trains")
        return found.trainer, found.given, parsers[0]
    finally:
        base.train, module.read_config_from_file = train, read_config
    sys.exit("it does not train")


def datasets(trainer: Any, args: Any) -> Any:  # noqa: ANN401 - musubi-tuner's own
    """Return the datasets of a training, as its scripts make them that cache."""
    util = own("dataset.config_utils")
    generator = util.BlueprintGenerator(util.ConfigSanitizer())
    user_config = util.load_user_config(str(args.dataset_config))
    blueprint = generator.generate(user_config, args, architecture=trainer.architecture)
    return util.generate_dataset_group_by_blueprint(blueprint.dataset_group).datasets


def batched(dataset: Any) -> tuple[dict[str, Any], int, list[list[int]]]:  # noqa: ANN401 - musubi-tuner's own
    """Return the bucket and caption of each image of a dataset, its batches, and the samples of its buckets."""
    opened: Any = importlib.import_module("PIL.Image").open

    bucket = own("dataset.bucket")
    selector = bucket.BucketSelector(
        dataset.resolution, dataset.enable_bucket, dataset.bucket_no_upscale, dataset.architecture
    )
    images: dict[str, Any] = {}
    samples: dict[tuple[int, int], list[str]] = {}
    for number in range(len(dataset.datasource)):
        path, caption = dataset.datasource.get_caption(number)
        with opened(path) as image:
            width, height = map(int, selector.get_bucket_resolution(image.size))
        images[os.path.normpath(path)] = {"bucket": [width, height], "caption": caption}
        samples.setdefault((width, height), []).extend([path] * dataset.num_repeats)
    batches = len(bucket.BucketBatchManager(samples, dataset.batch_size))
    return images, batches, [[*size, len(each)] for size, each in samples.items()]


if __name__ == "__main__":
    shared.main(begin)
