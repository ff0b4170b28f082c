"""Index Images: a folder into the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io, ui

from ..lorads_core.problems import format_problems
from . import core, host, trained
from .sockets import CATEGORY, LibraryFolder, LibrarySocket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from ..lorads_core.vision.taggers.run import TagReport
    from .embedder import ClipVision

NO_TAGGER = "(none)"
ClipVisionSocket = io.Custom("CLIP_VISION")


class IndexImages(io.ComfyNode):
    """Reads what is new or changed in a folder; unchanged files cost a look at their date.

    It takes lists whole, so that all images of a graph are indexed at once.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsIndexImages",
            display_name="Index Images",
            category=CATEGORY,
            description="Indexes a folder of images, or images of the graph, with captions and prompts,"
            " into a LoRADS library.",
            search_aliases=["lora", "dataset", "folder", "library"],
            inputs=[
                io.String.Input(
                    "folder",
                    default="",
                    placeholder="my_pictures",
                    tooltip="Folder under ComfyUI's input folder or a root of lorads.toml; subfolders are"
                    " included. With images connected, the folder under input/lorads to save them"
                    " in.",
                ),
                io.Combo.Input(
                    "library",
                    options=host.library_names(),
                    tooltip="Library that the images are indexed into. Add libraries in lorads.toml.",
                ),
                io.String.Input(
                    "sidecars",
                    default=".txt=sidecar, .caption=joycaption",
                    tooltip="What text files beside images contain: .txt=wd or .txt=joytag for a tagger's tags.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "tagger",
                    options=[NO_TAGGER, *host.tagger_names()],
                    default=NO_TAGGER,
                    optional=True,
                    tooltip="Tags the images that have no tags of this tagger yet. Add taggers in lorads.toml.",
                ),
                ClipVisionSocket.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="From Load CLIP Vision. Embeds each image, for Regularization Finder.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="Images of the graph, as a batch or a list: saved as PNG files, then indexed"
                    " like a folder.",
                ),
                io.String.Input(
                    "captions",
                    force_input=True,
                    optional=True,
                    tooltip="A caption for each of the images, saved beside it as a text file.",
                ),
            ],
            outputs=[
                LibrarySocket.Output("index", "index", tooltip="The indexed folder, for Query Images."),
                io.Int.Output("count", "count", tooltip="Number of images found."),
                io.String.Output("problems", "problems", tooltip="One line per file that could not be read."),
            ],
            is_input_list=True,
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(
        cls,
        folder: list[str],
        library: list[str],
        sidecars: list[str],
        tagger: Sequence[str] = (NO_TAGGER,),
        **wired: Any,  # noqa: ANN401 - ComfyUI's
    ) -> str:
        """Run again when a file under the folder has come, gone or changed."""
        # ComfyUI passes None for what is wired, and compares that itself.
        mark = "" if "images" in wired else core.walk.folder_mark(host.image_folder(folder[0]))
        return f"{library[0]}|{sidecars[0]}|{tagger[0]}|{mark}"

    @classmethod
    def execute(
        cls,
        folder: list[str],
        library: list[str],
        sidecars: list[str],
        tagger: Sequence[str] = (NO_TAGGER,),
        clip_vision: Sequence[ClipVision] = (),
        images: Sequence[torch.Tensor] = (),
        captions: Sequence[str] = (),
    ) -> io.NodeOutput:
        """Index the folder, and tag and embed it where there is something to do it with."""
        options = core.index.IndexOptions(sidecars=core.parse.sidecar_rule(core.parse.names(sidecars[0])))
        pictures = _save(folder[0], images, captions) if images else host.image_folder(folder[0])
        report = core.dataset.index(host.store(), host.settings(), library[0], pictures, options, host.progress())
        sentences, problems = [report.sentence], list(report.problems)
        if tagger[0] != NO_TAGGER:
            tagged = _tag(library[0], report.folder, tagger[0])
            sentences.append(tagged.sentence)
            problems += tagged.problems
        if clip_vision:
            from .embedder import embed_folder  # noqa: PLC0415 - it imports torch

            embedded = embed_folder(library[0], report.folder, clip_vision[0])
            sentences.append(embedded.sentence)
            problems += embedded.problems
        told = format_problems(problems)
        return io.NodeOutput(
            LibraryFolder(library[0], report.folder),
            report.found,
            told,
            ui=ui.PreviewText("\n".join([*sentences, told]).strip()),
        )


def _save(folder: str, images: Sequence[torch.Tensor], captions: Sequence[str]) -> Path:
    """Return the folder under ComfyUI's input folder in which a graph's images are saved."""
    place = host.graph_images_folder(folder)
    core.graph_images.save_graph_images(
        place, [each for batch in images for each in trained.pil_images(batch)], captions, host.progress()
    )
    return place


def _tag(library: str, folder: str, tagger: str) -> TagReport:
    """Tag a folder of a library, with the node's progress and interruption."""
    store, settings = host.store(), host.settings()
    wanted = core.filters.DatasetFilter(folders=(folder,), exclude_marked_bad=False)
    return core.dataset.tag(
        store, settings, core.dataset.open_library(store, settings, library), tagger, wanted, host.progress()
    )
