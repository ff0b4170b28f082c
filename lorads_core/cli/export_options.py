"""Command-line options of an export: the training options, the trainer, how images are written."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..trainers import trainers
from ..workflow.writing import WRITING
from .shared_options import add_out_option, path
from .training_options import add_training_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..export.plan import ExportOptions
    from ..settings import Settings

WRITING_PREFIX = "writing_"


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Add training options and how an export is written.

    An option that is not given has no value at all, so that those of the last export can stand in for it.
    """
    add_training_options(command.add_argument_group("training"))
    writing = command.add_argument_group("writing")

    def add(name: str, text: str, **how: Any) -> None:  # noqa: ANN401 - argparse's own
        flag = f"--{name.replace('_', '-')}"
        default = WRITING[name]
        end = "" if default is False else f" (default: {default})"
        writing.add_argument(flag, dest=WRITING_PREFIX + name, default=argparse.SUPPRESS, help=text + end, **how)

    add("trainer", "trainer to write for", choices=list(trainers()))
    add_out_option(writing, " (default: ./lorads-exports)")
    add(
        "images",
        "how to write images: original (files as they are, if trainers read them correctly), normalised (all"
        " upright, in sRGB and re-encoded), max_side=N (also scaled down to a longest side of N pixels), max_area=N"
        " (… to the area of a square of N pixels) or bucket (scaled and cropped to the bucket)",
        metavar="POLICY",
    )
    add("format", "format of re-encoded images: png, jpeg or webp", metavar="FORMAT")
    add("quality", "quality of jpeg and webp; 100 means lossless webp", type=int, metavar="1-100")
    add("background", "colour behind transparent parts, e.g. #808080", metavar="COLOUR")
    switch = argparse.BooleanOptionalAction
    add("keep_alpha", "keep transparency (png, webp)", action=switch)
    add("strip", "remove workflows and other metadata from copies", action=switch)
    add("link", "hard links instead of copies, if on the same drive", action=switch)
    add("first_frame", "write the first frame of animations, which are left out otherwise", action=switch)
    writing.add_argument("--plot", type=path, metavar="FILE", help="save a plot of the buckets")


def add_dry_run_option(command: argparse.ArgumentParser) -> None:
    """Add the option to say what would be done."""
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="say which images, steps and buckets there would be and what would be replaced, and write nothing",
    )


def export_options(
    options: argparse.Namespace, settings: Settings, last: Mapping[str, Any] | None = None
) -> ExportOptions:
    """Return how to write: the options of a command over those of the last export; see `workflow.last_export`."""
    # `lorads --help` needs neither pictures nor runs.
    from ..runs.profile import find_installed  # noqa: PLC0415
    from ..workflow.last_export import writing_options  # noqa: PLC0415

    given = {name: vars(options)[WRITING_PREFIX + name] for name in WRITING if WRITING_PREFIX + name in vars(options)}
    words = {**WRITING, **(last or {}), **given}
    return writing_options(words, find_installed(settings, words["trainer"]))
