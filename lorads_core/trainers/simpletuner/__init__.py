"""SimpleTuner: its config files, its buckets and its steps; rules of 4.8 (bc8e6ab7, 2026-08) unless said otherwise."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from . import counting, rendering, rules
from .names import LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig

_BAR = re.compile(
    r"^Epoch (?P<epoch>\d+)/[\d.]+,? Steps: .*?\| (?P<step>\d+)/(?P<total>\d+) "
    r"\[[^,\]]*(?:, +(?P<rate>[\d.]+)(?P<unit>it/s|s/it))?"
    r"(?:.*?\blr=(?P<lr>[\w.+-]+))?(?:.*?step_loss=(?P<loss>[\w.+-]+))?"
)


class SimpleTuner:
    """SimpleTuner, started by accelerate as the module ``simpletuner.train`` with the folder of its config files."""

    name = "simpletuner"
    label = LABEL
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = True
    networks = rules.NETWORKS
    same = checks.DISTINCT
    install_files = ("simpletuner/train.py",)

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what SimpleTuner would stop at, ignore or do badly."""
        return checks.problems(rules, rendering.options, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that SimpleTuner has not, and what is done instead."""
        return checks.lacks(rules, config)

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return buckets and steps; no image is dropped."""
        return counting.schedule(checks.settled(config), subsets)

    def placements(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
        """Return bucket, size before the crop, and scale of each image."""
        return counting.placements(checks.settled(config), subsets)

    def files(
        self,
        config: TrainingConfig,
        subsets: Sequence[Subset],
        folder: Path,
        output: Path,
        name: str,  # noqa: ARG002 - its files have names of their own
        home: Path | None = None,
    ) -> dict[str, str]:
        """Return ``config.json`` and what it names, with absolute paths, and the Python file that starts it."""
        metrics = rules.writes_metrics(home)
        return rendering.files(checks.settled(config), subsets, folder, output, metrics=metrics)

    def stages(self, config: TrainingConfig, folder: Path, accelerate: Sequence[str] = ()) -> tuple[Stage, ...]:
        """Return the start file beside the configs with accelerate's options."""
        compiler = rendering.COMPILER if config.compile else "no"
        options = [*checks.launch_options(config, accelerate), "--dynamo_backend", compiler]
        return checks.one_stage(str(folder / rendering.START_FILE), *options, "--module", "simpletuner.train")

    def reports(self, output: Path) -> Path | None:
        """Return the file that ``report_to`` simpletuner writes (``helpers/training/local_metrics.py``)."""
        return output / "training_metrics.jsonl"

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - it keeps a fixed count
        """Return the caption as it is: each line is a variant."""
        return text

    def mask(self, folder: str, stem: str) -> str:  # noqa: ARG002 - none are read
        """Return nothing: a mask would have to bear its image's whole name, suffix and all."""
        return ""

    def tick(self, line: str) -> Tick | None:
        """Read a line of ``training_metrics.jsonl``, or tqdm's bar (to standard error).

        ``Epoch 1/10, Steps:   3%|# | 1/32 [00:00<00:04,  1.39s/it, lr=0.0001, step_loss=0.123]``.
        """
        if line.startswith("{"):
            return _of_metrics(line)
        found = _BAR.search(line)
        if not found:
            return None
        rate = float(found["rate"]) if found["rate"] else None
        return Tick(
            step=int(found["step"]),
            total_steps=int(found["total"]),
            epoch=int(found["epoch"]),
            loss=float(found["loss"]) if found["loss"] else None,
            learning_rate=float(found["lr"]) if found["lr"] else None,
            rate=1 / rate if rate and found["unit"] == "s/it" else rate,
        )

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return ``checkpoint-STEP/pytorch_lora_weights.safetensors`` of each save, and the final file of that name."""
        saved = (f"checkpoint-{step}/{rendering.LORA_FILE}" for step in counting.saves(config, schedule))
        return (*saved, rendering.LORA_FILE)

    def saved_state(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the state
        output: Path,
        name: str,  # noqa: ARG002
        steps_per_epoch: int,
    ) -> SavedState | None:
        """Return the newest ``checkpoint-STEP``, which holds the state besides the LoRA."""
        found = checks.numbered_states(output, r"checkpoint-(\d+)")
        if not found:
            return None
        steps = max(found)
        keys = {"resume_from_checkpoint": found[steps].name}
        epochs = steps // max(steps_per_epoch, 1)
        return SavedState(found[steps], steps, epochs, file=rendering.CONFIG_FILE, keys=keys)

    def initial_lora(self, config: TrainingConfig) -> InitialLora:  # noqa: ARG002
        """Return those of LyCORIS, which makes all networks (``create_lycoris_from_weights``)."""
        return InitialLora(("lycoris_",))


TRAINER: Trainer = SimpleTuner()


def _of_metrics(line: str) -> Tick | None:
    """Read a line of the file that ``report_to`` simpletuner writes (``helpers/training/local_metrics.py``)."""
    try:
        record: Any = json.loads(line)
        metrics: Any = record["metrics"]
        step = int(record["step"])
        values = {key: float(metrics[key]) for key in ("train_loss", "learning_rate", "epoch") if key in metrics}
        epoch = int(values["epoch"]) if "epoch" in values else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return Tick(
        step=step,
        epoch=epoch,
        loss=values.get("train_loss"),
        learning_rate=values.get("learning_rate"),
    )
