"""Query Images: images of a library into a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comfy_api.latest import io

from ..lorads_core.model import MARKS, ORDERS
from ..lorads_core.problems import counted, format_problems
from . import core, host
from .sockets import CATEGORY, DatasetSocket, LibraryFolder, LibrarySocket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..lorads_core.library import Library
    from ..lorads_core.model import Dataset, DatasetImage, Order
    from ..lorads_core.workflow.dataset import Queried
    from ..lorads_core.workflow.duplicates import Duplicates


class QueryImages(io.ComfyNode):
    """Selects by cluster, album, rating, tags, size or id; with a dataset wired in, its regularization images."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsQueryImages",
            display_name="Query Images",
            category=CATEGORY,
            description="Selects images of a library by cluster, album, rating, tags, size, folder, checkpoint, LoRA,"
            " date, favorites, NSFW or id, as a dataset.",
            search_aliases=["lora", "dataset", "select", "filter"],
            inputs=[
                io.Combo.Input(
                    "library",
                    options=host.library_names(),
                    tooltip="Library to select from, unless an index is connected. Add libraries in lorads.toml.",
                ),
                io.String.Input(
                    "name",
                    default="my dataset",
                    tooltip="The dataset's name: your edited captions are saved under it. Not used with add_to.",
                ),
                io.String.Input(
                    "required_tags", default="", tooltip="Only images with all of these tags (comma-separated)."
                ),
                io.String.Input(
                    "excluded_tags", default="", tooltip="Exclude images with any of these tags (comma-separated)."
                ),
                io.Int.Input(
                    "minimum_rating",
                    default=0,
                    min=0,
                    max=10,
                    tooltip="Minimum rating, 1 to 10; 0 for any, unrated images too.",
                ),
                io.Boolean.Input("exclude_marked_bad", default=True, tooltip="Leave out images marked as bad."),
                io.Int.Input(
                    "minimum_side",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip="Minimum length of the shorter side in pixels; 0 for any.",
                ),
                io.Int.Input(
                    "maximum_images", default=0, min=0, max=1_000_000, tooltip="Maximum number of images; 0 for all."
                ),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    default="path",
                    tooltip="Sort order; decides which images a maximum selects.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**53,
                    control_after_generate=False,
                    tooltip="Seed of the random order.",
                    advanced=True,
                ),
                io.String.Input("cluster", default="", tooltip="Only this cluster (person, group).", advanced=True),
                io.String.Input("album", default="", tooltip="Only this album.", advanced=True),
                io.String.Input("ids", default="", tooltip="Only these image ids (comma-separated).", advanced=True),
                LibrarySocket.Input(
                    "index",
                    optional=True,
                    tooltip="From Index Images: select among the images of its folder, in its library.",
                ),
                DatasetSocket.Input(
                    "add_to",
                    optional=True,
                    tooltip="Add the images to this dataset as regularization images, instead of making a new one.",
                ),
                io.Combo.Input(
                    "duplicates",
                    options=["report", "drop", "keep"],
                    default="report",
                    optional=True,
                    tooltip="Identical and nearly identical training images: report them, drop all but the best, or"
                    " keep them without looking.",
                    advanced=True,
                ),
                *_origin_inputs(),
            ],
            outputs=[
                DatasetSocket.Output("dataset", "dataset", tooltip="The dataset, not captioned yet."),
                io.Int.Output("count", "count", tooltip="Number of selected images."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, library: str, **inputs: object) -> str:
        """Run again when anything in the library has changed; which one a wired index names is not known yet.

        Another program's library is none of them. Its revision changes with every write on its server, as by a vacuum.
        """
        return host.revisions(host.own_library_names() if "index" in inputs else [library])

    @classmethod
    def execute(
        cls,
        library: str,
        name: str,
        required_tags: str,
        excluded_tags: str,
        minimum_rating: int,
        exclude_marked_bad: bool,  # noqa: FBT001 - ComfyUI passes a widget's value by name
        minimum_side: int,
        maximum_images: int,
        order: Order,
        seed: int,
        cluster: str,
        album: str,
        ids: str,
        index: LibraryFolder | None = None,
        add_to: Dataset | None = None,
        duplicates: Duplicates = "report",
        favorite: str = "any",
        nsfw: str = "any",
        models: str = "",
        loras: str = "",
        created_since: str = "",
        created_before: str = "",
    ) -> io.NodeOutput:
        """Query the library."""
        wanted = core.filters.DatasetFilter(
            cluster=cluster.strip(),
            album=album.strip(),
            folders=(index.folder,) if index else (),
            minimum_rating=minimum_rating or None,
            exclude_marked_bad=exclude_marked_bad,
            required_tags=core.parse.tags(required_tags),
            excluded_tags=core.parse.tags(excluded_tags),
            minimum_side=minimum_side,
            maximum_images=maximum_images or None,
            ids=core.parse.whole_numbers(ids),
            order=order,
            seed=seed,
            favorite=MARKS[favorite],
            nsfw=MARKS[nsfw],
            models=core.parse.comma_separated(models),
            loras=core.parse.comma_separated(loras),
            created_since=core.days.read_day(created_since),
            created_before=core.days.read_day(created_before),
        )
        source = _library(index.library if index else library)
        if add_to is None:
            queried = core.dataset.query(host.store(), source, name, wanted, host.progress())
            dataset, notes = core.duplicates.look_for_duplicates(
                host.store(), queried.dataset, duplicates, host.progress()
            )
            queried = replace(queried, dataset=dataset, problems=(*queried.problems, *notes))
            return _shown(queried, dataset.training, "training")
        queried = core.dataset.add_regularization(add_to, source, wanted, host.progress())
        return _shown(queried, queried.dataset.regularization[len(add_to.regularization) :], "regularization")


def _origin_inputs() -> list[io.Combo.Input | io.String.Input]:
    """Inputs that filter by what another program knows of how images were made, and thinks of them."""
    combos = {
        "favorite": "Only favorites of DiffusionToolkit, or none of them.",
        "nsfw": "Only images that DiffusionToolkit marks as NSFW, or none of them.",
    }
    texts = {
        "models": "Only images made with one of these checkpoints: file names or hashes, comma-separated; * stands for"
        " anything.",
        "loras": "Only images made with one of these LoRAs (comma-separated); * stands for anything.",
        "created_since": "Only images of this day or later, e.g. 2025-01-31.",
        "created_before": "Only images from before this day, e.g. 2025-02-01.",
    }
    return [
        *(
            io.Combo.Input(name, options=list(MARKS), default="any", optional=True, tooltip=help_text, advanced=True)
            for name, help_text in combos.items()
        ),
        *(
            io.String.Input(name, default="", optional=True, tooltip=help_text, advanced=True)
            for name, help_text in texts.items()
        ),
    ]


def _shown(queried: Queried, chosen: Sequence[DatasetImage], what: str) -> io.NodeOutput:
    lines = [counted(len(chosen), f"{what} image"), format_problems(queried.problems)]
    shown = host.shown("\n".join(lines).strip(), core.plots.thumbnails(chosen))
    return io.NodeOutput(queried.dataset, len(chosen), ui=shown)


def _library(name: str) -> Library:
    return core.dataset.open_library(host.store(), host.settings(), name)
