"""Training Config: how to train, apart from any trainer."""

from __future__ import annotations

from comfy_api.latest import io

from ..lorads_core.bases import BASE_MODELS
from ..lorads_core.model import TrainingConfig
from . import host
from .sockets import CATEGORY, ConfigSocket

_DEFAULT = TrainingConfig()
_NO_CHECKPOINT = "(choose later)"


class TrainingConfigNode(io.ComfyNode):
    """The figures that people set; what a trainer calls them is the trainer's module's business."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsTrainingConfig",
            display_name="Training Config",
            category=CATEGORY,
            description="How to train the LoRA: base model, network, resolution, steps and learning rate.",
            search_aliases=["lora", "train", "learning rate"],
            inputs=[
                io.Combo.Input(
                    "base_model",
                    options=[base.name for base in BASE_MODELS],
                    tooltip="Kind of base model: decides the trainer's script and how captions are written.",
                ),
                io.Combo.Input(
                    "checkpoint",
                    options=[_NO_CHECKPOINT, *host.checkpoints()],
                    tooltip="The base model's file, from ComfyUI's checkpoints.",
                ),
                io.Int.Input("network_dim", default=_DEFAULT.network_dim, min=1, max=1024, tooltip="Rank of the LoRA."),
                io.Float.Input(
                    "network_alpha",
                    default=_DEFAULT.network_alpha,
                    min=0.5,
                    max=1024,
                    step=0.5,
                    tooltip="Alpha: the LoRA counts alpha / dim; half the dim is usual.",
                ),
                io.Int.Input(
                    "resolution", default=_DEFAULT.resolution, min=256, max=4096, step=64, tooltip="Side in pixels."
                ),
                io.Int.Input("batch_size", default=_DEFAULT.batch_size, min=1, max=256, tooltip="Images per step."),
                io.Int.Input("epochs", default=_DEFAULT.epochs, min=1, max=10_000, tooltip="Passes over the dataset."),
                io.Int.Input(
                    "repeats", default=_DEFAULT.repeats, min=1, max=10_000, tooltip="Times an epoch shows each image."
                ),
                io.Float.Input(
                    "learning_rate",
                    default=_DEFAULT.learning_rate,
                    min=1e-7,
                    max=10,
                    step=1e-5,
                    round=False,
                    tooltip="Learning rate of the U-Net.",
                ),
                io.Int.Input(
                    "seed",
                    default=_DEFAULT.seed,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    tooltip="Seed of the training.",
                ),
            ],
            outputs=[ConfigSocket.Output("config", "config", tooltip="For Export Dataset.")],
        )

    @classmethod
    def execute(
        cls,
        base_model: str,
        checkpoint: str,
        network_dim: int,
        network_alpha: float,
        resolution: int,
        batch_size: int,
        epochs: int,
        repeats: int,
        learning_rate: float,
        seed: int,
    ) -> io.NodeOutput:
        """Put the figures together."""
        return io.NodeOutput(
            TrainingConfig(
                base_model=base_model,
                checkpoint="" if checkpoint == _NO_CHECKPOINT else host.checkpoint_path(checkpoint),
                network_dim=network_dim,
                network_alpha=network_alpha,
                resolution=resolution,
                batch_size=batch_size,
                epochs=epochs,
                repeats=repeats,
                learning_rate=learning_rate,
                seed=seed,
            )
        )
