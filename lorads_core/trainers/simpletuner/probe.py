"""Run by SimpleTuner's own Python: what its parser, data backends and samplers make of configs that LoRADS wrote.

`trainers.probes` says how it is run. A config is read by its own loader and looked at by its model, which is made
without weights. Buckets and captions are those of its own backends over the real images; nothing is cached, encoded or
written among the images. Steps are reckoned by its ``Trainer``, and counted over the batches that its samplers and
iterator give in all epochs. ``lycoris_config.json`` is given to LyCORIS with blocks of the classes that it names.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import logging
import math
import os
import runpy
import sys
import tempfile
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# By its path: nothing of LoRADS is installed where this runs.
shared: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "probes.py")))
CONFIG_FILE = "config.json"
DATASET_FILE = "multidatabackend.json"
NETWORK_FILE = "lycoris_config.json"
OF_SIMPLETUNER = {"apply_preset"}
"""Keys of ``lycoris_config.json`` that SimpleTuner takes out for LyCORIS' presets (``helpers/training/trainer.py``)."""
OF_FULL_RANK = {"linear_dim", "linear_alpha", "conv_dim", "conv_alpha"}
"""Keys that LyCORIS leaves aside for LoKr of full rank."""
OF_DIFFUSERS = {"sd1x", "sdxl", "anima"}
"""Families whose blocks are those of Diffusers itself."""
SIDE = 1440
"""Of the layers, in channels: the larger half of its factors is more than twice the dim, below which LoKr is whole."""
# What needs a model's weights; none of it changes a bucket or a step.
_NEEDS_WEIGHTS = ("_uses_text_embeddings_cache", "_configure_vae_cache", "_configure_conditioning_image_embed_cache")


def begin() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that reads a job."""
    plain = (dict, list, set, str, int)
    values: dict[str, Any] = {name: each for name, each in held_by(state()).items() if isinstance(each, plain)}
    return partial(read, copy.deepcopy(values))


def own(name: str) -> Any:  # noqa: ANN401 - a module of SimpleTuner
    """Return a module of SimpleTuner's."""
    return importlib.import_module(f"simpletuner.{name}")


def state() -> Any:  # noqa: ANN401 - SimpleTuner's own
    """Return the class that holds the state of a training."""
    return own("helpers.training.state_tracker").StateTracker


def held_by(value: Any) -> dict[str, Any]:  # noqa: ANN401 - SimpleTuner's own
    """Return the attributes of an object."""
    return cast("dict[str, Any]", vars(value))


