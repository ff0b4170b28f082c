"""An export looked at by the one who will train it: whole, unchanged, with its config; it starts nothing."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

from ..errors import TrainerError
from ..export.integrity import edited_texts
from ..export.layout import parsed_manifest, refused_manifest
from ..export.manifest_paths import link_fault, path_fault
from ..model import TrainingConfig
from ..problems import counted
from ..system import files
from ..system.paths import MANIFEST
from ..trainers.checks import settled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_LATER = (
    "blocks_to_swap", "layer_offload", "text_encoder_offload", "activation_offload", "base_precision",
    "text_encoder_precision", "fused_backward", "compile",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class TrainableExport:
    """An export as it lies there, looked through: what is needed to train it."""

    folder: Path
    manifest: Mapping[str, Any]
    manifest_hash: str
    config: TrainingConfig

    @property
    def trainer(self) -> str:
        """The trainer that it was exported for."""
        return self.manifest["trainer"]

    @property
    def output(self) -> Path:
        """Where its training saves."""
        return self.folder.parent / self.manifest["training"]["output"]

    @property
    def triggers(self) -> tuple[str, ...]:
        """The words that call what it teaches."""
        dataset = self.manifest["dataset"]
        words = (dataset["trigger"]["word"], *(concept["trigger"]["word"] for concept in dataset.get("concepts", ())))
        return tuple(word for word in words if word)

    @property
    def speed_key(self) -> str:
        """What trains at one speed on one machine."""
        return speed_key(self.trainer, self.config)


def speed_key(trainer: str, config: TrainingConfig) -> str:
    """Return what trains at one speed on one machine, in as much memory: what of a config decides that."""
    config = settled(config)
    parts = (
        trainer, config.base_model, config.network, config.resolution, config.batch_size,
        config.gradient_accumulation_steps, config.processes, config.gradient_checkpointing, config.cache_latents,
        config.mixed_precision, config.fp8_base, config.text_encoder_learning_rate > 0,
    )  # fmt: skip
    # Those that came later stand there only where they are set, so that older runs keep their kind.
    usual = TrainingConfig()
    later = [f"{name}={getattr(config, name)}" for name in _LATER if getattr(config, name) != getattr(usual, name)]
    return "/".join((*map(str, parts), *later))


def read_export(folder: Path) -> TrainableExport:
    """Return what is needed to train an export.

    Raises:
        TrainerError: it is none, is not whole, was edited since, or a path in its manifest leads elsewhere.
    """
    try:
        data = files.read_bytes(folder / MANIFEST)
        manifest = parsed_manifest(data.decode())
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError) as error:
        raise TrainerError(f"{folder} is not an export of LoRADS: export a dataset first.") from error
    except OSError as error:
        raise TrainerError(f"{folder / MANIFEST} cannot be read: {files.file_error_reason(error)}.") from error
    if manifest is None or "training" not in manifest:
        raise TrainerError(f"{folder} was exported by an older LoRADS, or its manifest is damaged: export it again.")
    if fault := path_fault(manifest) or link_fault(folder, manifest):
        raise TrainerError(refused_manifest(folder, fault))
    gone = [file for file in manifest["files"] if not (folder / file).is_file()]
    if gone:
        raise TrainerError(f"{folder} lacks {len(gone):,} of its files, e.g. {gone[0]}: export it again.")
    if edited := edited_texts(folder, manifest):
        raise TrainerError(
            f"{folder} was edited since it was exported: {counted(len(edited), 'file')}, e.g. {edited[0]}."
            " Edit the dataset or the training config instead, and export again: a run is known by what was exported."
        )
    return TrainableExport(
        folder, manifest, hashlib.sha256(data).hexdigest(), TrainingConfig.from_json(manifest["config"])
    )
