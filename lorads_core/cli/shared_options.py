"""Command-line options that several commands share: library, images to select, regularization, captions, export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ..errors import SettingsError
from ..library.days import read_day
from ..model import MARKS, Position
from ..system.names import is_text

if TYPE_CHECKING:
    from datetime import date

    Options = argparse.ArgumentParser | argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def text(word: str) -> str:
    """Refuse an argument that is not valid text: it could be neither stored nor shown. Type of all options."""
    if not is_text(word):
        raise argparse.ArgumentTypeError("it is not valid UTF-8, or holds a NUL character")
    return word


def path(word: str) -> Path:
    """Refuse an empty path, which would mean the current folder: most often a variable that is not set."""
    if not word:
        raise argparse.ArgumentTypeError("it is empty; write . for the current folder")
    try:
        return Path(text(word)).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"there is no such user: {word}") from None


def png_file(word: str) -> Path:
    """Return the path of a PNG that will be written; another suffix would lie about what is in the file."""
    found = path(word)
    if found.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{word} is written as PNG: end its name with .png")
    return found


def day(word: str) -> date:
    """Return a day written as an ISO date."""
    try:
        found = read_day(text(word))
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
    if found is None:
        raise argparse.ArgumentTypeError("it is empty; write a date such as 2025-01-31")
    return found


def add_library_option(command: argparse.ArgumentParser) -> None:
    """Add which library a command works on."""
    command.add_argument("--library", default="pictures", help="name of the library (default: %(default)s)")


def add_reading_options(command: argparse.ArgumentParser) -> None:
    """Add how folders are read into the index: sidecars, links, online-only files."""
    command.add_argument(
        "--sidecar",
        action="append",
        default=[],
        metavar=".SUFFIX=SOURCE[:FORM][:ENCODING]",
        help="what text files next to images contain: .txt=wd, .wd14.txt=wd, .txt=sidecar:captions, .txt=sidecar:cp1252"
        ", .json=none … (default: .txt, .json, .jsonl, .xmp=sidecar, .caption=joycaption; see docs/captions.md)",
    )
    command.add_argument(
        "--follow-links", action="store_true", help="follow symbolic links and junctions (default: skip them)"
    )
    command.add_argument(
        "--download",
        action="store_true",
        help="also read online-only files (OneDrive, iCloud), which downloads them (default: skip them)",
    )


def add_selection_options(command: argparse.ArgumentParser) -> None:
    """Add the library and the filters that select its images."""
    add_library_option(command)
    choosing = command.add_argument_group("selecting images")
    choosing.add_argument(
        "--folder", action="append", default=[], type=path, help="only images in this folder and its subfolders"
    )
    choosing.add_argument("--cluster", default="", help="only images of this cluster (person, group)")
    choosing.add_argument("--album", default="", help="only images of this album")
    choosing.add_argument(
        "--require", action="append", default=[], metavar="TAG", help="only images with this tag (repeat for several)"
    )
    choosing.add_argument("--exclude", action="append", default=[], metavar="TAG", help="no images with this tag")
    choosing.add_argument(
        "--minimum-rating",
        type=int,
        metavar="0-10",
        help="only images rated at least this, and no unrated ones",
    )
    choosing.add_argument("--with-marked-bad", action="store_true", help="include images that are marked as bad")
    choosing.add_argument(
        "--favorite", choices=list(MARKS), default="any", help="favorites only, or none of them (default: %(default)s)"
    )
    choosing.add_argument(
        "--nsfw",
        choices=list(MARKS),
        default="any",
        help="only images marked NSFW, or none of them; regularization images from the same library too"
        " (default: %(default)s)",
    )
    choosing.add_argument(
        "--made-with-checkpoint",
        dest="models",
        action="append",
        default=[],
        metavar="NAME",
        help="only images made with this checkpoint: file name or hash, * for anything (repeat for several)",
    )
    choosing.add_argument(
        "--made-with-lora",
        dest="loras",
        action="append",
        default=[],
        metavar="NAME",
        help="only images made with this LoRA, * for anything (repeat for several)",
    )
    choosing.add_argument(
        "--created-since", type=day, metavar="DATE", help="only images of this day or later, e.g. 2025-01-31"
    )
    choosing.add_argument("--created-before", type=day, metavar="DATE", help="only images from before this day")
    choosing.add_argument(
        "--minimum-side", type=int, default=0, metavar="PIXELS", help="minimum length of the shorter side"
    )
    choosing.add_argument(
        "--maximum-images",
        type=int,
        metavar="N",
        help="at most this many images; missing files are replaced by the next ones",
    )
    choosing.add_argument(
        "--id",
        action="append",
        default=[],
        type=int,
        metavar="ID",
        help="only the image with this id (repeat for several)",
    )
    choosing.add_argument(
        "--order", default="path", help="path, newest, oldest, rating, largest or random (default: %(default)s)"
    )
    choosing.add_argument("--seed", type=int, default=0, help="seed of the random order")


def add_query_options(command: argparse.ArgumentParser) -> None:
    """Arguments of commands that select images and show some."""
    add_selection_options(command)
    command.add_argument("--name", default="query", help="name of the resulting dataset (default: %(default)s)")
    command.add_argument(
        "--duplicates",
        choices=["keep", "report", "drop"],
        default="keep",
        help="keep near-duplicates, report them, or drop all but the best (default: %(default)s)",
    )
    command.add_argument("--paths", action="store_true", help="print the path of each image, one per line")
    command.add_argument("--null", action="store_true", help="with --paths: end each path with NUL, for xargs -0")
    add_json_option(command)
    command.add_argument("--sheet", type=png_file, metavar="FILE.png", help="save a contact sheet of the images")


def add_regularization_options(command: argparse.ArgumentParser) -> None:
    """Add a query and how regularization images are found for it."""
    add_query_options(command)
    command.add_argument(
        "--histogram", type=png_file, metavar="FILE.png", help="save a histogram of how similar the library is"
    )
    finding = command.add_argument_group("finding regularization images")
    finding.add_argument(
        "--among",
        default="",
        metavar="LIBRARY",
        help="library to search (default: the one of the selected images)",
    )
    finding.add_argument("--count", type=int, metavar="N", help="images to find (default: as many as training images)")
    finding.add_argument(
        "--class", dest="regularization_class", action="append", default=[], metavar="TAG",
        help="tag that every regularization image must have, e.g. 1girl",
    )  # fmt: skip
    finding.add_argument(
        "--without", action="append", default=[], metavar="TAG", help="tag that no regularization image may have"
    )
    _add_band_options(finding)
    finding.add_argument(
        "--mode",
        default="centres",
        metavar="centres|nearest",
        help="what to compare with: centres of the selected images, or the nearest of them (default: %(default)s)",
    )
    finding.add_argument("--minimum-quality", type=int, metavar="0-10", help="minimum rating of regularization images")
    finding.add_argument(
        "--quality",
        type=float,
        default=0.3,
        metavar="0-1",
        help="weight of rating and aesthetic score versus similarity (default: %(default)s)",
    )
    finding.add_argument(
        "--diversity",
        type=float,
        default=0.3,
        metavar="0-1",
        help="how different from each other they should be (default: %(default)s)",
    )
    finding.add_argument(
        "--twin",
        type=float,
        default=0.9,
        metavar="0-1",
        help="similarity from which two picks count as too alike, and only one is used (default: %(default)s)",
    )
    finding.add_argument(
        "--per-cluster", type=int, default=0, metavar="N", help="at most this many from one cluster (default: no limit)"
    )
    finding.add_argument(
        "--allow-same-cluster", action="store_true", help="allow images from the clusters of the selected ones"
    )
    finding.add_argument(
        "--allow-subject-tags", action="store_true", help="allow images with tags of the subject itself"
    )
    finding.add_argument(
        "--vectors-only", action="store_true", help="do not compare the image files themselves to find duplicates"
    )
    finding.add_argument(
        "--repeats",
        type=int,
        default=10,
        metavar="N",
        help="repeats of the training images; caps how many regularization images are used (default: %(default)s)",
    )
    finding.add_argument(
        "--space", default="", metavar="NAME", help="kind of vectors to compare by (default: the library's)"
    )
    finding.add_argument("--search", default="auto", metavar="HOW", help="auto, exact or index (default: %(default)s)")


def _add_band_options(group: Options) -> None:
    group.add_argument("--band", default="", metavar="0.5-0.85", help="range of similarity to the selected images")
    group.add_argument(
        "--percentiles", default="", metavar="60-95", help="the same range as percentiles of the library"
    )


def add_out_option(command: Options, default: str = "") -> None:
    """Add the folder of all exports; other tools call such an option --output."""
    help_text = f"folder of all exports{default}"
    command.add_argument("--out", "--output", dest="out", type=path, metavar="FOLDER", help=help_text)


def add_vocabulary_option(command: Options) -> None:
    """Add the vocabulary of tags."""
    command.add_argument(
        "--vocabulary",
        default="",
        metavar="NAME",
        help="[vocabularies.NAME] in lorads.toml (default: built in)",
    )


def add_build_options(command: argparse.ArgumentParser) -> None:
    """Add everything from the selection of images to the export."""
    command.add_argument("--name", help="name of the dataset (default: the trigger)")
    command.add_argument("--trigger", default="", help="word that activates the concept in prompts")
    command.add_argument(
        "--trigger-position",
        choices=get_args(Position),
        default="prepend",
        help="where captions get the trigger (default: %(default)s)",
    )
    command.add_argument(
        "--duplicates",
        choices=["report", "drop", "keep"],
        default="report",
        help="identical and nearly identical training images: report them, drop all but the best of each, or keep them"
        " without looking (default: %(default)s)",
    )
    command.add_argument("--regularization", type=path, metavar="FOLDER", help="folder of regularization images")
    finding = command.add_argument_group("finding regularization images (more options: lorads regularize)")
    finding.add_argument(
        "--find-regularization",
        type=int,
        metavar="N",
        help="find N similar regularization images in the library",
    )
    finding.add_argument(
        "--class", dest="regularization_class", action="append", default=[], metavar="TAG",
        help="what the images show, e.g. 1girl: tag that each regularization image found must have, and the caption of"
        " images that have neither caption nor trigger",
    )  # fmt: skip
    _add_band_options(finding)
    add_selection_options(command)
    add_reading_options(command)
    captions = command.add_argument_group("captions")
    captions.add_argument(
        "--caption",
        "--captions",
        default="sidecar",
        metavar="SOURCE",
        help="where captions come from (default: %(default)s)",
    )
    captions.add_argument(
        "--fallback", action="append", default=[], metavar="SOURCE", help="source to use where the first has none"
    )
    captions.add_argument(
        "--uncaptioned",
        choices=["trigger", "leave-out"],
        default="trigger",
        help="images without a caption: train them with the trigger alone (without one: the class or the folder's"
        " name), or leave them out (default: %(default)s)",
    )
    captions.add_argument(
        "--leave-out", action="append", default=[], metavar="TAG", help="tag to leave out of all captions"
    )
    captions.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="TAG",
        help="trait that the trigger stands for: remove it from captions",
    )
    add_vocabulary_option(captions)


def add_json_option(command: argparse.ArgumentParser) -> None:
    """Add the option to print a result for another program."""
    command.add_argument("--json", action="store_true", help="print the result as JSON")
