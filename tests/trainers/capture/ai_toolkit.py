"""Golden files of ai-toolkit: ``options.json`` from its config classes, ``numbers.json`` from its data set and loop.

``python -m tests.trainers.capture.ai_toolkit FOLDER``. Each config is read by its own reader and given to its own
process (``BaseSDTrainProcess``), up to where that would load the model. A key that no config class looks at, or that it
does not hold as it was written, stops the script; ai-toolkit itself would pass over it. Names are given to the function
that looks them up.

Buckets and batches are those of its own data loaders over real images. The loop of steps is cut out of the process's
``run`` and run with numbers for batches, and without its training: ``trained`` are the batches of training and of
regularization images that it takes, ``saved`` the steps at which it saves.
"""

import ast
import copy
import importlib
import json
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import get_args
from unittest.mock import MagicMock

import torch

from lorads_core.trainers.ai_toolkit.rendering import CONFIG_FILE
from tests.trainers import cases_ai_toolkit as cases
from tests.trainers.accepted import entry, tidy
from tests.trainers.cases import counted_as
from tests.trainers.test_ai_toolkit_golden import OPTIONS, SUBSETS, configs

from .common import another, indented, rows, write_export, write_golden

SECTIONS = {
    "network": "NetworkConfig",
    "save": "SaveConfig",
    "train": "TrainConfig",
    "model": "ModelConfig",
    "sample": "SampleConfig",
    "logging": "LoggingConfig",
    "datasets[]": "DatasetConfig",
}
WORDS = {"network.type": "NetworkType", "model.arch": "ModelArch"}
"""Keys whose values are a closed list in ``config_modules``; it looks the others up by functions of its own."""
CHANGED = {("datasets[]", "caption_ext")}
"""Keys that it holds in a form of its own: the suffix gets a dot."""
VAE = SimpleNamespace(config={"block_out_channels": (128, 256, 512, 512)})
"""What the size of its buckets hangs on: the autoencoders of SD 1.5, SDXL, SD 3.5 and Flux halve the sides as often."""


def own(name):
    return importlib.import_module(name)


def process_of(folder):
    """Return ai-toolkit's process of a config file, as ``run.py`` makes it."""
    config = own("toolkit.config").get_config(str(folder / CONFIG_FILE))
    job = SimpleNamespace(name=config["config"]["name"], meta=config["meta"], raw_config=config)
    (keys,) = config["config"]["process"]
    return own("jobs.process.BaseSDTrainProcess").BaseSDTrainProcess(0, job, Recorder(keys))


class Recorder(dict):
    """A table that knows which of its keys were looked for."""

    def __init__(self, keys):
        super().__init__(copy.deepcopy(keys))
        self.read = set()

    def __contains__(self, key):
        self.read.add(key)
        return super().__contains__(key)


# Options


def options(place):
    found = {}
    for number, config in enumerate(configs()):
        process = process_of(write_export(place / str(number), "ai-toolkit", config, SUBSETS))
        own("toolkit.sampler").get_sampler(process.train_config.noise_scheduler, {})
        learn(process.train_config)
        draw(process)
        for name, value in keys_of(process):
            words = known_words(WORDS[name]) if name in WORDS else None
            found.setdefault(name, entry(list(words) if words else None))["types"].add(type(value).__name__)
    return tidy(found)


def known_words(name):
    """Return a closed list; that of architectures has those of all its models besides."""
    words = get_args(getattr(own("toolkit.config_modules"), name))
    return list(words) + (sorted({each.arch for each in models()} - {*words}) if name == "ModelArch" else [])


@cache
def models():
    """Return the classes of its newer models; a stand-in or an old Diffusers would make some of them missing."""
    return own("toolkit.util.get_model").get_all_models()


def model_of(process):
    """Return its model of a config, not loaded; those of old are one class, whose autoencoder is a stand-in."""
    config, old = process.model_config, own("toolkit.stable_diffusion_model").StableDiffusion
    kind = next((each for each in models() if each.arch == config.arch), old)
    if kind is not old:
        made = kind(device="cpu", model_config=config, dtype="bf16")
        made.vae, made.model = VAE, MagicMock()
        return made
    made = MagicMock(is_audio_model=False)
    made.vae, made.model_config, made.is_flux, made.is_v3 = VAE, config, config.is_flux, config.is_v3
    made.get_bucket_divisibility = lambda: old.get_bucket_divisibility(made)
    return made


def draw(process):
    """Draw timesteps by its scheduler of flow matching, which stops at an unknown kind, and name the type of 8 bits."""
    own("toolkit.util.quantize").get_qtype(process.model_config.qtype)
    if process.train_config.noise_scheduler == "flowmatch":
        scheduler = own("toolkit.sampler").get_sampler("flowmatch", {})
        kind = process.train_config.timestep_type
        scheduler.set_train_timesteps(1000, "cpu", timestep_type=kind, latents=torch.zeros(1, 16, 128, 128))


def keys_of(process):
    """Yield the name and value of each key that we wrote; stop at one that is not looked at."""
    raw = json.loads(json.dumps(process.job.raw_config))["config"]["process"][0]
    for key, value in raw.items():
        if key in SECTIONS:
            yield from checked(key, value)
        elif f"{key}[]" in SECTIONS:
            yield key, value
            for table in value:
                yield from checked(f"{key}[]", table)
        elif key in process.config.read or key == "type":  # the job reads the type
            yield key, value
        else:
            sys.exit(f"ai-toolkit does not look at {key}")


