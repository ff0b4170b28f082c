"""Golden files of SimpleTuner: ``options.json`` from its parser and LyCORIS, ``numbers.json`` from its data backends.

``python -m tests.trainers.capture.simpletuner FOLDER``. Each ``config.json`` is read by its own loader as it reads it
for a training; an unknown option, or one that it does not hold as it was written, stops the script. Backends are given
to their config classes, ``lycoris_config.json`` to LyCORIS with a model of the classes of blocks that it names.

Buckets are those of its ``TrainingSample`` and ``DiscoveryMetadataBackend``; steps are reckoned by its ``Trainer``, and
counted over the batches that its samplers and iterator give in all epochs, without images and model. For them, packages
of models and those that are not installed are stand-ins, and its own packages are entered without their set-up.
"""

import ast
import contextlib
import importlib
import inspect
import json
import logging
import math
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from lorads_core.base_models import BASE_MODELS
from lorads_core.trainers.simpletuner.rendering import CONFIG_FILE, DATASET_FILE, NETWORK_FILE
from tests.trainers import cases_simpletuner as cases
from tests.trainers.accepted import entry, tidy
from tests.trainers.cases import counted_as
from tests.trainers.test_simpletuner_golden import OPTIONS, SUBSETS, configs

from .common import StandIn, StandIns, another, indented, rows, write_export, write_golden

OF_SIMPLETUNER = {"apply_preset"}
"""Keys of ``lycoris_config.json`` that SimpleTuner takes out for LyCORIS' presets (``helpers/training/trainer.py``)."""
OF_FULL_RANK = {"linear_dim", "linear_alpha", "conv_dim", "conv_alpha"}
"""Keys that LyCORIS leaves aside for LoKr of full rank."""
SIDE = 1440
"""Of the layers, in channels: the larger half of its factors is more than twice the dim, below which LoKr is whole."""
ADAPTERS = {base.adapter for base in BASE_MODELS}
OF_DIFFUSERS = {"sd1x", "sdxl", "anima"}
"""Families whose blocks are those of Diffusers itself."""
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
    check_model(held)
    for key, value in keys.items():
        if key not in actions:
            sys.exit(f"SimpleTuner has no option {key}")
        if held[key] != value and str(held[key]) != str(value):
            sys.exit(f"SimpleTuner holds {key} as {held[key]!r}, not {value!r}")
        # Some numbers are chosen as text.
        yield f"{CONFIG_FILE}.{key}", value, [type(value)(each) for each in actions[key].choices or ()]


def check_model(held):
    """Let the model of a config look at it, which may change what it does not like; check what the config names of it.

    Those are its flavour, with its repository, and the classes of blocks that its network changes.
    """
    kind = own("helpers.models.registry").ModelRegistry.get(held["model_family"])
    asked = SimpleNamespace(**held)
    model = object.__new__(kind.get_real_class() if hasattr(kind, "get_real_class") else kind)
    model.config, model.accelerator, model.pipelines = asked, ALONE, {}
    model.check_user_config()
    for key in (
        "aspect_bucket_alignment",
        "base_model_precision",
        "pretrained_model_name_or_path",
        "flow_schedule_shift",
    ):
        if str(getattr(asked, key)) != str(held[key]):
            sys.exit(f"SimpleTuner's {held['model_family']} makes {getattr(asked, key)!r} of the {key} {held[key]!r}")
    named = model.HUGGINGFACE_PATHS.get(held["model_flavour"], "") if held["model_flavour"] else ""
    if named.lower() not in ("", str(held["pretrained_model_name_or_path"]).lower()):
        sys.exit(f"SimpleTuner's {held['model_family']} {held['model_flavour']} is {named}")
    named = ("assistant_lora_path", "assistant_lora_weight_name")
    adapter = "/".join(getattr(asked, name, None) or "" for name in named).strip("/")
    if adapter not in ADAPTERS:
        sys.exit(f"SimpleTuner's {held['model_family']} {held['model_flavour']} has the adapter {adapter}")
    blocks = json.loads(Path(held["lycoris_config"]).read_text(encoding="utf-8"))["apply_preset"]["target_module"]
    source = classes_near(model)
    if missing := [name for name in blocks if name not in source and held["model_family"] not in OF_DIFFUSERS]:
        sys.exit(f"SimpleTuner's {held['model_family']} has no {missing}")


