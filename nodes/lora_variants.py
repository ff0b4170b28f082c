"""LoRA Variants: one model per epoch and strength, with its label and prompt, and the controls to compare them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from . import core, host, trained
from .sockets import CATEGORY, RunSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Run


class LoraVariants(io.ComfyNode):
    """Gives out lists of the same length: ComfyUI runs what follows once for each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsLoraVariants",
            display_name="LoRA Variants",
            category=CATEGORY,
            description="Models with a trained LoRA of several epochs and strengths, of one run or of two; the first"
            " two are controls: the base model alone, and the LoRA without its trigger.",
            search_aliases=["lora", "xy", "grid", "epochs", "strength", "compare"],
            inputs=[
                io.Model.Input("model", tooltip="The base model."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                RunSocket.Input("run", tooltip="From Launch Trainer."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="What is drawn, with the trigger; empty: the trigger.",
                ),
                io.String.Input(
                    "epochs", default="last", tooltip="last, all, or parts of file names by comma, e.g. 000002, last."
                ),
                io.String.Input("strengths", default="0.6, 0.8, 1", tooltip="By comma."),
                io.Boolean.Input(
                    "controls", default=True, tooltip="The base model alone, and the LoRA without its trigger, first."
                ),
                RunSocket.Input("other_run", optional=True, tooltip="A second run, to be compared with the first."),
            ],
            outputs=[
                io.Model.Output("MODEL", "models", is_output_list=True, tooltip="For KSampler: it runs once for each."),
                io.Clip.Output("CLIP", "clips", is_output_list=True, tooltip="For CLIP Text Encode."),
                io.String.Output("prompts", "prompts", is_output_list=True, tooltip="For CLIP Text Encode."),
                io.String.Output("labels", "labels", is_output_list=True, tooltip="For LoRA Test Grid."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> list[str]:
        """Run again while a training goes on, and when its LoRA is gone."""
        return host.run_marks()

    @classmethod
    def execute(
        cls,
        model: object,
        clip: object,
        run: Run,
        prompt: str,
        epochs: str,
        strengths: str,
        controls: bool,  # noqa: FBT001 - ComfyUI passes a widget's value by name
        other_run: Run | None = None,
    ) -> io.NodeOutput:
        """Make the variants."""
        runs = [core.training.run_by_id(host.store(), each.id) for each in (run, other_run) if each]
        waiting = next((each for each in runs if not each.loras and not each.is_over), None)
        if waiting:
            return io.NodeOutput(block_execution=host.no_lora_yet(waiting))
        words = prompt.strip() or core.trials.trigger_of(runs[0])
        found = core.trials.variants(runs, epochs, core.trials.strengths(strengths), words, controls=controls)
        loaded = [
            trained.with_lora(model, clip, each.file, each.strength, each.strength) if each.file else (model, clip)
            for each in found
        ]
        return io.NodeOutput(
            [each for each, _ in loaded],
            [each for _, each in loaded],
            [each.prompt for each in found],
            [each.label for each in found],
            ui=ui.PreviewText("\n".join(each.label for each in found)),
        )
