"""Golden files of sd-scripts: ``options.json`` from its argument parsers, ``numbers.json`` from its dataset classes.

``python -m tests.trainers.capture.sd_scripts FOLDER``. The script stops at a key of a training config that the parser
does not have, at an argument that the network's module does not look for, and at one that the optimizer does not
hold; sd-scripts itself would keep such a key and never look at it (``read_config_from_file``).

Buckets and batches are those of its own data set over real images. The steps are the expression that
``NetworkTrainer.train`` assigns to ``max_train_steps``: the function itself loads the model before.
"""

import importlib
import inspect
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import torch

from lorads_core.trainers.sd_scripts import probe
from lorads_core.trainers.sd_scripts.scripts import script, uses_lycoris
from lorads_core.workflow.trainer_check import made_case
from tests.trainers import cases
from tests.trainers.test_sd_scripts_options import OPTIONS, configs, written

from .common import assigned, rows, write_golden


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
        check_arguments(config, written(config))
    return {name: dict(sorted(options.items())) for name, options in sorted(found.items())}


def check_arguments(config, keys):
    """Stop at an argument of network or optimizer that is passed over; LyCORIS' are in SimpleTuner's capture."""
    names = [each.partition("=")[0] for each in keys.get("network_args", ())]
    if not uses_lycoris(config):
        source = inspect.getsource(importlib.import_module(keys["network_module"]))
        if passed := [name for name in names if f'kwargs.get("{name}"' not in source]:
            sys.exit(f"{keys['network_module']} does not look for {passed}")
    if config.optimizer_args:
        usual = vars(parser(script(config).name).parse_args([]))
        made = importlib.import_module("library.train_util").get_optimizer(
            SimpleNamespace(**usual | keys), [torch.nn.Parameter(torch.zeros(8))]
        )[2]
        for name, value in config.optimizer_args.items():
            held = made.param_groups[0][name]
            if held != value and held != tuple(value):
                sys.exit(f"The optimizer holds {name} as {held!r}, not {value!r}")


def module(name):
    return importlib.import_module(name.removesuffix(".py"))


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
            case = made_case("sd-scripts", Path(place) / name.replace(" ", "-"), config, subsets, name)
            yield name, counted(probe.read(steps, {"arguments": case.arguments, "processes": config.processes}))


def counted(found):
    counts = Counter()
    for width, height, count in found["buckets"]:
        counts[width, height] += count
    return {
        "buckets": [[*bucket, count] for bucket, count in sorted(counts.items())],
        "steps_per_epoch": found["total_steps"] // found["epochs"],
        "total_steps": found["total_steps"],
    }


if __name__ == "__main__":
    home = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(home))
    write_golden(OPTIONS, options_as_text(options()))
    write_golden(cases.GOLDEN / "numbers.json", rows(numbers(home)))
