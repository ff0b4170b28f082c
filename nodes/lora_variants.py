"""LoRA Variants: one model per epoch and strength, with its label and prompt, and the controls to compare them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from ..lorads_core.errors import SettingsError
from . import core, host, trained
from .sockets import CATEGORY, RunSocket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..lorads_core.lora_tests.variants import Candidate, Variant
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
            description="Models with a trained LoRA of several epochs and strengths, of one run, of two, or by name;"
            " the first two are controls: the base model alone, and the LoRA without its trigger.",
            search_aliases=["lora", "xy", "grid", "epochs", "strength", "compare"],
            inputs=[
                io.Model.Input("model", tooltip="The base model."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="The prompt, with the trigger, or {trigger} for each LoRA's own; empty: the trigger.",
                ),
                io.String.Input(
                    "epochs",
                    default="last",
                    tooltip="last, all, or parts of file names, comma-separated, e.g. 000002, last.",
                ),
                io.String.Input("strengths", default="0.6, 0.8, 1", tooltip="Strengths of the LoRA, comma-separated."),
                io.Boolean.Input(
                    "controls",
                    default=True,
                    tooltip="Adds two controls: the base model alone, and the LoRA without its trigger.",
                ),
                io.String.Input(
                    "loras",
                    default="",
                    placeholder="landmarks_00001_.safetensors",
                    tooltip="LoRA files by their names in ComfyUI's loaders, comma-separated: instead of a"
                    " run, or to compare a run with.",
                    advanced=True,
                ),
                RunSocket.Input("run", optional=True, tooltip="From Launch Trainer."),
                RunSocket.Input("other_run", optional=True, tooltip="A second run, to be compared with the first."),
            ],
            outputs=[
                io.Model.Output("MODEL", "models", is_output_list=True, tooltip="For KSampler: it runs once for each."),
                io.Clip.Output("CLIP", "clips", is_output_list=True, tooltip="For CLIP Text Encode."),
                io.String.Output(
                    "prompts", "prompts", is_output_list=True, tooltip="For CLIP Text Encode, and LoRA Test Grid."
                ),
                io.String.Output("labels", "labels", is_output_list=True, tooltip="For LoRA Test Grid."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, loras: str | None, **_inputs: object) -> list[str]:
        """Run again while a training goes on, and when its LoRA is gone or a named file another."""
        return [*host.run_marks(), *trained.file_marks(_names(loras or ""))]

    @classmethod
    def execute(
        cls,
        model: object,
        clip: object,
        prompt: str,
        epochs: str,
        strengths: str,
        controls: bool,  # noqa: FBT001 - ComfyUI passes a widget's value by name
        loras: str,
        run: Run | None = None,
        other_run: Run | None = None,
    ) -> io.NodeOutput:
        """Make the variants."""
        runs = [core.training.run_by_id(host.store(), each.id) for each in (run, other_run) if each]
        waiting = next((each for each in runs if not each.loras and not each.is_over), None)
        if waiting:
            return io.NodeOutput(block_execution=host.no_lora_yet(waiting))
        weights = core.variants.strengths(strengths)
        found = core.variants.variants(_sources(runs, epochs, _names(loras)), weights, prompt, controls=controls)
        patched = trained.Patched(model, clip)
        models, clips = _loaded(patched, (model, clip), found)
        for each in runs:
            patched.keep(each)
        labels = [each.label for each in found]
        said = "\n".join([_said(labels, controls=controls), *_loads(patched)])
        return io.NodeOutput(models, clips, [each.prompt for each in found], labels, ui=ui.PreviewText(said))


def _names(loras: str) -> list[str]:
    return [name.strip() for name in loras.split(",") if name.strip()]


def _sources(runs: Sequence[Run], epochs: str, names: Sequence[str]) -> list[list[Candidate]]:
    sources = core.variants.candidates_of_runs(runs, epochs)
    if names:
        sources.append(core.variants.candidates_of_files((name, trained.lora_file(name)) for name in names))
    if not sources:
        raise SettingsError("Nothing to test: wire a run from Launch Trainer, or name files in loras.")
    return sources


def _loads(patched: trained.Patched) -> list[str]:
    """Return a line for each LoRA: how much of it the model takes."""
    return [f"{file.name}: {patched.text(file)}" for file in patched.loadings]


def _loaded(
    patched: trained.Patched, base: tuple[object, object], found: Sequence[Variant]
) -> tuple[list[object], list[object]]:
    """Return the models and the text encoders of variants, showing how far it is."""
    show = host.progress()
    models: list[object] = []
    clips: list[object] = []
    for number, each in enumerate(found, 1):
        made = patched.with_lora(each.file, each.strength, each.strength) if each.file else base
        models.append(made[0])
        clips.append(made[1])
        show("variants", number, len(found))
    return models, clips


def _said(labels: Sequence[str], *, controls: bool) -> str:
    lines = list(labels)
    if controls and core.variants.NO_TRIGGER not in labels:
        lines.append("No image without the trigger: the prompt does not have one that is known.")
    return "\n".join(lines)
