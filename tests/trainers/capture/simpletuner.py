"""Golden file of SimpleTuner: ``options.json`` from its argument parser, its data backends and LyCORIS.

``python -m tests.trainers.capture.simpletuner FOLDER``. Each ``config.json`` is read by its own loader as it reads it
for a training; an unknown option, or one that it does not hold as it was written, stops the script. Backends are given
to their config classes, ``lycoris_config.json`` to LyCORIS with a model of the classes of blocks that it names.
"""

import importlib
import inspect
import json
import os
import sys
import tempfile
from pathlib import Path

from lorads_core.trainers.simpletuner.rendering import CONFIG_FILE, DATASET_FILE, NETWORK_FILE
from tests.trainers.accepted import entry, tidy
from tests.trainers.test_simpletuner_golden import OPTIONS, SUBSETS, configs

from .common import another, indented, write_export, write_golden

OF_SIMPLETUNER = {"apply_preset"}
"""Keys of ``lycoris_config.json`` that SimpleTuner takes out for LyCORIS' presets (``helpers/training/trainer.py``)."""
OF_FULL_RANK = {"linear_dim", "linear_alpha", "conv_dim", "conv_alpha"}
"""Keys that LyCORIS leaves aside for LoKr of full rank."""
SIDE = 1440
"""Of the layers, in channels: the larger half of its factors is more than twice the dim, below which LoKr is whole."""
made_before = set()


def own(name):
    return importlib.import_module(f"simpletuner.{name}")


def options(place):
    found = {}
    for number, config in enumerate(configs()):
        folder = write_export(place / str(number), "simpletuner", config, SUBSETS)
        for name, value, words in keys_of(folder):
            found.setdefault(name, entry(words))["types"].add(type(value).__name__)
    return tidy(found)


def keys_of(folder):
    read = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in FILES}
    for name, value in read.items():
        yield from FILES[name](folder, value)


def arguments(folder, keys):
    """Yield the keys of ``config.json`` with the choices that the parser has for them."""
    os.environ |= {"SIMPLETUNER_ENVIRONMENT": str(folder), "CONFIG_BACKEND": "json"}
    held = vars(own("helpers.configuration.loader").load_config(exit_on_error=True))
    actions = {each.dest: each for each in own("helpers.configuration.cmd_args").get_argument_parser()._actions}
    for key, value in keys.items():
        if key not in actions:
            sys.exit(f"SimpleTuner has no option {key}")
        if held[key] != value and str(held[key]) != str(value):
            sys.exit(f"SimpleTuner holds {key} as {held[key]!r}, not {value!r}")
        # Some numbers are chosen as text.
        yield f"{CONFIG_FILE}.{key}", value, [type(value)(each) for each in actions[key].choices or ()]


def backends(_, tables):
    """Yield the keys of the data backends; their classes must look at each."""
    args = own("helpers.training.state_tracker").StateTracker.get_args() or {}
    kinds = own("helpers.data_backend.config")
    for table in tables:
        is_image = table["dataset_type"] == "image"
        kind = kinds.ImageBackendConfig if is_image else kinds.TextEmbedBackendConfig
        looked_at = Recorder(table)
        kind.from_dict(looked_at, args).validate(args)
        for key, value in table.items():
            if key not in looked_at.read and not named_elsewhere(key):
                sys.exit(f"SimpleTuner does not look at {key} of a backend")
            yield f"{DATASET_FILE}.{key}", value, None


def named_elsewhere(key):
    """Say whether the factory of backends reads a key itself, from the table."""
    return f'"{key}"' in inspect.getsource(own("helpers.data_backend.factory"))


class Recorder(dict):
    """A table that knows which of its keys were looked for."""

    def __init__(self, keys):
        super().__init__(keys)
        self.read = set()

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key):
        self.read.add(key)
        return super().__contains__(key)

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)


def networks(_, keys):
    """Yield the keys of LyCORIS' config; it must make other layers where the value of a key is another."""
    if (text := json.dumps(keys)) not in made_before:
        made_before.add(text)
        held = layers(keys)
        unused = OF_FULL_RANK if keys.get("full_matrix") else set()
        for key in keys.keys() - unused - OF_SIMPLETUNER:
            if layers_or_error(keys | {key: another(keys[key])}) == held:
                sys.exit(f"LyCORIS does not look at {key} in {keys}")
    for key, value in keys.items():
        yield f"{NETWORK_FILE}.{key}", value, None


def layers_or_error(keys):
    try:
        return layers(keys)
    except Exception as error:  # noqa: BLE001 - it looked at the value, and would not have it
        return str(error)


def layers(keys):
    """Return what LyCORIS makes of the layers of the blocks that it is to change."""
    import torch  # noqa: PLC0415 - SimpleTuner's own
    from lycoris import LycorisNetwork, create_lycoris  # noqa: PLC0415 - SimpleTuner's own

    names = keys["apply_preset"]["target_module"]
    blocks = {name: type(name, (torch.nn.Sequential,), {})(torch.nn.Linear(SIDE, SIDE)) for name in names}
    if "conv_dim" in keys:
        blocks[names[-1]].append(torch.nn.Conv2d(SIDE, SIDE, 2))
    LycorisNetwork.apply_preset(keys["apply_preset"])
    rest = {key: value for key, value in keys.items() if key not in OF_SIMPLETUNER}
    made = create_lycoris(torch.nn.ModuleDict(blocks), **rest)
    wanted = sum(len(block) for block in blocks.values())
    if len(made.loras) != wanted:
        sys.exit(f"LyCORIS changes {len(made.loras)} of {wanted} layers with {keys}")
    return [described(each) for each in made.loras]


def described(layer):
    shapes = {name: list(each.shape) for name, each in layer.named_parameters()}
    plain = {name: each for name, each in vars(layer).items() if isinstance(each, bool | int | float | str)}
    return type(layer).__name__, shapes, plain, float(layer.alpha)


FILES = {CONFIG_FILE: arguments, DATASET_FILE: backends, NETWORK_FILE: networks}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv.pop(1)).resolve()))
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        write_golden(OPTIONS, indented(options(Path(place) / "options")))
