"""kohya-ss' sd-scripts: its config files, its buckets and its steps; rules of v0.10.1 unless said otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from ..kohya_output import read_line
from . import counting, rendering, rules
from .scripts import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig


class SdScripts:
    """sd-scripts, started as ``<script> --config_file training_config.toml`` in its own folder."""

    name = "sd-scripts"
    label = "sd-scripts (kohya-ss)"
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = False
    networks = rules.NETWORKS
    same = checks.DISTINCT
    install_files = ("sdxl_train_network.py", "library/train_util.py")

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what sd-scripts would stop at, ignore or do badly."""
        return checks.problems(rules, rendering.options, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that sd-scripts has not, and what is done instead."""
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
        """Return ``training_config.toml`` and ``dataset_config.toml``, with absolute paths, and what these name.

        sd-scripts runs in its own folder, so that a relative path would be looked for there.
        """
        return rendering.files(checks.settled(config), subsets, folder, output, name)

    def stages(self, config: TrainingConfig, folder: Path, accelerate: Sequence[str] = ()) -> tuple[Stage, ...]:
        """Return the script of the base model's family and its config file; accelerate starts several processes."""
        words = (script(config).name, "--config_file", str(folder / rendering.TRAINING_FILE))
        return checks.one_stage(*checks.accelerated(config, words, accelerate))

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - it prints all
        """Return nothing: sd-scripts prints its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:
        """Return the caption, with a mark behind the parts that stay in front where sd-scripts shuffles or drops tags.

        Where lines are variants, braces would mean a choice, and are doubled.
        """
        if config.caption_variants:
            text = text.replace("{", "{{").replace("}", "}}")
        head = max(head, config.keep_tokens)
        if not rendering.keeps_head(config):
            return text
        parts = [part.strip() for part in text.split(",")]
        return f"{', '.join(parts[:head])} {rendering.SEPARATOR} {', '.join(parts[head:])}".strip()

    def mask(self, folder: str, stem: str) -> str:
        """Return a path in a folder beside the images': ``conditioning_data_dir`` may hold nothing but masks."""
        return f"{rendering.mask_folder(folder)}/{stem}.png"

    def tick(self, line: str) -> Tick | None:
        """Read tqdm's bar and the lines of epochs; see `kohya_output`."""
        return read_line(line)

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return ``NAME-000001.safetensors`` of each saved epoch but the last, which is ``NAME.safetensors``."""
        saved = range(config.save_every_epochs, schedule.epochs, config.save_every_epochs)
        return (*(f"{name}-{epoch:06d}.safetensors" for epoch in saved), f"{name}.safetensors")

    def saved_state(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the state
        output: Path,
        name: str,
        steps_per_epoch: int,
    ) -> SavedState | None:
        """Return the state ``NAME-000001-state`` of the last saved epoch (``library/train_util.py``).

        The step in a state is counted from where its own training was resumed; the epoch in its name is not, and tells
        where to go on (``--initial_epoch`` is wrong for several processes). The bar begins at 0 again.
        """
        found = checks.numbered_states(output, rf"{re.escape(name)}-(\d{{6}})-state")
        if not found:
            return None
        epochs = max(found)
        steps = epochs * steps_per_epoch
        arguments = ("--resume", str(found[epochs]), "--initial_step", str(steps))
        return SavedState(found[epochs], steps, epochs, arguments, uncounted_steps=steps)

    def initial_lora(self, config: TrainingConfig) -> InitialLora:
        """Return those with sd-scripts' own keys: ``load_weights`` passes over all others (``networks/lora.py``)."""
        return InitialLora(script(config).lora_keys, drops_text=True)


TRAINER: Trainer = SdScripts()
