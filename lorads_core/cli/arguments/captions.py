"""Commands that show, edit and check captions, and the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..shared_options import add_json_option, add_out_option, add_vocabulary_option, png_file
from .command import DATASET, add_command

if TYPE_CHECKING:
    from .command import Commands, Run


def add_captions(commands: Commands, run: Run) -> None:
    """Add captions and lint."""
    from ...base_models import base_model_names  # noqa: PLC0415 - the tables are read when they are shown
    from ...captions.operation_table import OPERATIONS  # noqa: PLC0415
    from ..caption_options import add_edit_options, add_operation  # noqa: PLC0415

    captions = add_command(
        commands,
        "captions",
        run,
        "show, edit and undo edits of a dataset's captions",
        "lorads captions tomcat\n  lorads captions tomcat --remove-tag watermark --apply",
    )
    lint = add_command(
        commands,
        "lint",
        run,
        "find problems in the captions of a dataset, and fix them",
        "lorads lint tomcat --base-model illustrious\n  lorads lint tomcat --fix duplicate-tags --apply",
    )
    bases = f"base model that captions are for: {', '.join(base_model_names())} (default: %(default)s)"
    for command in (captions, lint):
        command.add_argument("name", metavar="DATASET", help=DATASET)
        command.add_argument("--base-model", default="sdxl", metavar="NAME", help=bases)
        command.add_argument(
            "--show", type=int, default=12, metavar="N", help="number of lines to show (default: %(default)s)"
        )
        add_vocabulary_option(command)
        add_json_option(command)
    captions.add_argument("--plain", action="store_true", help="print every path and caption, separated by a tab")
    captions.add_argument("--sources", action="store_true", help="count the images that each caption source covers")
    captions.add_argument(
        "--analysis", action="store_true", help="show frequent tags, tags that co-occur with the trigger, and lengths"
    )
    captions.add_argument("--plot", type=png_file, metavar="FILE.png", help="save the analysis as a plot")
    captions.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="TAG",
        help="bind this trait to the trigger: captions built from now on leave it out",
    )
    captions.add_argument(
        "--keep", action="append", default=[], metavar="TAG", help="leave this trait promptable: captions keep it"
    )
    captions.add_argument(
        "--of", default="", metavar="CONCEPT", help="concept whose traits these are (default: the only one)"
    )
    captions.add_argument("--history", action="store_true", help="list the edits so far")
    captions.add_argument("--undo", action="store_true", help="undo the latest edit")
    captions.add_argument("--redo", action="store_true", help="redo what was undone")
    add_edit_options(captions)
    lint.add_argument("--flip-aug", action="store_true", help="check for training with flipped images")
    lint.add_argument("--shuffle-caption", action="store_true", help="check for training with shuffled tags")
    add_operation(lint, OPERATIONS["fix"])
    lint.add_argument(
        "--apply",
        action="store_true",
        help="write the fixes (default: preview them); lorads captions --undo undoes them",
    )


def add_panel(commands: Commands, run: Run) -> None:
    """Add panel."""
    panel = add_command(
        commands, "panel", run, "open the caption panel in the browser, served on this machine only", "lorads panel"
    )
    panel.add_argument("--port", type=int, default=0, metavar="PORT", help="port to serve on (default: any free one)")
    panel.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    add_out_option(panel)
