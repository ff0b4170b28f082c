"""Run by sd-scripts' own Python: what its argument parser and its dataset classes make of configs that LoRADS wrote.

    python probe.py JOBS.json RESULTS.json      (in the folder of sd-scripts)

It imports nothing of LoRADS, which is not installed there. ``JOBS.json`` is a list of ``{"arguments": the words that
start the training, "processes": number}``; `workflow.trainer_check` says what a result is. No model is loaded: the
steps are the expression that ``NetworkTrainer.train`` assigns to ``max_train_steps``, as the function itself loads one.
"""

from __future__ import annotations

import ast
import importlib
import json
import math
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

CONFIG = "--config_file"


def main(jobs: str, results: str) -> None:
    """Write the result of each job; one that sd-scripts refuses has its message."""
    sys.path[0] = str(Path.cwd())  # the folder of this file has modules of LoRADS, whose names others have too
    steps = assigned(Path("train_network.py"), "args.max_train_steps", "len(train_dataloader)")
    found = []
    for number, job in enumerate(json.loads(Path(jobs).read_text(encoding="utf-8"))):
        print(f"lorads: {number}", flush=True)  # noqa: T201 - the progress that LoRADS reads
        try:
            found.append(read(job["arguments"], job["processes"], steps))
        except ImportError:  # it is not installed whole, which no config can change
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever sd-scripts says is the result
            traceback.print_exc()
            found.append({"error": f"{type(error).__name__}: {error}"})
    Path(results).write_text(json.dumps(found), encoding="utf-8")


def read(arguments: list[str], processes: int, steps: Any) -> dict[str, Any]:  # noqa: ANN401 - compiled code
    """Return what sd-scripts makes of one export."""
    place = arguments.index(CONFIG)
    script, config = importlib.import_module(arguments[place - 1].removesuffix(".py")), arguments[place + 1]
    parser = script.setup_parser()
    sys.argv = [arguments[place - 1], CONFIG, config]  # sd-scripts reads its command line once more
    args = importlib.import_module("library.train_util").read_config_from_file(parser.parse_args(), parser)
    group = dataset_group(args)
    script.train_util.verify_training_args(args)
    network_trainer(script).assert_extra_args(args, group, None)
    accelerator = SimpleNamespace(num_processes=processes)
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


def assigned(source: Path, target: str, following: str) -> Any:  # noqa: ANN401 - compiled code
    """Return the expression that ``source`` assigns to ``target`` and that contains ``following``, compiled.

    For arithmetic in the midst of a function that cannot be called without a model. Exactly one must be found.
    """
    found = [
        node.value
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == target
        if following in ast.unparse(node.value)
    ]
    if len({ast.unparse(each) for each in found}) != 1:
        sys.exit(f"{source} does not assign {following} to {target} just once: {[ast.unparse(each) for each in found]}")
    return compile(ast.Expression(found[0]), str(source), "eval")


if __name__ == "__main__":
    main(*sys.argv[1:])
