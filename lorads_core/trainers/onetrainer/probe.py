"""Run by OneTrainer's own Python: what its config, data loader and trainer make of configs that LoRADS wrote.

`trainers.probes` says how it is run. No model is loaded: the data loader is OneTrainer's own without the modules that
need one, and the steps are the updates of ``GenericTrainer.train`` over as many batches as it gives.
"""

from __future__ import annotations

import enum
import importlib
import json
import runpy
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock, patch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# By its path: nothing of LoRADS is installed where this runs.
shared: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "probes.py")))
CONFIG = "--config-path"
_VERSION = "__version"
# What a training does besides batches, updates and saves.
_LEFT_OUT = (
    "apply_fused_back_pass", "enqueue_sample_during_training", "execute_sample_during_training", "backup",
)  # fmt: skip
STAMP = "STAMP"


def begin() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that reads a job."""
    return read


def read(job: dict[str, Any]) -> dict[str, Any]:
    """Return what OneTrainer makes of one export."""
    arguments: list[str] = job["arguments"]
    file, processes = Path(arguments[arguments.index(CONFIG) + 1]), job["processes"]
    register_loaders()
    keys = json.loads(file.read_text(encoding="utf-8"))
    config = config_of(keys)
    config.cache_dir, config.train_device = str(file.with_name("cache")), "cpu"
    loader = data_loader(config, processes)
    images, count = batches_of(loader)
    updates, saves = trained(config, count)
    buckets = buckets_of(loader)
    whole = buckets is not None and sum(samples for *_, samples in buckets) == count * config.batch_size * processes
    return {
        "ignored": sorted({name for name, value, its in pairs(keys, config_of(keys)) if plain(its) != value}),
        "total_steps": updates,
        "epochs": config.epochs,
        "images": images,
        "buckets": buckets,
        "partial": not whole,
        "batches": count,
        "saves": saves,
    }


def own(name: str) -> Any:  # noqa: ANN401 - a module of OneTrainer
    """Return a module of OneTrainer's."""
    return importlib.import_module(f"modules.{name}")


def register_loaders() -> None:
    """Import every data loader of this OneTrainer: each registers itself."""
    for each in sorted(Path(own("dataLoader.BaseDataLoader").__file__).parent.glob("*BaseDataLoader.py")):
        own(f"dataLoader.{each.stem}")


def config_of(keys: dict[str, Any]) -> Any:  # noqa: ANN401 - OneTrainer's own
    """Return a config as OneTrainer reads it."""
    return own("util.config.TrainConfig").TrainConfig.default_values().from_dict(keys)


