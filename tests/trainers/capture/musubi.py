"""Golden files of musubi-tuner: ``options.json`` from its argument parsers, ``numbers.json`` from its datasets.

``python -m tests.trainers.capture.musubi FOLDER``. For each case the stages of a training are run as commands are:
first its two scripts that cache, with stand-ins for the models and for what they make of a batch alone; then the script
that trains, by its own code, up to where it loads the model. The script stops at a key that a parser does not have, at
an image or a caption that was not cached, and at a cached file that the training does not find.

Buckets and batches are those of its own datasets over real images. The steps are the expression that `trainer_base.py`
assigns to ``max_train_steps``.
"""

import dataclasses
import importlib
import math
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from safetensors.torch import save_file

from lorads_core.trainers import CACHE
from lorads_core.trainers.musubi.rendering import TRAINING_FILE
from tests.trainers import cases_musubi as cases
from tests.trainers.accepted import SUBSETS, entry, tidy

from .common import assigned, indented, rows, write_export, write_golden

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


if not torch.cuda.is_available():
    torch.cuda.current_device = lambda: 0  # Wan's scripts ask for it as they are imported


def module(script):
    return importlib.import_module(f"musubi_tuner.{script.removesuffix('.py')}")


# The stages that cache


class Model:
    """What a stand-in loader returns: a model, or a tokenizer and a model, that can be moved about."""

    device, dtype = torch.device("cpu"), torch.float32

    def __getattr__(self, name):
        return lambda *_, **__: self

    def __iter__(self):
        return iter((self, self))


LOADED = {"WanVAE": Model(), "T5EncoderModel": Model(), "load_vae": (Model(),) * 4}
"""What a script makes by classes and functions of its own name space."""


def cached(stage, seen, write=None):
    """Run a script that caches; ``seen`` gets the size and the caption of each image that it would encode.

    ``write`` writes the file of an image or of its caption, by default one of a single number.
    """
    name, *words = stage.arguments
    own = module(name)

    def encode(*given, **_):
        (batch,) = (each for each in given if isinstance(each, list))
        for item in batch:
            is_text = "text_encoder" in name
            note(item, seen, is_text=is_text)
            (write or write_number)(item, is_text=is_text)

    with mock.patch.object(own, "encode_and_save_batch", encode), loaders(own), mock.patch("sys.argv", [name, *words]):
        own.main()


@contextmanager
def loaders(own):
    """Put stand-ins in the place of all functions by which a script loads models."""
    ends = ("_utils", "_autoencoder", "_vae", "_text_encoder", "text_encoder_module")
    places = [each for key, each in vars(own).items() if key.endswith(ends) and key != "config_utils"]
    patches = [
        mock.patch.object(place, name, return_value=Model())
        for place in places
        for name in vars(place)
        if name.startswith("load_")
    ]
    patches += [mock.patch.object(own, name, return_value=made) for name, made in LOADED.items() if name in vars(own)]
    for each in patches:
        each.start()
    yield
    for each in patches:
        each.stop()


def note(item, seen, *, is_text):
    path = Path(item.item_key)
    found = seen.setdefault(path.relative_to(path.parents[1]).with_suffix("").as_posix(), {})
    found |= {"caption": item.caption} if is_text else {"bucket": item.content.shape[1::-1]}


def write_number(item, *, is_text):
    file = Path(item.text_encoder_output_cache_path if is_text else item.latent_cache_path)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"varlen_x_float32" if is_text else "latents_1x8x8_float32": torch.zeros(1)}, file)


# The training, up to its model


def begun(stage, look):
    """Run the script that trains by its own code, and give ``look`` its trainer, arguments and datasets."""
    name, *words = stage.arguments
    own, base = module(name), importlib.import_module("musubi_tuner.training.trainer_base")

    def train(self, args):
        if not self._validate_args_and_init(args):
            sys.exit(f"{name} ends at once with {words}")
        self._init_session(args)
        look(self, args)

    precision = tomllib.loads(Path(words[-1]).read_text(encoding="utf-8"))["mixed_precision"]
    with (
        mock.patch.object(base.NetworkTrainer, "train", train),
        mock.patch("sys.argv", [name, *words]),
        a_file_in(precision, own),
    ):
        own.main()


PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}


@contextmanager
def a_file_in(precision, own):
    """Let a script take its model's file, which is not there, for one in the precision of the training."""
    names = [name for name in vars(own) if name.startswith("detect_") and name.endswith("_dtype")]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(own, name, return_value=PRECISIONS[precision]))
        yield


def parser_of(script):
    """Return the parser of a script, as it makes it itself."""
    made = []

    def take(_, parser):
        made.append(parser)
        raise StopIteration

    own = module(script)
    with mock.patch.object(own, "read_config_from_file", take), mock.patch("sys.argv", [script]):
        try:
            own.main()
        except StopIteration:
            return made[0]


# options.json


