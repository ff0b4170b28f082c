"""LoRA Test Grid: what was drawn with the variants on one labelled sheet, scored, and saved with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from . import core, host, trained
from .sockets import CATEGORY, DatasetSocket, RunSocket

if TYPE_CHECKING:
    import torch

    from ..lorads_core.model import Dataset, Run


class LoraTestGrid(io.ComfyNode):
    """Takes lists whole: images and labels as LoRA Variants and what follows it gave them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsLoraTestGrid",
            display_name="LoRA Test Grid",
            category=CATEGORY,
            description="A labelled sheet of a LoRA's test images. With a CLIP vision model: their"
            " similarity to the training set, the nearest training image, the distance from"
            " the base model. Saved with the run.",
            search_aliases=["lora", "xy", "grid", "contact sheet", "compare", "score"],
            inputs=[
                io.Image.Input("images", tooltip="One for each label, in the same order: from VAE Decode."),
                io.String.Input("labels", force_input=True, tooltip="From LoRA Variants."),
                io.String.Input("title", default="LoRA test", tooltip="Title of the sheet."),
                RunSocket.Input("run", optional=True, tooltip="With it, sheet and scores are saved beside its log."),
                DatasetSocket.Input("dataset", optional=True, tooltip="The training set to compare with."),
                io.ClipVision.Input("clip_vision", optional=True, tooltip="Scores the images."),
                io.String.Input(
                    "prompts", force_input=True, optional=True, tooltip="From LoRA Variants: saved with the scores."
                ),
            ],
            outputs=[
                io.Image.Output("sheet", "sheet", tooltip="All images with labels and scores."),
                io.String.Output("scores", "scores", tooltip="As text, with warnings."),
            ],
            hidden=[io.Hidden.prompt],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        labels: list[str],
        title: list[str],
        run: list[Run] | None = None,
        dataset: list[Dataset] | None = None,
        clip_vision: list[Any] | None = None,
        prompts: list[str] | None = None,
    ) -> io.NodeOutput:
        """Lay the images out, score them, keep the test."""
        pictures = [each for batch in images for each in trained.pil_images(batch)]
        found = core.scores.unscored(labels, len(pictures), prompts or ())
        space = unread = ""
        if clip_vision:
            training = dataset[0].training if dataset else ()
            found, space, unread = trained.scored(clip_vision[0], pictures, found, training)
        loads = core.training.lora_loads_text(run[0], trained.COMFYUI) if run else ""
        picture = core.scores.sheet(pictures, found, title[0], loads)
        saved = "Not saved: no run is connected."
        if run:
            about = core.archive.ArchiveInfo(
                title[0], dataset[0].name if dataset else "", space, cls.hidden.prompt, loads
            )
            saved = f"Saved in {core.archive.save_test(run[0], picture, found, about)}"
        said = "\n".join(filter(None, (core.scores.format_scores(found), loads, unread, saved)))
        return io.NodeOutput(host.image(picture), said, ui=host.shown(said, picture))
