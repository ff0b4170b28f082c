"""ostris' ai-toolkit: its config file, its buckets and its steps; rules of 0.12.26 (27a03a9, 2026-08)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from . import counting, rendering, rules
from .names import LABEL, kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig

_BAR = re.compile(
    r"^[^|]*?: +\d+%\|[^|]*\| (?P<step>\d+)/(?P<total>\d+) "
    r"\[[^,\]]*(?:, +(?P<rate>[\d.]+)(?P<unit>it/s|s/it))?"
    r".*?\blr: (?P<lr>[\w.+-]+)(?: loss: (?P<loss>[\w.+-]+))?"
)


class AiToolkit:
    """ai-toolkit, started as ``run.py ai_toolkit_config.json`` in its own folder."""

    name = "ai-toolkit"
    label = LABEL
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = True
    networks = rules.NETWORKS
    same = checks.DISTINCT
    install_files = ("run.py", "toolkit/config.py")

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what ai-toolkit would stop at, ignore or do badly."""
        return checks.problems(rules, rendering.options, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that ai-toolkit has not, and what is done instead."""
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
        """Return ``ai_toolkit_config.json``, with absolute paths."""
        return rendering.files(checks.settled(config), subsets, folder, output, name)

    def stages(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the file
        folder: Path,
        accelerate: Sequence[str] = (),
    ) -> tuple[Stage, ...]:
        """Return the script and its config file."""
        checks.no_accelerate(LABEL, accelerate)
        return checks.one_stage("run.py", str(folder / rendering.CONFIG_FILE))

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - it prints all
        """Return nothing: ai-toolkit prints its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - nothing is shuffled
        """Return the caption as it is."""
        return text

    def mask(self, folder: str, stem: str) -> str:
        """Return a path in a folder beside the images'."""
        return f"{rendering.mask_folder(folder)}/{stem}.png"

    def tick(self, line: str) -> Tick | None:
        """Read tqdm's bar: ``cat:  10%|# | 10/100 [00:09<01:21,  1.10it/s, lr: 1.0e-04 loss: 3.210e-01]``."""
        found = _BAR.search(line)
        if not found:
            return None
        rate = float(found["rate"]) if found["rate"] else None
        return Tick(
            step=int(found["step"]),
            total_steps=int(found["total"]),
            loss=float(found["loss"]) if found["loss"] else None,
            learning_rate=float(found["lr"]),
            rate=1 / rate if rate and found["unit"] == "s/it" else rate,
        )

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return ``NAME/NAME_000000500.safetensors`` of each save, and ``NAME/NAME.safetensors``."""
        saved = (f"{name}/{name}_{step:09d}.safetensors" for step in counting.saves(config, schedule))
        return (*saved, f"{name}/{name}.safetensors")

    def saved_state(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the state
        output: Path,
        name: str,
        steps_per_epoch: int,
    ) -> SavedState | None:
        """Return the newest ``NAME/NAME_000000500.safetensors``: ai-toolkit goes on from it where it finds one.

        Its step is in its metadata, the optimizer's state beside it (``jobs/process/BaseSDTrainProcess.py``).
        """
        pattern = re.compile(rf"{re.escape(name)}_(\d{{9}})\.safetensors")
        folder = output / name
        files = {
            int(saved[1]): file for file in folder.glob("*.safetensors") if (saved := pattern.fullmatch(file.name))
        }
        if not files:
            return None
        steps = max(files)
        return SavedState(files[steps], steps, steps // max(steps_per_epoch, 1))

    def initial_lora(self, config: TrainingConfig) -> InitialLora:
        """Return those in the form that it saves itself."""
        return InitialLora((kind(config).lora_prefix,), drops_text=True)


TRAINER: Trainer = AiToolkit()
