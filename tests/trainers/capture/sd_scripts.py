"""Golden files of sd-scripts: ``options.json`` from its argument parsers, ``numbers.json`` from its dataset classes.

``python -m tests.trainers.capture.sd_scripts FOLDER``. The script stops at a key of a training config that the parser
does not have; sd-scripts itself would keep such a key and never look at it (``read_config_from_file``).

Buckets and batches are those of its own data set over real images. The steps are the expression that
``NetworkTrainer.train`` assigns to ``max_train_steps``: the function itself loads the model before.
"""

import importlib
import json
import math
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from lorads_core.trainers.sd_scripts.scripts import script
from tests.trainers import cases
from tests.trainers.test_sd_scripts_options import OPTIONS, configs, written

from .common import assigned, rows, write_export, write_golden


def options():
    """Return the options that we write, by script: type and choices of each."""
    found = {}
    for config in configs():
        name = script(config).name
        actions = {each.dest: each for each in parser(name)._actions}
        options = found.setdefault(name, {})
        for key in written(config):
            if key not in actions:
                sys.exit(f"{name} has no option {key}, which is written for {config}")
            options[key] = facts(actions[key])
    return {name: dict(sorted(options.items())) for name, options in sorted(found.items())}


def module(name):
    return importlib.import_module(name.removesuffix(".py"))


def network_trainer(name):
    """Return the script's own subclass of ``NetworkTrainer``, or that itself."""
    found = module(name)
    (own,) = (
        each
        for key, each in vars(found).items()
        if key.endswith("NetworkTrainer") and each.__module__ == found.__name__
    )
    return own()


def parser(name):
    return module(name).setup_parser()


def facts(action):
    kind = "bool" if action.nargs == 0 else getattr(action.type, "__name__", None) or "str"
    return {"type": kind, "several": action.nargs in ("*", "+")} | (
        {"choices": list(action.choices)} if action.choices else {}
    )


def options_as_text(scripts):
    lines = []
    for name, found in scripts.items():
        entries = ",\n".join(f"    {json.dumps(key)}: {json.dumps(each)}" for key, each in found.items())
        lines.append(f"  {json.dumps(name)}: {{\n{entries}\n  }}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def numbers(home):
    """Yield the name and the buckets and steps of each case."""
    steps = assigned(home / "train_network.py", "args.max_train_steps", "len(train_dataloader)")
    with tempfile.TemporaryDirectory() as place:
        for name in dict.fromkeys(map(cases.counted_as, cases.CASES)):
            config, subsets = cases.CASES[name]
            folder = write_export(Path(place) / name.replace(" ", "-"), "sd-scripts", config, subsets)
            yield name, counted(config, folder, steps)


def counted(config, folder, steps):
    args = arguments(config, folder)
    group = dataset_group(args)
    module(script(config).name).train_util.verify_training_args(args)
    network_trainer(script(config).name).assert_extra_args(args, group, None)
    total = eval(
        steps,
        {"math": math, "args": args, "train_dataloader": group},
        {"accelerator": SimpleNamespace(num_processes=config.processes)},
    )
    counts = Counter()
    for dataset in group.datasets:
        for bucket, keys in zip(dataset.bucket_manager.resos, dataset.bucket_manager.buckets, strict=True):
            counts[bucket] += len(keys)
    return {
        "buckets": [[*bucket, count] for bucket, count in sorted(counts.items())],
        "steps_per_epoch": total // args.max_train_epochs,
        "total_steps": total,
    }


def arguments(config, folder):
    """Return the options as sd-scripts reads them from the file; it reads its command line too."""
    own = parser(script(config).name)
    sys.argv = ["train", "--config_file", str(folder / "training_config.toml")]
    read = own.parse_args()
    return importlib.import_module("library.train_util").read_config_from_file(read, own)


def dataset_group(args):
    """Return the data set that ``NetworkTrainer.train`` makes, by the same calls."""
    config_util = importlib.import_module("library.config_util")
    sanitizer = config_util.ConfigSanitizer(True, True, args.masked_loss, True)  # noqa: FBT003 - its own call
    blueprint = config_util.BlueprintGenerator(sanitizer).generate(
        config_util.load_user_config(args.dataset_config), args
    )
    return config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)[0]


if __name__ == "__main__":
    home = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(home))
    write_golden(OPTIONS, options_as_text(options()))
    write_golden(cases.GOLDEN / "numbers.json", rows(numbers(home)))
