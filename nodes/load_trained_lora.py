"""Load Trained LoRA: the LoRA of a run on a model, in the graph that trained it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from . import core, host, trained
from .sockets import CATEGORY, RunSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Run


class LoadTrainedLora(io.ComfyNode):
    """Reads the file when it runs: a list of files made at the start would not have it yet."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsLoadTrainedLora",
            display_name="Load Trained LoRA",
            category=CATEGORY,
            description="Applies a trained LoRA to a model. While there is none yet, the nodes that"
            " follow are blocked.",
            search_aliases=["lora", "loader", "epoch", "trained"],
            inputs=[
                io.Model.Input("model", tooltip="The base model."),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="Without a run: a LoRA file by its name in ComfyUI's loaders, such as one from"
                    " Save LoRA Weights.",
                ),
                io.String.Input(
                    "epoch",
                    default="last",
                    tooltip="last, or part of the file name, e.g. 000004.",
                ),
                io.Float.Input(
                    "strength_model",
                    default=1.0,
                    min=-20.0,
                    max=20.0,
                    step=0.05,
                    tooltip="Strength of the LoRA on the model.",
                ),
                io.Float.Input(
                    "strength_clip",
                    default=1.0,
                    min=-20.0,
                    max=20.0,
                    step=0.05,
                    tooltip="Strength of the LoRA on the text encoder.",
                ),
                io.Clip.Input("clip", optional=True, tooltip="Its text encoder, if the LoRA changes it too."),
                RunSocket.Input("run", optional=True, tooltip="From Launch Trainer."),
            ],
            outputs=[
                io.Model.Output("MODEL", "model", tooltip="The model with the LoRA."),
                io.Clip.Output("CLIP", "clip", tooltip="The text encoder with the LoRA."),
                io.String.Output("file", "file", tooltip="The name of the LoRA's file."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_inputs: object) -> list[str]:
        """Run again while a training goes on, and when its LoRA is gone or the named file another."""
        return [*host.run_marks(), *trained.file_marks([name] if name else [])]

    @classmethod
    def execute(
        cls,
        model: object,
        name: str,
        epoch: str,
        strength_model: float,
        strength_clip: float,
        clip: object = None,
        run: Run | None = None,
    ) -> io.NodeOutput:
        """Load the LoRA."""
        if run is None:
            file = trained.lora_file(name)
        else:
            now = core.training.run_by_id(host.store(), run.id)
            if not now.loras and not now.is_over:
                return io.NodeOutput(block_execution=host.no_lora_yet(now))
            file = core.training.lora(now, "" if epoch.strip() in {"", "last"} else epoch.strip())
        patched = trained.Patched(model, clip)
        loaded = patched.with_lora(file, strength_model, strength_clip)
        if run is not None:
            patched.keep(run)
        return io.NodeOutput(
            *loaded, file.name, ui=ui.PreviewText("\n".join(filter(None, [file.name, patched.text(file)])))
        )
