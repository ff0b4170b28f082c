"""Export Dataset: a captioned dataset to a folder that a trainer takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from ..lorads_core.trainers import trainers
from ..lorads_core.trainers.defaults import make_config
from . import core, host
from .sockets import CATEGORY, ConfigSocket, DatasetSocket, ExportSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Dataset, TrainingConfig


class ExportDataset(io.ComfyNode):
    """Writes images, captions and the trainer's configs; a folder under its name is always whole."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsExportDataset",
            display_name="Export Dataset",
            category=CATEGORY,
            description="Writes the dataset with captions and configs for the trainer, and computes its steps.",
            search_aliases=["lora", "dataset", "save", "kohya", "sd-scripts"],
            inputs=[
                DatasetSocket.Input("dataset", tooltip="From Caption Builder."),
                io.Combo.Input(
                    "trainer", options=list(trainers()), default="sd-scripts", tooltip="The training program."
                ),
                io.String.Input(
                    "folder",
                    default="",
                    tooltip="The export's folder in the server's export folder; empty for the dataset's name.",
                ),
                io.Combo.Input(
                    "images",
                    options=["original", "normalised", "max_side", "max_area", "bucket"],
                    default="original",
                    tooltip="original copies valid files unchanged and repairs the others; trainers scale by"
                    " themselves. normalised re-encodes all: upright, in sRGB. max_side and max_area also scale"
                    " large images down to size. bucket scales and crops each image to its bucket.",
                ),
                io.Int.Input(
                    "size",
                    default=2048,
                    min=64,
                    max=16384,
                    step=64,
                    tooltip="Pixels: the longest side for max_side; the side of a square of that area for max_area.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "format",
                    options=["png", "jpeg", "webp"],
                    default="png",
                    tooltip="File format of re-encoded images; png is lossless.",
                    advanced=True,
                ),
                io.Int.Input(
                    "quality",
                    default=95,
                    min=1,
                    max=100,
                    tooltip="Quality of jpeg and webp; webp is lossless at 100.",
                    advanced=True,
                ),
                io.String.Input(
                    "background",
                    default="white",
                    tooltip="Background colour for transparent images, e.g. white or #808080.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "keep_alpha", default=False, tooltip="Preserve transparency, as masks need it.", advanced=True
                ),
                io.Boolean.Input(
                    "strip",
                    default=False,
                    tooltip="Leave workflows and other metadata out of copied files.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "link",
                    default=False,
                    tooltip="Hard links instead of copies, on the same drive: quick and small, but a change to one is a"
                    " change to the other.",
                    advanced=True,
                ),
                ConfigSocket.Input("config", optional=True, tooltip="From Training Config; defaults without it."),
                io.Boolean.Input(
                    "first_frame",
                    default=False,
                    tooltip="Write the first frame of animated images; they are left out otherwise.",
                    advanced=True,
                    optional=True,  # prompts of before have none
                ),
            ],
            outputs=[
                ExportSocket.Output("export", "export", tooltip="The written dataset."),
                io.String.Output("path", "path", tooltip="Its folder on the server."),
                io.String.Output("summary", "summary", tooltip="Images, buckets, steps, estimated time, problems."),
                io.Image.Output("buckets", "buckets", tooltip="A plot of the buckets and the images in each."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> int:
        """Run again when what was written is not there any more."""
        return host.exports_spoilt()

    @classmethod
    def execute(
        cls,
        dataset: Dataset,
        trainer: str,
        folder: str,
        images: str,
        size: int,
        format: str,  # noqa: A002 - the widget's name, as people know it
        quality: int,
        background: str,
        keep_alpha: bool,  # noqa: FBT001 - ComfyUI passes inputs by name
        strip: bool,  # noqa: FBT001 - as above
        link: bool,  # noqa: FBT001 - as above
        config: TrainingConfig | None = None,
        first_frame: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> io.NodeOutput:
        """Export the dataset."""
        wishes = core.parse.ImageWishes(format, quality, background, keep_alpha=keep_alpha, strip=strip)
        options = core.plan.ExportOptions(
            trainer,
            core.parse.image_policy(images, size, wishes),
            link,
            installed=host.installed_trainer(trainer),
            first_frame=first_frame,
        )
        place = host.export_root(), host.export_name(folder)
        result = core.dataset.export(host.store(), dataset, config or make_config({}), options, *place, host.progress())
        host.keep_export(result.export.folder)
        summary = core.dataset.summary_text(result)
        buckets = host.image(core.plots.bucket_image(result))
        return io.NodeOutput(result.export, str(result.export.folder), summary, buckets, ui=ui.PreviewText(summary))
