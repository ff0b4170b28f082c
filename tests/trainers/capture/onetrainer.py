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
import importlib
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, patch

import torch
from PIL import Image

from lorads_core.trainers.onetrainer.names import OPTIMIZERS
from lorads_core.trainers.onetrainer.rendering import CONFIG_FILE
from tests.trainers.test_onetrainer_golden import GOLDEN, NUMBERS, combinations, config_of, subsets_of, written

from .common import StandIns, write_export, write_golden

MODELS = (
    "StableDiffusion", "StableDiffusionXL", "Flux", "Flux2", "ZImage", "Krea2", "Qwen", "Chroma", "Anima",
)  # fmt: skip
LOADERS = tuple(f"{model}BaseDataLoader" for model in MODELS)
OF_MODELS = {"diffusers", "torchvision", "transformers", "torch.utils.tensorboard"}
WORLD = 2  # processes of the variant "multi"


def own(name):
    return importlib.import_module(f"modules.{name}")


# Accepted keys


def accepted():
    """Return the keys, dotted, with their types and the words of their enumerations."""
    found = {}
    for config in configs():
        keys = written(config)
        held = own("util.config.TrainConfig").TrainConfig.default_values().from_dict(keys)
        for name, value, its in pairs(keys, held):
            entry = found.setdefault(name, {"types": set(), "words": words_of(its)})
            entry["types"].add(type(value).__name__)
            if plain(its) != value:
                sys.exit(f"{config}: OneTrainer holds {name} as {its!r}, not {value!r}")
    return {name: tidy(entry) for name, entry in sorted(found.items())}


def configs():
    yield from (config_of(*combination) for combination in combinations())
    plain_one = config_of("sdxl", "lora", "plain")
    for optimizer in OPTIMIZERS:
        yield dataclasses.replace(plain_one, optimizer=optimizer)