def options(place):
    """Return the keys that we write, by script, with the types of their values and what may be chosen."""
    found = {}
    for number, config in enumerate(cases.configs()):
        folder = write_export(place / str(number), "musubi-tuner", config, SUBSETS)
        stage = training_of(config, folder)
        script = stage.arguments[0]
        keys = tomllib.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
        actions = {each.dest: each for each in parser_of(script)._actions}
        begun(stage, lambda trainer, args, keys=keys, config=config: held(trainer, args, keys, config))
        for key, value in keys.items():
            if key not in actions:
                sys.exit(f"{script} has no option {key}, which is written for {config}")
            check_type(actions[key], value)
            found.setdefault(f"{script}.{key}", entry(list(actions[key].choices or ())))["types"].add(
                type(value).__name__
            )
    return tidy(found)


def training_of(config, folder):
    """Return the stage that trains, without accelerate, which would start it in processes of their own."""
    *_, stage = cases.MUSUBI.stages(dataclasses.replace(config, processes=1), folder)
    return stage


def check_type(action, value):
    """Stop at a value of another type than the command line would give: a config file's are taken as they are."""
    if action.nargs == 0:
        fits = value is True or value is False
    elif action.nargs == "*":
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
    else:
        made = action.type(str(value)) if action.type else str(value)
        fits = made == value or str(made) == str(value)
    if not fits:
        sys.exit(f"{action.dest} = {value!r} is none of its values")


def held(trainer, args, keys, config):
    """Stop at a key that was read as something else; make the optimizer and the scheduler."""
    for key, value in keys.items():
        if getattr(args, key) != value and str(getattr(args, key)) != str(value):
            sys.exit(f"musubi-tuner holds {key} as {getattr(args, key)!r}, not {value!r}")
    parameters = [{"params": [torch.nn.Parameter(torch.zeros(8))], "lr": args.learning_rate}]
    args.max_train_steps = 100
    optimizer = trainer.get_optimizer(args, parameters)[2]
    for name, value in config.optimizer_args.items():
        held = optimizer.param_groups[0][name]
        if held not in (value, tuple(value) if isinstance(value, list) else value):
            sys.exit(f"The optimizer holds {name} as {held!r}, not {value!r}")
    trainer.get_lr_scheduler(args, optimizer, config.processes)


# numbers.json


def numbers(home):
    """Yield the name and the buckets and steps of each case."""
    source = home / "src" / "musubi_tuner" / "training" / "trainer_base.py"
    steps = assigned(source, "args.max_train_steps", "len(train_dataloader)")
    with tempfile.TemporaryDirectory() as place:
        for name, (config, subsets) in cases.CASES.items():
            folder = write_export(Path(place) / name.replace(" ", "-"), "musubi-tuner", config, subsets)
            yield name, counted(config, subsets, folder, steps)


def counted(config, subsets, folder, steps):
    *caching, _ = cases.MUSUBI.stages(config, folder)
    seen = {}
    for stage in caching:
        cached(stage, seen)
        found = {*(folder / CACHE).rglob(f"*{stage.suffix}")}
        if len(found) != sum(len(subset.sizes) for subset in subsets):
            sys.exit(f"{stage.name} left {len(found)} files that end in {stage.suffix}")
    check_seen(config, subsets, seen)
    numbers = {}
    begun(training_of(config, folder), lambda trainer, args: numbers.update(of_group(trainer, args, config, steps)))
    return numbers


def check_seen(config, subsets, seen):
    """Stop where an image was cut to another size, or another caption read, than we say."""
    keys = [f"{subset.folder}/{number:04}" for subset in subsets for number in range(len(subset.sizes))]
    for key, placed in zip(keys, cases.MUSUBI.placements(config, subsets), strict=True):
        said = {"bucket": placed.bucket, "caption": f"tomcat, {key[-4:]}"}
        if seen.get(key) != said:
            sys.exit(f"{key} is {seen.get(key)} to musubi-tuner, not {said}")


def of_group(trainer, args, config, steps):
    group, _, _ = trainer._build_dataset(args)
    total = eval(
        steps,
        {"math": math, "args": args, "train_dataloader": group},
        {"accelerator": SimpleNamespace(num_processes=config.processes)},
    )
    counts = Counter()
    for dataset in group.datasets:
        for bucket, items in dataset.batch_manager.buckets.items():
            counts[bucket[:2]] += len(items)  # behind it, Wan has a number for clips
    return {
        "buckets": [[*map(int, bucket), count] for bucket, count in sorted(counts.items())],
        "steps_per_epoch": total // args.max_train_epochs,
        "total_steps": total,
    }


if __name__ == "__main__":
    home = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(home / "src"))
    with tempfile.TemporaryDirectory() as folder:
        write_golden(cases.GOLDEN / "options.json", indented(options(Path(folder))))
    write_golden(cases.GOLDEN / "numbers.json", rows(numbers(home)))
