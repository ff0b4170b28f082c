"""kohya-ss' musubi-tuner: its config files, buckets, stages and steps; rules of 0.3.4 (30c658c, 2026-06)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from ..kohya_output import read_line
from . import counting, rendering, resuming, rules
from .scripts import LABEL, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig


class Musubi:
    """musubi-tuner: two scripts that cache, then one that trains by ``training_config.toml``, all in its own folder."""

    name = "musubi-tuner"
    label = f"{LABEL} (kohya-ss)"
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = False
    networks = rules.NETWORKS
    same = checks.DISTINCT
    install_files = ("src/musubi_tuner/hv_train_network.py", "src/musubi_tuner/dataset/config_utils.py")

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what musubi-tuner would stop at, ignore or do badly."""
        return checks.problems(rules, rendering.options, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that musubi-tuner has not, and what is done instead."""
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
        name: str,
        home: Path | None = None,  # noqa: ARG002 - one format for all versions that have what the config asks for
    ) -> dict[str, str]:
        """Return ``training_config.toml`` and ``dataset_config.toml``, with absolute paths, and what these name."""
        return rendering.files(checks.settled(config), subsets, folder, output, name)

    def stages(self, config: TrainingConfig, folder: Path, accelerate: Sequence[str] = ()) -> tuple[Stage, ...]:
        """Return the scripts that cache latents and text encoders' outputs, and the one that trains from these."""
        return rendering.stages(checks.settled(config), folder, accelerate)

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - it prints all
        """Return nothing: musubi-tuner prints its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - nothing is shuffled
        """Return the caption as it is."""
        return text

    def mask(self, folder: str, stem: str) -> str:  # noqa: ARG002 - none are read
        """Return nothing: it reads no masks."""
        return ""

    def tick(self, line: str) -> Tick | None:
        """Read its bar and epochs, as sd-scripts prints them.

        A resumed training counts what is left alone, so that its total is none of the whole training.
        """
        found = read_line(line)
        return found and dataclasses.replace(found, total_steps=None)

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return ``NAME-000001.safetensors`` of each saved epoch but the last, which is ``NAME.safetensors``."""
        return resuming.checkpoints(config, schedule.epochs, name)

    def saved_state(self, config: TrainingConfig, output: Path, name: str, steps_per_epoch: int) -> SavedState | None:
        """Return the state ``NAME-000001-state`` of the last saved epoch."""
        return resuming.saved_state(config, output, name, steps_per_epoch)

    def initial_lora(self, config: TrainingConfig) -> InitialLora:
        """Return those with musubi-tuner's own keys: ``load_weights`` passes over all others (``networks/lora.py``)."""
        return InitialLora(script(config).lora_keys, drops_text=True)


TRAINER: Trainer = Musubi()
