"""Golden files of ai-toolkit: ``options.json`` from its config classes, ``numbers.json`` from its data set and loop.

``python -m tests.trainers.capture.ai_toolkit FOLDER``. Its own probe (`lorads_core.trainers.ai_toolkit.probe`) reads
each config. A key that no config class looks at, or that it does not hold as it was written, stops the script;
ai-toolkit itself would pass over it. Names are given to the function that looks them up.

Buckets and batches are those of its own data loaders over real images. ``trained`` are the batches of training and of
regularization images that its loop of steps takes, ``saved`` the steps at which it saves.
"""

import sys
import tempfile
from pathlib import Path
from typing import get_args

from lorads_core.trainers.ai_toolkit import probe
from lorads_core.trainers.ai_toolkit.rendering import CONFIG_FILE
from tests.trainers import cases_ai_toolkit as cases
from tests.trainers.accepted import entry, tidy
from tests.trainers.cases import counted_as
from tests.trainers.test_ai_toolkit_golden import OPTIONS, SUBSETS, configs

from .common import indented, rows, write_export, write_golden

WORDS = {"network.type": "NetworkType", "model.arch": "ModelArch"}
"""Keys whose values are a closed list in ``config_modules``; it looks the others up by functions of its own."""
NUMBERS = ("buckets", "batches", "trained", "saved")


def options(place):
    found = {}
    for number, config in enumerate(configs()):
        process = probe.process_of(write_export(place / str(number), "ai-toolkit", config, SUBSETS) / CONFIG_FILE)
        probe.try_names(process)
        for name, value, is_held in probe.keys_of(process):
            if not is_held:
                sys.exit(f"ai-toolkit does not look at {name}, or holds it otherwise than as {value!r}")
            words = known_words(WORDS[name]) if name in WORDS else None
            found.setdefault(name, entry(list(words) if words else None))["types"].add(type(value).__name__)
    return tidy(found)


def known_words(name):
    """Return a closed list; that of architectures has those of all its models besides."""
    words = get_args(getattr(probe.own("toolkit.config_modules"), name))
    more = sorted({each.arch for each in probe.models()} - {*words}) if name == "ModelArch" else []
    return list(words) + more


def numbers(place, read):
    for name in dict.fromkeys(map(counted_as, cases.CASES)):
        config, subsets = cases.CASES[name]
        folder = write_export(place / name.replace(" ", "-"), "ai-toolkit", config, subsets)
        found = read({"arguments": [str(folder / CONFIG_FILE)], "epochs": config.epochs})
        yield name, {key: found[key] for key in NUMBERS}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).resolve()))
    read = probe.begin()
    with tempfile.TemporaryDirectory() as folder:
        write_golden(OPTIONS, indented(options(Path(folder) / "options")))
        write_golden(cases.GOLDEN / "numbers.json", rows(numbers(Path(folder) / "numbers", read)))
