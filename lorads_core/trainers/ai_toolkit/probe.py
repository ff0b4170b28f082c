"""Run by ai-toolkit's own Python: what its config classes, data sets and loop make of configs that LoRADS wrote.

`trainers.probes` says how it is run. A config is read by its own reader and given to its own process
(``BaseSDTrainProcess``), up to where that would load the model; its model is made without one. The loop of steps is cut
out of the process's ``run`` and run with numbers for batches, and without its training.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import json
import runpy
import sys
from collections import Counter
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# By its path: nothing of LoRADS is installed where this runs.
shared: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "probes.py")))
SECTIONS = {
    "network": "NetworkConfig",
    "save": "SaveConfig",
    "train": "TrainConfig",
    "model": "ModelConfig",
    "sample": "SampleConfig",
    "logging": "LoggingConfig",
    "datasets[]": "DatasetConfig",
}
CHANGED = {("datasets[]", "caption_ext")}
"""Keys that it holds in a form of its own: the suffix gets a dot."""
VAE = SimpleNamespace(config={"block_out_channels": (128, 256, 512, 512)})
"""What the size of its buckets hangs on: the autoencoders of SD 1.5, SDXL, SD 3.5 and Flux halve the sides as often."""
_PROCESS = "jobs.process.BaseSDTrainProcess"
_SIZES = ".aitk_size.json"
_NEEDS_MODEL = ("cache_latents_all_latents", "cache_text_embeddings")  # they change no bucket


def begin() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that reads a job."""
    own("jobs.process")  # first, as its modules import one another
    return partial(read, loop_of(Path(own(_PROCESS).__file__)))


def own(name: str) -> Any:  # noqa: ANN401 - a module of ai-toolkit
    """Return a module of ai-toolkit's."""
    return importlib.import_module(name)


