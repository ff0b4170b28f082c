"""Caption Builder: a final caption for every image of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from comfy_api.latest import io, ui

from ..lorads_core.captions.caption import Uncaptioned
from ..lorads_core.captions.merge import MergeRules
from ..lorads_core.captions.sources import source_names
from ..lorads_core.model import Position
from ..lorads_core.problems import format_problems
from . import core, host
from .sockets import CATEGORY, DatasetSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Dataset


OURS = "(ours)"
_USUAL = MergeRules()
THRESHOLDS = (
    ("wd_threshold", _USUAL.wd_general, "Minimum confidence of a WD tagger's tags."),
    ("wd_character_threshold", _USUAL.wd_character, "Minimum confidence of a WD tagger's characters."),
    ("joytag_threshold", _USUAL.joytag, "Minimum confidence of JoyTag's tags."),
)


class CaptionBuilder(io.ComfyNode):
    """Writes captions from a source, with the trigger; captions that a person wrote stay."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsCaptionBuilder",
            display_name="Caption Builder",
            category=CATEGORY,
            description="Builds each image's training caption from tags, prose or prompts, with the trigger word.",
            search_aliases=["lora", "caption", "tags", "trigger"],
            inputs=[
                DatasetSocket.Input("dataset", tooltip="From Query Images."),
                io.Combo.Input(
                    "source", options=list(source_names()), default="sidecar", tooltip="Where captions come from."
                ),
                io.String.Input(
                    "fallback",
                    default="",
                    placeholder="joycaption, prompt",
                    tooltip="Sources to try, in this order, for images without a caption from the source.",
                ),
                io.String.Input("trigger", default="", tooltip="Trigger word that activates the concept."),
                io.Combo.Input(
                    "position",
                    options=list(get_args(Position)),
                    default="prepend",
                    tooltip="Position of the trigger in training captions. Regularization captions never contain it.",
                ),
                io.Combo.Input(
                    "base_model",
                    options=list(host.base_model_names()),
                    tooltip="Decides how rating tags are written, the order of tags, and what counts as a problem.",
                ),
                io.Combo.Input(
                    "vocabulary",
                    options=[OURS, *host.vocabulary_names()],
                    default=OURS,
                    tooltip="Aliases, implications and categories of tags. Add vocabularies in lorads.toml.",
                    advanced=True,
                ),
                io.String.Input(
                    "leave_out",
                    default="",
                    tooltip="Tags to leave out of all captions (comma-separated).",
                    advanced=True,
                ),
                io.String.Input(
                    "bind",
                    default="",
                    placeholder="blue eyes, long hair",
                    tooltip="Traits that the trigger stands for (comma-separated); training captions omit them.",
                    advanced=True,
                ),
                *(
                    io.Float.Input(name, default=usual, min=0.0, max=1.0, step=0.05, tooltip=text, advanced=True)
                    for name, usual, text in THRESHOLDS
                ),
                io.Combo.Input(
                    "uncaptioned",
                    options=list(get_args(Uncaptioned)),
                    default="trigger",
                    optional=True,
                    tooltip="Images without a caption: train them with the trigger alone, or leave them out.",
                    advanced=True,
                ),
            ],
            outputs=[
                DatasetSocket.Output("dataset", "dataset", tooltip="The captioned dataset, also saved as a draft."),
                io.String.Output("problems", "problems", tooltip="Problems to check before training."),
                io.Image.Output("picture", "plot", tooltip="Statistics of the captions: tags, lengths, sources."),
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
        dataset: Dataset,
        source: str,
        fallback: str,
        trigger: str,
        position: Position,
        base_model: str,
        vocabulary: str,
        leave_out: str,
        bind: str,
        wd_threshold: float,
        wd_character_threshold: float,
        joytag_threshold: float,
        uncaptioned: Uncaptioned = "trigger",
    ) -> io.NodeOutput:
        """Caption the dataset and keep it as a draft."""
        wishes = core.parse.CaptionWishes(
            wd_threshold,
            wd_character_threshold,
            joytag_threshold,
            left_out=leave_out,
            bound=bind,
            uncaptioned=uncaptioned,
        )
        known = core.parse.vocabulary(host.settings(), "" if vocabulary == OURS else vocabulary)
        settings = core.parse.caption_settings(
            source, core.parse.names(fallback), trigger, position, base_model, wishes, known
        )
        result = core.captions.caption(host.store(), host.settings(), dataset, settings, host.progress())
        problems = format_problems(result.problems)
        text = "\n".join(filter(None, (result.sentence, result.offer, problems)))
        picture = host.image(core.plots.caption_image(result.dataset, result.analysis, settings.profile.limits))
        shown = {**ui.PreviewText(text).as_dict(), "lorads_dataset": [str(result.dataset.id)]}
        return io.NodeOutput(result.dataset, problems, picture, ui=shown)
