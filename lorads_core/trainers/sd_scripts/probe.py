"""Run by sd-scripts' own Python: what its argument parser and its dataset classes make of configs that LoRADS wrote.

`trainers.probes` says how it is run. No model is loaded: the steps are the expression that ``NetworkTrainer.train``
assigns to ``max_train_steps``, as the function itself loads one.
"""

from __future__ import annotations

import importlib
import math
import runpy
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# By its path: nothing of LoRADS is installed where this runs.
shared: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "probes.py")))
CONFIG = "--config_file"


def begin() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that reads a job."""
    steps = shared.assigned(Path("train_network.py"), "args.max_train_steps", "len(train_dataloader)")
    return partial(read, steps)


def read(steps: Any, job: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - compiled code
    """Return what sd-scripts makes of one export."""
    arguments = job["arguments"]
    place = arguments.index(CONFIG)
    script, config = importlib.import_module(arguments[place - 1].removesuffix(".py")), arguments[place + 1]
    parser = script.setup_parser()
    sys.argv = [arguments[place - 1], CONFIG, config]  # sd-scripts reads its command line once more
    util = importlib.import_module("library.train_util")  # which has all names also where they came from, since v0.11
    args = util.read_config_from_file(parser.parse_args(), parser)
    group = dataset_group(args)
    util.verify_training_args(args)
    network_trainer(script).assert_extra_args(args, group, None)
    accelerator = SimpleNamespace(num_processes=job["processes"])
    total = eval(steps, {"math": math, "args": args, "train_dataloader": group}, {"accelerator": accelerator})  # noqa: S307 - of the program that is asked
    return {
        "ignored": ignored(config, parser),
        "total_steps": total,
        "epochs": args.max_train_epochs,
        "images": dict(image for dataset in group.datasets for image in images(dataset)),
        "buckets": [bucket for dataset in group.datasets for bucket in buckets(dataset)],
    }


def dataset_group(args: Any) -> Any:  # noqa: ANN401 - sd-scripts' own
    """Return the data set that ``NetworkTrainer.train`` makes, by the same calls."""
    config_util = importlib.import_module("library.config_util")
    sanitizer = config_util.ConfigSanitizer(True, True, args.masked_loss, True)  # noqa: FBT003 - its own call
    blueprint = config_util.BlueprintGenerator(sanitizer).generate(
        config_util.load_user_config(args.dataset_config), args
    )
    return config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)[0]


def network_trainer(script: Any) -> Any:  # noqa: ANN401 - a module
    """Return the script's own subclass of ``NetworkTrainer``, or that itself."""
    own = [key for key in dir(script) if key.endswith("NetworkTrainer")]
    (name,) = (key for key in own if getattr(script, key).__module__ == script.__name__)
    return getattr(script, name)()


def ignored(config: str, parser: Any) -> list[str]:  # noqa: ANN401 - an argparse parser
    """Return the keys of a config that no option takes; ``read_config_from_file`` keeps them and nobody looks."""
    known = {action.dest for action in parser._actions}  # noqa: SLF001 - argparse has no other list of them
    return sorted(set(flat(importlib.import_module("toml").load(config))) - known)


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a config as ``read_config_from_file`` does: tables are dissolved."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= cast("dict[str, Any]", value) if isinstance(value, dict) else {key: value}
    return found


def images(dataset: Any) -> Any:  # noqa: ANN401 - sd-scripts' own
    """Yield the path of each image, with its bucket and caption."""
    for info in dataset.image_data.values():
        yield (
            info.absolute_path,
            {"bucket": list(info.bucket_reso), "caption": info.caption},
        )


def buckets(dataset: Any) -> Any:  # noqa: ANN401 - sd-scripts' own
    """Yield the sides of each bucket and the samples in it, repeats counted."""
    manager = dataset.bucket_manager
    for (width, height), keys in zip(manager.resos, manager.buckets, strict=True):
        yield [width, height, len(keys)]


if __name__ == "__main__":
    shared.main(begin)