def read(loop: Any, job: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - compiled code
    """Return what ai-toolkit makes of one export."""
    process = process_of(Path(job["arguments"][-1]))
    try_names(process)
    ignored = sorted({name for name, _, is_held in keys_of(process) if not is_held})
    loaders = loaders_of(process)
    lengths = [len(loader) if loader else None for loader in loaders]
    steps, saved = run(loop, process, *lengths)
    sets = [each for loader in loaders if loader for each in loader.dataset.datasets]
    its_own = process.train_config.steps
    return {
        "ignored": ignored,
        "total_steps": steps_for(steps, (lengths[0] or 0) * job["epochs"]),
        "epochs": job["epochs"],
        "images": dict(image for each in sets for image in images(each)),
        "buckets": shared.summed([bucket for each in sets for bucket in buckets(each)]),
        "batches": {Path(each.dataset_path).name: len(each) for each in sets},
        "trained": [sum(step.count(kind) for step in steps[:its_own]) for kind in ("training", "others")],
        "saved": [step for step in saved if step < its_own],
    }


# The config


def process_of(file: Path) -> Any:  # noqa: ANN401 - ai-toolkit's own
    """Return ai-toolkit's process of a config file, as ``run.py`` makes it; it writes nothing."""
    config = own("toolkit.config").get_config(str(file))
    job = SimpleNamespace(name=config["config"]["name"], meta=config["meta"], raw_config=config)
    (keys,) = config["config"]["process"]
    kind = own(_PROCESS).BaseSDTrainProcess
    kind.save_training_config = _nothing
    return kind(0, job, shared.Recorder(copy.deepcopy(keys)))


def _nothing(*_: Any) -> None:  # noqa: ANN401 - as what it stands in for
    """Do nothing."""


def keys_of(process: Any) -> Iterator[tuple[str, Any, bool]]:  # noqa: ANN401 - ai-toolkit's own
    """Yield the name and value of each key that we wrote, and whether ai-toolkit holds it as it was written."""
    raw: dict[str, Any] = json.loads(json.dumps(process.job.raw_config))["config"]["process"][0]
    for key, value in raw.items():
        if key in SECTIONS:
            yield from _held(key, value)
        elif f"{key}[]" in SECTIONS:
            yield key, value, True
            for table in cast("list[Any]", value):
                yield from _held(f"{key}[]", table)
        else:
            yield key, value, key in process.config.read or key == "type"  # the job reads the type


def _held(section: str, table: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield the keys of a section: its class must hold something else where the value of a key is another."""
    kind = getattr(own("toolkit.config_modules"), SECTIONS[section])
    held = attributes(kind(**copy.deepcopy(table)))
    for key, value in table.items():
        is_read = _attributes_or_error(kind, {**table, key: shared.another(value)}) != held
        is_same = key not in held or _holds(held[key], value) or (section, key) in CHANGED
        yield f"{section}.{key}", value, is_read and is_same


def _holds(held: Any, value: Any) -> bool:  # noqa: ANN401 - ai-toolkit's own
    """Say whether a value is held as it was written; where that is a table, an object of its may hold more."""
    if isinstance(value, dict) and isinstance(held, dict):
        pairs = cast("dict[str, Any]", value).items()
        return all(key in held and _holds(held[key], each) for key, each in pairs)
    return bool(held == value)


def _attributes_or_error(kind: Any, table: dict[str, Any]) -> Any:  # noqa: ANN401 - ai-toolkit's own
    try:
        return attributes(kind(**copy.deepcopy(table)))
    except Exception as error:  # noqa: BLE001 - it looked at the value, and would not have it
        return {"error": str(error)}


def attributes(value: Any) -> Any:  # noqa: ANN401 - ai-toolkit's own
    """Return what an object of its holds, deep down, as plain values."""
    if isinstance(value, list | tuple):
        return [attributes(each) for each in cast("list[Any]", value)]
    if hasattr(value, "__dict__") and type(value).__module__.startswith("toolkit"):
        return {key: attributes(each) for key, each in cast("dict[str, Any]", vars(value)).items()}
    return value


def try_names(process: Any) -> None:  # noqa: ANN401 - ai-toolkit's own
    """Give names to the functions that look them up and stop at an unknown one.

    Those of the optimizer, its schedule, of the types of numbers, and of what timesteps are drawn by.
    """
    torch: Any = importlib.import_module("torch")
    config, sampler = process.train_config, own("toolkit.sampler")
    parameter = torch.nn.Parameter(torch.zeros(1))
    own("toolkit.optimizer").get_optimizer([parameter], config.optimizer, config.lr, dict(config.optimizer_params))
    own("toolkit.scheduler").get_lr_scheduler(
        config.lr_scheduler,
        torch.optim.SGD([parameter], lr=config.lr),
        **config.lr_scheduler_params,
        total_iters=config.steps,
    )
    if not isinstance(own("toolkit.train_tools").get_torch_dtype(config.dtype), torch.dtype):
        sys.exit(f"ai-toolkit has no type {config.dtype}")
    taken = inspect.signature(own("toolkit.lora_special").LoRASpecialNetwork.__init__).parameters
    if passed := process.network_config.network_kwargs.keys() - taken:
        sys.exit(f"ai-toolkit's network does not take {passed}")
    own("toolkit.util.quantize").get_qtype(process.model_config.qtype)
    scheduler = sampler.get_sampler(config.noise_scheduler, {})
    if config.noise_scheduler == "flowmatch":
        latents = torch.zeros(1, 16, 128, 128)
        scheduler.set_train_timesteps(1000, "cpu", timestep_type=config.timestep_type, latents=latents)


# Buckets


@cache
def models() -> Any:  # noqa: ANN401 - ai-toolkit's own
    """Return the classes of its newer models."""
    return own("toolkit.util.get_model").get_all_models()


def model_of(process: Any) -> Any:  # noqa: ANN401 - ai-toolkit's own
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


def loaders_of(process: Any) -> list[Any]:  # noqa: ANN401 - ai-toolkit's own
    """Return its data loaders of training and of regularization images, None for none."""
    data = own("toolkit.data_loader")
    for step in _NEEDS_MODEL:
        setattr(data.AiToolkitDataset, step, _nothing)
    configs = [*(process.datasets or ()), *(process.datasets_reg or ())]
    files = [Path(each.folder_path) / _SIZES for each in configs]
    new = [each for each in files if not each.exists()]
    for each in configs:
        each.caption_dropout_rate = 0  # a caption that is dropped by chance is none to compare
    try:
        sd, size = model_of(process), process.train_config.batch_size
        return [data.get_dataloader_from_datasets(each, size, sd) for each in (process.datasets, process.datasets_reg)]
    finally:
        for each in new:  # sizes that it keeps among the images
            each.unlink(missing_ok=True)


def images(dataset: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - ai-toolkit's own
    """Yield the path of each image with its bucket and caption, in which it writes two blanks after each comma."""
    for item in dataset.file_list:
        item.load_caption(dataset.caption_dict)
        yield item.path, {"bucket": [item.crop_width, item.crop_height], "caption": item.caption.replace(",  ", ", ")}


def buckets(dataset: Any) -> Iterator[list[int]]:  # noqa: ANN401 - ai-toolkit's own
    """Yield the sides of each bucket and the samples in it, repeats and mirror images counted."""
    for each in dataset.buckets.values():
        yield [each.width, each.height, len(each.file_list_idx)]


# Steps


def loop_of(source: Path) -> Any:  # noqa: ANN401 - compiled code
    """Return the loop of steps in ``BaseSDTrainProcess.run``, compiled."""
    loops = [
        node
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.For) and ast.unparse(node.iter) == "range(start_step_num, self.train_config.steps)"
    ]
    if len(loops) != 1:
        sys.exit(f"{source} has not just one loop of steps: {len(loops)}")
    return compile(ast.Module([*loops], []), str(source), "exec")


def run(loop: Any, process: Any, training: int | None, others: int | None) -> tuple[list[list[str]], list[int]]:  # noqa: ANN401
    """Run the loop for twice the steps; return the kinds of batches that each step takes, and the steps it saves at."""
    steps: list[list[str]] = []
    saved: list[int] = []
    stand_in = MagicMock()
    for name in ("save_config", "sample_config", "logging_config", "timer"):
        setattr(stand_in, name, getattr(process, name))
    stand_in.train_config = copy.copy(process.train_config)
    stand_in.train_config.steps, stand_in.train_config.validation_config = 2 * process.train_config.steps, None
    stand_in.start_step, stand_in.step_num, stand_in.epoch_num = 0, 0, 0
    stand_in.grad_accumulation_step, stand_in.performance_log_every = 1, 0
    stand_in.progress_bar = stand_in.torch_profiler = stand_in.adapter = None
    stand_in.hook_train_loop = steps.append
    stand_in.save = saved.append
    loaders = {
        "dataloader": ["training"] * (training or 0),
        "dataloader_reg": None if others is None else ["others"] * others,
    }
    names: dict[str, Any] = {
        **vars(own(_PROCESS)),
        "flush": _nothing,
        "print_acc": _nothing,
        "trigger_dataloader_setup_epoch": _nothing,
        "self": stand_in,
        "start_step_num": 0,
        "did_first_flush": True,
        "flush_next": False,
        "optimizer": MagicMock(),
        "dataloader_iterator": iter(loaders["dataloader"] or ()),
        "dataloader_iterator_reg": iter(loaders["dataloader_reg"] or ()),
        **loaders,
    }
    exec(loop, names)  # noqa: S102 - of the program that is asked
    return steps, saved


def steps_for(steps: list[list[str]], wanted: int) -> int:
    """Return how many steps there are until as many batches of training images were taken."""
    taken = accumulate(Counter(step)["training"] for step in steps)
    return next((number for number, count in enumerate(taken, 1) if count >= wanted), len(steps))


if __name__ == "__main__":
    shared.main(begin)
