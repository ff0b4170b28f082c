"""ComfyUI's own trainer, the node Train LoRA: a folder that its dataset loader reads, and the values for its widgets.

Rules of 0.26.0 (``comfy_extras/nodes_train.py``, ``nodes_dataset.py``). It is not started from here: it trains in its
graph.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from ..extra import merged
from . import rules
from .rules import LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig

FILE = "train_lora_node.json"


class ComfyTrainer:
    """The node Train LoRA, fed by Dataset to Images, or by Load Image-Text (from Folder) below ComfyUI's input."""

    name = "comfyui"
    label = LABEL
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = False
    networks = rules.NETWORKS
    same = rules.SAME
    install_files = ()

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what the node cannot do, or does otherwise."""
        return checks.problems(rules, self._node, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that the node has not, and what is done instead."""
        return checks.lacks(rules, config)

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return its steps: as many as show every image once an epoch on average."""
        return rules.planned(checks.settled(config), subsets)

    def placements(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
        """Return the sizes that images are to have: the node takes them as they are, the policy bucket makes them."""
        return rules.placements(checks.settled(config), subsets)

    def files(
        self,
        config: TrainingConfig,
        subsets: Sequence[Subset],
        folder: Path,
        output: Path,
        name: str,
        home: Path | None = None,  # noqa: ARG002 - it is ComfyUI's own
    ) -> dict[str, str]:
        """Return the values of the node's widgets, and where the dataset lies, as JSON for people and programs."""
        values = {
            "folder": str(folder),
            "output": str(output),
            "prefix": f"loras/{name}",
            "models": [file for file in (config.checkpoint, *config.model_files.values()) if file],
            "TrainLoraNode": merged(self._node(config, subsets), config.extra),
        }
        return {FILE: json.dumps(values, ensure_ascii=False, indent=2) + "\n"}

    def _node(self, config: TrainingConfig, subsets: Sequence[Subset]) -> dict[str, object]:
        """Return the values of the node's widgets besides extra options."""
        planned = self.schedule(config, subsets)
        existing = {"existing_lora": rules.lora_name(config.initial_lora)} if config.initial_lora else {}
        loss = {} if config.loss_type == "mse" else {"loss_function": rules.LOSSES[config.loss_type]}
        return {
            **existing,
            **loss,
            "batch_size": config.batch_size,
            "grad_accumulation_steps": config.gradient_accumulation_steps,
            "steps": planned.total_steps,
            "learning_rate": config.learning_rate,
            "rank": rules.rank(config),
            "optimizer": rules.OPTIMIZERS.get(config.optimizer, config.optimizer),
            "seed": config.seed,
            "lora_dtype": "fp32",
            "training_dtype": rules.PRECISIONS.get(config.mixed_precision, "bf16"),
            "algorithm": rules.NETWORKS[config.network],
            "gradient_checkpointing": config.gradient_checkpointing,
            "bucket_mode": len(planned.buckets) > 1,
        }

    def stages(
        self,
        config: TrainingConfig,  # noqa: ARG002
        folder: Path,  # noqa: ARG002
        accelerate: Sequence[str] = (),
    ) -> tuple[Stage, ...]:
        """Return nothing: it trains in ComfyUI's graph.

        Raises:
            TrainerError: there are options for accelerate.
        """
        checks.no_accelerate(LABEL, accelerate)
        return ()

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - ComfyUI shows it
        """Return nothing: ComfyUI shows its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - nothing is shuffled
        """Return the caption as it is."""
        return text

    def mask(self, folder: str, stem: str) -> str:  # noqa: ARG002 - none are read
        """Return nothing: it reads no masks."""
        return ""

    def tick(self, line: str) -> Tick | None:  # noqa: ARG002 - ComfyUI shows it
        """Return nothing: ComfyUI shows its progress."""
        return None

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return what Save LoRA Weights calls its file with the prefix of `files` and the number of steps.

        Those of the LoRA that it started from count.
        """
        steps = schedule.total_steps + (rules.lora_steps(config.initial_lora) or 0)
        return (f"loras/{name}_{steps}_steps_*_.safetensors",)

    def saved_state(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the state
        output: Path,  # noqa: ARG002
        name: str,  # noqa: ARG002
        steps_per_epoch: int,  # noqa: ARG002
    ) -> SavedState | None:
        """Return nothing: the node saves no state; its input existing_lora takes the LoRA and its steps."""
        return None

    def initial_lora(self, config: TrainingConfig) -> InitialLora:  # noqa: ARG002
        """Return those of the node itself, whose keys are the names of ComfyUI's own layers."""
        return InitialLora(("diffusion_model.",))


TRAINER: Trainer = ComfyTrainer()