def classes_near(model):
    """Return the names in the modules of a model's class, of those that it is derived from, and of its transformer."""
    kinds = {each.__module__ for each in model.MODEL_CLASS.__mro__} | {
        f"{type(model).__module__.rpartition('.')[0]}.transformer"
    }
    found = set()
    for name in kinds:
        with contextlib.suppress(ImportError):
            found |= vars(importlib.import_module(name)).keys()
    return found


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


# Numbers


def numbers(place):
    for name in dict.fromkeys(map(counted_as, cases.CASES)):
        config, subsets = cases.CASES[name]
        yield name, counted(write_export(place / name.replace(" ", "-"), "simpletuner", config, subsets), subsets)


PACKAGES = ("", ".helpers", ".helpers.training", ".helpers.data_backend", ".helpers.data_backend.runtime")
OF_MODELS = {"diffusers", "transformers", "torchvision"}


def without_set_up(home):
    """Let modules of its be imported by themselves."""
    sys.meta_path.insert(0, StandIns([home / "simpletuner"], OF_MODELS))
    for name in PACKAGES:
        package = StandIn(f"simpletuner{name}")
        package.__path__ = [str(home.joinpath("simpletuner", *name.split(".")))]
        sys.modules[package.__name__] = package


def counted(folder, subsets):
    """Return the samples of each bucket, the steps that it reckons an epoch has, and those of the whole training."""
    args = SimpleNamespace(**UNSET | json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    tracker = own("helpers.training.state_tracker").StateTracker
    tracker.clear_data_backends()
    tracker.aspect_resolution_map = {}  # it is of one training: the first bucket of an aspect is that of all subsets
    tracker.set_args(args)
    made = [backend(args, tracker, table, subsets) for table in tables_of(folder)]
    for each in made:
        each.split_buckets_between_processes(gradient_accumulation_steps=args.gradient_accumulation_steps)
        table = {"id": each.id, "dataset_type": "image", "metadata_backend": each}
        tracker.register_data_backend(table | {"config": tracker.get_data_backend_config(each.id)})
    trainer = SimpleNamespace(config=args, accelerator=ALONE, lr_scheduler=None)
    method_of("training/trainer.py", "_recalculate_training_steps")(trainer)
    samples = Counter()
    for each in made:
        for aspect, files in each.aspect_ratio_bucket_indices.items():
            samples[each.sizes[aspect]] += len(files) * (each.repeats + 1)
    given = batches(args, tracker, made) // args.gradient_accumulation_steps
    return {
        "buckets": [[*size, count] for size, count in sorted(samples.items())],
        "steps_per_epoch": args.num_update_steps_per_epoch,
        "total_steps": min(args.max_train_steps, given),
    }


UNSET = {
    "resolution": 1024,
    "resolution_type": "pixel_area",
    "max_train_steps": None,
    "strict_epoch_limit": False,
    "print_sampler_statistics": False,
}
"""What our config leaves unset of the options that are looked at here, as its parser has them."""
ALONE = SimpleNamespace(num_processes=1, process_index=0, is_main_process=True, device="cpu", state=None)


def method_of(file, name):
    """Return a method of its as a function; the module that holds it imports models."""
    state = own("helpers.training.state_tracker")
    source = Path(state.__file__).parents[1] / file
    (method,) = (
        node
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    method.returns = None
    for each in method.args.args:
        each.annotation = None
    names = {"math": math, "logger": logging.getLogger(), **vars(state)}
    for module in ("data_backend.dataset_types", "data_backend.runtime.schedule"):
        names |= vars(own(f"helpers.{module}"))
    exec(compile(ast.Module([method], []), str(source), "exec"), names)
    return names[name]


def tables_of(folder):
    tables = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
    return [each for each in tables if each["dataset_type"] == "image"]


def backend(args, tracker, table, subsets):
    """Return the metadata backend of a folder of images, with the target size of each bucket in ``sizes``."""
    convert = method_of("data_backend/factory.py", "_handle_resolution_conversion")
    convert(SimpleNamespace(args=args), table)
    held = own("helpers.data_backend.config").ImageBackendConfig.from_dict(table, vars(args)).to_dict()
    tracker.set_data_backend_config(table["id"], table | held["config"])
    kind = own("helpers.metadata.backends.discovery").DiscoveryMetadataBackend
    made = kind.__new__(kind)
    made.id, made.accelerator, made.bucket_report, made.seen_images = table["id"], ALONE, None, {}
    made.batch_size, made.repeats = args.train_batch_size, table["repeats"]
    made.instance_data_dir, made.dataset_type, made.read_only = table["instance_data_dir"], "image", False
    made.aspect_ratio_bucket_indices, made.sizes = {}, {}
    (subset,) = (each for each in subsets if each.folder == table["id"])
    for number, size in enumerate(subset.sizes):
        file = f"{made.instance_data_dir}/{number:04}.png"
        prepared = (
            own("helpers.image_manipulation.training_sample")
            .TrainingSample(
                None,
                table["id"],
                {"original_size": size},
                file,
                model=SimpleNamespace(get_transforms=list, MAXIMUM_CANVAS_SIZE=largest_area(args.model_family)),
            )
            .prepare()
        )
        made.sizes.setdefault(prepared.aspect_ratio, tuple(map(int, prepared.target_size)))
        made.aspect_ratio_bucket_indices.setdefault(prepared.aspect_ratio, []).append(file)
    return made


def largest_area(family):
    """Return what the model of a family has as ``MAXIMUM_CANVAS_SIZE``; the module that holds it imports models."""
    state = own("helpers.training.state_tracker")
    folder = Path(state.__file__).parents[1] / "models" / family
    found = re.search(
        r"^    MAXIMUM_CANVAS_SIZE = ([\d*]+)", (folder / "model.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    return eval(found[1]) if found else None


def batches(args, tracker, made):
    """Return how many batches its iterator gives in all epochs."""
    iterator = own("helpers.data_backend.runtime.dataloader_iterator")
    samplers = {each.id: sampler(each, args) for each in made}
    count = 0
    for epoch in range(1, int(args.num_train_epochs) + 1):
        tracker.set_epoch(epoch)
        left = dict(samplers)
        while iterator.random_dataloader_iterator(count, left):
            count += 1
    return count


def sampler(backend, args):
    """Return the sampler of a backend, whose images have neither captions nor metadata."""
    module = own("helpers.multiaspect.sampler")
    data = SimpleNamespace(id=backend.id)
    made = module.MultiAspectSampler(backend.id, backend, data, None, ALONE, args.train_batch_size)
    made._validate_and_yield_images_from_samples = lambda samples, _: [{"image_path": each} for each in samples]
    made.debug_log, made.logger = lambda _: None, logging.getLogger()
    made.connect_conditioning_samples = made.connect_s2v_samples = lambda samples: samples
    return made


FILES = {CONFIG_FILE: arguments, DATASET_FILE: backends, NETWORK_FILE: networks}


if __name__ == "__main__":
    home = Path(sys.argv.pop(1)).resolve()
    sys.path.insert(0, str(home))
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        write_golden(OPTIONS, indented(options(Path(place) / "options")))
        without_set_up(home)
        write_golden(cases.GOLDEN / "numbers.json", rows(numbers(Path(place) / "numbers")))