def pairs(keys, held, prefix=""):
    """Yield name, our value and OneTrainer's of each key; tables and lists of tables are gone through."""
    for key, value in keys.items():
        if key == "__version":
            continue
        if not hasattr(held, key):
            sys.exit(f"OneTrainer has no key {prefix}{key}")
        its = getattr(held, key)
        if isinstance(value, dict):
            yield from pairs(value, its, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", [], []
            for each, one in zip(value, its or (), strict=True):
                yield from pairs(each, one, f"{prefix}{key}[].")
        else:
            yield f"{prefix}{key}", value, its


def plain(value):
    return str(value) if isinstance(value, enum.Enum) else value


def words_of(value):
    return [str(each) for each in type(value)] if isinstance(value, enum.Enum) else None


def tidy(entry):
    words = {"words": entry["words"]} if entry["words"] else {}
    return {"types": sorted(entry["types"])} | words


# Numbers


def numbers(place):
    """Yield what OneTrainer makes of each case, with the case's name."""
    for loader in LOADERS:
        own(f"dataLoader.{loader}")  # registers itself
    for case in NUMBERS["cases"]:
        base_model, network, variant, data = case["id"].split("/")
        folder = place / case["id"].replace("/", "-")
        write_export(folder, "onetrainer", config_of(base_model, network, variant), subsets_of(data))
        keys = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        config = own("util.config.TrainConfig").TrainConfig.default_values().from_dict(keys)
        config.cache_dir, config.train_device = str(folder / "cache"), "cpu"
        buckets, batches = loaded(config)
        updates, saves = trained(config, batches)
        yield {"id": case["id"], "batches": batches, "updates": updates, "saves": saves, "buckets": buckets}


def loaded(config):
    """Return the samples of each bucket, and the batches of an epoch for each process."""
    base = own("dataLoader.BaseDataLoader").BaseDataLoader
    kind = own("util.factory").get(base, config.model_type)
    counting = type("Counting", (WithoutModel, kind), {})
    model = MagicMock(train_dtype=config.train_dtype)
    multi = own("util.multi_gpu_util")
    with patch.object(multi, "world_size", lambda: WORLD), patch.object(multi, "rank", lambda: 0):
        progress = own("util.TrainProgress").TrainProgress()
        cpu = torch.device("cpu")
        loader = counting(cpu, cpu, config, model, MagicMock(), progress)
    with patch.object(importlib.import_module("mgds.pipelineModules.LoadImage"), "read_image", blank):
        loader.get_data_set().start_next_epoch()
        batches = sum(1 for _ in loader.get_data_loader())
    return samples(loader.get_data_set().loading_pipeline.modules), batches


def blank(path, *_, **__):
    """Return an image file's pixels by their number alone: buckets ask for no more."""
    with Image.open(path) as image:
        return torch.zeros(1).expand(3, image.height, image.width)


class WithoutModel:
    """The modules of a data loader that need no model; what they would have made is no name of the others either."""

    def _preparation_modules(self, _config, _model):
        return []

    def _cache_modules(self, config, model, setup):
        image, whole, text = ["original_resolution"], ["crop_resolution", "image_path"], ["prompt"]
        return self._cache_modules_from_names(
            model, setup,
            image_split_names=image, image_aggregate_names=whole, text_split_names=text,
            sort_names=[*image, *whole, *text, "concept"],
            config=config, text_caching=True,
        )  # fmt: skip

    def _output_modules(self, config, model, setup):
        names = ["image_path", "crop_resolution", "prompt"]
        return self._output_modules_from_out_names(model, setup, names, config, train_dtype=config.train_dtype)


def samples(modules):
    """Return how many samples each bucket has; None where they are sorted as they come, so that nothing counts them.

    Buckets of Qwen-Image have frames before height and width.
    """
    (sorter,) = (each for each in modules if hasattr(each, "bucket_dict"))
    if type(sorter).__name__.startswith("Inline"):
        return None
    return sorted([[int(width), int(height)], len(each)] for (*_, height, width), each in sorter.bucket_dict.items())


def trained(config, batches):
    """Return the updates of a training of as many batches an epoch, and the names of what it saves meanwhile."""
    trainer = own("trainer.GenericTrainer")
    standin = trainer.GenericTrainer.__new__(trainer.GenericTrainer)
    own("util.TimedActionMixin").TimedActionMixin.__init__(standin)
    model = MagicMock(train_progress=own("util.TrainProgress").TrainProgress(), ema=None)
    setup = MagicMock()
    setup.calculate_loss = lambda *_: torch.ones((), requires_grad=True)
    vars(standin).update(
        config=config, model=model, model_setup=setup, model_saver=MagicMock(), callbacks=MagicMock(), parameters=[],
        commands=own("util.commands.TrainCommands").TrainCommands(), tensorboard=MagicMock(),
        data_loader=Batches(config, batches), one_step_trained=False, grad_hook_handles=[],
    )  # fmt: skip
    with silent(trainer):
        standin.train()
    saved = [Path(each.kwargs["output_model_destination"]).name for each in standin.model_saver.save.call_args_list]
    return model.optimizer.step.call_count, [name.replace(STAMP, "*") for name in saved]


STAMP = "STAMP"
LEFT_OUT = ("apply_fused_back_pass", "enqueue_sample_during_training", "execute_sample_during_training", "backup")


@contextmanager
def silent(trainer):
    """Leave out what a training does besides batches, updates and saves: schedules, samples, backups, messages."""
    nothing = MagicMock()
    own_methods = {
        f"_GenericTrainer__{name}": lambda *_, **__: None
        for name in (
            "apply_fused_back_pass",
            "enqueue_sample_during_training",
            "execute_sample_during_training",
            "backup",
        )
    }
    with (
        patch.multiple(
            trainer, torch_gc=nothing, tqdm=Bar,
            get_string_timestamp=lambda: STAMP, enable_grad_scaling=lambda *_: False,
        ),
        patch.object(trainer.create, "create_lr_scheduler", nothing),
        patch.multiple(trainer.GenericTrainer, **own_methods),
    ):  # fmt: skip
        yield


class Bar(list):
    """A progress bar that says nothing."""

    def __init__(self, items, **_):
        super().__init__(items)

    def set_postfix(self, _):
        pass

    @staticmethod
    def write(_):
        pass


class Batches:
    """A data loader of numbered batches without images."""

    def __init__(self, config, count):
        self.batches = [{"concept_type": ["STANDARD"] * config.batch_size}] * count

    def get_data_set(self):
        return SimpleNamespace(start_next_epoch=lambda: None, approximate_length=lambda: len(self.batches))

    def get_data_loader(self):
        return self.batches


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