def pairs(keys: dict[str, Any], its: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Yield name, our value and OneTrainer's of each key, ``missing`` where it has none; tables are gone through."""
    for key, value in keys.items():
        if key == _VERSION:
            continue
        other = getattr(its, key, "missing")
        if isinstance(value, dict) and other != "missing":
            yield from pairs(cast("dict[str, Any]", value), other, f"{prefix}{key}.")
        elif isinstance(value, list) and other != "missing":
            yield f"{prefix}{key}", [], []
            for each, one in zip(cast("list[Any]", value), other or (), strict=True):
                yield from pairs(each, one, f"{prefix}{key}[].")
        else:
            yield f"{prefix}{key}", value, other


def plain(value: Any) -> Any:  # noqa: ANN401 - of a config
    """Return the word of an enumeration's value, any other value as it is."""
    return str(value) if isinstance(value, enum.Enum) else value


def data_loader(config: Any, processes: int) -> Any:  # noqa: ANN401 - OneTrainer's own
    """Return the data loader of a config, without the modules that need a model."""
    torch = importlib.import_module("torch")
    base = own("dataLoader.BaseDataLoader").BaseDataLoader
    counting = cast("Any", type("Counting", (WithoutModel, own("util.factory").get(base, config.model_type)), {}))
    model = MagicMock(train_dtype=config.train_dtype)
    multi = own("util.multi_gpu_util")
    with patch.object(multi, "world_size", lambda: processes), patch.object(multi, "rank", lambda: 0):
        progress = own("util.TrainProgress").TrainProgress()
        cpu = torch.device("cpu")
        return counting(cpu, cpu, config, model, MagicMock(), progress)


class WithoutModel:
    """The modules of a data loader that need no model; what they would have made is no name of the others either."""

    def _preparation_modules(self, _config: Any, _model: Any) -> list[Any]:  # noqa: ANN401
        return []

    def _cache_modules(self, config: Any, model: Any, setup: Any) -> Any:  # noqa: ANN401
        image, whole, text = ["original_resolution"], ["crop_resolution", "image_path"], ["prompt"]
        return cast("Any", self)._cache_modules_from_names(  # noqa: SLF001 - of the class that is mixed in
            model, setup,
            image_split_names=image, image_aggregate_names=whole, text_split_names=text,
            sort_names=[*image, *whole, *text, "concept"],
            config=config, text_caching=True,
        )  # fmt: skip

    def _output_modules(self, config: Any, model: Any, setup: Any) -> Any:  # noqa: ANN401
        names = ["image_path", "crop_resolution", "prompt"]
        return cast("Any", self)._output_modules_from_out_names(  # noqa: SLF001 - as above
            model, setup, names, config, train_dtype=config.train_dtype
        )


def blank(path: str, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - a tensor
    """Return an image file's pixels by their number alone: buckets ask for no more."""
    torch, image = importlib.import_module("torch"), importlib.import_module("PIL.Image")
    with image.open(path) as opened:
        return torch.zeros(1).expand(3, opened.height, opened.width)


def batches_of(loader: Any) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - OneTrainer's own
    """Return the images of an epoch with bucket and caption, and how many batches it has for each process."""
    images: dict[str, Any] = {}
    count = 0
    with patch.object(importlib.import_module("mgds.pipelineModules.LoadImage"), "read_image", blank):
        loader.get_data_set().start_next_epoch()
        for batch in loader.get_data_loader():
            count += 1
            sides = [list(map(int, each)) for each in zip(*batch["crop_resolution"], strict=True)]
            for path, (*_, height, width), caption in zip(batch["image_path"], sides, batch["prompt"], strict=True):
                images[path] = {"bucket": [width, height], "caption": caption}
    return images, count


def buckets_of(loader: Any) -> list[list[int]] | None:  # noqa: ANN401 - OneTrainer's own
    """Return the samples of each bucket; None where they are sorted as they come, so that nothing counts them.

    Buckets of Qwen-Image have frames before height and width.
    """
    modules = loader.get_data_set().loading_pipeline.modules
    (sorter,) = (each for each in modules if hasattr(each, "bucket_dict"))
    if type(sorter).__name__.startswith("Inline"):
        return None
    counts: Counter[tuple[int, int]] = Counter()
    for (*_, height, width), each in sorter.bucket_dict.items():
        counts[int(width), int(height)] += len(each)
    return [[width, height, count] for (width, height), count in sorted(counts.items())]


def trained(config: Any, batches: int) -> tuple[int, list[str]]:  # noqa: ANN401 - OneTrainer's own
    """Return the updates of a training of as many batches an epoch, and the names of what it saves meanwhile."""
    torch = importlib.import_module("torch")
    trainer = own("trainer.GenericTrainer")
    standin = trainer.GenericTrainer.__new__(trainer.GenericTrainer)
    own("util.TimedActionMixin").TimedActionMixin.__init__(standin)
    model = MagicMock(train_progress=own("util.TrainProgress").TrainProgress(), ema=None)
    setup = MagicMock()
    setup.calculate_loss.side_effect = lambda *_: torch.ones((), requires_grad=True)  # pyright: ignore[reportUnknownLambdaType]
    vars(standin).update(
        config=config, model=model, model_setup=setup, model_saver=MagicMock(), callbacks=MagicMock(), parameters=[],
        commands=own("util.commands.TrainCommands").TrainCommands(), tensorboard=MagicMock(),
        data_loader=Batches(config, batches), one_step_trained=False, grad_hook_handles=[],
    )  # fmt: skip
    with silent(trainer):
        standin.train()
    saved = [Path(each.kwargs["output_model_destination"]).name for each in standin.model_saver.save.call_args_list]
    return model.optimizer.step.call_count, [name.replace(STAMP, "*") for name in saved]


@contextmanager
def silent(trainer: Any) -> Generator[None]:  # noqa: ANN401 - a module
    """Leave out what a training does besides batches, updates and saves: schedules, samples, backups, messages."""
    nothing = MagicMock()
    own_methods: dict[str, Any] = {f"_GenericTrainer__{name}": nothing for name in _LEFT_OUT}
    with (
        patch.multiple(
            trainer, torch_gc=nothing, tqdm=Bar,
            get_string_timestamp=lambda: STAMP, enable_grad_scaling=MagicMock(return_value=False),
        ),
        patch.object(trainer.create, "create_lr_scheduler", nothing),
        patch.multiple(trainer.GenericTrainer, **own_methods),
    ):  # fmt: skip
        yield


class Bar(list[Any]):
    """A progress bar that says nothing."""

    def __init__(self, items: Any, **_: Any) -> None:  # noqa: ANN401 - as tqdm's
        super().__init__(items)

    def set_postfix(self, _: Any) -> None:  # noqa: ANN401 - as tqdm's
        """Show nothing."""

    @staticmethod
    def write(_: str) -> None:
        """Print nothing."""


class Batches:
    """A data loader of numbered batches without images."""

    def __init__(self, config: Any, count: int) -> None:  # noqa: ANN401 - OneTrainer's own
        self.batches = [{"concept_type": ["STANDARD"] * config.batch_size}] * count

    def get_data_set(self) -> SimpleNamespace:
        """Return the data set, by which the number of batches is known."""
        return SimpleNamespace(start_next_epoch=lambda: None, approximate_length=lambda: len(self.batches))

    def get_data_loader(self) -> list[dict[str, Any]]:
        """Return the batches."""
        return self.batches


if __name__ == "__main__":
    shared.main(begin)