def read(fresh: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Return what SimpleTuner makes of one export; ``fresh`` is the state of a training that has not begun."""
    folder = Path(job["arguments"][0]).parent
    for name, value in copy.deepcopy(fresh).items():
        setattr(state(), name, value)
    args, model = config_of(folder)
    ignored = sorted({name for name, *_, is_held in keys_of(folder, args, model) if not is_held})
    with tempfile.TemporaryDirectory() as output:
        args.output_dir = output
        made = backends_of(folder, args, model, job["processes"])
        per_epoch, total = steps(args, made, job["processes"])
    return {
        "ignored": ignored,
        "total_steps": total,
        "steps_per_epoch": per_epoch,
        "epochs": int(args.num_train_epochs),
        "images": dict(image for each in made for image in images(each)),
        "buckets": shared.summed([bucket for each in made for bucket in buckets(each)]),
    }


# The config


def config_of(folder: Path) -> tuple[Any, Any]:
    """Return the arguments that SimpleTuner reads for a training, and its model, which has looked at them."""
    os.environ["SIMPLETUNER_ENVIRONMENT"], os.environ["CONFIG_BACKEND"] = str(folder), "json"
    args = own("helpers.configuration.loader").load_config(exit_on_error=True)
    kind = own("helpers.models.registry").ModelRegistry.get(args.model_family)
    model: Any = object.__new__(kind.get_real_class() if hasattr(kind, "get_real_class") else kind)
    model.config, model.accelerator, model.pipelines = args, accelerator(1), {}
    model.check_user_config()  # which may change what the model does not like
    return args, model


def accelerator(processes: int) -> Any:  # noqa: ANN401 - as accelerate's
    """Return what stands in for accelerate in the first of several processes."""
    return SimpleNamespace(
        num_processes=processes, process_index=0, is_main_process=True, is_local_main_process=True, device="cpu",
        state=None, wait_for_everyone=_nothing,
    )  # fmt: skip


def _nothing(*_: Any, **__: Any) -> None:  # noqa: ANN401 - as what it stands in for
    """Do nothing."""


def keys_of(folder: Path, args: Any, model: Any) -> Iterator[tuple[str, Any, list[Any], bool]]:  # noqa: ANN401
    """Yield each key that we wrote: name, value, what can be chosen, and whether it is held as it was written."""
    yield from _options(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")), held_by(args))
    for table in json.loads((folder / DATASET_FILE).read_text(encoding="utf-8")):
        yield from _of_backend(table, held_by(args))
    network = json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8"))
    yield from _of_network(network, blocks_missing(model, network["apply_preset"]["target_module"]))


def _options(keys: dict[str, Any], held: dict[str, Any]) -> Iterator[tuple[str, Any, list[Any], bool]]:
    actions = options_by_name()
    for key, value in keys.items():
        words = [type(value)(each) for each in actions[key].choices or ()] if key in actions else []
        is_held = key in actions and (held[key] == value or str(held[key]) == str(value))
        is_held |= key == "pretrained_vae_model_name_or_path" and held[key] is None  # then it is the checkpoint's own
        yield f"{CONFIG_FILE}.{key}", value, words, is_held  # some numbers are chosen as text


@cache
def options_by_name() -> dict[str, Any]:
    """Return the options of its parser."""
    parser = own("helpers.configuration.cmd_args").get_argument_parser()
    return {each.dest: each for each in parser._actions}  # noqa: SLF001 - argparse has no other list of them


def blocks_missing(model: Any, names: list[str]) -> list[str]:  # noqa: ANN401 - SimpleTuner's own
    """Return the classes of blocks that no module of a model has, where it is SimpleTuner's own.

    Those are the modules of its class, of those that it is derived from, and of its transformer.
    """
    if model.config.model_family in OF_DIFFUSERS:
        return []
    modules = {each.__module__ for each in model.MODEL_CLASS.__mro__}
    known: set[str] = set()
    for name in (*modules, f"{type(model).__module__.rpartition('.')[0]}.transformer"):
        with suppress(ImportError):
            known |= held_by(importlib.import_module(name)).keys()
    return [name for name in names if name not in known]


def _of_backend(table: dict[str, Any], args: dict[str, Any]) -> Iterator[tuple[str, Any, list[Any], bool]]:
    """Yield the keys of a data backend; its config class must look at each, or the factory of backends."""
    kinds = own("helpers.data_backend.config")
    kind = kinds.ImageBackendConfig if table["dataset_type"] == "image" else kinds.TextEmbedBackendConfig
    looked_at = shared.Recorder(table)
    kind.from_dict(looked_at, args).validate(args)
    for key, value in table.items():
        yield f"{DATASET_FILE}.{key}", value, [], key in looked_at.read or f'"{key}"' in _factory()


@cache
def _factory() -> str:
    return inspect.getsource(own("helpers.data_backend.factory"))


def _of_network(keys: dict[str, Any], missing: list[str]) -> Iterator[tuple[str, Any, list[Any], bool]]:
    """Yield the keys of LyCORIS' config; it must make other layers where the value of a key is another."""
    unread = unread_by_lycoris(json.dumps(keys)) | ({"apply_preset"} if missing else set[str]())
    for key, value in keys.items():
        yield f"{NETWORK_FILE}.{key}", value, [], key not in unread


@cache
def unread_by_lycoris(text: str) -> set[str]:
    """Return the keys of a config that LyCORIS does not look at."""
    keys: dict[str, Any] = json.loads(text)
    held, unused = layers(keys), OF_FULL_RANK if keys.get("full_matrix") else set[str]()
    tried = keys.keys() - unused - OF_SIMPLETUNER
    return {key for key in tried if _layers_or_error({**keys, key: shared.another(keys[key])}) == held}


def _layers_or_error(keys: dict[str, Any]) -> object:
    try:
        return layers(keys)
    except Exception as error:  # noqa: BLE001 - it looked at the value, and would not have it
        return str(error)


def layers(keys: dict[str, Any]) -> list[Any]:
    """Return what LyCORIS makes of the layers of the blocks that it is to change; all of them it must change."""
    torch: Any = importlib.import_module("torch")
    lycoris: Any = importlib.import_module("lycoris")
    names = keys["apply_preset"]["target_module"]
    blocks = {name: type(name, (torch.nn.Sequential,), {})(torch.nn.Linear(SIDE, SIDE)) for name in names}
    if "conv_dim" in keys:
        blocks[names[-1]].append(torch.nn.Conv2d(SIDE, SIDE, 2))
    lycoris.LycorisNetwork.apply_preset(keys["apply_preset"])
    rest = {key: value for key, value in keys.items() if key not in OF_SIMPLETUNER}
    made = lycoris.create_lycoris(torch.nn.ModuleDict(blocks), **rest)
    wanted = sum(len(block) for block in blocks.values())
    if len(made.loras) != wanted:
        sys.exit(f"LyCORIS changes {len(made.loras)} of {wanted} layers with {keys}")
    return [_described(each) for each in made.loras]


def _described(layer: Any) -> tuple[Any, ...]:  # noqa: ANN401 - LyCORIS' own
    shapes = {name: list(each.shape) for name, each in layer.named_parameters()}
    plain = {name: each for name, each in held_by(layer).items() if isinstance(each, bool | int | float | str)}
    return type(layer).__name__, shapes, plain, float(layer.alpha)


# Buckets


def backends_of(folder: Path, args: Any, model: Any, processes: int) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the data backends of the folders of images, as SimpleTuner's factory makes them for a training."""
    factory = own("helpers.data_backend.factory")
    alone, tracker = accelerator(processes), state()
    tracker.clear_data_backends()
    tracker.set_model(model)
    with untouched():
        kind = cast("Any", type("WithoutWeights", (factory.FactoryRegistry,), dict.fromkeys(_NEEDS_WEIGHTS, _nothing)))
        kind._is_multi_process = lambda _: False  # noqa: SLF001  # pyright: ignore[reportUnknownLambdaType] - the others do not wait
        made = kind(args, alone, None, None, model)
        tables = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
        made.configure_data_backends([each for each in tables if each["dataset_type"] == "image"])
    return list(made.data_backends.values())


@contextmanager
def untouched() -> Generator[None]:
    """Let nothing be written or deleted among the images, and these be looked at one after another."""
    local = own("helpers.data_backend.local").LocalDataBackend
    discovery = own("helpers.metadata.backends.discovery").DiscoveryMetadataBackend
    with (
        patch.multiple(local, write=_nothing, write_batch=_nothing, torch_save=_nothing, delete=_nothing),
        patch.object(discovery, "refresh_buckets", _refresh),
    ):
        yield


def _refresh(metadata: Any, _rank: object = None) -> None:  # noqa: ANN401 - SimpleTuner's own
    """Put all images into buckets; its own workers lose some on a busy computer, as they end before their queues."""
    found: dict[str, list[str]] = {}
    facts: dict[str, Any] = {}
    for file in sorted(metadata._discover_new_files(ignore_existing_cache=True)):  # noqa: SLF001 - as its workers do
        metadata._process_for_bucket(file, found, metadata_updates=facts)  # noqa: SLF001 - as above
    metadata.aspect_ratio_bucket_indices, metadata.image_metadata = found, facts


def images(backend: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path of each image with its bucket and the caption in its file, variants as lines."""
    prompts, config = own("helpers.prompts").PromptHandler, backend["config"]
    for path, facts in backend["metadata_backend"].image_metadata.items():
        if config["caption_strategy"] != "textfile":
            sys.exit(f"captions are read by {config['caption_strategy']}, not from text files")
        found = prompts.prepare_instance_prompt_from_textfile(
            path, use_captions=True, prepend_instance_prompt=False, data_backend=backend["data_backend"],
            disable_multiline_split=config.get("disable_multiline_split", False),
        )  # fmt: skip
        caption = "\n".join(cast("list[str]", found)) if isinstance(found, list) else found
        yield path, {"bucket": list(map(int, facts["target_size"])), "caption": caption}


def buckets(backend: dict[str, Any]) -> Iterator[list[int]]:
    """Yield the sides of each bucket and the samples in it, repeats counted."""
    metadata = backend["metadata_backend"]
    for files in metadata.aspect_ratio_bucket_indices.values():
        if files:
            width, height = metadata.image_metadata[files[0]]["target_size"]
            yield [int(width), int(height), len(files) * (metadata.repeats + 1)]


# Steps


def steps(args: Any, made: list[dict[str, Any]], processes: int) -> tuple[int, int]:  # noqa: ANN401
    """Return the steps that SimpleTuner reckons an epoch has, and how many the whole training has."""
    trainer = SimpleNamespace(config=args, accelerator=accelerator(processes), lr_scheduler=None)
    own("helpers.training.trainer").Trainer._recalculate_training_steps(trainer)  # noqa: SLF001 - what it begins with
    given = _batches(args, made) // args.gradient_accumulation_steps
    return args.num_update_steps_per_epoch, min(args.max_train_steps, given)


def _batches(args: Any, made: list[dict[str, Any]]) -> int:  # noqa: ANN401 - SimpleTuner's own
    """Return how many batches its iterator gives in all epochs; no image of them is loaded."""
    iterator, tracker = own("helpers.data_backend.runtime.dataloader_iterator"), state()
    samplers = {each["id"]: _counting(each["sampler"]) for each in made}
    count = 0
    for epoch in range(1, math.ceil(args.num_train_epochs) + 1):
        tracker.set_epoch(epoch)
        left = dict(samplers)
        while iterator.random_dataloader_iterator(count, left):
            count += 1
    return count


def _counting(sampler: Any) -> Any:  # noqa: ANN401 - SimpleTuner's own
    """Return a sampler whose images have neither captions nor metadata."""
    sampler._validate_and_yield_images_from_samples = _paths  # noqa: SLF001 - its next step
    sampler.debug_log, sampler.logger = _nothing, logging.getLogger()
    sampler.connect_conditioning_samples = sampler.connect_s2v_samples = lambda samples: samples  # pyright: ignore[reportUnknownLambdaType]
    return sampler


def _paths(samples: list[str], _bucket: object) -> list[dict[str, str]]:
    return [{"image_path": each} for each in samples]


if __name__ == "__main__":
    shared.main(begin)
