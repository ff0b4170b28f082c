"""Combine Datasets: captioned datasets as one that teaches several concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from ..lorads_core.problems import format_problems
from . import core, host
from .sockets import CATEGORY, DatasetSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Dataset


class CombineDatasets(io.ComfyNode):
    """Makes one dataset of several, each a concept with its own trigger and as many repeats as balance it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsCombineDatasets",
            display_name="Combine Datasets",
            category=CATEGORY,
            description="Teaches several concepts in one LoRA: each captioned dataset keeps its trigger.",
            search_aliases=["lora", "concept", "multi", "merge", "balance"],
            inputs=[
                DatasetSocket.Input("first", tooltip="From Caption Builder."),
                DatasetSocket.Input("second", tooltip="From Caption Builder, with another trigger."),
                io.String.Input(
                    "name",
                    default="my concepts",
                    tooltip="The combined dataset's name: its captions are saved under it.",
                ),
                io.Boolean.Input(
                    "balance",
                    default=True,
                    tooltip="Repeat small concepts more often, so that training shows about as much of each.",
                ),
                io.Int.Input(
                    "repeats",
                    default=10,
                    min=1,
                    max=1000,
                    tooltip="How often an epoch shows each image of the largest concept."
                    " Without balance, the repeats of Training Config apply to all.",
                ),
                DatasetSocket.Input("third", optional=True, tooltip="Another dataset, optional."),
                DatasetSocket.Input(
                    "fourth", optional=True, tooltip="Another dataset, optional; it can be a combined one."
                ),
            ],
            outputs=[
                DatasetSocket.Output("dataset", "dataset", tooltip="The combined dataset, also saved as a draft."),
                io.String.Output("problems", "problems", tooltip="Problems to check before training."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> str:
        """Run again when a caption was edited by hand."""
        return core.captions.edits_mark(host.store())

    @classmethod
    def execute(
        cls,
        first: Dataset,
        second: Dataset,
        name: str,
        balance: bool,  # noqa: FBT001 - ComfyUI passes by name
        repeats: int,
        third: Dataset | None = None,
        fourth: Dataset | None = None,
    ) -> io.NodeOutput:
        """Combine the datasets and keep the result as a draft."""
        datasets = [each for each in (first, second, third, fourth) if each is not None]
        result = core.captions.combine(host.store(), datasets, name, repeats, balanced=balance)
        problems = format_problems(result.problems)
        text = "\n".join([*result.sentences, problems]).strip()
        return io.NodeOutput(result.dataset, problems, ui=ui.PreviewText(text))
