"""Dataset to Images: a dataset as lists of IMAGE and STRING, for ComfyUI's own training nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from ..lorads_core.problems import counted
from ..lorads_core.trainers.defaults import make_config
from . import core, host
from .sockets import CATEGORY, ConfigSocket, DatasetSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Dataset, TrainingConfig


class DatasetToImages(io.ComfyNode):
    """Shrinks and crops each image to a bucket, as ComfyUI's trainer takes images in the size that they have."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsDatasetToImages",
            display_name="Dataset to Images",
            category=CATEGORY,
            description="The dataset's training images and captions as lists, for Make Training Dataset"
            " and Train LoRA: training with ComfyUI alone. Each image is scaled and cropped"
            " to a bucket.",
            search_aliases=["lora", "train", "dataset", "images", "captions", "list"],
            inputs=[
                DatasetSocket.Input("dataset", tooltip="From Caption Builder."),
                io.Int.Input(
                    "maximum_images",
                    default=200,
                    min=1,
                    max=10000,
                    tooltip="Maximum number of images; all are held in memory: 12 MB each at 1024 x 1024.",
                    advanced=True,
                ),
                ConfigSocket.Input("config", optional=True, tooltip="From Training Config: the resolution of buckets."),
            ],
            outputs=[
                io.Image.Output("images", "images", is_output_list=True, tooltip="For Make Training Dataset."),
                io.String.Output("captions", "captions", is_output_list=True, tooltip="One for each image."),
                io.Int.Output("steps", "steps", tooltip="For Train LoRA: computed from epochs and repeats."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, dataset: Dataset, maximum_images: int, config: TrainingConfig | None = None) -> io.NodeOutput:
        """Read the images."""
        found = core.training.as_images(dataset, config or make_config({}), maximum_images, host.progress())
        images = [host.image(picture) for picture in found.images]
        said = f"{counted(len(images), 'image')}, {counted(found.steps, 'step')}"
        return io.NodeOutput(images, list(found.captions), found.steps, ui=ui.PreviewText(said))
