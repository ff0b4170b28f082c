"""Regularization Finder: images that look like the dataset's and show another subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from ..lorads_core.model import MARKS
from ..lorads_core.problems import counted, format_problems
from . import core, host
from .sockets import CATEGORY, DatasetSocket

if TYPE_CHECKING:
    from ..lorads_core.model import Dataset
    from ..lorads_core.regularization.rules import FinderRules, Mode
    from ..lorads_core.vision.similarity.band import BandUnit

SAME = "the dataset's"


class RegularizationFinder(io.ComfyNode):
    """Finds by vectors, leaves the subject out in every guise it is known by, and spreads its picks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsRegularizationFinder",
            display_name="Regularization Finder",
            category=CATEGORY,
            description="Finds regularization images: as similar to the dataset as you set, never of its subject.",
            search_aliases=["lora", "regularization", "similar", "prior preservation"],
            inputs=[
                DatasetSocket.Input("dataset", tooltip="From Query Images."),
                io.Int.Input("count", default=100, min=1, max=1_000_000, tooltip="Number of images to find."),
                io.Combo.Input("library", options=[SAME, *host.library_names()], tooltip="Library to search."),
                io.Float.Input(
                    "minimum_similarity",
                    default=0.5,
                    min=-1.0,
                    max=100.0,
                    step=0.01,
                    tooltip="Minimum similarity to the dataset's images, as a cosine or a percentile.",
                ),
                io.Float.Input(
                    "maximum_similarity",
                    default=0.85,
                    min=-1.0,
                    max=100.0,
                    step=0.01,
                    tooltip="Maximum similarity. It is lowered automatically where that excludes the subject.",
                ),
                io.Combo.Input(
                    "unit",
                    options=["similarity", "percentile"],
                    tooltip="Unit of the two bounds: cosines, or percentiles of the library (0 to 100).",
                ),
                io.String.Input(
                    "required_tags", default="", tooltip="The class: only images with all of these tags, e.g. 1girl."
                ),
                io.String.Input("excluded_tags", default="", tooltip="No images with any of these tags."),
                io.Int.Input(
                    "minimum_rating", default=0, min=0, max=10, tooltip="Lowest rating; 0 for any, unrated images too."
                ),
                io.Combo.Input(
                    "mode",
                    options=["centres", "nearest"],
                    tooltip="Compare with the centres of the dataset, or with its nearest image.",
                    advanced=True,
                ),
                io.Float.Input(
                    "quality",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Weight of rating and aesthetic score relative to similarity.",
                    advanced=True,
                ),
                io.Float.Input(
                    "diversity",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How dissimilar the picks are to each other.",
                    advanced=True,
                ),
                io.Int.Input(
                    "per_cluster",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="Maximum number of images per person or group; 0 for any.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "exclude_clusters",
                    default=True,
                    tooltip="Leave out the clusters of the dataset's images.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "exclude_characters",
                    default=True,
                    tooltip="Leave out images with the subject's own tags.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "compare_pictures",
                    default=True,
                    tooltip="Compare the images themselves too, so that no copy of a training image is picked.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "nsfw",
                    options=list(MARKS),
                    default="any",
                    optional=True,
                    tooltip="Only images that DiffusionToolkit marks as NSFW, or none of them.",
                    advanced=True,
                ),
            ],
            outputs=[
                DatasetSocket.Output("dataset", "dataset", tooltip="The dataset with its regularization images."),
                io.Image.Output(
                    "histogram", "histogram", tooltip="Similarity of the library to the dataset, with the band."
                ),
                io.Image.Output("sheet", "sheet", tooltip="The picks on one sheet, each with its reason."),
                io.String.Output("summary", "summary", tooltip="What was found, how, and what was left out."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, library: str, **_inputs: object) -> str:
        """Run again when anything in a library has changed; which one the dataset is from is not known yet."""
        return host.revisions(host.library_names() if library == SAME else [library])

    @classmethod
    def execute(
        cls,
        dataset: Dataset,
        count: int,
        library: str,
        minimum_similarity: float,
        maximum_similarity: float,
        unit: BandUnit,
        required_tags: str,
        excluded_tags: str,
        minimum_rating: int,
        mode: Mode,
        quality: float,
        diversity: float,
        per_cluster: int,
        exclude_clusters: bool,  # noqa: FBT001 - ComfyUI passes a widget's value by name
        exclude_characters: bool,  # noqa: FBT001
        compare_pictures: bool,  # noqa: FBT001
        nsfw: str = "any",
    ) -> io.NodeOutput:
        """Find regularization images for the dataset."""
        rules = core.rules.FinderRules(
            count=count,
            band=core.band.BandRequest(minimum_similarity, maximum_similarity, unit),
            mode=mode,
            wanted=core.filters.DatasetFilter(
                required_tags=core.parse.tags(required_tags),
                excluded_tags=core.parse.tags(excluded_tags),
                minimum_rating=minimum_rating or None,
                nsfw=MARKS[nsfw],
            ),
            quality=quality,
            diversity=core.picking.DiversityRules(diversity=diversity, per_group=per_cluster),
            exclude_clusters=exclude_clusters,
            exclude_characters=exclude_characters,
            compare_pictures=compare_pictures,
        )
        return _found(dataset, dataset.library if library == SAME else library, rules)


def _found(dataset: Dataset, library: str, rules: FinderRules) -> io.NodeOutput:
    source = core.dataset.open_library(host.store(), host.settings(), library)
    found = core.dataset.find_regularization(host.store(), host.settings(), dataset, source, rules, host.progress())
    lines = [found.sentence, format_problems(found.problems)]
    lines += [f"passed over: {number:,} {reason}" for reason, number in found.passed_over.items()]
    summary = "\n".join(filter(None, lines))
    picks = found.dataset.regularization[len(dataset.regularization) :]
    return io.NodeOutput(
        found.dataset,
        host.image(core.plots.histogram(found.similarity, dataset.name)),
        host.image(core.plots.sheet(picks, f"{counted(len(picks), 'regularization image')} for {dataset.name}")),
        summary,
        ui=host.shown(summary, core.plots.thumbnails(picks)),
    )
