"""Golden files of SimpleTuner: ``options.json`` from its parser and LyCORIS, ``numbers.json`` from its data backends.

``python -m tests.trainers.capture.simpletuner FOLDER``. Its own probe (`lorads_core.trainers.simpletuner.probe`) reads
each config; an unknown option, or one that it does not hold as it was written, stops the script. So does a flavour that
has another repository or adapter than our row of the base model.

Buckets are those of its own data backends over real images; steps are reckoned by its ``Trainer``, and counted over the
batches that its samplers and iterator give in all epochs, without a model.
"""

import os
import sys
import tempfile
from pathlib import Path

from lorads_core.base_models import BASE_MODELS
from lorads_core.trainers.simpletuner import probe
from tests.trainers import cases_simpletuner as cases
from tests.trainers.accepted import entry, tidy
from tests.trainers.cases import counted_as
from tests.trainers.test_simpletuner_golden import OPTIONS, SUBSETS, configs

from .common import indented, rows, write_export, write_golden

ADAPTERS = {base.adapter for base in BASE_MODELS}
NUMBERS = ("buckets", "steps_per_epoch", "total_steps")


def options(place):
    found = {}
    for number, config in enumerate(configs()):
        folder = write_export(place / str(number), "simpletuner", config, SUBSETS)
        args, model = probe.config_of(folder)
        check_flavour(args, model)
        for name, value, words, is_held in probe.keys_of(folder, args, model):
            if not is_held:
                sys.exit(f"SimpleTuner does not hold {name} as {value!r}: {config}")
            found.setdefault(name, entry(words))["types"].add(type(value).__name__)
    return tidy(found)


def check_flavour(args, model):
    """Check that what a flavour names is what we have of it: its repository, and an adapter."""
    which = f"SimpleTuner's {args.model_family} {args.model_flavour}"
    named = model.HUGGINGFACE_PATHS.get(args.model_flavour, "") if args.model_flavour else ""
    if named.lower() not in ("", str(args.pretrained_model_name_or_path).lower()):
        sys.exit(f"{which} is {named}")
    named = ("assistant_lora_path", "assistant_lora_weight_name")
    adapter = "/".join(getattr(args, name, None) or "" for name in named).strip("/")
    if adapter not in ADAPTERS:
        sys.exit(f"{which} has the adapter {adapter}")


def numbers(place, read):
    for name in dict.fromkeys(map(counted_as, cases.CASES)):
        config, subsets = cases.CASES[name]
        folder = write_export(place / name.replace(" ", "-"), "simpletuner", config, subsets)
        found = read({"arguments": [str(folder / probe.CONFIG_FILE)], "processes": config.processes})
        yield name, {key: found[key] for key in NUMBERS}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv.pop(1)).resolve()))
    read = probe.begin()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        write_golden(cases.GOLDEN / "numbers.json", rows(numbers(Path(place) / "numbers", read)))
        write_golden(OPTIONS, indented(options(Path(place) / "options")))
