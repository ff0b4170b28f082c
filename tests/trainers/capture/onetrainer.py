"""Golden files of OneTrainer: ``accepted.json`` from its ``TrainConfig``, ``numbers.json`` from loader and trainer.

``python -m tests.trainers.capture.onetrainer FOLDER MGDS``: OneTrainer's folder, and that of mgds' source (``src``).
Each config is read by ``TrainConfig.default_values().from_dict``; a key that it does not hold unchanged afterwards
stops the script.

Buckets and batches are those of its own data loaders over real images, from which only the modules are left out that
need a model. Updates and saves are those of ``GenericTrainer.train`` over as many batches, without a model. Packages
of models, and those that are not installed, are stand-ins.
"""

import dataclasses
import enum
import json
import os
import sys
import tempfile
from pathlib import Path

from lorads_core.trainers.onetrainer import probe
from lorads_core.trainers.onetrainer.names import OPTIMIZERS
from lorads_core.trainers.onetrainer.rendering import CONFIG_FILE
from tests.trainers.test_onetrainer_golden import (
    GOLDEN,
    NUMBERS,
    combinations,
    config_of,
    memory_configs,
    subsets_of,
    written,
)

from .common import StandIns, write_export, write_golden

OF_MODELS = {"diffusers", "torchvision", "transformers", "torch.utils.tensorboard"}
WORLD = 2  # processes of the variant "multi"


# Accepted keys


def accepted():
    """Return the keys, dotted, with their types and the words of their enumerations."""
    found = {}
    for config in configs():
        keys = written(config)
        for name, value, its in probe.pairs(keys, probe.config_of(keys)):
            entry = found.setdefault(name, {"types": set(), "words": words_of(its)})
            entry["types"].add(type(value).__name__)
            if probe.plain(its) != value:
                sys.exit(f"{config}: OneTrainer holds {name} as {its!r}, not {value!r}")
    return {name: tidy(entry) for name, entry in sorted(found.items())}


def configs():
    yield from (config_of(*combination) for combination in combinations())
    plain_one = config_of("sdxl", "lora", "plain")
    for optimizer in OPTIMIZERS:
        yield dataclasses.replace(plain_one, optimizer=optimizer)
    yield from memory_configs()


def words_of(value):
    return [str(each) for each in type(value)] if isinstance(value, enum.Enum) else None


def tidy(entry):
    words = {"words": entry["words"]} if entry["words"] else {}
    return {"types": sorted(entry["types"])} | words


# Numbers


def numbers(place):
    """Yield what OneTrainer makes of each case, with the case's name."""
    for case in NUMBERS["cases"]:
        base_model, network, variant, data = case["id"].split("/")
        folder = place / case["id"].replace("/", "-")
        write_export(folder, "onetrainer", config_of(base_model, network, variant), subsets_of(data))
        found = probe.read({"arguments": [probe.CONFIG, str(folder / CONFIG_FILE)], "processes": WORLD})
        if found["ignored"]:
            sys.exit(f"{case['id']}: OneTrainer does not hold {found['ignored']}")
        yield {
            "id": case["id"],
            "batches": found["batches"],
            "updates": found["total_steps"],
            "saves": found["saves"],
            "buckets": found["buckets"] and [[[width, height], count] for width, height, count in found["buckets"]],
        }


def number_lines(cases):
    """Return ``numbers.json``: the images of the cases as they were, and a line for each case."""
    given = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in NUMBERS["datasets"].items())
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
    return f'{{\n "datasets": {{\n{given}\n }},\n "cases": [\n{lines}\n ]\n}}\n'


if __name__ == "__main__":
    folders = [Path(each).resolve() for each in sys.argv[1:]]
    sys.path[:0] = map(str, folders)
    packages = [folder / name for folder in folders for name in ("modules", "mgds") if (folder / name).is_dir()]
    sys.meta_path.insert(0, StandIns(packages, OF_MODELS))
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in accepted().items()
    )
    write_golden(GOLDEN / "accepted.json", f"{{\n{lines}\n}}\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_golden(GOLDEN / "numbers.json", number_lines(numbers(Path(folder))))
