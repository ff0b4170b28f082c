"""Index Images: a folder into the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io, ui

from ..lorads_core.problems import told_as_text
from . import core, host
from .sockets import CATEGORY, LibraryFolder, LibrarySocket

if TYPE_CHECKING:
    from ..lorads_core.tagging.run import TagReport
    from .embedder import ClipVision

NO_TAGGER = "(none)"
ClipVisionSocket = io.Custom("CLIP_VISION")


class IndexImages(io.ComfyNode):
    """Reads what is new or changed in a folder; unchanged files cost a look at their date."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsIndexImages",
            display_name="Index Images",
            category=CATEGORY,
            description="Reads a folder of pictures, with their captions and prompts, into a LoRADS library.",
            search_aliases=["lora", "dataset", "folder", "library"],
            inputs=[
                io.String.Input(
                    "folder",
                    default="",
                    placeholder="my_pictures",
                    tooltip="Folder under ComfyUI's input folder or a root of lorads.toml. Subfolders count too.",
                ),
                io.Combo.Input(
                    "library",
                    options=host.library_names(),
                    tooltip="Library to keep the pictures in. Add libraries in lorads.toml.",
                ),
                io.String.Input(
                    "sidecars",
                    default=".txt=sidecar, .caption=joycaption",
                    tooltip="What the text files beside pictures hold: .txt=wd or .txt=joytag for a tagger's tags.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "tagger",
                    options=[NO_TAGGER, *host.tagger_names()],
                    default=NO_TAGGER,
                    optional=True,
                    tooltip="Tags the pictures that it has not seen yet. Add taggers in lorads.toml.",
                ),
                ClipVisionSocket.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="From Load CLIP Vision. Keeps a vector of each picture, for Regularization Finder.",
                ),
            ],
            outputs=[
                LibrarySocket.Output("index", "index", tooltip="The folder in its library, for Query Images."),
                io.Int.Output("count", "count", tooltip="Pictures found."),
                io.String.Output("problems", "problems", tooltip="One line per file that could not be read."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(
        cls,
        folder: str,
        library: str,
        sidecars: str,
        tagger: str = NO_TAGGER,
        clip_vision: ClipVision | None = None,  # noqa: ARG003 - ComfyUI's
    ) -> str:
        """Run again when a file under the folder has come, gone or changed."""
        return f"{library}|{sidecars}|{tagger}|{core.walk.folder_mark(host.picture_folder(folder))}"

    @classmethod
    def execute(
        cls,
        folder: str,
        library: str,
        sidecars: str,
        tagger: str = NO_TAGGER,
        clip_vision: ClipVision | None = None,
    ) -> io.NodeOutput:
        """Index the folder, and tag and embed it where there is something to do it with."""
        options = core.index.IndexOptions(sidecars=core.inputs.sidecar_rule(core.inputs.names(sidecars)))
        pictures = host.picture_folder(folder)
        report = core.build.index(host.store(), host.settings(), library, pictures, options, host.progress())
        sentences, problems = [report.sentence], list(report.problems)
        if tagger != NO_TAGGER:
            tagged = _tag(library, report.folder, tagger)
            sentences.append(tagged.sentence)
            problems += tagged.problems
        if clip_vision is not None:
            from .embedder import embed_folder  # noqa: PLC0415 - it imports torch

            embedded = embed_folder(library, report.folder, clip_vision)
            sentences.append(embedded.sentence)
            problems += embedded.problems
        told = told_as_text(problems)
        return io.NodeOutput(
            LibraryFolder(library, report.folder),
            report.found,
            told,
            ui=ui.PreviewText("\n".join([*sentences, told]).strip()),
        )


def _tag(library: str, folder: str, tagger: str) -> TagReport:
    """Tag a folder of a library, with the node's progress and interruption."""
    store, settings = host.store(), host.settings()
    wanted = core.filters.DatasetFilter(folders=(folder,), exclude_marked_bad=False)
    return core.build.tag(
        store, settings, core.build.open_library(store, settings, library), tagger, wanted, host.progress()
    )
