"""The nodes: one file per stage of the graph, each a schema and one call into the core."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..lorads_core.errors import LoradsError
from . import panel
from .caption_builder import CaptionBuilder
from .combine_datasets import CombineDatasets
from .dataset_to_images import DatasetToImages
from .export_dataset import ExportDataset
from .index_images import IndexImages
from .launch_trainer import LaunchTrainer
from .load_trained_lora import LoadTrainedLora
from .lora_test_grid import LoraTestGrid
from .lora_variants import LoraVariants
from .query_images import QueryImages
from .regularization_finder import RegularizationFinder
from .training_config import TrainingConfigNode


class LoradsExtension(ComfyExtension):
    """All nodes, in the order of the graph."""

    async def on_load(self) -> None:
        """Give our errors a short name: ComfyUI shows a person their module's, which is the path of this folder."""
        for kind in (LoradsError, *LoradsError.__subclasses__()):
            kind.__module__ = "LoRADS"
        panel.mount()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the node classes."""
        return [
            IndexImages,
            QueryImages,
            RegularizationFinder,
            CaptionBuilder,
            CombineDatasets,
            TrainingConfigNode,
            ExportDataset,
            LaunchTrainer,
            LoadTrainedLora,
            LoraVariants,
            LoraTestGrid,
            DatasetToImages,
        ]