def checked(section, table):
    """Yield the keys of a section; its class must hold something else where the value of a key is another."""
    kind = getattr(own("toolkit.config_modules"), SECTIONS[section])
    held = attributes(kind(**copy.deepcopy(table)))
    for key, value in table.items():
        if attributes_with(kind, table | {key: another(value)}) == held:
            sys.exit(f"ai-toolkit does not look at {section}.{key} in {table}")
        if key in held and held[key] != value and (section, key) not in CHANGED:
            sys.exit(f"ai-toolkit holds {section}.{key} as {held[key]!r}, not {value!r}")
        yield f"{section}.{key}", value


def attributes_with(kind, table):
    try:
        return attributes(kind(**copy.deepcopy(table)))
    except Exception as error:  # noqa: BLE001 - it looked at the value, and would not have it
        return {"error": str(error)}


def attributes(value):
    """Return what an object of its holds, deep down, as plain values."""
    if isinstance(value, list | tuple):
        return [attributes(each) for each in value]
    if hasattr(value, "__dict__") and type(value).__module__.startswith("toolkit"):
        return {key: attributes(each) for key, each in vars(value).items()}
    return value


def learn(config):
    """Make the optimizer and its scheduler by ai-toolkit's own functions, which stop at an unknown name."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    own("toolkit.optimizer").get_optimizer([parameter], config.optimizer, config.lr, dict(config.optimizer_params))
    plain = torch.optim.SGD([parameter], lr=config.lr)
    own("toolkit.scheduler").get_lr_scheduler(
        config.lr_scheduler, plain, **config.lr_scheduler_params, total_iters=config.steps
    )
    if not isinstance(own("toolkit.train_tools").get_torch_dtype(config.dtype), torch.dtype):
        sys.exit(f"ai-toolkit has no type {config.dtype}")


# Numbers


def numbers(place):
    loop = loop_of(sys.modules["jobs.process.BaseSDTrainProcess"].__file__)
    for name in dict.fromkeys(map(counted_as, cases.CASES)):
        config, subsets = cases.CASES[name]
        process = process_of(write_export(place / name.replace(" ", "-"), "ai-toolkit", config, subsets))
        yield name, counted(process, loop)


def counted(process, loop):
    data = own("toolkit.data_loader")
    for step in ("cache_latents_all_latents", "cache_text_embeddings"):  # they need the model, and change no bucket
        setattr(data.AiToolkitDataset, step, lambda _: None)
    sd = model_of(process)
    size = process.train_config.batch_size
    loaders = [data.get_dataloader_from_datasets(each, size, sd) for each in (process.datasets, process.datasets_reg)]
    sets = [each for loader in loaders if loader for each in loader.dataset.datasets]
    counts = Counter()
    for each in sets:
        for bucket in each.buckets.values():
            counts[bucket.width, bucket.height] += len(bucket.file_list_idx)
    trained, saved = run(loop, process, *(range(len(loader)) if loader else None for loader in loaders))
    return {
        "buckets": [[*bucket, count] for bucket, count in sorted(counts.items())],
        "batches": {Path(each.dataset_path).name: len(each) for each in sets},
        "trained": trained,
        "saved": saved,
    }


def loop_of(source):
    """Return the loop of steps in ``BaseSDTrainProcess.run``, compiled."""
    tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    loops = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and ast.unparse(node.iter) == "range(start_step_num, self.train_config.steps)"
    ]
    (loop,) = loops
    return compile(ast.Module([loop], []), str(source), "exec")


def run(loop, process, training, others):
    """Return how many batches of either kind the loop takes, and the steps at which it saves."""
    taken, saved = Counter(), []
    stand_in = MagicMock()
    for name in ("train_config", "save_config", "sample_config", "logging_config", "timer"):
        setattr(stand_in, name, getattr(process, name))
    stand_in.start_step, stand_in.grad_accumulation_step, stand_in.performance_log_every = 0, 1, 0
    stand_in.progress_bar = stand_in.torch_profiler = stand_in.adapter = None
    stand_in.train_config.validation_config = None
    stand_in.hook_train_loop = lambda batches: taken.update(kind for kind, _ in batches)
    stand_in.save = saved.append
    loaders = {
        "dataloader": [("training", number) for number in training],
        "dataloader_reg": None if others is None else [("others", number) for number in others],
    }
    names = vars(own("jobs.process.BaseSDTrainProcess")) | {
        "flush": lambda: None,
        "print_acc": lambda *_: None,
        "trigger_dataloader_setup_epoch": lambda _: None,
        "self": stand_in,
        "start_step_num": 0,
        "did_first_flush": True,
        "flush_next": False,
        "optimizer": MagicMock(),
        "dataloader_iterator": iter(loaders["dataloader"]),
        "dataloader_iterator_reg": iter(loaders["dataloader_reg"] or ()),
        **loaders,
    }
    exec(loop, names)
    return [taken["training"], taken["others"]], saved


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).resolve()))
    with tempfile.TemporaryDirectory() as folder:
        write_golden(OPTIONS, indented(options(Path(folder) / "options")))
        write_golden(cases.GOLDEN / "numbers.json", rows(numbers(Path(folder) / "numbers")))
