"""OneTrainer: its config file, its buckets and its steps; rules of 23df383 (2026-08) unless said otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import InitialLora, SavedState, Schedule, Stage, Subset, Tick, Trainer, checks
from . import counting, names, rendering, rules
from .names import LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...buckets import Placement
    from ...model import Problem, TrainingConfig

_BAR = re.compile(
    r"(?:^|[^\w])(?P<what>step|epoch): +\d+%\|.*?\| (?P<done>\d+)/(?P<total>\d+) "
    r"\[[^,\]]*(?:, +(?P<rate>[\d.]+)(?P<unit>it/s|s/it))?(?:.*?smooth loss=(?P<loss>[\w.+-]+))?"
)

_BACKUP = re.compile(r".*-backup-\d+-(?P<epoch>\d+)-(?P<batch>\d+)")
_LORA_FORMS = ("lora_unet_", "lora_transformer_", "diffusion_model.", "lycoris_", "base_model.model.")


class OneTrainer:
    """OneTrainer, started as ``scripts/train.py --config-path onetrainer_config.json`` in its own folder."""

    name = "onetrainer"
    label = LABEL
    families = rules.FAMILIES
    adapters = rules.ADAPTERS
    edits = rules.EDITS
    downloads = False
    networks = rules.NETWORKS
    same = checks.DISTINCT
    install_files = ("scripts/train.py", "modules/trainer/GenericTrainer.py")

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return what OneTrainer would stop at, ignore or do badly."""
        return checks.problems(rules, rendering.options, config, subsets, home)

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that OneTrainer has not, and what is done instead."""
        return checks.lacks(rules, config)

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return buckets and steps; what fills no batch is dropped."""
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
        home: Path | None = None,
    ) -> dict[str, str]:
        """Return ``onetrainer_config.json``, with absolute paths, in the format of the OneTrainer in ``home``."""
        return rendering.files(checks.settled(config), subsets, folder, output, name, rules.version_of(home))

    def stages(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the file
        folder: Path,
        accelerate: Sequence[str] = (),
    ) -> tuple[Stage, ...]:
        """Return the script and its config file; it starts several processes itself."""
        checks.no_accelerate(LABEL, accelerate)
        return checks.one_stage("scripts/train.py", "--config-path", str(folder / rendering.CONFIG_FILE))

    def reports(self, output: Path) -> Path | None:  # noqa: ARG002 - it prints all
        """Return nothing: OneTrainer prints its progress."""
        return None

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:  # noqa: ARG002 - it keeps a fixed count
        """Return the caption as it is: each line is a variant."""
        return text

    def mask(self, folder: str, stem: str) -> str:
        """Return a path beside the image."""
        return f"{folder}/{stem}-masklabel.png"

    def tick(self, line: str) -> Tick | None:
        """Read tqdm's bars of epochs and of the batches of an epoch (to standard error).

        ``epoch:  10%|# | 1/10 [00:05<00:45, 5.00s/it]`` counts whole epochs; ``step:  12%|# | 3/25 [00:04<00:30,
        1.39s/it, loss=0.123, smooth loss=0.0987]`` counts batches.
        """
        found = _BAR.search(line)
        if not found:
            return None
        done, total = int(found["done"]), int(found["total"])
        if found["what"] == "epoch":
            return Tick(epoch=min(done + 1, total))
        rate = float(found["rate"]) if found["rate"] else None
        return Tick(
            batch=done,
            batches=total,
            rate=1 / rate if rate and found["unit"] == "s/it" else rate,
            loss=float(found["loss"]) if found["loss"] else None,
        )

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return ``save/NAME-*-save-STEPS-EPOCHS-0.safetensors`` of each saved epoch, and ``NAME.safetensors``.

        ``*`` is the time of saving; STEPS are batches.
        """
        config = checks.settled(config)
        batches = counting.batches_of(config, dict(schedule.buckets))
        saved = counting.saves(config, batches)
        return (
            *(f"save/{name}-*-save-{done}-{epochs}-{rest}.safetensors" for done, epochs, rest in saved),
            f"{name}.safetensors",
        )

    def saved_state(
        self,
        config: TrainingConfig,  # noqa: ARG002 - all is in the state
        output: Path,
        name: str,  # noqa: ARG002
        steps_per_epoch: int,
    ) -> SavedState | None:
        """Return the newest whole backup, ``backup/TIME-backup-BATCHES-EPOCH-BATCH``.

        OneTrainer takes the newest itself, by name; its bar of epochs begins at 0 again. The settings are written into
        a backup last (``modules/trainer/GenericTrainer.py``).
        """
        folder = output / "backup"
        backups = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
        named = [(found, each) for each in backups if (found := _BACKUP.fullmatch(each.name))]
        whole = [(found, each) for found, each in named if (each / "onetrainer_config" / "args.json").is_file()]
        if not whole:
            return None
        found, path = whole[0]
        epochs = int(found["epoch"])
        return SavedState(
            path,
            epochs * steps_per_epoch,
            epochs,
            file=rendering.CONFIG_FILE,
            keys={"continue_last_backup": True},
            uncounted_epochs=epochs,
            unfinished=tuple(each for _, each in named if each.name > path.name),
        )

    def initial_lora(self, config: TrainingConfig) -> InitialLora:
        """Return those in any form that it knows (``modules/util/load_lora_util.py``)."""
        return InitialLora((f"{names.kind(config).denoiser}.", *_LORA_FORMS))


TRAINER: Trainer = OneTrainer()
